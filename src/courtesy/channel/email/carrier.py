"""What a carrier promises: one attempt to hand over one letter, and an answer from a closed list.

It is not a `Channel`, since what those send is recognised when it comes twice. An e-mail that comes twice is two
e-mails, so an attempt with an unknown end has an answer of its own, and nobody repeats it without knowing more.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from courtesy.channel.contract import Outside
from courtesy.channel.email.letter import Letter
from courtesy.channel.message import Answer
from courtesy.component.declaration import Component


class Carrier(Protocol):
    """Hands letters over by one protocol or to one provider."""

    component: ClassVar[Component]

    def __init__(self, outside: Outside) -> None: ...

    async def carry(self, letter: Letter, config: dict[str, Any]) -> Answer:
        """Try once, in bounded time. `config` is as written by the user; it may differ from call to call.

        Never raises for what the user configured or the other side does. Many letters may be under way at once, and
        should be. After a cancelled attempt it is unknown whether the letter went out.
        """
        ...

    async def aclose(self) -> None:
        """Give back all connections, once nothing is under way. To close twice does no harm."""
        ...
