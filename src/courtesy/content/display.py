"""How a message is shown within a page or an application: what it waits for, how often, and what it looks like."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Pattern = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^/")]
Cap = Annotated[int, Meta(ge=1, le=100)]
Label = Annotated[str, Meta(min_length=1, max_length=80)]


class Style(StrEnum):
    """What it looks like: a dialog is in the way until it is answered, a banner and a toast are not."""

    DIALOG = "dialog"
    BANNER = "banner"
    TOAST = "toast"


class Display(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules by which a message is shown. Without any it is shown at once, on any page, once.

    `event`: only when the visitor does this. `page`: only on paths like this, where `*` stands for anything.
    `delay_ms`: so long after that. `priority`: of several that could be shown the highest is. `cap`: how often it is
    shown until it is clicked or dismissed; `cap_per_visit` and `cap_per_day`: how often of those in one visit, which
    ends with half an hour without anything, and on one day of the visitor's clock. `button`: what its button says, when
    it has a link.
    """

    style: Style = Style.DIALOG
    event: Name | None = None
    page: Pattern | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    cap: Cap = 1
    cap_per_visit: Cap | None = None
    cap_per_day: Cap | None = None
    button: Label | None = None
