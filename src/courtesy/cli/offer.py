"""`courtesy offer`: define offers, grant and redeem them, and fill pools of codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.person import COMMAND_LINE, print_json
from courtesy.http.offers import offer_view, pool_view
from courtesy.http.operation import read_json
from courtesy.offer.deciding import Circumstances, Granted, Redeemed
from courtesy.offer.redeeming import HINT, SAID, Refused
from courtesy.offer.rows import OfferTally
from courtesy.offer.terms import MICROS, Money, OfferTerms
from courtesy.runtime.app import App
from courtesy.runtime.offer_desk import Named, Shown

offer = typer.Typer(name="offer", help="What is of value to customers, and redeemed once.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The offer's name")]
KindArgument = Annotated[str, typer.Argument(help="user_id, email, phone, device_id, anonymous_id, person, …")]
PersonArgument = Annotated[str, typer.Argument(help="The identifier's value")]


@offer.command("put")
def put_offer(
    name: NameArgument,
    file: Annotated[str, typer.Argument(help="A JSON file with its terms; - for stdin")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Create or change an offer. What is granted keeps the value with which it was granted."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    terms = read_json(content, OfferTerms)

    async def work(app: App) -> int:
        return (await app.shelf.offers.define(name, terms, COMMAND_LINE)).version

    print(f"{name}: revision {with_app(settings_of(data=data, database=database), work, make=True)}")


@offer.command("list")
def list_offers(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Name, title, and how many are held, redeemed and left (- for no end of them) of each offer."""

    async def work(app: App) -> list[list[str]]:
        tallies, rows = await app.shelf.offer_desk.tallies(), []
        for name, each in sorted((await app.shelf.offers.latest()).items()):
            view = offer_view(app, each, tallies.get(name) or OfferTally(name))
            left = "-" if view.left is None else f"{view.left:,} left"
            rows.append([name, each.terms.title, f"{view.held:,} held", f"{view.redeemed:,} redeemed", left])
        return rows

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@offer.command("show")
def show_offer(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """An offer as it is defined, and how many there are of it, as JSON."""

    async def work(app: App) -> object:
        await app.shelf.offers.latest()
        found = app.shelf.offers.get(name)
        return offer_view(app, found, (await app.shelf.offer_desk.tallies()).get(name) or OfferTally(name))

    print_json(msgspec.to_builtins(with_app(settings_of(data=data, database=database), work)))


@offer.command("grant")
def grant_offer(
    name: NameArgument,
    kind: KindArgument,
    value: PersonArgument,
    request: Annotated[str, typer.Option(help="Your id for this; the same one is granted once")] = "",
    again: Annotated[bool, typer.Option("--again", help="Also if they declined it")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Let a person have an offer, and print its code and until when it holds (- for none)."""

    async def work(app: App) -> Granted | Refused:
        circumstances = Circumstances(by=COMMAND_LINE)
        return await app.shelf.offer_desk.grant(name, Named(kind, value), request, circumstances, again=again)

    found = with_app(settings_of(data=data, database=database), work)
    if isinstance(found, Refused):
        raise _refusal(found)
    code = "-" if found.grant.code is None else found.grant.code.shown
    expires = "-" if found.grant.expires_ms is None else to_iso(found.grant.expires_ms)
    print(f"{code}\t{expires}")


@offer.command("redeem")
def redeem_offer(
    code: Annotated[str, typer.Option(help="The code that the customer shows")] = "",
    name: Annotated[str, typer.Option("--offer", help="The offer, when there is no code")] = "",
    kind: Annotated[str | None, typer.Option(help="The kind of an identifier of the customer")] = None,
    value: Annotated[str | None, typer.Option(help="Its value")] = None,
    order: Annotated[str, typer.Option(help="The till's id of the order")] = "",
    amount: Annotated[float | None, typer.Option(help="The order's value before the discount")] = None,
    currency: Annotated[str | None, typer.Option(help="Its currency, such as EUR")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Redeem an offer, and print the redemption's number and what it takes off the order (- when nobody said)."""
    for one, other, place in ((kind, value, "--kind"), (amount, currency, "--amount")):
        if (one is None) is not (other is None):
            raise CourtesyError(Code.INVALID, "expected both or neither of two options that go together", place=place)
    who = None if kind is None or value is None else Named(kind, value)
    told = None if amount is None or currency is None else _money(amount, currency)

    async def work(app: App) -> Redeemed | Refused:
        return await app.shelf.offer_desk.redeem(
            Shown(name, code, who, order, told), circumstances=Circumstances(by=COMMAND_LINE)
        )

    found = with_app(settings_of(data=data, database=database), work)
    if isinstance(found, Refused):
        raise _refusal(found)
    taken = f"{found.redemption.micros / MICROS:.2f} {found.redemption.currency}" if found.redemption.currency else "-"
    print(f"{found.redemption.number}\t{taken}")


@offer.command("undo")
def undo_redemption(
    number: Annotated[int, typer.Argument(help="The redemption's number")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Undo a redemption, as when its order is cancelled."""

    async def work(app: App) -> str:
        found = await app.shelf.offer_desk.give_back(number, Circumstances(by=COMMAND_LINE))
        return f"{found.offer}: redemption {found.number} given back"

    print(with_app(settings_of(data=data, database=database), work))


@offer.command("pool")
def fill_pool(
    name: Annotated[str | None, typer.Argument(help="The pool; without one all are listed")] = None,
    file: Annotated[str | None, typer.Argument(help="A file of codes to add to it, one a line; - for stdin")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Add codes to a pool, or print the name, free and all codes of pools; `low` when few are free."""
    lines = None if file is None else _lines(file)

    async def work(app: App) -> list[str]:
        if name is not None and lines is not None:
            return [f"{await app.shelf.offer_desk.add_codes(name, lines):,} new codes"]
        await app.shelf.offers.latest()
        pools = [pool_view(app, each) for each in await app.shelf.offer_desk.pools() if name in (None, each.name)]
        return [
            f"{each.name}\t{each.free_count:,} of {each.code_count:,} free{', low' if each.is_low else ''}"
            for each in pools
        ]

    for line in with_app(settings_of(data=data, database=database), work, make=True):
        print(line)


def _lines(file: str) -> list[str]:
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return content.decode("utf-8-sig", "replace").replace("\0", "").splitlines()


def _money(amount: float, currency: str) -> Money:
    try:
        return msgspec.convert({"amount": amount, "currency": currency}, Money)
    except msgspec.ValidationError as error:
        raise CourtesyError(Code.INVALID, str(error), place="--amount") from None


def _refusal(found: Refused) -> CourtesyError:
    said = f"{SAID[found.cause]} {found.detail}".strip()
    return CourtesyError(Code.CONFLICT, f"{found.cause}: {said}", hint=HINT[found.cause])
