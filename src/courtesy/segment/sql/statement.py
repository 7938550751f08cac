"""A statement that asks for the members of segments: which relations it has, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.sql.bounds import ZONED, Bounds
from courtesy.segment.sql.conditions import Conditions, mentions_value
from courtesy.segment.sql.dialects import DIALECTS, Path
from courtesy.segment.sql.features import Features
from courtesy.segment.sql.groups import Groups
from courtesy.segment.sql.nobody import counts_everybody, may_hold, must_have_done
from courtesy.segment.sql.phrase import Phrase, column, either, named, relation, sql
from courtesy.segment.sql.rows import Rows, values_in
from courtesy.segment.sql.scan import Question, Scan, owner, until_now, with_owners
from courtesy.segment.sql.sequences import sequence
from courtesy.segment.sql.testing import Testing
from courtesy.segment.sql.zoned import zoned
from courtesy.segment.tree import ANYTHING, Event, Param, Segment, Whose

EVERYBODY, PEOPLE, WHOLE = "everybody", "people_features", "whole"

Stance = tree.Consent | tree.Preference


@dataclass(frozen=True, slots=True)
class Compiled:
    """What asks for members. `stances`: the conditions of consent and preference, which `consents` has to tell of by
    their places here. `at_once`: the relations that are made before anything is asked of their rows."""

    relations: tuple[tuple[str, exp.Select], ...]
    members: Mapping[str, str]
    stances: tuple[Stance, ...]
    dialect: str
    at_once: frozenset[str] = frozenset()

    def ask(self, query: exp.Select) -> str:
        """A question to the relations, among them those in `members` by the segments' names (person, value: the JSON
        text of the value, empty of a segment without values)."""
        for name, select in self.relations:
            # Not FALSE where it isn't: DuckDB would take that for NOT MATERIALIZED.
            is_made = True if name in self.at_once else None
            query = query.with_(exp.to_identifier(name, quoted=True), as_=select, copy=False, materialized=is_made)
        return DIALECTS[self.dialect].said(query).sql(self.dialect)

    def members_of(self, segment: str) -> str:
        """The statement for all members of one: person_id and value."""
        return self.ask(
            exp.select(named(column("person"), "person_id"), column("value")).from_(relation(self.members[segment]))
        )

    def count(self, segment: str) -> str:
        """The statement for how many people there are in one."""
        return self.ask(exp.select("count(DISTINCT person)").from_(relation(self.members[segment])))

    def overlaps(self, segments: Sequence[str]) -> str:
        """The statement for how many people are in exactly which of some segments: their places in the order given, and
        the number of people."""
        parts = [
            exp.select("person", f"{number} AS place").distinct().from_(relation(self.members[name]))
            for number, name in enumerate(segments)
        ]
        both: exp.Query = parts[0]
        for part in parts[1:]:
            both = exp.union(both, part, distinct=False)
        of_each = exp.select("person", "list_sort(list(place)) AS places").from_(both.subquery("placed"))
        of_each = of_each.group_by("person")
        return self.ask(exp.select("places", "count(*)").from_(of_each.subquery("of_each")).group_by("places"))


def compiled(segments: Mapping[str, Segment], wanted: Iterable[str], question: Question) -> Compiled:
    """A statement for some of the segments. All that they mention, directly or through others, are among `segments`,
    and none of them in a circle; so it is checked where they are defined. KeyError for one that is not there."""
    statement = Statement(segments, question)
    members = {name: statement.members(name) for name in wanted}
    # Or else DuckDB reads what everybody's events say, and only then asks whose they are.
    at_once = frozenset([statement.scan.name] if question.one_of > 1 else [])
    return Compiled(tuple(statement.relations()), members, tuple(statement.stances), question.dialect, at_once)


class Statement:
    """Collects what the segments need, and then has all the relations."""

    def __init__(self, segments: Mapping[str, Segment], question: Question) -> None:
        self.question = question
        self.bounds = Bounds(question.now_ms, question.zones)
        self.scan = Scan(question)
        self.people = Features(PEOPLE, Rows("people_rows", self.scan, self.bounds))
        self.groups = Groups(question, self.bounds)
        self.stances: list[Stance] = []
        self.needs_everybody = False
        self.later: list[tuple[str, exp.Select]] = []
        self._segments = segments
        self._by_key: dict[Path, Features] = {}
        self._by_pairs: list[Features] = []
        self._pairs: list[tuple[str, exp.Select]] = []
        self._members: dict[str, str] = {}

    # -- asking

    def members(self, name: str) -> str:
        """The relation of the members of a segment, by its name; made when first asked for."""
        if name not in self._members:
            segment = self._segments[name]
            made = _Making(self, segment.each, f"pairs_{len(self._members)}" if segment.each else None)
            select = made.select(segment)
            self._members[name] = f"members_{len(self._members)}"
            self.later.append((self._members[name], select))
        return self._members[name]

    def add(self, kind: str, select: exp.Select) -> str:
        """A relation that is made of the others; its name."""
        name = f"{kind}_{len(self.later)}"
        self.later.append((name, select))
        return name

    def key_features(self, key: Path) -> Features:
        """Numbers of people and values of a property."""
        if key not in self._by_key:
            number = len(self._by_key)
            rows = Rows(f"rows_by_key_{number}", self.scan, self.bounds, key=key)
            self._by_key[key] = Features(f"by_key_{number}", rows)
        return self._by_key[key]

    def pair_features(self, pairs: str) -> Features:
        """Numbers of people and their values by all that they did."""
        rows = Rows(f"rows_by_{pairs}", self.scan, self.bounds, pairs=pairs)
        self._by_pairs.append(Features(f"by_{pairs}", rows))
        return self._by_pairs[-1]

    def add_pairs(self, name: str, select: exp.Select) -> None:
        """The people and values of a segment."""
        self._pairs.append((name, select))

    # -- being

    def relations(self) -> list[tuple[str, exp.Select]]:
        """All of them by name, each after those that it needs."""
        found: list[tuple[str, exp.Select]] = []
        keyed = [*self._by_key.values()]
        if self.people.rows.is_asked or keyed or self._by_pairs:
            found.append((self.scan.name, self.scan.select()))
        if self.people.rows.is_asked:
            found += [(self.people.rows.name, self.people.rows.select()), (self.people.name, self.people.select())]
        if self.needs_everybody or not self.people.rows.is_asked:
            found.append((EVERYBODY, self._everybody()))
        found.append((WHOLE, self._whole()))
        if self.groups.are_asked:
            found += self.groups.relations()
        for each in keyed:
            found += [(each.rows.name, each.rows.select()), (each.name, each.select())]
        found += self._pairs
        for each in self._by_pairs:
            found += [(each.rows.name, each.rows.select()), (each.name, each.select())]
        found += self.later
        return [*zoned(self.question, self.bounds), *found]

    def _whole(self) -> exp.Select:
        if not self.people.rows.is_asked:
            return exp.select("*").from_(relation(EVERYBODY))
        if not self.needs_everybody:
            return exp.select("*").from_(relation(PEOPLE))
        return exp.select("*").from_(relation(EVERYBODY)).join(relation(PEOPLE), using="person", join_type="left")

    def _everybody(self) -> exp.Select:
        question = self.question
        events = exp.alias_(relation(question.relations.events), "event", table=True)
        found = exp.select(named(owner(question), "person")).distinct().from_(events).where(until_now(question))
        return with_owners(found, question)


@dataclass(slots=True)
class _Making:
    """Makes what one segment needs (`conditions.Makes`). `pairs`: the relation of people and values, if it has any."""

    statement: Statement
    each: tree.Each | None
    pairs: str | None
    _own: Features | None = None
    _used: dict[str, Features] | None = None
    _named_by: Features | None = None

    def select(self, segment: Segment) -> exp.Select:
        """The members: person and value."""
        statement = self.statement
        that = column("value") if segment.each is not None else None
        conditions = Conditions(self, statement.bounds, Testing(statement.question.words, statement.bounds, that))
        self._used = {}
        if self.pairs is not None:
            statement.add_pairs(self.pairs, self._pairs_of(segment))
        if counts_everybody(segment.expression) or (segment.each is None and may_hold(segment.expression)):
            statement.needs_everybody = True
        holds = conditions.holds(segment.expression)
        value = column("value") if self.pairs else exp.Literal.string("")
        found = exp.select(column("person"), named(value, "value"))
        if self.pairs is None:
            found = found.from_(relation(WHOLE))
        else:
            found = found.from_(relation(self.pairs)).join(relation(WHOLE), using="person", join_type="left")
            for features in self._used.values():
                if features is self._named_by:
                    continue
                found = found.join(relation(features.name), using=["person", "value"], join_type="left")
        if statement.bounds.are_told:
            found = found.join(relation(ZONED), using="person", join_type="left")
        return found.where(holds)

    def _pairs_of(self, segment: Segment) -> exp.Select:
        assert segment.each is not None, "asked only of segments with values"
        path, name = segment.each.path, segment.each.event
        if name is not None:
            return self._named_pairs(tuple(split_path(path)), name, segment.expression)
        trait = self.statement.people.trait(path)
        values = self.statement.question.words.unnested(values_in(trait, self.statement.scan))
        unnested = exp.select("person", named(values, "value")).from_(relation(WHOLE))
        return exp.select("person", "value").from_(unnested.subquery("each_value")).where("value IS NOT NULL")

    def _named_pairs(self, key: Path, name: str, expression: tree.Expression) -> exp.Select:
        """The people and the values of their events, with the numbers of both. Where they must have done something for
        a value, those alone who did."""

        def tells(event: Event) -> bool:
            return name in (event.name, ANYTHING) and _key_of(event.where) == key

        needed = must_have_done(expression, tells) or [(Event(name), None)]
        self._named_by = self.statement.key_features(key)
        counts = [self._named_by.count(event, window) for event, window in needed]
        found = exp.select("*").from_(relation(self._named_by.name))
        return found.where(either([sql(":count > 0", count=count) for count in counts]))

    # -- conditions.Makes

    def of_people(self) -> Features:
        """See Makes."""
        return self.statement.people

    def by_value(self, events: list[Event]) -> Features:
        """See Makes."""
        keys = {_key_of(event.where) for event in events}
        key = keys.pop() if len(keys) == 1 else None
        features = self._by_pairs() if key is None else self.statement.key_features(key)
        assert self._used is not None, "set before conditions are made"
        self._used[features.name] = features
        return features

    def _by_pairs(self) -> Features:
        assert self.pairs is not None, "checked: a value is only mentioned in segments that have one for each"
        if self._own is None:
            self._own = self.statement.pair_features(self.pairs)
        return self._own

    def sequence(self, node: tree.Sequence, features: Features) -> str:
        """See Makes."""
        spans = self.statement.bounds.spans(node.window)
        return self.statement.add("sequence", sequence(node, features.rows, self.statement.bounds.now_ms, spans))

    def of_groups(self, node: tree.Field) -> tuple[str, bool]:
        """See Makes."""
        statement = self.statement
        pairs = self.pairs if mentions_value(node) else None
        that = column("value") if pairs else None
        testing = Testing(statement.question.words, statement.bounds, that)
        holds = testing.passes(node.test, lambda under: statement.groups.trait(node.path, under))
        return statement.add("of_groups", statement.groups.people(holds, pairs)), pairs is not None

    def stances(self, node: Stance) -> Phrase:
        """See Makes."""
        known = self.statement.stances
        if node not in known:
            known.append(node)
        number = known.index(node)
        consents = relation(self.statement.question.relations.consents)
        told = exp.select("person_id").from_(consents).where(sql("number = :it AND person_id IS NOT NULL", it=number))
        others = (
            exp.select("bool_or(holds)").from_(consents).where(sql("number = :it AND person_id IS NULL", it=number))
        )
        return sql(
            ":holds OR :others AND NOT :told",
            holds=exp.In(this=column("person"), query=told.where("holds").subquery()),
            others=others.subquery(),
            told=exp.In(this=column("person"), query=told.subquery()),
        )

    def others(self, name: str) -> str:
        """See Makes."""
        return self.statement.members(name)

    def cut(self, node: tree.Rank, amount: Phrase, features: Features) -> Phrase:
        """See Makes."""
        by = ["value"] if features.rows.by_value else []
        amounts = exp.select(*by, named(amount, "amount")).from_(self._all_ranked(features))
        over = f"PARTITION BY {by[0]}" if by else ""
        direction = "" if node.bottom else "DESC"
        placed = (
            exp.select(
                *by,
                "amount",
                sql(f"row_number() OVER ({over} ORDER BY amount {direction}) AS place"),
                sql(f"count(*) OVER ({over}) AS ranked"),
            )
            .from_(amounts.subquery("amounts"))
            .where("amount IS NOT NULL")
        )
        if node.count is not None:
            is_in = sql("place <= :count", count=node.count)
        else:
            assert node.share is not None, "checked: a rank has a share or a count"
            is_in = sql("place <= ceil(CAST(ranked AS DOUBLE) * :share / 100)", share=float(node.share))
        last = exp.select(*by, named(sql("max(amount)" if node.bottom else "min(amount)"), "cut"))
        last = last.from_(placed.subquery("placed")).where(is_in)
        name = self.statement.add("cut", last.group_by("value") if by else last)
        # Of one row: Spark wants to see that of a subquery that depends on where it stands.
        cut = exp.select("max(cut)").from_(relation(name))
        if by:
            assert self.pairs is not None, "checked: only segments with values mention one"
            cut = cut.where(exp.EQ(this=column("value", name), expression=column("value", self.pairs)))
        return cut.subquery()

    def _all_ranked(self, features: Features) -> exp.Expr:
        if not features.rows.by_value:
            return relation(WHOLE)
        assert self.pairs is not None, "checked: only segments with values mention one"
        values = exp.select("value").distinct().from_(relation(self.pairs)).subquery("wanted")
        everyone = exp.select("person", "value").from_(relation(WHOLE)).join(values, join_type="cross")
        found = exp.select("*").from_(everyone.subquery("everyone"))
        return found.join(relation(features.name), using=["person", "value"], join_type="left").subquery("ranked")


def _key_of(where: tree.Filter | None) -> Path | None:
    """The property that has to be the value for the filter to hold; None when there is none."""
    for each in where.of if isinstance(where, tree.All) else (where,):
        match each:
            case tree.Field(path, tree.Is((Param(),)), Whose.PERSON):
                return tuple(split_path(path))
            case _:
                pass
    return None
