"""Fields of groups: of any of those that a person belongs to."""

from __future__ import annotations

from sqlglot import exp

from courtesy.person.record import RecordKind
from courtesy.person.view import split_path
from courtesy.segment.sql.bounds import ZONED, Bounds
from courtesy.segment.sql.features import Features
from courtesy.segment.sql.phrase import Phrase, column, named, relation, sql
from courtesy.segment.sql.rows import Rows
from courtesy.segment.sql.scan import Question, Scan, owner, until_now, with_owners

BELONGS, TOLD_OF_GROUPS, GROUPS = "belongs", "told_of_groups", "groups"


class Groups:
    """What is asked of groups, and the relations that it takes."""

    def __init__(self, question: Question, bounds: Bounds) -> None:
        self._question = question
        self._bounds = bounds
        self._scan = Scan(question, TOLD_OF_GROUPS, RecordKind.GROUP)
        self._features = Features(GROUPS, Rows("rows_of_groups", self._scan, Bounds(question.now_ms, question.zones)))

    @property
    def are_asked(self) -> bool:
        """Whether anything was asked."""
        return self._features.has_columns

    def trait(self, path: str, under: tuple[str, ...] = ()) -> Phrase:
        """The JSON text of a trait of a group."""
        return self._features.trait((*split_path(path), *under), "group_traits")

    def people(self, holds: Phrase, pairs: str | None) -> exp.Select:
        """Those who belong to a group of which it holds; with `pairs` those and their values of which it does."""
        keys = ["person"] if pairs is None else ["person", "value"]
        found = exp.select(*(column(key) for key in keys)).distinct().from_(relation(BELONGS))
        found = found.join(relation(GROUPS), using="company", join_type="left")
        if pairs is not None:
            found = found.join(relation(pairs), using="person")
        if self._bounds.are_told:
            found = found.join(relation(ZONED), using="person", join_type="left")
        return found.where(holds)

    def relations(self) -> list[tuple[str, exp.Select]]:
        """The relations by name, each after those that it needs."""
        told = self._features.select()
        return [
            (BELONGS, self._belongs()),
            (TOLD_OF_GROUPS, self._scan.select()),
            ("rows_of_groups", self._features.rows.select()),
            (GROUPS, exp.select(named(column("person"), "company"), *told.expressions[1:]).from_(
                told.args["from_"].this).group_by("person")),
        ]  # fmt: skip

    def _belongs(self) -> exp.Select:
        question = self._question
        company = question.words.field(column("payload", "event"), ("group",))
        found = exp.select(named(owner(question), "person"), named(company, "company")).distinct()
        events = exp.alias_(relation(question.relations.events), "event", table=True)
        found = found.from_(events).where(until_now(question), sql("event.type = 'group'"))
        return with_owners(found, question)
