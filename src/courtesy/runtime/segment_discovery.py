"""Micro-segments and look-alikes, found in what the lake tells of people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from courtesy.base.ids import PersonId
from courtesy.runtime.discovery_conditions import Source
from courtesy.runtime.discovery_tables import Tables, tables
from courtesy.segment.discovery.collecting import Collector
from courtesy.segment.discovery.discover import Discovery, Found, discover
from courtesy.segment.discovery.lookalike import Sharpness, fit, sharpness, unpacked
from courtesy.segment.discovery.people import Truths, is_found
from courtesy.segment.discovery.wanted import Wanted

EVEN = 0.5
"""How sharp scores are that tell nothing."""

People = NDArray[np.int64]
"""Numbers of people, in any order."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be found, by what had happened by the cut-off. `left_out`: names of events and paths of traits that no
    proposal may be about."""

    cutoff_ms: int
    left_out: frozenset[str]
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was found. `of_people`: how many there are, of whom `discovery.all.people` were looked at; `seen_count`: of
    how many conditions the best were joined with each other."""

    discovery: Discovery
    of_people: int
    seen_count: int


@dataclass(frozen=True, slots=True)
class Alike:
    """Somebody who is not a member, and how likely one who scores the same is."""

    person: PersonId
    score: float


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Why members differ from others, how well the scores tell them, and who is most like them, the nearest first;
    nobody when the scores do not tell members who were not looked at before."""

    discovered: Discovered
    sharpness: Sharpness
    nearest: tuple[Alike, ...]


async def people_in(batches: AsyncIterator[pa.RecordBatch]) -> People:
    """Whom the answer to a question names, in the column `person_id`."""
    found = [batch.column("person_id").to_numpy() async for batch in batches]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def discovered(connection: DuckDBPyConnection, asked: Asked, had: People, among: People | None) -> Discovered:
    """Micro-segments that differ in an outcome. `had`: who had it; `among`: who is looked at, None for all. The
    connection is as `tables` wants it."""
    known = tables(connection, asked.cutoff_ms, asked.wanted.seed, among)
    found, seen_count = _conditions(known, np.isin(known.people, had), asked)
    return Discovered(discover(found, asked.wanted), known.of_count, seen_count)


def lookalikes(
    connection: DuckDBPyConnection, asked: Asked, members: People, among: People | None, nearest_count: int
) -> Lookalikes:
    """Who is most like the members, and is none."""
    known = tables(connection, asked.cutoff_ms, asked.wanted.seed, among)
    is_member = np.isin(known.people, members)
    found, seen_count = _conditions(known, is_member, asked)
    discovery = discover(found, asked.wanted)
    scores, sharp = _scored(known, found, discovery, asked.wanted.seed)
    nearest = _nearest(known, scores, is_member, nearest_count) if discovery.proposals and sharp.low > EVEN else ()
    return Lookalikes(Discovered(discovery, known.of_count, seen_count), sharp, nearest)


def _conditions(known: Tables, outcome: Truths, asked: Asked) -> tuple[Found, int]:
    collector = Collector(known.people, outcome, asked.wanted.least_people, asked.wanted.seed)
    collector.add(Source(known, asked.cutoff_ms, asked.wanted.least_people, asked.left_out).conditions())
    return collector.done(), collector.seen_count


def _scored(known: Tables, found: Found, discovery: Discovery, seed: int) -> tuple[NDArray[np.float64], Sharpness]:
    """The score of each person, and how well it tells members among those held out."""
    in_found = is_found(known.people, seed)
    searched, held_out = int(in_found.sum()), int((~in_found).sum())
    model = fit(found.found, discovery.rules, searched)
    held = model.scores(found.held, held_out)
    scores = np.empty(known.people.size)
    scores[in_found], scores[~in_found] = model.scores(found.found, searched), held
    return scores, sharpness(held, unpacked(found.held.outcome, held_out))


def _nearest(known: Tables, scores: NDArray[np.float64], is_member: Truths, count: int) -> tuple[Alike, ...]:
    others = np.flatnonzero(~is_member)
    order = others[np.lexsort((known.people[others], -scores[others]))][:count]
    return tuple(Alike(PersonId(int(known.people[each])), float(scores[each])) for each in order)
