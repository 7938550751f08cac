"""What a carrier promises: one attempt to hand over one letter, and an answer from a closed list.

It is not a `Channel`, since what those send is recognised when it comes twice. An e-mail that comes twice is two
e-mails, so an attempt with an unknown end has an answer of its own, and nobody repeats it without knowing more.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import msgspec

from courtesy.channel.contract import Outside
from courtesy.channel.email.letter import Letter
from courtesy.component.declaration import Component
from courtesy.delivery.cause import DeliveryCause


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The other side took the letter, and is in charge of it now. `message_id` is its own name for it, if it told
    one."""

    words: str
    message_id: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The other side refused this letter for good; it has not gone out. `status` is an enhanced code, or empty."""

    cause: DeliveryCause
    words: str
    status: str = ""


class Later(msgspec.Struct, frozen=True, tag="later"):
    """The letter has certainly not gone out, and may another time: not before `after_ms` from now, if that was said.

    With the cause SET_UP no letter will go out in this way until somebody mends it; it is not the letter's fault.
    """

    cause: DeliveryCause
    words: str
    status: str = ""
    after_ms: int | None = None


class Unsure(msgspec.Struct, frozen=True, tag="unsure"):
    """All of the letter was handed over, and no answer came: it may have gone out, and may not. Later reports of the
    letter settle it; to send it again may be to send it twice."""

    words: str


Answer = Accepted | Refused | Later | Unsure
"""What became of one attempt. `words` are for people: they may quote the other side, so they are kept, but not
logged."""


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
