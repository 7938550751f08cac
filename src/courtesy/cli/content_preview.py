"""`courtesy content preview` and `proof`: what would leave for somebody, looked at before anything does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.content_words import ByOption, item_key, said
from courtesy.cli.person import COMMAND_LINE
from courtesy.content.findings import Check, Finding, warning
from courtesy.delivery.proof import ProofAddresses
from courtesy.identity.rules import split_identifier
from courtesy.runtime.app import App
from courtesy.runtime.mail_proof import ProofAsk, SentProofs
from courtesy.runtime.preview_page import page
from courtesy.runtime.previewed import Preview, PreviewAsk, Shown, Somebody

SUBJECT_CHARS = 60

T = TypeVar("T")

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
    ask = _asked(
        PreviewAsk,
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


def send_proof(
    item: ItemArgument,
    to: Annotated[list[str], typer.Option(help="A permitted address; repeat it")],
    person: Annotated[
        list[str] | None, typer.Option(help="As whom, by an identifier such as user_id:ann; repeat it")
    ] = None,
    trait: TraitOption = None,
    version: VersionOption = "draft",
    locale: Annotated[str, typer.Option(help="In this locale instead of their own")] = "",
    offer: OfferOption = "",
    event: DataJson = "{}",
    connection: Annotated[str, typer.Option(help="Send it by this connection")] = "",
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Send a mail to people of your own, marked as a proof, as somebody would get it.

    Prints address, person, locale, outcome and the mail server's words of each.
    """
    ask = _asked(
        ProofAsk,
        content=str(item_key(item)),
        to=to,
        people=[msgspec.to_builtins(somebody(each, [])) for each in person or []]
        or [msgspec.to_builtins(somebody(None, trait or []))],
        version=int(version) if version.isdecimal() else version,
        locale=locale,
        offer=offer,
        data=event_data(event),
        connection=connection,
    )

    async def work(app: App) -> SentProofs:
        return await app.post.proofs.send(ask, by)

    for each in with_app(settings_of(data=data, database=database), work).sent:
        print("\t".join([each.to, each.person, each.locale or "default", each.outcome, each.words]))


def permit_proofs(
    add: Annotated[list[str] | None, typer.Option(help="Permit this address; repeat it")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Permit this address no more; repeat it")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Print the addresses to which proofs may be sent, after changing them if asked to."""

    async def work(app: App) -> ProofAddresses:
        if add or remove:
            known = {*app.catalog.now.proof_addresses.addresses, *(each.lower() for each in add or ())}
            left = tuple(known - {each.lower() for each in remove or ()})
            await app.catalog.define_proof_addresses(ProofAddresses(left), COMMAND_LINE)
        return app.catalog.now.proof_addresses

    for each in with_app(settings_of(data=data, database=database), work, make=True).addresses:
        print(each)


def _asked(type_: type[T], **told: Any) -> T:
    """What is asked for. Raises CourtesyError(INVALID)."""
    try:
        return msgspec.convert(told, type_)
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
