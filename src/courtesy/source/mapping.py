"""The mapping file: how the rows of a file become calls of the tracking protocol."""

from __future__ import annotations

import re
import string
import zoneinfo
from collections.abc import Iterable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.event.choice import Evidence

Constant = str | int | float | bool | list[Any] | dict[str, Any] | None
CALL_IDENTIFIERS = ("user_id", "anonymous_id")
CHOICE_FIELDS = (
    *"action purpose channel topic brand jurisdiction held_to value basis policy method actor request wording".split(),
    *(f"evidence.{name}" for name in Evidence.__struct_fields__),
)
FORMAT_EXAMPLE = "%d/%m/%Y %H:%M"


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class CallType(StrEnum):
    """The calls that a row can become."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"
    CONSENT = "consent"


class Cast(StrEnum):
    """What a value is turned into. Without a cast it stays as the file has it: text in CSV.

    CONSENT: a word such as `unsubscribed` into the action of a choice, or nothing when it tells none. NETWORK: a
    network address into its first part, which is all of it that evidence may keep.
    """

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    JSON = "json"
    CONSENT = "consent"
    NETWORK = "network"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"cast": "as"}):
    """A part of a mapping: unknown names in it are errors, not silence."""


class Condition(_Part, frozen=True, rename={"among": "in"}):
    """Holds for rows whose value in `column` is empty (or not), is `in` a list, or `matches` a pattern as a whole.

    Exactly one of the three is given. Values are compared as text.
    """

    column: str
    empty: bool | None = None
    among: tuple[str, ...] | None = None
    matches: str | None = None


class Value(_Part, frozen=True):
    """Where a value comes from: exactly one of `column`, `template`, `constant`, `product`; then what is done to it.

    In order: `values` replaces the listed ones and leaves the others; `as` casts; `otherwise` stands in for an empty
    one; where `when` does not hold there is no value. A template such as `{order}-{line}` is empty when one of its
    columns is. A product multiplies columns and is rounded to six decimals. `format` (`iso`, `unix_s`, `unix_ms`, or a
    pattern such as `%d/%m/%Y`) and `timezone` are for dates.
    """

    column: str | None = None
    template: str | None = None
    constant: Constant = None
    product: tuple[str, ...] = ()
    values: dict[str, Constant] = {}
    cast: Cast | None = None
    format: str = "iso"
    timezone: str | None = None
    otherwise: Constant = None
    when: Condition | None = None


Given = str | Value
"""A value in a mapping: the name of a column, or all that `Value` can say."""


class Output(_Part, frozen=True):
    """A call that each row becomes, or each for which `when` holds.

    `event` names a track call, `name` a page or screen. `identifiers` and `time` replace those of the rule. A dot in
    the name of a property or trait makes nested objects. `choice` is what a consent call tells, by the names of
    `CHOICE_FIELDS`; rows whose `action` is empty are left out of it, and `time` is when somebody chose.
    """

    type: CallType
    event: Given | None = None
    name: Given | None = None
    group_id: Given | None = None
    previous_id: Given | None = None
    identifiers: dict[str, Given] | None = None
    time: Given | None = None
    properties: dict[str, Given] = {}
    traits: dict[str, Given] = {}
    context: dict[str, Given] = {}
    choice: dict[str, Given] = {}
    when: Condition | None = None


class Calls(_Part, frozen=True):
    """For files that hold tracking calls themselves; exactly one of `each` and `arguments` is given.

    `each` is a path to one call (`$` for the row itself) or, ending in `[*]`, to a list of calls. `arguments` is a path
    to the argument list of an analytics.js method, `["Signed Up", {"plan": "pro"}]`. `types` says which call it is
    where the call itself does not: the first of them that has a value.
    """

    each: str | None = None
    arguments: str | None = None
    types: tuple[Given, ...] = ()


class CsvOptions(_Part, frozen=True):
    """How a CSV file is written, where that should not be detected. `columns` names the columns of one without header.

    Text in `empty` stands for no value. `decimal` is the character before the decimals of a number.
    """

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    encoding: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] = ()
    empty: tuple[str, ...] = ("", "\\N")
    decimal: str = "."


class Rule(_Part, frozen=True):
    """What to do with the files whose name matches `files` and that have all `columns`.

    `skip` gives the reason for leaving them out. Otherwise each row for which all of `when` hold becomes the
    `outputs`, or the file holds `calls`. `message_id` must be unique within the source; without it the id comes from
    the file's name and the row's content. `time` and `identifiers` are those of all outputs; without a time, rows are
    dated by the time at which the file was last changed.
    """

    files: str = "*"
    columns: tuple[str, ...] = ()
    note: str = ""
    skip: str | None = None
    format: Format | None = None
    csv: CsvOptions = CsvOptions()
    timezone: str = "UTC"
    message_id: Given | None = None
    identifiers: dict[str, Given] = {}
    time: Given | None = None
    when: tuple[Condition, ...] = ()
    outputs: tuple[Output, ...] = ()
    calls: Calls | None = None

    def is_for(self, name: str) -> bool:
        """Whether the rule is for files of that name (relative, with `/`); a folder and `.gz` need not be named."""
        whole = PurePosixPath(name)
        plain = whole.with_suffix("") if whole.suffix == ".gz" else whole
        names = (str(whole), whole.name, str(plain), plain.name)
        return any(fnmatchcase(each, self.files) for each in names)


class Mapping(_Part, frozen=True):
    """Rules for a file or a folder; the first that matches a file is the one for it. `note` is for people."""

    name: str = ""
    note: str = ""
    rules: tuple[Rule, ...] = ()


_DECODER = msgspec.json.Decoder(Mapping)
_PARTS: tuple[type[msgspec.Struct], ...] = (Mapping, Rule, Output, Calls, CsvOptions, Value, Condition)
_FIELDS = sorted({name for part in _PARTS for name in part.__struct_encode_fields__})
_WORDS = sorted({str(member) for kind in (Format, CallType, Cast) for member in kind})


def parse_mapping(content: bytes, place: str = "mapping") -> Mapping:
    """The mapping written in `content` (JSON), checked. Raises CourtesyError(INVALID) that says where it is wrong."""
    try:
        mapping = _DECODER.decode(content)
    except msgspec.ValidationError as error:
        raise _explained(error, place) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourtesyError(Code.INVALID, f"expected a mapping in JSON: {error}", place=place) from None
    check_mapping(mapping, place)
    return mapping


def write_mapping(mapping: Mapping) -> bytes:
    """The mapping as a file for people: indented JSON without what is the default anyway."""
    return msgspec.json.format(msgspec.json.encode(mapping), indent=2) + b"\n"


def _explained(error: msgspec.ValidationError, place: str) -> CourtesyError:
    text, _, path = str(error).partition(" - at `")
    named = re.search(r"(field `|value ['`])([^`']+)", text)
    known = _FIELDS if named is not None and named[1].startswith("field") else _WORDS
    hint = nearest(named[2], known) if named is not None else ""
    return CourtesyError(Code.INVALID, text, hint=hint, place=f"{place} {path.rstrip('`')}".strip())


def given(value: Given) -> Value:
    """The long form of a value: a name alone is a column."""
    return Value(column=value) if isinstance(value, str) else value


def template_columns(template: str) -> list[tuple[str, str | None]]:
    """The parts of a template: literal text, and the column that follows it. Raises ValueError for a broken one."""
    parts = []
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if name == "" or spec or conversion:
            raise ValueError("expected a column name between the braces")
        parts.append((literal, name))
    return parts


def columns_of(value: Value) -> Iterator[str]:
    """The columns that a value is made of."""
    if value.column is not None:
        yield value.column
    if value.template is not None:
        yield from (name for _, name in template_columns(value.template) if name is not None)
    yield from value.product
    if value.when is not None:
        yield value.when.column


def check_mapping(mapping: Mapping, place: str = "mapping") -> None:
    """Raise CourtesyError(INVALID) when a part of the mapping can't work, whatever the file."""
    if not mapping.rules:
        raise _invalid("expected at least one rule, got none", place, "$.rules")
    for number, rule in enumerate(mapping.rules):
        _check_rule(rule, place, f"$.rules[{number}]")


def _invalid(message: str, place: str, path: str, hint: str = "") -> CourtesyError:
    return CourtesyError(Code.INVALID, message, hint=hint, place=f"{place} {path}")


def _check_rule(rule: Rule, place: str, path: str) -> None:
    chosen = (rule.skip is not None) + (rule.calls is not None) + bool(rule.outputs)
    if chosen != 1:
        raise _invalid("expected exactly one of `outputs`, `calls` and `skip`", place, path)
    _check_timezone(rule.timezone, place, path)
    _check_csv(rule.csv, place, f"{path}.csv")
    for inner, value in values_of(rule):
        _check_value(value, place, path + inner)
    for inner, condition in conditions_of(rule):
        _check_condition(condition, place, path + inner)
    for number, output in enumerate(rule.outputs):
        _check_output(output, place, f"{path}.outputs[{number}]")
    if rule.calls is not None:
        _check_calls(rule, rule.calls, place, path)


def _check_calls(rule: Rule, calls: Calls, place: str, path: str) -> None:
    if (calls.each is None) == (calls.arguments is None):
        raise _invalid("expected exactly one of `each` and `arguments`", place, f"{path}.calls")
    for kind in rule.identifiers:
        if kind not in CALL_IDENTIFIERS:
            expected = f"expected {' or '.join(CALL_IDENTIFIERS)} for calls that name nobody"
            raise _invalid(f"{expected}, got {kind!r}", place, f"{path}.identifiers", nearest(kind, CALL_IDENTIFIERS))
    unused = [name for name in ("message_id", "time", "when") if getattr(rule, name)]
    if unused:
        raise _invalid(f"expected no `{unused[0]}` beside `calls`, which have their own", place, path)


def values_of(rule: Rule) -> Iterator[tuple[str, Value]]:
    """Every value in a rule, with its path in the rule."""
    yield from _named(rule, "", ("message_id", "time"), ("identifiers",))
    for number, output in enumerate(rule.outputs):
        single = ("event", "name", "group_id", "previous_id", "time")
        yield from _named(
            output, f".outputs[{number}]", single, ("identifiers", "properties", "traits", "context", "choice")
        )
    for number, value in enumerate(rule.calls.types if rule.calls else ()):
        yield f".calls.types[{number}]", given(value)


def _named(
    part: msgspec.Struct, path: str, single: tuple[str, ...], several: tuple[str, ...]
) -> Iterator[tuple[str, Value]]:
    for name in single:
        value = getattr(part, name)
        if value is not None:
            yield f"{path}.{name}", given(value)
    for name in several:
        for key, value in (getattr(part, name) or {}).items():
            yield f"{path}.{name}.{key}", given(value)


def conditions_of(rule: Rule) -> Iterator[tuple[str, Condition]]:
    """Every condition in a rule, with its path in the rule."""
    for number, condition in enumerate(rule.when):
        yield f".when[{number}]", condition
    for number, output in enumerate(rule.outputs):
        if output.when is not None:
            yield f".outputs[{number}].when", output.when
    for path, value in values_of(rule):
        if value.when is not None:
            yield f"{path}.when", value.when


def _check_timezone(name: str | None, place: str, path: str) -> None:
    if name is None:
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = nearest(name, zoneinfo.available_timezones())
        raise _invalid(
            f"expected a time zone such as Europe/Berlin, got {name!r}", place, f"{path}.timezone", hint
        ) from None


def _check_csv(csv: CsvOptions, place: str, path: str) -> None:
    for name in ("delimiter", "quote", "escape", "decimal"):
        value = getattr(csv, name)
        if value is not None and len(value) != 1:
            raise _invalid(f"expected one character, got {value!r}", place, f"{path}.{name}")
    try:
        "".encode(csv.encoding or "utf-8")
    except LookupError:
        raise _invalid(
            f"expected an encoding such as cp1252, got {csv.encoding!r}", place, f"{path}.encoding"
        ) from None
    if csv.columns and csv.header:
        raise _invalid("expected `columns` only for files without a header", place, f"{path}.columns")


def _check_value(value: Value, place: str, path: str) -> None:
    ways = [value.column, value.template, value.constant]
    if sum(way is not None for way in ways) + bool(value.product) != 1:
        raise _invalid("expected exactly one of `column`, `template`, `constant` and `product`", place, path)
    _check_timezone(value.timezone, place, path)
    if value.format not in ("iso", "unix_s", "unix_ms") and "%" not in value.format:
        expected = f"expected iso, unix_s, unix_ms or a pattern such as {FORMAT_EXAMPLE}"
        raise _invalid(f"{expected}, got {value.format!r}", place, f"{path}.format")
    try:
        list(columns_of(value))
    except ValueError as error:
        raise _invalid(f"not a template, {value.template!r}: {error}", place, f"{path}.template") from None


def _check_condition(condition: Condition, place: str, path: str) -> None:
    if sum(way is not None for way in (condition.empty, condition.among, condition.matches)) != 1:
        raise _invalid("expected exactly one of `empty`, `in` and `matches`", place, path)
    try:
        re.compile(condition.matches or "")
    except re.error as error:
        raise _invalid(f"not a pattern, {condition.matches!r}: {error}", place, f"{path}.matches") from None


_NEEDED = {CallType.TRACK: "event", CallType.GROUP: "group_id", CallType.ALIAS: "previous_id"}


def _check_output(output: Output, place: str, path: str) -> None:
    needed = _NEEDED.get(output.type)
    if needed is not None and getattr(output, needed) is None:
        raise _invalid(f"expected `{needed}`, which a call of type {output.type} needs", place, path)
    _check_choice(output, place, path)
    for part in ("properties", "traits", "context"):
        names = sorted(getattr(output, part))
        for name, longer in pairwise(names):
            if longer.startswith(name + "."):
                raise _invalid(
                    f"expected a value or an object, got both {name!r} and {longer!r}", place, f"{path}.{part}"
                )


def _check_choice(output: Output, place: str, path: str) -> None:
    if bool(output.choice) is not (output.type is CallType.CONSENT):
        raise _invalid("expected a `choice` for calls of type consent, and for no others", place, path)
    for name in output.choice:
        if name not in CHOICE_FIELDS:
            hint = nearest(name, CHOICE_FIELDS) or ("`time` says since when" if name == "held_from" else "")
            raise _invalid(f"expected a field of a choice, got {name!r}", place, f"{path}.choice", hint)
    missing = [name for name in ("action", "purpose") if output.choice and name not in output.choice]
    if missing:
        raise _invalid(f"expected `{missing[0]}`, which a choice needs", place, f"{path}.choice")


def check_columns(rule: Rule, columns: Iterable[str], place: str) -> None:
    """Raise CourtesyError(INVALID) when the rule names a column that a file with `columns` does not have."""
    known = list(columns)
    wanted = [(path, name) for path, value in values_of(rule) for name in columns_of(value)]
    wanted += [(path, condition.column) for path, condition in conditions_of(rule)]
    for path, name in wanted:
        if name not in known and name.split(".")[0] not in known:
            raise CourtesyError(
                Code.INVALID,
                f"expected a column of the file, got {name!r}; it has {_listed(known)}",
                hint=nearest(name, known),
                place=f"{place}{path}",
            )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "none"
