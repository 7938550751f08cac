"""The one pass over the events: which rows, whose they are, and what is read of their payloads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from courtesy.event.event import SEGMENT_ENTERED, SEGMENT_LEFT
from courtesy.person.record import RecordKind
from courtesy.segment.moment import Span
from courtesy.segment.sql.bounds import Zones
from courtesy.segment.sql.dialects import DIALECTS, Dialect, Path
from courtesy.segment.sql.phrase import TRUE, Phrase, both, call, column, either, is_in, named, negated, relation, sql
from courtesy.segment.tree import ANYTHING

PAGE_VIEWED, SCREEN_VIEWED = "Page Viewed", "Screen Viewed"
NAMED_TYPES = ("track", "system")
VIEWS = {PAGE_VIEWED: "page", SCREEN_VIEWED: "screen"}
"""The names of behaviour that a call has by its type (`courtesy.event.event.behaviour_name`)."""

KIND_NAMES = {RecordKind.EVENT: "event", RecordKind.GROUP: "group"}


@dataclass(frozen=True, slots=True)
class Relations:
    """What is there to be read, by name. `events` has the columns of the lake.

    `people` (person_id, root, position): to whom events belong other than by their own column: those of a person who
    became part of another (position NULL), and single ones that were moved; a root of NULL is nobody. None when there
    are no such people. `sources`: source_id, name. `consents` (person_id, number, holds): what the law and people's
    choices come to, for the conditions in `Statement.stances`.
    """

    events: str = "events"
    people: str | None = "people"
    sources: str = "sources"
    consents: str = "consents"


@dataclass(frozen=True, slots=True)
class Question:
    """Of which instant it is asked. `known_ms`: with what had come in by then; None for all that came in since.
    `one_of`: of so many people one is looked at, always the same ones."""

    now_ms: int
    known_ms: int | None = None
    one_of: int = 1
    zones: Zones = field(default_factory=Zones)
    relations: Relations = field(default_factory=Relations)
    dialect: str = "duckdb"

    @property
    def words(self) -> Dialect:
        """How the dialect says things."""
        return DIALECTS[self.dialect]


def owner(question: Question) -> Phrase:
    """To whom an event belongs; NULL when to nobody."""
    if question.relations.people is None:
        return column("person_id", "event")
    return sql(
        "CASE WHEN moved.position IS NOT NULL THEN moved.root WHEN merged.person_id IS NOT NULL THEN merged.root"
        " ELSE event.person_id END"
    )


def is_looked_at(question: Question) -> Phrase:
    """Whether an event belongs to one of those people who are looked at when not all are."""
    return sql("(:hash % :all) = 0", hash=call("hash", owner(question)), all=question.one_of)


def with_owners(select: exp.Select, question: Question) -> exp.Select:
    """With what `owner` needs joined to a SELECT from events named `event`."""
    people = question.relations.people
    if question.one_of > 1:
        select = select.where(is_looked_at(question))
    if people is None:
        return select
    select = select.where(sql(":owner IS NOT NULL", owner=owner(question)))
    merged = exp.select("person_id", "root").from_(relation(people)).where("position IS NULL").subquery("merged")
    moved = exp.select("position", "root").from_(relation(people)).where("position IS NOT NULL").subquery("moved")
    return select.join(merged, on="merged.person_id = event.person_id", join_type="left").join(
        moved, on="moved.position = event.position", join_type="left"
    )


def until_now(question: Question, kind: RecordKind = RecordKind.EVENT) -> Phrase:
    """Whether an event is one that could be read, had happened, and was known."""
    parts = [
        sql("event.kind = :kind", kind=KIND_NAMES[kind]),
        sql("event.raw IS NULL"),
        sql("event.at <= :now", now=question.words.instant(question.now_ms)),
    ]
    if question.known_ms is not None:
        parts.append(sql("event.received <= :known", known=question.words.instant(question.known_ms)))
    return both(parts)


def behaves(names: Iterable[str]) -> Phrase:
    """Whether an event is behaviour of one of some names."""
    wanted = sorted(set(names))
    if ANYTHING in wanted:
        return sql(
            "type = 'track' AND name IS NOT NULL OR type = 'system' AND name NOT IN (:entered, :left)"
            " OR type IN ('page', 'screen')",
            entered=SEGMENT_ENTERED,
            left=SEGMENT_LEFT,
        )
    told = both([is_in(column("type"), NAMED_TYPES), is_in(column("name"), wanted)])
    crossings = [name for name in wanted if name in (SEGMENT_ENTERED, SEGMENT_LEFT)]
    if crossings:
        told = both([told, either([sql("type = 'track'"), negated(is_in(column("name"), crossings))])])
    views = [VIEWS[name] for name in wanted if name in VIEWS]
    return either([told, is_in(column("type"), views)]) if views else told


HAS_TRAITS = {
    RecordKind.EVENT: "contains(event.payload, '\"traits\":')",
    RecordKind.GROUP: "contains(event.payload, '\"group_traits\":')",
}
"""Whether an event may tell traits: their name is written by us, and so in one way only."""


class Scan:
    """Collects what is needed of the events, and then is the relation that has it.

    Its columns: `person`, `at` in ms, `type`, `name`, and where they are asked for `tie`, `source` (its name as JSON
    text) and `fields`, an array of JSON texts.
    """

    def __init__(self, question: Question, name: str = "scanned", kind: RecordKind = RecordKind.EVENT) -> None:
        """`kind`: of which records; of those of groups `person` is the group, by the JSON text of its identifier."""
        self.question = question
        self._kind = kind
        self.name = name
        self._paths: dict[Path, int] = {}
        self._names: dict[str, Span | None] = {}
        self._names_read: set[str] = set()
        self._reads_traits = False
        self._has_tie = self._has_source = False

    # -- asking

    def wants(self, name: str, span: Span, *, reads: bool) -> None:
        """Events of a name at instants in a span. `reads`: fields of theirs."""
        known = self._names.get(name)
        self._names[name] = _around(known, span) if known is not None else span
        if reads:
            self._names_read.add(name)

    def reads(self, name: str) -> None:
        """Fields of events of a name that are wanted."""
        self._names_read.add(name)

    def wants_traits(self) -> None:
        """All events that tell traits."""
        self._reads_traits = True

    def field(self, *path: str) -> Phrase:
        """The JSON text of what is under a path of the payload, NULL where there is nothing."""
        place = self._paths.setdefault(path, len(self._paths))
        return exp.Bracket(this=column("fields"), expressions=[exp.Literal.number(place)])

    def tie(self) -> Phrase:
        """What settles the order of events of one millisecond."""
        self._has_tie = True
        return column("tie")

    def source(self) -> Phrase:
        """The name of the source, as JSON text."""
        self._has_source = True
        return column("source")

    # -- being

    def is_only(self, name: str) -> bool:
        """Whether all its rows are behaviour of that name."""
        return not self._reads_traits and set(self._names) in ({name}, {ANYTHING} if name == ANYTHING else {name})

    def select(self) -> exp.Select:
        """The relation."""
        question = self.question
        words = question.words
        columns = [
            named(self._subject(), "person"),
            named(words.ms(column("at", "event")), "at"),
            sql("event.type"),
            sql("event.name"),
        ]
        if self._has_tie:
            columns.append(named(words.tie(column("key", "event")), "tie"))
        if self._has_source:
            number = sql("CAST(event.source_id AS TEXT)")
            source = sql("coalesce(source_name, :number)", number=number)
            columns.append(named(words.quoted(source), "source"))
        if self._paths:
            columns.append(named(words.fields(self._read_payload(), list(self._paths)), "fields"))
        found = exp.select(*columns).from_(exp.alias_(relation(question.relations.events), "event", table=True))
        found = found.where(until_now(question, self._kind), self._rows())
        if self._kind is RecordKind.EVENT:
            found = with_owners(found, question)
        if self._has_source:
            sources = exp.select("source_id AS source_number", "name AS source_name")
            sources = sources.from_(relation(question.relations.sources))
            found = found.join(sources.subquery("source"), on="source_number = event.source_id", join_type="left")
        return found

    def _subject(self) -> Phrase:
        if self._kind is RecordKind.EVENT:
            return owner(self.question)
        return self.question.words.field(column("payload", "event"), ("group",))

    def _rows(self) -> Phrase:
        parts = [behaves(self._names)] if self._names else []
        if self._reads_traits:
            return either([*parts, self._tells_traits()])
        after_ms = min((span.after_ms for span in self._names.values() if span is not None), default=None)
        if after_ms is not None:
            parts.append(sql("event.at > :after", after=self.question.words.instant(after_ms)))
        return both(parts)

    def _tells_traits(self) -> Phrase:
        tells = sql(HAS_TRAITS[self._kind])
        if self.question.one_of == 1 or self._kind is not RecordKind.EVENT:
            return tells
        # Whose event it is costs less to find out than what a payload contains, which DuckDB would look for first.
        return sql("CASE WHEN :is_looked_at THEN :tells END", is_looked_at=is_looked_at(self.question), tells=tells)

    def _read_payload(self) -> Phrase:
        """The payload of those rows of which fields are read."""
        if self._names_read == set(self._names):
            return column("payload", "event")
        parts = [behaves(self._names_read)] if self._names_read else []
        is_read = either([*parts, sql(HAS_TRAITS[self._kind])] if self._reads_traits else parts)
        return (
            column("payload", "event") if is_read == TRUE else sql("CASE WHEN :it THEN event.payload END", it=is_read)
        )


def _around(a: Span, b: Span) -> Span:
    return Span(min(a.after_ms, b.after_ms), max(a.until_ms, b.until_ms))
