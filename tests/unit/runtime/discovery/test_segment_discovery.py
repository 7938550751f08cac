"""Micro-segments and look-alikes are found in a lake, with what was planted there, and with nothing of later."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from courtesy.base.time import DAY_MS
from courtesy.runtime.segment_discovery import Asked, Discovered, People, discovered, lookalikes
from courtesy.segment.discovery.outcome import after_cutoff, spoken_of
from courtesy.segment.discovery.wanted import Wanted
from courtesy.segment.parsing import parse
from courtesy.segment.printing import write
from courtesy.segment.sql.scan import Question
from courtesy.segment.sql.statement import compiled
from courtesy.segment.tree import Expression, Segment
from tests.unit.runtime.discovery.worlds import NO_MOVES, NOW_MS, Log, lake

WINDOW_DAYS = 30
WANTED = Wanted(least_people=30, seed=5)


def _shop(seed: int = 1, people: int = 1_500) -> Log:
    """Who viewed shoes twice in the last month and lives in AT buys again much more often; the rest is chance."""
    chance, log = Random(seed), Log()
    for person in range(1, people + 1):
        country, shoes = chance.choice(["AT", "DE", "CH"]), chance.choice([0, 0, 1, 2, 3])
        log.is_so(person, NOW_MS - 200 * DAY_MS, {"country": country, "age": chance.randrange(18, 80)})
        for _ in range(shoes):
            log.did(person, "Product Viewed", NOW_MS - chance.randrange(25 * DAY_MS), {"category": "Shoes"})
        for _ in range(chance.randrange(3)):
            log.did(person, "Product Viewed", NOW_MS - chance.randrange(80 * DAY_MS), {"category": "Hats"})
        buys = chance.random() < (0.6 if country == "AT" and shoes >= 2 else 0.1)
        if buys:
            log.did(person, "Order Completed", NOW_MS + 1 + chance.randrange(WINDOW_DAYS * DAY_MS - 1), {"total": 20})
            log.did(person, "Canary", NOW_MS + 1, {"sings": "yes"})
            log.is_so(person, NOW_MS + 1, {"canary": True})
    return log


def members(connection: DuckDBPyConnection, expression: Expression, at_ms: int) -> People:
    """Who fits, by the lake's own reading."""
    statement = compiled({"": Segment(1, expression)}, [""], Question(at_ms))
    return np.asarray(connection.execute(statement.members_of("")).fetchnumpy()["person_id"], np.int64)


def of_text(text: str) -> Expression:
    """What a text means."""
    return parse(text).segment.expression


def discovered_in(
    connection: DuckDBPyConnection, outcome: str, asked: Asked, window_days: int, among: str | None = None
) -> Discovered:
    """What is found of an outcome in the days after the cut-off."""
    until_ms = asked.cutoff_ms + window_days * DAY_MS
    had = members(connection, after_cutoff(of_text(outcome), window_days), until_ms)
    by_then = None if among is None else members(connection, of_text(among), asked.cutoff_ms)
    return discovered(connection, asked, had, by_then)


def _discovered(
    log: Log,
    outcome: str,
    among: str | None = None,
    left_out: Iterable[str] = (),
    people: pa.Table = NO_MOVES,
    now_ms: int = NOW_MS,
) -> Discovered:
    with lake(log.records, people) as connection:
        return discovered_in(connection, outcome, Asked(now_ms, frozenset(left_out), WANTED), WINDOW_DAYS, among)


def _texts(found: Discovered) -> list[str]:
    return [write(Segment(1, each.expression)) for each in found.discovery.proposals]


def test_what_was_planted_is_proposed_first() -> None:
    """Two conditions, one on what people did and one on who they are, found together, with their rate."""
    found = _discovered(_shop(), 'did "Order Completed"')
    first = found.discovery.proposals[0]
    assert "country is AT" in _texts(found)[0]
    assert 'did "Product Viewed" at least 2 times' in _texts(found)[0]
    assert "category is Shoes" in _texts(found)[0]
    assert first.held.low < 0.6 < first.held.high
    assert found.of_people == found.discovery.all.people == 1_500


def test_nothing_of_later_is_proposed() -> None:
    """A canary that only those have who had the outcome, a millisecond after the cut-off, is in no proposal."""
    found = _discovered(_shop(), 'did "Order Completed"')
    assert not any("anary" in text or "Order" in text for text in _texts(found))
    beyond = _discovered(_shop(), 'did "Order Completed"', now_ms=NOW_MS + 1)
    assert any("anary" in text for text in _texts(beyond))


def test_the_outcome_is_asked_of_the_window_alone() -> None:
    """What happened before, or after its end, is not the outcome."""
    log = Log()
    for person in range(1, 101):
        log.did(person, "Order", NOW_MS - DAY_MS)
        if person <= 30:
            log.did(person, "Order", NOW_MS + 1)
        if 30 < person <= 50:
            log.did(person, "Order", NOW_MS + WINDOW_DAYS * DAY_MS)
        if 50 < person <= 70:
            log.did(person, "Order", NOW_MS + WINDOW_DAYS * DAY_MS + 1)
    assert _discovered(log, 'did "Order"').discovery.all.positives == 50


def test_only_those_are_looked_at_who_are_asked_for() -> None:
    """Everybody are those who fit `among` at the cut-off."""
    found = _discovered(_shop(), 'did "Order Completed"', among="country is AT")
    assert 400 < found.discovery.all.people < 600
    assert found.of_people == found.discovery.all.people
    assert not any("country" in text for text in _texts(found))


def test_what_is_left_out_is_in_no_proposal() -> None:
    """Neither events nor traits that nobody wants to hear of."""
    found = _discovered(_shop(), 'did "Order Completed"', left_out=["country", "Product Viewed"])
    assert not any("country" in text or "Product" in text for text in _texts(found))


def test_events_belong_to_whom_they_belong_to_now() -> None:
    """Those of somebody who became part of another, and single ones that were moved, count for their present owner; of
    those that are nobody's nothing is known."""
    log = Log()
    for person in range(1, 201):
        log.did(person, "View", NOW_MS - DAY_MS)
        log.did(person + 1_000, "Order", NOW_MS + DAY_MS)
    log.did(5_000, "View", NOW_MS - DAY_MS)
    log.did(6_000, "View", NOW_MS - DAY_MS)
    last = len(log.records)
    rows: list[tuple[int | None, ...]] = [(person + 1_000, person, None) for person in range(1, 101)]
    rows += [(5_000, 1, last - 1), (6_000, None, None)]
    people = pa.table(dict(zip(
        ("person_id", "root", "position"), (pa.array(each, pa.int64()) for each in zip(*rows, strict=True)), strict=True
    )))  # fmt: skip
    found = _discovered(log, 'did "Order"', people=people)
    assert (found.discovery.all.people, found.discovery.all.positives) == (200, 100)


def _club(seed: int) -> Log:
    """Members of a list are mostly young and from AT, as are some who are not on it."""
    chance, log = Random(seed), Log()
    for person in range(1, 1_501):
        country, age = chance.choice(["AT", "DE", "CH"]), chance.randrange(18, 80)
        member = chance.random() < (0.6 if country == "AT" and age < 35 else 0.02)
        traits = {"country": country, "age": age, "lists": {"Club": True} if member else {}}
        log.is_so(person, NOW_MS - DAY_MS, traits)
        log.did(person, "View", NOW_MS - chance.randrange(90 * DAY_MS))
    return log


def test_look_alikes_are_like_members_and_are_none() -> None:
    """The nearest have what most members have, are not on the list, and it is said how well this tells members."""
    log = _club(3)
    club = of_text("lists.Club is true")
    with lake(log.records) as connection:
        inside = members(connection, club, NOW_MS)
        found = lookalikes(connection, Asked(NOW_MS, spoken_of(club, {}), WANTED), inside, None, 40)
        alike = members(connection, of_text("country is AT and age < 35 and not lists.Club is true"), NOW_MS)
    nearest = [each.person for each in found.nearest]
    assert len(nearest) == 40
    assert not set(nearest) & set(inside.tolist())
    assert len(set(nearest) & set(alike.tolist())) >= 38
    assert found.sharpness.low > 0.75
    assert not any("Club" in text for text in _texts(found.discovered))
    assert sorted((each.score for each in found.nearest), reverse=True) == [each.score for each in found.nearest]


def test_nobody_is_like_a_list_that_was_drawn_by_lot() -> None:
    """Where nothing tells members, nobody is proposed."""
    chance, log = Random(9), Log()
    for person in range(1, 801):
        lists = {"Lot": True} if chance.random() < 0.2 else {}
        log.is_so(person, NOW_MS - DAY_MS, {"age": chance.randrange(18, 80), "lists": lists})
        log.did(person, "View", NOW_MS - chance.randrange(90 * DAY_MS))
    lot = of_text("lists.Lot is true")
    with lake(log.records) as connection:
        asked = Asked(NOW_MS, spoken_of(lot, {}), WANTED)
        found = lookalikes(connection, asked, members(connection, lot, NOW_MS), None, 9)
    assert found.nearest == ()
    assert found.sharpness.low < 0.5 < found.sharpness.high
