"""Rendering: batches of rows into calls of the tracking protocol, as a mapping's rule says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple, Protocol

import msgspec

from courtesy.event.cause import Cause
from courtesy.source.mapping import Cast, Given, Output, Rule, given
from courtesy.source.rows import Rows, encode
from courtesy.source.table import Holding, Problem, Table, Taking


class Rendered(NamedTuple):
    """A call made of a row: the row's place among the readable ones of its batch, the call as JSON, its message id.

    With a `problem` the call is not to be accepted: where it could not be made whole, it has what the file had.
    """

    place: int
    raw: bytes
    message_id: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """The calls of a batch, and how many of its rows the rule leaves out."""

    calls: list[Rendered]
    left_out_count: int


class Renderer(Protocol):
    """Makes calls of rows; `ids` are the ids of the rows."""

    def render(self, rows: Rows, ids: Sequence[str]) -> Rendering:
        """All calls of a batch, in the order of its rows within each kind of call."""
        ...


class TableRenderer:
    """The renderer of a rule with outputs. `undated` (ISO 8601) dates the rows of files that have no times."""

    def __init__(self, rule: Rule, undated: str) -> None:
        self._conditions = [Holding(condition) for condition in rule.when]
        seen: Counter[str] = Counter()
        self._outputs = []
        for number, output in enumerate(rule.outputs):
            seen[output.type] += 1
            suffix = f".{output.type[0]}" + (str(seen[output.type]) if seen[output.type] > 1 else "")
            self._outputs.append(_OutputRenderer(rule, output, suffix, undated, is_first=number == 0))

    def render(self, rows: Rows, ids: Sequence[str]) -> Rendering:
        """All calls of a batch."""
        kept: Sequence[int] = range(len(ids))
        for holds in self._conditions:
            kept = list(compress(kept, holds(Table(rows.only(kept)))))
        calls = [call for output in self._outputs for call in output.render(rows, ids, kept)]
        return Rendering(calls, len(ids) - len(kept))


class _OutputRenderer:
    """Makes the calls of one output."""

    def __init__(self, rule: Rule, output: Output, suffix: str, undated: str, *, is_first: bool) -> None:
        self._rule = rule
        self._type = output.type
        self._suffix = suffix
        self._is_first = is_first
        self._when = Holding(output.when) if output.when is not None else None
        self._message_id = self._taking(rule.message_id, "message_id") if rule.message_id is not None else None
        time = output.time if output.time is not None else rule.time
        self._undated = undated
        self._time = self._taking(msgspec.structs.replace(given(time), cast=Cast.DATE), "time") if time else None
        single = {"event": output.event, "name": output.name}
        single |= {"groupId": output.group_id, "previousId": output.previous_id}
        self._single = {name: self._taking(value, name) for name, value in single.items() if value is not None}
        identifiers = rule.identifiers if output.identifiers is None else output.identifiers
        self._identifiers = {kind: self._taking(value, kind) for kind, value in identifiers.items()}
        self._properties = self._tree(output.properties, "properties")
        self._traits = self._tree(output.traits, "traits")
        self._context = self._tree(output.context, "context")
        self._choice = self._tree(output.choice, "choice")

    def _taking(self, value: Given, path: str) -> Taking:
        return Taking(given(value), path, self._rule)

    def _tree(self, fields: Mapping[str, Given], path: str) -> Tree:
        tree: Tree = {}
        for name, value in fields.items():
            *outer, last = name.split(".")
            branch = tree
            for part in outer:
                branch = branch.setdefault(part, {})  # type: ignore[assignment]  # check_mapping keeps leaves apart
            branch[last] = self._taking(value, f"{path}.{name}")
        return tree

    def render(self, rows: Rows, ids: Sequence[str], kept: Sequence[int]) -> list[Rendered]:
        """The calls of those of the kept rows for which the output's own condition holds."""
        if self._when is not None:
            kept = list(compress(kept, self._when(Table(rows.only(kept)))))
        kept = self._with_action(rows, kept)
        table = Table(rows.only(kept))
        message_ids = self._message_ids(table, [ids[place] for place in kept])
        raws = map(encode, self._calls(table, message_ids))
        problems = table.problems
        if not problems:
            return [Rendered(*each) for each in zip(kept, raws, message_ids, strict=True)]
        each_problem = (problems.get(index) for index in range(table.count))
        return [Rendered(*each) for each in zip(kept, raws, message_ids, each_problem, strict=True)]

    def _with_action(self, rows: Rows, kept: Sequence[int]) -> Sequence[int]:
        """The rows that tell a choice, if that is what they are read for."""
        action = self._choice.get("action")
        if not isinstance(action, Taking):
            return kept
        return list(compress(kept, (value is not None for value in action(Table(rows.only(kept))))))

    def _message_ids(self, table: Table, ids: Sequence[str]) -> list[str]:
        suffix = self._suffix
        if self._message_id is None:
            return [each + suffix for each in ids]
        own = suffix if not self._is_first else ""
        stated = self._message_id(table)
        return [each + suffix if value is None else f"{value}{own}" for value, each in zip(stated, ids, strict=True)]

    def _calls(self, table: Table, message_ids: list[str]) -> list[dict[str, Any]]:
        columns: dict[str, Sequence[Any]] = {
            "type": [self._type.value] * table.count,
            "messageId": message_ids,
            "timestamp": self._times(table),
        }
        columns |= {name: taking(table) for name, taking in self._single.items()}
        context = {name: _column(branch, table) for name, branch in self._context.items()}
        self._identify(table, columns, context)
        for name, tree in (("properties", self._properties), ("traits", self._traits)):
            if tree:
                columns[name] = _column(tree, table)
        if context:
            columns["context"] = _objects(context, table.count)
        if self._choice:
            choices = {_CAMEL.get(name, name): _column(branch, table) for name, branch in self._choice.items()}
            columns["choices"] = [[each or {}] for each in _objects(choices, table.count)]
        return [call or {} for call in _objects(columns, table.count)]

    def _times(self, table: Table) -> list[Any]:
        if self._time is None:
            return [self._undated] * table.count
        times = self._time(table)
        for index, time in enumerate(times) if None in times else ():
            if time is None:
                table.note(index, Cause.TIME_UNREADABLE, "time: expected a date, got nothing")
        return times

    def _identify(self, table: Table, columns: dict[str, Sequence[Any]], context: dict[str, Sequence[Any]]) -> None:
        """Put identifiers where the protocol has them: its own fields, the device, else `context.externalIds`."""
        external: list[Sequence[Any]] = []
        for kind, taking in self._identifiers.items():
            values = taking(table)
            if kind in _OWN_FIELDS:
                columns[_OWN_FIELDS[kind]] = values
            elif kind == "device_id":
                devices: Sequence[Any] = context.get("device") or [{}] * table.count
                context["device"] = [
                    device if value is None else {**(device or {}), "id": value}
                    for device, value in zip(devices, values, strict=True)
                ]
            else:
                external.append([None if value is None else _external(kind, value) for value in values])
        if external:
            rows = zip(*external, strict=True)
            context["externalIds"] = [[each for each in row if each is not None] or None for row in rows]


_CAMEL = {"held_to": "heldTo"}
_OWN_FIELDS = {"user_id": "userId", "anonymous_id": "anonymousId"}


def _external(kind: str, value: Any) -> dict[str, Any]:
    return {"id": value, "type": kind, "collection": "users", "encoding": "none"}


Tree = dict[str, "Taking | Tree"]
"""Values under their names; nested objects are trees inside."""


def _column(branch: Taking | Tree, table: Table) -> Sequence[Any]:
    """The values of a branch: taken, or objects put together from those below."""
    if isinstance(branch, Taking):
        return branch(table)
    return _objects({name: _column(inner, table) for name, inner in branch.items()}, table.count)


def _objects(columns: Mapping[str, Sequence[Any]], count: int) -> list[dict[str, Any] | None]:
    """An object for each row, without what is None; None for an object that would be empty."""
    if not columns:
        return [None] * count
    names = tuple(columns)
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} or None
        for row in zip(*columns.values(), strict=True)
    ]
