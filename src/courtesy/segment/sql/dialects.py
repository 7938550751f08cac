"""The dialects in which segments are asked of the lake."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlglot import exp

from courtesy.base.time import to_iso
from courtesy.segment.sql.phrase import Phrase, call, sql

Path = tuple[str, ...]


class Dialect(Protocol):
    """What dialects say so differently that SQLGlot does not know: above all, how JSON is read."""

    def fields(self, document: Phrase, paths: Sequence[Path]) -> Phrase:
        """An array of the values under some paths of a document; NULL for those under which there is nothing, and for
        all when it is no JSON."""
        ...

    def field(self, document: Phrase, path: Path) -> Phrase:
        """The value under a path."""
        ...

    def text(self, value: Phrase) -> Phrase:
        """What a text says. Only for texts."""
        ...

    def elements(self, value: Phrase) -> Phrase:
        """The elements of an array as an SQL array."""
        ...

    def each_of(self, elements: Phrase, name: str, made: Callable[[Phrase], Phrase]) -> Phrase:
        """What is made of each element of an SQL array. `name`: as in `any_of`."""
        ...

    def size(self, elements: Phrase) -> Phrase:
        """How many elements an SQL array has."""
        ...

    def unnested(self, elements: Phrase) -> Phrase:
        """A row for each element of an SQL array, in a SELECT."""
        ...

    def any_of(self, elements: Phrase, name: str, fits: Callable[[Phrase], Phrase]) -> Phrase:
        """How many elements of an SQL array fit. `name`: that of one of them, which no other lambda around it has."""
        ...

    def ms(self, at: Phrase) -> Phrase:
        """An instant in ms."""
        ...

    def tie(self, key: Phrase) -> Phrase:
        """The signed number that the first eight bytes of a key are (`courtesy.base.ids.tie_break`)."""
        ...

    def instant(self, at_ms: int) -> Phrase:
        """An instant to compare a column with."""
        ...

    def quoted(self, text: Phrase) -> Phrase:
        """A text as JSON text."""
        ...

    def said(self, phrase: Phrase) -> Phrase:
        """A phrase in the dialect, where SQLGlot would leave it as DuckDB says it. It may be changed in place."""
        ...


def pointer(path: Path) -> str:
    """The place in a document as DuckDB takes it."""
    if any("*" in name for name in path):
        # Its own paths have wildcards that no escape takes away.
        return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
    return "$" + "".join(f".{_quoted(name)}" for name in path)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class DuckDb:
    """As DuckDB reads it: one pass over a document for all the paths."""

    def fields(self, document: Phrase, paths: Sequence[Path]) -> Phrase:
        """See Dialect."""
        places = exp.Array(expressions=[exp.Literal.string(pointer(path)) for path in paths])
        return sql("CAST(:it AS TEXT[])", it=call("TRY", call("json_extract", document, places)))

    def field(self, document: Phrase, path: Path) -> Phrase:
        """See Dialect."""
        return sql("CAST(:it AS TEXT)", it=call("json_extract", document, pointer(path)))

    def text(self, value: Phrase) -> Phrase:
        """See Dialect."""
        return call("json_extract_string", value, "$")

    def elements(self, value: Phrase) -> Phrase:
        """See Dialect."""
        return sql("CAST(:it AS TEXT[])", it=call("json_extract", value, "$[*]"))

    def each_of(self, elements: Phrase, name: str, made: Callable[[Phrase], Phrase]) -> Phrase:
        """See Dialect."""
        return call("list_transform", elements, _lambda(name, made))

    def size(self, elements: Phrase) -> Phrase:
        """See Dialect."""
        return call("len", elements)

    def unnested(self, elements: Phrase) -> Phrase:
        """See Dialect."""
        return call("unnest", elements)

    def any_of(self, elements: Phrase, name: str, fits: Callable[[Phrase], Phrase]) -> Phrase:
        """See Dialect."""
        return call("len", call("list_filter", elements, _lambda(name, fits)))

    def ms(self, at: Phrase) -> Phrase:
        """See Dialect."""
        return call("epoch_ms", at)

    def tie(self, key: Phrase) -> Phrase:
        """See Dialect."""
        return sql("CAST(CAST(:it AS BIT) AS BIGINT)", it=call("array_slice", key, 1, 8))

    def instant(self, at_ms: int) -> Phrase:
        """See Dialect."""
        return exp.cast(exp.Literal.string(to_iso(at_ms)), "timestamptz")

    def quoted(self, text: Phrase) -> Phrase:
        """See Dialect."""
        return sql("CAST(:it AS TEXT)", it=call("to_json", text))

    def said(self, phrase: Phrase) -> Phrase:
        """See Dialect."""
        return phrase


class Spark:
    """As Spark 4 reads it, by its VARIANT type."""

    def fields(self, document: Phrase, paths: Sequence[Path]) -> Phrase:
        """See Dialect."""
        return exp.Array(expressions=[self.field(document, path) for path in paths])

    def field(self, document: Phrase, path: Path) -> Phrase:
        """See Dialect."""
        place = "$" + "".join(f"[{_quoted(name)}]" for name in path)
        return call("to_json", call("variant_get", call("try_parse_json", document), place, "variant"))

    def text(self, value: Phrase) -> Phrase:
        """See Dialect."""
        return call("variant_get", call("try_parse_json", value), "$", "string")

    def elements(self, value: Phrase) -> Phrase:
        """See Dialect."""
        variants = call("variant_get", call("try_parse_json", value), "$", "array<variant>")
        return call("transform", variants, _lambda("each", lambda each: call("to_json", each)))

    def each_of(self, elements: Phrase, name: str, made: Callable[[Phrase], Phrase]) -> Phrase:
        """See Dialect."""
        return call("transform", elements, _lambda(name, made))

    def size(self, elements: Phrase) -> Phrase:
        """See Dialect."""
        return call("size", elements)

    def unnested(self, elements: Phrase) -> Phrase:
        """See Dialect."""
        return call("explode", elements)

    def any_of(self, elements: Phrase, name: str, fits: Callable[[Phrase], Phrase]) -> Phrase:
        """See Dialect."""
        return call("size", call("filter", elements, _lambda(name, fits)))

    def ms(self, at: Phrase) -> Phrase:
        """See Dialect."""
        return call("unix_millis", at)

    def tie(self, key: Phrase) -> Phrase:
        """See Dialect."""
        return sql("CAST(:it AS BIGINT)", it=call("conv", call("hex", call("substring", key, 1, 8)), 16, -10))

    def instant(self, at_ms: int) -> Phrase:
        """See Dialect."""
        return exp.cast(exp.Literal.string(to_iso(at_ms)), "timestamptz")

    def quoted(self, text: Phrase) -> Phrase:
        """See Dialect."""
        escaped = call("replace", call("replace", text, "\\", "\\\\"), '"', '\\"')
        return sql("'\"' || :it || '\"'", it=escaped)

    def said(self, phrase: Phrase) -> Phrase:
        """See Dialect."""
        return phrase.transform(_in_spark, copy=False)


def _in_spark(node: Phrase) -> Phrase:
    match node:
        case exp.DataType() if node.is_type("int128"):
            return exp.DataType.build("DECIMAL(38, 0)")
        case exp.Trunc():
            return call("floor", node.this)
        case exp.Anonymous() if node.name.lower() in SPARK_NAMES:
            return exp.Anonymous(this=SPARK_NAMES[node.name.lower()], expressions=node.expressions)
        case exp.Anonymous() if node.name.lower() == "regexp_replace":
            text, pattern, made = node.expressions
            groups = exp.Literal.string(re.sub(r"\\(\d)", r"$\1", made.name))
            return exp.Anonymous(this="regexp_replace", expressions=[text, pattern, groups])
        case _:
            return node


SPARK_NAMES = {"round_even": "bround", "string_split": "split"}
"""Functions that mean the same there."""


def _lambda(name: str, body: Callable[[Phrase], Phrase]) -> Phrase:
    return exp.Lambda(this=body(exp.column(name)), expressions=[exp.to_identifier(name)], colon=True)


DIALECTS: dict[str, Dialect] = {"duckdb": DuckDb(), "spark": Spark()}
"""By their names in SQLGlot."""
