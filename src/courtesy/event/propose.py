"""Proposing: what may be wrong with some rejected events of one group, and fixes that could mend them.

These are guesses from names, types and shapes. Whoever proposes them has accept judge what they make of the events,
and leaves out those that mend none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from courtesy.event.call import Call
from courtesy.event.casting import Unread, dates
from courtesy.event.cause import Cause
from courtesy.event.event import EventType
from courtesy.event.mend import Cast, Default, Drop, Kind, MapValues, Operation, Rename, path_of, steps_of

DATE_FORMATS = (
    "iso",
    "unix_ms",
    "unix_s",
    "unix_us",
    "unix_ns",
    *(
        f"{day}{time}"
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d %b %Y")
        for time in ("", " %H:%M", " %H:%M:%S", ", %H:%M", ", %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
    ),
    "%a %b %d %Y %H:%M:%S",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%b %d, %Y %H:%M:%S",
    "%b %d, %Y",
)
"""Forms in which dates come, the most telling first."""

REMEDIES: dict[Cause, str] = {
    Cause.UNREADABLE: "What came is not JSON, so nothing in it can be changed here. The sender has to send it again in "
    "a readable form; discard what is held.",
    Cause.TOO_LARGE: "Drop the fields that make it large, or have the sender send less at a time.",
    Cause.WRONG_TYPE: "One field has a value of a kind that can't be used. Take the right part of it, or drop it.",
    Cause.UNKNOWN_TYPE: "Say which of the six kinds of call is meant, by mapping the names that came to those.",
    Cause.NOT_AN_OBJECT: "A field that should have named values in it came as something else. Read it as JSON, move it "
    "to another place, or drop it.",
    Cause.MESSAGE_ID_TOO_LONG: "Drop the message id; the event gets one of its own.",
    Cause.NAME_MISSING: "Find the field in which the name of the event came, and rename it to `event`; or set a name "
    "for all of them.",
    Cause.NAME_TOO_LONG: "The name is more likely a text than a name. Move it to the properties and set a name.",
    Cause.GROUP_ID_MISSING: "Find the field in which the group's id came, and rename it to `groupId`.",
    Cause.PREVIOUS_ID_MISSING: "Find the field in which the old id came, and rename it to `previousId`.",
    Cause.TIME_UNREADABLE: "Say in which form the date is written. Or drop it: the event then happened when it came.",
    Cause.TIME_IN_FUTURE: "The sender's clock or its unit of time is wrong. Read the date in another form, or drop it.",
    Cause.NO_IDENTIFIER: "Nothing says who it was. If an id or an e-mail address came in another field, rename it.",
    Cause.UNSTORABLE: "The store refused it for its content. Drop or change what is odd in it, or tell the operator.",
}
"""What to do about a cause, in plain words."""

SOMETHING_ELSE = "Look at an example, mend what is wrong with it, and see in the preview whether it helps."

_FIELDS = tuple(Call.__struct_encode_fields__)
_PLAIN_FIELDS = {name.casefold(): name for name in _FIELDS}
_ALIASES: dict[str, tuple[str, ...]] = {
    "event": ("name", "eventname", "eventtype", "action", "activity"),
    "userId": ("uid", "user", "id", "customerid", "customer", "clientid", "memberid", "accountid", "externalid"),
    "anonymousId": ("anonid", "visitorid", "visitor", "deviceid", "cookieid", "cookie", "clientid", "sessionid"),
    "groupId": ("group", "companyid", "company", "organizationid", "organisationid", "accountid", "teamid"),
    "previousId": ("oldid", "previoususerid", "olduserid", "from", "alias", "previous"),
    "timestamp": ("time", "ts", "date", "datetime", "createdat", "occurredat", "eventtime", "when"),
    "messageId": ("eventid", "messageuuid", "uuid"),
    "properties": ("props", "data", "params", "parameters", "attributes", "payload", "eventproperties"),
    "traits": ("userproperties", "userattributes", "usertraits"),
    "type": ("calltype", "kind", "call", "method"),
}
_WANTED: dict[Cause, tuple[str, ...]] = {
    Cause.NAME_MISSING: ("event",),
    Cause.GROUP_ID_MISSING: ("groupId",),
    Cause.PREVIOUS_ID_MISSING: ("previousId",),
    Cause.NO_IDENTIFIER: ("userId", "anonymousId"),
}
_TYPE_WORDS = {
    "event": "track",
    "action": "track",
    "custom": "track",
    "tracking": "track",
    "pageview": "page",
    "pageviewed": "page",
    "view": "page",
    "screenview": "screen",
    "user": "identify",
    "profile": "identify",
    "identity": "identify",
    "company": "group",
    "merge": "alias",
}
_TYPES = tuple(kind.value for kind in EventType if kind is not EventType.SYSTEM)
_INSIDE = ("properties", "traits", "context")
_PATH = re.compile(r"\$\.([\w.]+)")

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A fix that may help, and what it does in plain words."""

    said: str
    fix: tuple[Operation, ...]


def remedy_of(cause: Cause) -> str:
    """What to do about a cause."""
    return REMEDIES.get(cause, SOMETHING_ELSE)


def propose(cause: Cause, detail: str, raws: Sequence[bytes]) -> list[Proposal]:
    """Fixes that may help some events of a group, the most likely first. `detail` is that of one of them."""
    items = [item for raw in raws if (item := _item(raw)) is not None]
    if not items:
        return []
    path = found[1] if (found := _PATH.search(detail)) else ""
    guesses = [*_respelt(items), *_moved(items, _WANTED.get(cause, ())), *_by_cause(cause, path, items)]
    return list({repr(each.fix): each for each in guesses if each.fix}.values())


def _item(raw: bytes) -> dict[str, Any] | None:
    try:
        item = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return item if isinstance(item, dict) else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _respelt(items: Sequence[Item]) -> Iterator[Proposal]:
    """Names of the protocol that are only written differently: `user_id`, `UserID`."""
    renames = {
        name: field
        for item in items
        for name in item
        if (field := _PLAIN_FIELDS.get(_plain(name))) is not None and name != field
    }
    taken = {name for item in items for name in item}
    fix = tuple(Rename(path_of((name,)), field) for name, field in renames.items() if field not in taken)
    if fix:
        yield Proposal(f"write {', '.join(each.to for each in fix)} as the protocol does", fix)


def _moved(items: Sequence[Item], wanted: Sequence[str]) -> Iterator[Proposal]:
    """What is missing, found under another name or in another place."""
    for field in wanted:
        for path, value in _places(items).items():
            name = _plain(path[-1])
            if path != (field,) and (name == field.casefold() or name in _ALIASES[field]) and _is_scalar(value):
                fix = (Rename(path_of(path), field),)
                yield Proposal(f"take {field} from {path_of(path)}", fix)
    if "userId" in wanted:
        yield from _contacts(items)


def _contacts(items: Sequence[Item]) -> Iterator[Proposal]:
    """An e-mail address or a phone number that nobody looks at where it is."""
    for path, value in _places(items).items():
        name = _plain(path[-1])
        kind = "email" if name in ("email", "mail", "emailaddress") else "phone" if "phone" in name else ""
        if kind and isinstance(value, str) and path != ("context", "traits", kind):
            fix = (Rename(path_of(path), f"context.traits.{kind}"),)
            yield Proposal(f"know the person by the {kind} at {path_of(path)}", fix)


def _places(items: Sequence[Item]) -> dict[tuple[str, ...], Any]:
    """Top-level fields and those inside properties, traits and context, each with one of its values."""
    found: dict[tuple[str, ...], Any] = {}
    for item in items:
        found.update({(name,): value for name, value in item.items() if name not in _INSIDE})
        for outer in _INSIDE:
            inner = item.get(outer)
            if isinstance(inner, dict):
                found.update({(outer, name): value for name, value in inner.items()})
    return {path: value for path, value in found.items() if path[-1]}


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _by_cause(cause: Cause, path: str, items: Sequence[Item]) -> Iterable[Proposal]:
    if cause is Cause.UNKNOWN_TYPE:
        return _typed(items)
    if cause in (Cause.TIME_UNREADABLE, Cause.TIME_IN_FUTURE):
        return _dated(path or "timestamp", items)
    if cause is Cause.NOT_AN_OBJECT and path:
        return _objects(path, items)
    if cause is Cause.WRONG_TYPE and path:
        return _unpacked(path, items)
    if cause is Cause.MESSAGE_ID_TOO_LONG:
        return (Proposal("drop the message id; the event gets one of its own", (Drop("messageId"),)),)
    if cause is Cause.NAME_TOO_LONG:
        named = (Rename("event", "properties.text"), Default("event", "Text Sent"))
        return (Proposal("move the long name to properties.text, and call it Text Sent", named),)
    return ()


def _typed(items: Sequence[Item]) -> Iterator[Proposal]:
    """Known words for the kinds of call; where none came, what the other fields tell."""
    words = {word for item in items if isinstance(word := item.get("type"), str) and word}
    known = {word: kind for word in sorted(words) if (kind := _type_of(word)) is not None}
    if known:
        yield Proposal("put the kinds of call in their usual words", (MapValues("type", known),))
    for field in ("kind", "calltype", "call", "method"):
        for name in dict.fromkeys(name for item in items for name in item if _plain(name) == field):
            yield Proposal(f"take the kind of call from {name}", (Rename(path_of((name,)), "type"),))
    missing = [item for item in items if item.get("type") is None]
    for field, kind in (("event", "track"), ("previousId", "alias"), ("groupId", "group"), ("traits", "identify")):
        if any(field in item for item in missing):
            yield Proposal(f"take them as {kind} calls", (Default("type", kind),))
    names = sorted(word for word in words - known.keys())
    if names and not any("event" in item for item in items):
        fix = (Rename("type", "event"), Default("type", "track"))
        yield Proposal("take the type as the name of the event", fix)


def _type_of(word: str) -> str | None:
    plain = _plain(word)
    if plain in _TYPES:
        return plain
    close = difflib.get_close_matches(plain, _TYPES, n=1, cutoff=0.75)
    return _TYPE_WORDS.get(plain) or (close[0] if close else None)


def _value_at(item: Item, path: str) -> Any:
    value: Any = item
    for step in steps_of(path):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _dated(path: str, items: Sequence[Item]) -> Iterator[Proposal]:
    """Every form in which all the dates can be read, with the first of them read so; and to do without."""
    values = [value for item in items if (value := _value_at(item, path)) is not None]
    for form in DATE_FORMATS if values else ():
        read = dates(form, "UTC")
        made = [read(value) for value in values]
        if not any(each is None or isinstance(each, Unread) for each in made):
            yield Proposal(f"read {values[0]!r:.40} as {made[0]}", (Cast(path, Kind.DATE, form),))
    yield Proposal(f"drop {path}: the event then happened when it came", (Drop(path),))


def _objects(path: str, items: Sequence[Item]) -> Iterator[Proposal]:
    yield Proposal(f"read the text in {path} as JSON", (Cast(path, Kind.OBJECT),))
    if path == "properties" and any(_is_scalar(item.get(path)) for item in items):
        yield Proposal(f"keep it as {path}.value", (Rename(path, "held_value"), Rename("held_value", f"{path}.value")))
    if any(isinstance(item.get(path), list) for item in items):
        yield Proposal(f"take the first of the list in {path}", (Rename(f"{path}.0", path),))
    yield Proposal(f"drop {path}", (Drop(path),))


def _unpacked(path: str, items: Sequence[Item]) -> Iterator[Proposal]:
    """The one value inside a list or an object that stands in its place; or to do without it."""
    inner: dict[str, None] = {}
    for item in items:
        value = _value_at(item, path)
        if isinstance(value, list):
            inner["0"] = None
        elif isinstance(value, dict):
            inner.update((name, None) for name in value if name and _is_scalar(value[name]))
    for name in list(inner)[:5]:
        place = path_of((*steps_of(path), name))
        yield Proposal(f"take {place} for {path}", (Rename(place, path),))
    yield Proposal(f"read {path} as text", (Cast(path, Kind.TEXT),))
    yield Proposal(f"drop {path}", (Drop(path),))
