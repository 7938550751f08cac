"""Turns at the lake, told by advisory locks of the database that holds its catalogue.

Two of them. Who appends holds `APPEND` from before the log is read until the commit. Who rewrites files holds `REWRITE`
all the while, and `APPEND` as well for as long as the commit takes, so that rewriting never holds up appending for
long. Who holds both knows that nobody writes anything.

A lock is lost when its connection breaks. That is looked at before each commit, and the commit is an optimistic one, so
the locks need not be perfect: they save work and order what follows from what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from sqlalchemy import Engine, func, select


class Turn(IntEnum):
    """What a turn is for; the number is that of the lock."""

    APPEND = 0x_C0_07_E5_2
    REWRITE = 0x_C0_07_E5_3


PATIENCE_S = {Turn.APPEND: 120, Turn.REWRITE: 900}
"""How long to wait for one's turn: well over what a commit takes, or the rewriting of a day."""


@contextmanager
def turn(engine: Engine, what: Turn) -> Iterator[Callable[[], None]]:
    """Inside, it is nobody else's turn. Gives a check that raises when the turn was lost meanwhile.

    Raises sqlalchemy.exc.DBAPIError when the database does not answer, or others take too long.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Not the pool's any more: it is closed at the end, and the lock goes with it.
        connection.detach()
        connection.execute(select(func.set_config("lock_timeout", f"{PATIENCE_S[what]}s", False)))
        connection.execute(select(func.pg_advisory_lock(int(what))))

        def check() -> None:
            connection.execute(select(1))

        yield check
