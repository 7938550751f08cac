"""An item on its way into the log: a call that accept has judged, with all that can be made ready before the append."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from courtesy.base.ids import PersonId
from courtesy.consent.hearing import is_for_others, problem_of
from courtesy.event.accept import Accepted, Rejected, circumstances_of
from courtesy.event.cause import Cause
from courtesy.event.choice import Choice
from courtesy.event.event import EventType, encode
from courtesy.event.hearsay import Hearsay, without
from courtesy.identity.rules import IdentityRules, normalise, usable
from courtesy.schema.event_schema import Checks, OnBreak, event_name

_FOR_OTHERS = (
    "expected a segment of the publisher's, or a `vendor` for whom to read the string: it says nothing without either"
)

KNOWN_AS_MAX = 50
"""People named with a choice; of somebody made of more the choice may count for fewer, which is the stricter way."""


class Remark(NamedTuple):
    """Something about an event that does not keep it out."""

    cause: Cause
    detail: str


class Item(NamedTuple):
    """One call: its identifiers in the form in which they are compared, and its event as it will lie in the log.

    `group` is the identifier of the group that a group call is about. `chooses`: whether it tells choices. `remark`:
    what is to be said of it though it is stored.
    """

    given: Accepted | Rejected
    ids: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    group: str | None = None
    payload: bytes = b""
    chooses: bool = False
    remark: Remark | None = None


def prepared(given: Accepted | Rejected, rules: IdentityRules) -> Item:
    """The item for a judged call; one that names nobody is rejected here, where the rules of identity are known."""
    if isinstance(given, Rejected):
        return Item(given)
    event = given.event
    remark: Remark | None = None
    if given.heard is not None and given.heard.strings:
        checked = _with_readable_strings(given, given.heard)
        if isinstance(checked, Rejected):
            return Item(checked)
        given, remark = checked
    ids = usable(rules, given.claims)
    if not ids:
        sent = ", ".join(f"{claim.kind}={claim.value!r:.40}" for claim in given.claims) or "none"
        return _rejected(given, Cause.NO_IDENTIFIER, f"expected a usable identifier, got {sent}")
    if event.type is EventType.TRACK:
        return Item(given, ids, payload=encode(msgspec.structs.replace(event, ids=ids)), remark=remark)
    item = _prepared_by_type(given, ids, rules)
    return item if remark is None else item._replace(remark=remark)


def _with_readable_strings(given: Accepted, heard: Hearsay) -> tuple[Accepted, Remark | None] | Rejected:
    """The same with those consent strings that can be read. One that can't be keeps a consent call out, which tells of
    nothing else, and costs any other call nothing but itself."""
    problems = {string: problem for string in heard.strings if (problem := problem_of(string))}
    if given.event.type is EventType.CONSENT:
        others = [string for string in heard.strings if string not in problems and is_for_others(string)]
        problems.update({string: f"{string.place}: {_FOR_OTHERS}" for string in others})
        if problems:
            detail = f"$.{next(iter(problems.values()))}"
            return Rejected(Cause.CHOICE_UNREADABLE, detail, given.raw, given.event.id, circumstances_of(given))
    if not problems:
        return given, None
    remark = Remark(Cause.CONSENT_UNREADABLE, f"$.{next(iter(problems.values()))}")
    return msgspec.structs.replace(given, heard=without(heard, problems)), remark


def held_to(item: Item, checks: Checks) -> Item:
    """The item after the schema of its event, if there is one: as it was, with a remark, or rejected."""
    given = item.given
    if isinstance(given, Rejected):
        return item
    check = checks.get(event_name(given.event) or "")
    detail = "" if check is None else check.breach_of(given.event)
    if check is None or not detail:
        return item
    if check.declared.on_break is OnBreak.QUARANTINE:
        return _rejected(given, Cause.SCHEMA_BROKEN, detail)
    warns = check.declared.on_break is OnBreak.WARN
    if item.remark is not None and not warns:
        return item
    return item._replace(remark=Remark(Cause.SCHEMA_WARNED if warns else Cause.SCHEMA_ALLOWED, detail))


def _prepared_by_type(given: Accepted, ids: tuple[str, ...], rules: IdentityRules) -> Item:
    event = given.event
    group: str | None = None
    previous: tuple[str, ...] = ()
    if event.type is EventType.GROUP:
        group = normalise(rules, "group", event.group)
        if group is None:
            return _rejected(given, Cause.GROUP_ID_MISSING, f"expected a usable groupId, got {event.group!r:.40}")
    elif event.type is EventType.ALIAS:
        previous = usable(rules, given.previous)
        if not previous:
            return _rejected(given, Cause.PREVIOUS_ID_MISSING, "expected a usable previousId, got a placeholder")
        if {key.partition(":")[2] for key in previous} <= {key.partition(":")[2] for key in ids}:
            previous = ()
    payload = encode(msgspec.structs.replace(event, ids=ids, previous=previous))
    return Item(given, ids, previous, group, payload, bool(event.choices))


def with_choices(item: Item, choices: Sequence[Choice]) -> Item:
    """The item telling these choices as well."""
    assert isinstance(item.given, Accepted)
    event = item.given.event
    event = msgspec.structs.replace(event, choices=(*event.choices, *choices))
    return item._replace(given=msgspec.structs.replace(item.given, event=event), chooses=True)


def told_as(item: Item, people: Collection[PersonId]) -> bytes:
    """The payload of an item that tells choices, with the people who are known to be one as it is stored."""
    assert isinstance(item.given, Accepted)
    known_as = tuple(sorted(people))[:KNOWN_AS_MAX]
    return encode(msgspec.structs.replace(item.given.event, ids=item.ids, known_as=known_as))


def _rejected(given: Accepted, cause: Cause, detail: str) -> Item:
    return Item(Rejected(cause, detail, given.raw, given.event.id, circumstances_of(given)))
