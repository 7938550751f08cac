"""`courtesy request`: what people ask of us about their data, by when, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import from_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.person import COMMAND_LINE, Value, print_json
from courtesy.consent.request import PENDING, Details, RequestKind, RequestState, number_of
from courtesy.engine.request import Request, RequestFilter, RequestPlace
from courtesy.runtime.app import App
from courtesy.runtime.packages import Package, PackageForm
from courtesy.runtime.request_view import log_view, request_view
from courtesy.runtime.settings import Settings

PAGE = 500

request = typer.Typer(name="request", help="Requests of people about their data.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="The request, like R-7 or 7")]
PersonKind = Annotated[str, typer.Argument(help="user_id, email, phone, device_id, anonymous_id, person, …")]
WhyOption = Annotated[str, typer.Option("--reason", help="Why; the person has to be told")]


@request.command("open")
def open_request(
    kind: Annotated[RequestKind, typer.Argument(help="What is asked for")],
    person_kind: PersonKind,
    value: Value,
    details: Annotated[
        str, typer.Option(help='More of it as JSON, like {"traits": {"city": "Bonn"}} for a rectification')
    ] = "{}",
    unconfirmed: Annotated[
        bool, typer.Option("--unconfirmed", help="It is not sure yet that they asked it themselves")
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Take in a request, and say by when it is due. Who asks the same twice gets the request that is pending."""
    told = _details(details)

    async def work(app: App) -> Request:
        key = app.people.key_of(person_kind, value)
        return await app.requests.open(kind, key, COMMAND_LINE, told, is_confirmed=not unconfirmed)

    _run_and_show(settings_of(data=data, database=database), work)


def _details(text: str) -> Details:
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=Details)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise CourtesyError(Code.INVALID, f"expected JSON: {error}", place="--details") from None


@request.command("list")
def list_requests(
    state: Annotated[RequestState | None, typer.Option(help="Only in this state")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Only what is not answered yet")] = False,
    kind: Annotated[RequestKind | None, typer.Option(help="Only of this kind")] = None,
    due_before: Annotated[str | None, typer.Option(help="Only what is due before an instant (ISO 8601)")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Requests in order of when they are due: number, kind, state, due, and late if they are."""
    due_ms = None if due_before is None else from_iso(due_before)
    if due_before is not None and due_ms is None:
        raise CourtesyError(
            Code.INVALID, f"expected an instant in ISO 8601, got {due_before!r:.60}", place="--due-before"
        )
    states = PENDING if pending else None if state is None else frozenset({state})
    which = RequestFilter(states, kind, due_ms)

    async def work(app: App) -> list[dict[str, Any]]:
        found: list[Request] = []
        after: RequestPlace | None = None
        while page := await app.requests.found(which, after, PAGE):
            found += page
            after = RequestPlace(page[-1].due_ms, page[-1].number)
        return [request_view(each, app.clock.now_ms()) for each in found]

    for each in with_app(settings_of(data=data, database=database), work):
        late = ("late",) if each["overdue"] else ()
        print(*(each[name] for name in ("request", "kind", "state", "due")), *late, sep="\t")


@request.command("show")
def show_request(number: Number, data: DataOption = None, database: DatabaseOption = None) -> None:
    """One request, with all that was done about it."""

    async def work(app: App) -> Request:
        return await app.requests.get(number_of(number))

    _run_and_show(settings_of(data=data, database=database), work)


@request.command("confirm")
def confirm_request(
    number: Number,
    note: Annotated[str, typer.Option(help="How it was found out")] = "",
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Note that it is sure who asked."""

    async def work(app: App) -> Request:
        return await app.requests.confirm(number_of(number), COMMAND_LINE, note)

    _run_and_show(settings_of(data=data, database=database), work)


@request.command("fulfil")
def fulfil_request(number: Number, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Do what was asked, and note that it is done."""

    async def work(app: App) -> Request:
        return await app.requests.fulfil(number_of(number), COMMAND_LINE)

    _run_and_show(settings_of(data=data, database=database), work)


@request.command("refuse")
def refuse_request(number: Number, reason: WhyOption, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Answer that it is not done, and why."""

    async def work(app: App) -> Request:
        return await app.requests.refuse(number_of(number), COMMAND_LINE, reason)

    _run_and_show(settings_of(data=data, database=database), work)


@request.command("extend")
def extend_request(number: Number, reason: WhyOption, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Put the answer off, once, before it is due, as far as the law allows."""

    async def work(app: App) -> Request:
        return await app.requests.extend(number_of(number), COMMAND_LINE, reason)

    _run_and_show(settings_of(data=data, database=database), work)


@request.command("package")
def hand_out_package(
    number: Number,
    out: Annotated[str, typer.Option("--out", help="Folder for the file; made when there is none")],
    format_: Annotated[PackageForm, typer.Option("--format", help="In which form")] = PackageForm.ZIP,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write what a request for access or portability is answered with. Only the owner of the file may read it."""

    async def work(app: App) -> Package:
        return await app.packages.hand_out(number_of(number), COMMAND_LINE, format_)

    package = with_app(settings_of(data=data, database=database), work)
    path = Path(out) / package.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(package.content)
    except OSError as error:
        raise CourtesyError(Code.INVALID, f"can't write there: {error.strerror}", place=out) from error
    print(path)


def _run_and_show(settings: Settings, work: Callable[[App], Awaitable[Request]]) -> None:
    """Do it, and print the request with its log."""

    async def run(app: App) -> dict[str, Any]:
        done = await work(app)
        log = await app.requests.log(done.number)
        return {**request_view(done, app.clock.now_ms()), "log": log_view(log)}

    print_json(with_app(settings, run))
