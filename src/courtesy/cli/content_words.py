"""What the commands on content share: how an item is named, and how findings are told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.findings import Finding
from courtesy.content.items import ItemKey, key_of
from courtesy.content.kinds import kind_of
from courtesy.content.measures import Measure
from courtesy.runtime.content_publishing import Blocked, Published
from courtesy.runtime.expecting import Trial
from courtesy.runtime.sample_people import NamedPerson

T = TypeVar("T")

PersonOption = Annotated[
    list[str] | None, typer.Option(help="Somebody to try it with, as kind:value; may be given again")
]
EventOption = Annotated[str | None, typer.Option(help="A JSON file with the data of a message to try it with")]
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


def read_trial(people: list[str] | None, event: str | None, connection: str = "") -> Trial:
    """What somebody wants content to be tried with. Raises CourtesyError."""
    named = []
    for each in people or ():
        kind, colon, value = each.partition(":")
        if not colon or not kind or not value:
            raise CourtesyError(Code.INVALID, f"expected a person as kind:value, got {each!r:.100}", place="--person")
        named.append(NamedPerson(kind, value))
    if event is None:
        return Trial(tuple(named), None, connection)
    try:
        data = msgspec.json.decode(Path(event).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected an object as JSON: {error}", place="--event") from None
    return Trial(tuple(named), data, connection)


def measure_lines(measure: Measure) -> Iterator[str]:
    """A measure in words, a line for each platform."""
    where = f"{measure.channel} in {measure.locale}"
    if (sms := measure.sms) is not None:
        cost = "" if sms.cost is None else f", {sms.cost:g} {sms.currency}"
        odd = f", because of {' '.join(sms.odd)}" if sms.odd else ""
        yield f"{where}: {sms.parts} part{'s' if sms.parts > 1 else ''} in {sms.encoding}{odd}, {sms.left} left{cost}"
    if (mail := measure.mail) is not None:
        yield f"{where}: {mail.bytes:,} of {mail.bytes_max:,} bytes, subject {mail.subject_chars} characters"
    if (sheet := measure.print) is not None:
        trim, bleed, safe = (f"{width:g} × {height:g}" for width, height in (sheet.trim, sheet.bleed, sheet.safe))
        dpi = "" if sheet.dpi is None else f", {sheet.dpi} of {sheet.dpi_wanted} dots per inch"
        pages = "" if sheet.pages is None else f", {sheet.pages} page{'s' if sheet.pages > 1 else ''}"
        yield f"{where}: {trim} mm, {bleed} with bleed, {safe} safe{dpi}{pages}"
    for push in measure.push:
        seen = f"title {push.title_chars} of {push.title_shown} characters, text {push.body_chars} of {push.body_shown}"
        yield f"{where}, {push.platform}: {push.bytes:,} of {push.bytes_max:,} bytes, {seen}"


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
