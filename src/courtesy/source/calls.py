"""Files that hold tracking calls: whole ones, batches of them, and the argument lists of analytics.js."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from courtesy.event.cause import Cause
from courtesy.source.mapping import Calls, CallType, Rule, given
from courtesy.source.rendering import Rendered, Rendering
from courtesy.source.rows import Rows, dig, encode
from courtesy.source.table import Problem, Table, Taking

_FIELDS = {
    "message_id": "messageId",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "previous_id": "previousId",
    "group_id": "groupId",
    "original_timestamp": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
}
"""How warehouses and some libraries spell the protocol's fields."""

_TELLING = ("batch", "messageId", "userId", "anonymousId", "previousId", "groupId", "event", *_FIELDS)
_TYPES = frozenset(CallType)
_ARGUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "identify": (("userId",), ("traits", "options")),
    "track": (("event",), ("properties", "options")),
    "page": (("category", "name"), ("properties", "options")),
    "screen": (("category", "name"), ("properties", "options")),
    "group": (("groupId",), ("traits", "options")),
    "alias": (("userId", "previousId"), ("options",)),
}
"""What the texts and what the objects among the arguments of a method are, in their order."""

Call = dict[str, Any]


class CallsRenderer:
    """The renderer of a rule with `calls`. `undated` (ISO 8601) dates the calls that have no time of their own.

    A call keeps its message id. Identifiers of the rule are given to the calls that name nobody. The clock of the
    client was corrected by who recorded the call, so that `timestamp` is its time whenever it was sent.
    """

    def __init__(self, rule: Rule, calls: Calls, undated: str) -> None:
        self._undated = undated
        self._arguments = calls.arguments is not None
        self._path, self._many = _path_of(calls.arguments or calls.each or "$")
        self._types = [Taking(given(value), "types", rule) for value in calls.types]
        self._identifiers = {kind: Taking(given(value), kind, rule) for kind, value in rule.identifiers.items()}

    def render(self, rows: Rows, ids: Sequence[str]) -> Rendering:
        """All calls of a batch."""
        table = Table(rows)
        types = [taking(table) for taking in self._types]
        known = {kind: taking(table) for kind, taking in self._identifiers.items()}
        rendered: list[Rendered] = []
        for index, row_id in enumerate(ids):
            kind = next((values[index] for values in types if values[index] is not None), None)
            somebody = {name: values[index] for name, values in known.items() if values[index] is not None}
            rendered += self._of_row(rows, index, row_id, kind, somebody)
        return Rendering(rendered, 0)

    def _of_row(self, rows: Rows, index: int, row_id: str, kind: Any, somebody: dict[str, Any]) -> Iterator[Rendered]:
        record = rows.record(index)
        for number, call in enumerate(self._calls_in(record, kind), 1):
            message_id = row_id if number == 1 else f"{row_id}.{number}"
            if call is None:
                problem = Problem(Cause.UNREADABLE, f"expected a call at {'.'.join(self._path) or '$'}")
                yield Rendered(index, encode(record), message_id, problem)
                continue
            self._complete(call, message_id, kind, somebody)
            yield Rendered(index, encode(call), str(call["messageId"]), None)

    def _calls_in(self, record: Call, kind: Any) -> Iterator[Call | None]:
        found = dig(record, self._path) if self._path else record
        if self._arguments:
            found = _from_arguments(found, kind) if isinstance(found, list) else found
            elements = [found]
        else:
            elements = found if self._many and isinstance(found, list) else [found]
        for element in elements:
            yield from _unbatched(element) if isinstance(element, dict) else (None,)

    def _complete(self, call: Call, message_id: str, kind: Any, somebody: dict[str, Any]) -> None:
        for name, field in _FIELDS.items():
            if name in call and field not in call:
                call[field] = call.pop(name)
        call.pop("writeKey", None)
        call["type"] = _known_type(call.get("type")) or _type_of(call, kind) or call.get("type")
        if not call.get("messageId"):
            call["messageId"] = message_id
        if not call.get("userId") and not call.get("anonymousId"):
            call.update({_CAMEL[name]: value for name, value in somebody.items() if name in _CAMEL})
        times = [call.pop(name, None) for name in ("timestamp", "originalTimestamp", "sentAt", "receivedAt")]
        call["timestamp"] = next((time for time in times if time), self._undated)


_CAMEL = {"user_id": "userId", "anonymous_id": "anonymousId"}


def _path_of(text: str) -> tuple[list[str], bool]:
    """The parts of a path, and whether it means the elements of a list."""
    many = text.endswith("[*]")
    plain = text.removesuffix("[*]").removeprefix("$").strip(".")
    return (plain.split(".") if plain else []), many


def _unbatched(call: Call) -> Iterator[Call | None]:
    """The calls of a batch, its context under theirs; a single call as it is. Copies, to be completed freely."""
    batch = call.get("batch")
    if not isinstance(batch, list):
        yield dict(call)
        return
    for item in batch:
        if not isinstance(item, dict):
            yield None
            continue
        under, over = call.get("context"), item.get("context")
        merged = {**under, **over} if isinstance(under, dict) and isinstance(over, dict) else over or under
        yield {**item, "context": merged} if merged is not None else dict(item)


def _type_of(call: Call, kind: Any) -> str | None:
    """The type of a call that does not state one: what the row says, its `action`, else what only one type has."""
    stated = _known_type(kind) or _known_type(call.get("action"))
    if stated is not None:
        return stated
    for field, name in (("event", "track"), ("previousId", "alias"), ("groupId", "group"), ("traits", "identify")):
        if field in call:
            return name
    return None


def _known_type(value: Any) -> str | None:
    return value if isinstance(value, str) and value in _TYPES else None


def _from_arguments(arguments: list[Any], kind: Any) -> Call | None:
    """The call that an analytics.js method makes of its arguments; None when the method is unknown."""
    method = _known_type(kind)
    first = arguments[0] if arguments else None
    if isinstance(first, dict) and (method is None or _is_message(first)):
        return first
    if method not in _ARGUMENTS:
        return None
    texts = [value for value in arguments if value is not None and not isinstance(value, dict | list)]
    objects = [value for value in arguments if isinstance(value, dict)]
    text_names, object_names = _ARGUMENTS[method]
    if text_names[0] == "category" and len(texts) == 1:
        text_names = text_names[1:]  # a page's only text is its name
    call = {"type": method, **dict(zip(text_names, texts, strict=False))}
    call.update(zip(object_names, objects, strict=False))
    options = call.pop("options", {})
    return {**call, "context": options.get("context", options)} if options else call


def _is_message(value: Call) -> bool:
    """True for a whole call, where traits or properties may stand too."""
    return _known_type(value.get("type")) is not None or any(name in value for name in _TELLING)
