"""Correcting who is who: merging by hand, unmerging, splitting; each with a preview."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.http.operation import Asked, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.erase_again import Erased
from courtesy.runtime.repair import cut_view

REASON_CHARS_MAX = 500
Reason = Annotated[str, Meta(max_length=REASON_CHARS_MAX)]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An identifier."""

    kind: str
    value: str


class PairBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The other of the two. `reason` is kept with your key's name. `dry_run`: only say what would be."""

    other: Named
    reason: Reason = ""
    dry_run: bool = False


class SplitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The identifiers that become a person of their own; otherwise like the body of a merge."""

    identifiers: Annotated[list[Named], Meta(min_length=1, max_length=500)]
    reason: Reason = ""
    dry_run: bool = False


class TraitConflict(msgspec.Struct, frozen=True):
    """A trait in which two people differ, and the value that stays."""

    trait: str
    values: list[Any]
    kept: Any


class MergedView(msgspec.Struct, frozen=True):
    """`loser` became part of `person`, or would. `position` is null for a preview."""

    person: str
    loser: str
    identifiers: list[str]
    events: int
    conflicts: list[TraitConflict]
    position: str | None


class PieceView(msgspec.Struct, frozen=True):
    """One of the people whom a cut leaves."""

    person: str
    identifiers: list[str]
    events: int
    first: str | None
    last: str | None


class CutView(msgspec.Struct, frozen=True):
    """Whom a cut leaves, or would: who keeps the number comes first. `cut` are the links that are gone, and banned from
    now on. The number of somebody who never was one before is not settled by a preview. `position` is null for one.
    """

    person: str
    people: list[PieceView]
    cut: list[list[str]]
    events_moved: int
    effects_corrected: int
    position: str | None


class EraseQuery(msgspec.Struct, frozen=True):
    """`suppress`: what carries one of their identifiers is never stored again; of the identifiers only salted hashes
    stay. `reason` is kept with your key's name: do not name the person in it.
    """

    suppress: bool = True
    reason: Reason = ""


class ErasedView(msgspec.Struct, frozen=True):
    """What was erased. `archived`: whether the lake has forgotten as well; if not, it is tried again until it has."""

    person: str
    identifiers: int
    events: int
    quarantined: int
    archived: bool
    position: str


async def erase_person(asked: Asked[EraseQuery, None]) -> ErasedView:
    """Everything about a person, gone."""
    key = asked.app.people.key_of(asked.path["kind"], asked.path["value"])
    done = await asked.app.eraser.erase(key, asked.by, asked.query.reason, suppress=asked.query.suppress)
    return erased_view(done)


def erased_view(done: Erased) -> ErasedView:
    """What was erased, for people to read."""
    return ErasedView(
        str(done.person), done.identifier_count, done.event_count, done.held_count, done.archived, str(done.position)
    )


async def merge_people(asked: Asked[Any, PairBody]) -> dict[str, Any]:
    """Two people as one."""
    (a, b), body = _keys(asked, asked.body.other), asked.body
    return await asked.app.repairs.merge(a, b, asked.by, body.reason, dry=body.dry_run)


async def unmerge_people(asked: Asked[Any, PairBody]) -> dict[str, Any]:
    """One person as two."""
    (a, b), body = _keys(asked, asked.body.other), asked.body
    return cut_view(await asked.app.repairs.unmerge(a, b, asked.by, body.reason, dry=body.dry_run))


async def split_person(asked: Asked[Any, SplitBody]) -> dict[str, Any]:
    """Some identifiers as a person of their own."""
    key, *own = _keys(asked, *asked.body.identifiers)
    return cut_view(await asked.app.repairs.split(key, own, asked.by, asked.body.reason, dry=asked.body.dry_run))


def _keys(asked: Asked[Any, Any], *others: Named) -> list[str]:
    named = [(asked.path["kind"], asked.path["value"]), *((each.kind, each.value) for each in others)]
    return [asked.app.people.key_of(*each) for each in named]


def _operation(verb: str, summary: str, doc: str, handle: Any, body: type[msgspec.Struct], answer: Any) -> Operation:
    return Operation(
        "POST",
        f"/v1/people/{{kind}}/{{value}}/{verb}",
        "repair",
        summary,
        handle,
        doc=doc,
        scope=Scope.ADMIN,
        body=body,
        answer=answer,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs={"kind": "The kind of an identifier of the person.", "value": "Its value, percent-encoded."},
    )


OPERATIONS = (
    Operation(
        "DELETE",
        "/v1/people/{kind}/{value}",
        "repair",
        "Erase a person.",
        erase_person,
        doc="From log, states, timers, outbox, evidence, quarantine and lake. It can't be undone.",
        scope=Scope.ADMIN,
        query=EraseQuery,
        answer=ErasedView,
        codes=(Code.NOT_FOUND,),
        path_docs={"kind": "The kind of an identifier of the person.", "value": "Its value, percent-encoded."},
    ),
    _operation(
        "merge",
        "Make one person of two.",
        "Whatever the rules say: somebody who knows said so. A ban between the two is lifted.",
        merge_people,
        PairBody,
        MergedView,
    ),
    _operation(
        "unmerge",
        "Make two people of one again.",
        "The links between the two identifiers are cut, the youngest of each chain first, and banned; both people are"
        " found anew from history, as if what linked them had never been believed.",
        unmerge_people,
        PairBody,
        CutView,
    ),
    _operation(
        "split",
        "Make a person of their own of some identifiers.",
        "All links between these identifiers and the others are cut, and banned.",
        split_person,
        SplitBody,
        CutView,
    ),
)
