"""What the commands on content share: how an item is named, and how findings are told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from courtesy.content.findings import Finding
from courtesy.content.items import ItemKey, key_of
from courtesy.content.kinds import kind_of
from courtesy.runtime.content_publishing import Blocked, Published

T = TypeVar("T")

ByOption = Annotated[str, typer.Option(help="Who does it, as it is kept")]


def item_key(text: str) -> ItemKey:
    """The item that somebody names. Raises CourtesyError."""
    key = key_of(text, "item")
    kind_of(key.kind, "item")
    return key


def said(item: str, found: Finding) -> str:
    """A finding in one line."""
    place = f" {found.place}:" if found.place else ""
    hint = f" ({found.hint})" if found.hint else ""
    return f"{found.severity}: {item}:{place} {found.message}{hint}"


def publishing(work: Callable[[], T]) -> T:
    """What `work` answers; all that keeps it from being done is told before the error is raised."""
    try:
        return work()
    except Blocked as blocked:
        for each in blocked.troubles:
            print(said(str(each.key), each.finding), file=sys.stderr)
        raise


def tell_published(done: Published) -> None:
    """The versions that are live, and beside them what is odd."""
    for each in done.troubles:
        print(said(str(each.key), each.finding), file=sys.stderr)
    for version in done.versions:
        print(f"{version.key}: version {version.number}, {version.digest.hex()[:12]}")
