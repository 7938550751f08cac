"""`courtesy content preview`: what would leave for somebody, before anything does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.content_words import item_key, said
from courtesy.content.findings import Check, Finding, warning
from courtesy.identity.rules import split_identifier
from courtesy.runtime.app import App
from courtesy.runtime.preview_page import page
from courtesy.runtime.previewed import Preview, PreviewAsk, Shown, Somebody

SUBJECT_CHARS = 60

ItemArgument = Annotated[str, typer.Argument(help="The item, as kind/name")]
PersonOption = Annotated[
    str | None, typer.Option(help="Who reads it, by an identifier such as user_id:ann; without, somebody unknown")
]
TraitOption = Annotated[list[str] | None, typer.Option(help="A trait of somebody made up, as name=value; repeat it")]
VersionOption = Annotated[str, typer.Option(help="draft, live, or the number of a version")]
OfferOption = Annotated[str, typer.Option(help="The offer that it brings")]
DataJson = Annotated[str, typer.Option("--event", help="What templates read as `event`, as JSON")]


def preview_item(
    item: ItemArgument,
    person: PersonOption = None,
    trait: TraitOption = None,
    version: VersionOption = "draft",
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel; repeat it")] = None,
    locale: Annotated[list[str] | None, typer.Option(help="In this locale; repeat it")] = None,
    offer: OfferOption = "",
    event: DataJson = "{}",
    out: Annotated[str | None, typer.Option(help="Write a page to look at into this file")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show what would leave for somebody in every channel and locale, and whether it would leave now.

    Nothing is changed by it: nobody is granted anything, and no link tells who followed it.
    """
    ask = preview_ask(
        content=str(item_key(item)),
        version=int(version) if version.isdecimal() else version,
        person=msgspec.to_builtins(somebody(person, trait or [])),
        channels=channel or [],
        locales=locale or [],
        offer=offer,
        data=event_data(event),
    )

    async def work(app: App) -> Preview:
        return await app.post.previews.preview(ask)

    found = with_app(settings_of(data=data, database=database), work)
    if out is not None:
        Path(out).write_text(page(found), encoding="utf-8")
    _tell(found)


def preview_ask(**told: Any) -> PreviewAsk:
    """What is asked for. Raises CourtesyError(INVALID)."""
    try:
        return msgspec.convert(told, PreviewAsk)
    except msgspec.ValidationError as error:
        raise CourtesyError(Code.INVALID, str(error)) from None


def somebody(person: str | None, traits: list[str]) -> Somebody:
    """Who is meant. Raises CourtesyError(INVALID)."""
    if person is None:
        pairs = (each.partition("=") for each in traits)
        return Somebody(traits={name: value for name, _, value in pairs})
    if ":" not in person or traits:
        raise CourtesyError(Code.INVALID, "expected a kind and a value, such as user_id:ann", place="--person")
    return Somebody(*split_identifier(person))


def event_data(text: str) -> dict[str, Any]:
    """What templates read as `event`. Raises CourtesyError(UNREADABLE)."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CourtesyError(Code.UNREADABLE, f"expected an object as JSON: {error}", place="--event") from None


def _tell(found: Preview) -> None:
    """Channel, locale, how it begins, and whether it would leave; beside that, what was found."""
    for each in found.findings:
        print(said(found.content, each), file=sys.stderr)
    verdicts = {each.channel: "leaves" if each.leaves else f"{each.reason} {each.why}" for each in found.leaving}
    for shown in found.shown:
        for one in _findings(shown):
            print(said(f"{shown.channel} {shown.locale}".strip(), one), file=sys.stderr)
        where = shown.placement or shown.locale or "default"
        theirs = "theirs" if shown.theirs else "-"
        print("\t".join([shown.channel, where, theirs, verdicts.get(shown.channel, "-").strip(), _beginning(shown)]))


def _findings(shown: Shown) -> list[Finding]:
    lacked = [warning(Check.LACKING_NAME, f"{each.about} {each.problem}", each.place) for each in shown.lacked]
    return [*shown.findings, *lacked]


def _beginning(shown: Shown) -> str:
    told = shown.parts.get("subject") or shown.parts.get("title") or shown.parts.get("text") or ""
    words = " ".join(str(told).split())
    return words if len(words) <= SUBJECT_CHARS else f"{words[: SUBJECT_CHARS - 1]}…"
