"""`courtesy consent`: what somebody chose, whether they may be used for something, and records of both."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import from_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.person import Kind, Value
from courtesy.consent.forms import Document, RecordForm, records_as
from courtesy.consent.records import described
from courtesy.event.choice import ANY, Scope
from courtesy.runtime.app import App
from courtesy.runtime.consent import Question

consent = typer.Typer(name="consent", help="What somebody allows, refuses and likes.", no_args_is_help=True)

WORD_MAX = 100


@consent.command("allowed")
def consent_allowed(
    kind: Kind,
    value: Value,
    purpose: Annotated[str, typer.Option(help="What for, like marketing")],
    channel: Annotated[str, typer.Option(help="Over which channel, like email")],
    topic: Annotated[str, typer.Option(help="About what")] = ANY,
    brand: Annotated[str, typer.Option(help="For which brand")] = ANY,
    jurisdiction: Annotated[
        str | None, typer.Option(help="Where they are, like DE or US-CA. Default: what is known of them")
    ] = None,
    at: Annotated[str | None, typer.Option(help="At a past instant, like 2026-05-03T14:05:00Z")] = None,
    known: Annotated[str | None, typer.Option(help="By what was known at an instant. Default: by everything")] = None,
    local_time: Annotated[
        str | None, typer.Option(help="What time it is where they are, like 09:30. Default: by their time zone")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Whether somebody may be used for a purpose over a channel, and why."""
    question = Question(
        _word(purpose, "--purpose"),
        _word(channel, "--channel"),
        _word(topic, "--topic"),
        _word(brand, "--brand"),
        None if jurisdiction is None else _place(jurisdiction),
        None if at is None else _instant(at, "--at"),
        None if known is None else _instant(known, "--known"),
        None if local_time is None else _minute(local_time),
    )

    async def work(app: App) -> dict[str, Any]:
        return await app.consents.allowed(kind, value, question)

    for line in answer_lines(with_app(settings_of(data=data, database=database), work)):
        print(line)


@consent.command("choices")
def consent_choices(kind: Kind, value: Value, data: DataOption = None, database: DatabaseOption = None) -> None:
    """All that somebody allows, refuses and likes, the latest first."""

    async def work(app: App) -> dict[str, Any]:
        return await app.consents.choices(kind, value)

    for choice in with_app(settings_of(data=data, database=database), work)["choices"]:
        print(choice_line(choice))


@consent.command("records")
def consent_records(
    kind: Kind,
    value: Value,
    format_: Annotated[RecordForm, typer.Option("--format", help="In which form")] = RecordForm.ISO_27560,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Hand out records of what somebody allowed and refused, with the evidence."""

    async def work(app: App) -> Document:
        person, told = await app.consents.told(kind, value)
        return records_as(format_, str(person), told, await app.consents.controller())

    document = with_app(settings_of(data=data, database=database), work)
    sys.stdout.buffer.write(document.content if format_ is RecordForm.CSV else document.content + b"\n")
    sys.stdout.buffer.flush()


def answer_lines(answer: dict[str, Any]) -> list[str]:
    """An answer for people to read: yes or no first, then why."""
    scope = Scope(*(answer[name] for name in Scope._fields))
    lines = [
        f"{'yes' if answer['allowed'] else 'no'}: {answer['why'].replace('_', ' ')}",
        f"  asked: {described(scope)}, at {answer['at']}",
    ]
    if answer["known_at"] is not None:
        lines.append(f"  by what was known at {answer['known_at']}")
    if answer["local_time"] is not None:
        lines.append(f"  local time: {answer['local_time']}")
    if answer["rule"]:
        lines += [f"  rule: {answer['rule']} of {answer['policy']}", f"  source: {answer['source']}"]
    return lines + [f"  choice: {choice_line(each)}" for each in answer["choices"]]


def choice_line(choice: dict[str, Any]) -> str:
    """A choice in a line: when, what, for what, and its id."""
    scope = Scope(*(choice[name] for name in Scope._fields))
    value = "" if choice["value"] is None else f" = {choice['value']!r}"
    basis = "" if choice["basis"] is None else f" ({choice['basis']})"
    until = "" if choice["held_to"] is None else f" until {choice['held_to']}"
    return f"{choice['held_from']}{until}  {choice['action']}{basis}  {described(scope)}{value}  {choice['id']}"


def _word(text: str, place: str) -> str:
    if not text or text != text.strip() or "\0" in text or len(text) > WORD_MAX:
        raise CourtesyError(
            Code.INVALID, f"expected a word of up to {WORD_MAX} characters, got {text!r:.60}", place=place
        )
    return text


def _place(text: str) -> str:
    if re.fullmatch(r"\*|[A-Z]{2}(-[A-Z0-9]{1,3})?", text) is None:
        raise CourtesyError(
            Code.INVALID, f"expected a place like DE or US-CA, got {text!r:.60}", place="--jurisdiction"
        )
    return text


def _instant(text: str, place: str) -> int:
    at_ms = from_iso(text)
    if at_ms is None or at_ms < 0:
        raise CourtesyError(Code.INVALID, f"expected an instant in ISO 8601, got {text!r:.60}", place=place)
    return at_ms


def _minute(text: str) -> int:
    if re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text) is None:
        raise CourtesyError(Code.INVALID, f"expected a time of day like 09:30, got {text!r:.60}", place="--local-time")
    return int(text[:2]) * 60 + int(text[3:])
