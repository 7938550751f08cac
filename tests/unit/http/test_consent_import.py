"""Lists of subscribers imported: obeyed at once, told of the past, known only since, and taken back as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from courtesy.base.time import to_iso
from courtesy.event.cause import Cause
from courtesy.runtime.catalog import Source
from courtesy.runtime.importing import import_path
from courtesy.source.files import find_files, fingerprint
from courtesy.source.mapping import Mapping, parse_mapping
from courtesy.source.summary import ImportSummary
from tests.unit.http.test_export import fold
from tests.unit.http.world import NOW_MS, World, serving
from tests.unit.source.test_guess_consent import HISTORY

ANN = "/v1/people/email/ann@shop.example"
ASK = "purpose=marketing&channel=email&topic=hats&jurisdiction=DE"


async def imported(world: World, path: Path, mapping: Mapping | None = None, **more: Any) -> ImportSummary:
    """A file as `courtesy import` takes it."""
    await world.app.catalog.ensure_source("list", Source(), "test")
    policy = world.app.catalog.policy("list")
    clock = world.clock
    return await import_path(world.app.ingest, world.app.engine, policy, path, mapping, clock, lambda _: None, **more)


def file(folder: Path, *lines: str, name: str = "list.csv") -> Path:
    """A file of those lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


async def why(world: World, query: str, who: str = ANN) -> str:
    """Why somebody may be written to, or not."""
    answer = await world.get(f"{who}/allowed?{ASK}{query}")
    return str(answer.json().get("why", answer.json().get("code")))


async def test_a_history_holds_for_the_past_and_was_not_known_then(tmp_path: Path) -> None:
    """Each row holds from its time on; who asks by what was known before the import hears that nobody knew."""
    async with serving() as world:
        await world.post("/v1/identify", {"userId": "ann", "messageId": "i", "traits": {"email": "ann@shop.example"}})
        known = to_iso(world.clock.now_ms())
        world.clock.set(NOW_MS + 1_000)
        done = await imported(world, file(tmp_path, *HISTORY))
        assert (done.row_count, done.files[0].stored_count) == (3, 2)
        assert await why(world, "&at=2023-03-01T00:00:00Z") == "granted"
        assert await why(world, "&at=2023-07-01T00:00:00Z") == "refused"
        assert await why(world, "&at=2022-07-01T00:00:00Z") == "nothing_said"
        assert await why(world, "") == "refused"
        assert await why(world, f"&at=2023-03-01T00:00:00Z&known={known}") == "nothing_said"
        _, told = await world.app.consents.told("email", "ann@shop.example")
        first = min(told, key=lambda each: each.order)
        assert (first.recorded_ms, first.choice.actor, first.choice.method) == (NOW_MS + 1_000, "old CRM", "web form")
        assert first.choice.evidence is not None
        assert first.choice.evidence.network == "192.0.0.0/16"
        assert (await world.get(f"/v1/shown/{first.choice.evidence.notice}")).text == "Yes, write to me"


async def test_a_list_that_is_taken_back_counts_no_more(tmp_path: Path) -> None:
    """And one that is imported twice adds nothing."""
    async with serving() as world:
        path = file(tmp_path, *HISTORY)
        await imported(world, path)
        await imported(world, path, again=True)
        assert len(await world.app.engine.ledger_from(0, 100)) == 2
        await world.post("/v1/identify", {"userId": "ann", "messageId": "i", "traits": {"email": "ann@shop.example"}})
        await fold(world)
        (found,) = find_files(path)
        await world.app.take_backs.take_back(fingerprint(found), "list", "test")
        assert await why(world, "&at=2023-03-01T00:00:00Z") == "nothing_said"
        assert await why(world, "") == "nothing_said"


async def test_a_row_that_nobody_understands_waits_with_its_word(tmp_path: Path) -> None:
    """An unknown status, a health topic and a broken date cost themselves only."""
    async with serving() as world:
        lines = (
            *HISTORY[:2],
            "bob@shop.example;maybe;marketing;email;hats;2023-01-02 10:00;old CRM;form;;;DE",
            "cat@shop.example;subscribed;marketing;email;health;2023-01-02 10:00;old CRM;form;;;DE",
            "dan@shop.example;subscribed;marketing;email;hats;soon;old CRM;form;;;DE",
        )
        done = await imported(world, file(tmp_path, *lines), consent=True)
        assert (done.files[0].stored_count, done.files[0].quarantined_count) == (1, 3)
        causes = sorted(cause for cause, _ in await world.quarantined())
        assert causes == [Cause.CHOICE_UNREADABLE, Cause.TIME_UNREADABLE, Cause.WRONG_TYPE]


async def test_what_a_file_tells_starts_nothing_and_is_obeyed(tmp_path: Path) -> None:
    """The newest choice counts whichever came in last."""
    async with serving() as world:
        grant = {"action": "grant", "purpose": "marketing", "channel": "email", "topic": "hats", "jurisdiction": "DE"}
        call = {"messageId": "c", "context": {"traits": {"email": "ann@shop.example"}}, "choices": [grant]}
        await world.post("/v1/consent", call)
        await imported(world, file(tmp_path, *HISTORY))
        assert await why(world, "") == "granted"
        events = (await world.get(f"{ANN}/events")).json()["events"]
        assert [each["live"] for each in events] == [False, False, True]


async def test_a_mapping_says_what_a_guess_can_not(tmp_path: Path) -> None:
    """Any column may be any field of a choice."""
    async with serving() as world:
        rule = {
            "identifiers": {"user_id": "who"},
            "time": {"column": "seit", "format": "%d.%m.%Y"},
            "timezone": "Europe/Berlin",
            "outputs": [
                {
                    "type": "consent",
                    "choice": {
                        "action": {"column": "ja", "as": "consent"},
                        "purpose": {"constant": "profiling"},
                        "held_to": {"column": "bis", "as": "date", "format": "%d.%m.%Y"},
                        "evidence.double_opt_in": {"constant": True},
                    },
                }
            ],
        }
        mapping = parse_mapping(msgspec.json.encode({"name": "mine", "rules": [rule]}))
        path = file(tmp_path, "who,ja,seit,bis", "ann,yes,01.02.2024,01.02.2030")
        assert (await imported(world, path, mapping)).files[0].stored_count == 1
        _, (told,) = await world.app.consents.told("user_id", "ann")
        choice = told.choice
        assert (to_iso(choice.held_from), choice.purpose) == ("2024-01-31T23:00:00.000Z", "profiling")
        assert choice.held_to == 1_896_130_800_000
        assert choice.evidence is not None
        assert choice.evidence.double_opt_in is True
