"""Static lists: files say who is on one, and can be taken back."""

from __future__ import annotations

from typing import Any

import pytest

from courtesy.runtime.fold import FoldWorker
from tests.unit.http.world import World, serving


async def put(world: World, name: str, file: str, query: str = "") -> dict[str, Any]:
    """Put those in a file on a list; it must pass."""
    answer = await world.change("POST", f"/v1/segments/{name}/list{query}", file.encode())
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def fold(world: World) -> None:
    """Fold everything, for nobody else does here."""
    worker = FoldWorker(world.app.engine, world.app.catalog.catalog, world.clock, "test")
    await worker.claim()
    while await worker.fold_once():
        pass


async def is_in(world: World, name: str, user: str) -> bool | None:
    """Whether somebody is on a list, by their history."""
    answer = await world.get(f"/v1/people/user_id/{user}/segments/{name}")
    assert answer.status_code == 200, answer.text
    found: bool | None = answer.json()["is_in"]
    return found


async def test_who_is_in_the_file_is_on_the_list() -> None:
    """By whatever identifiers its columns have; the segment is there along with it."""
    async with serving() as world:
        told = await put(world, "VIP", "user_id,email\nann,ann@example.com\nbob,\n")
        assert (told["rows"], told["stored"], told["source"]) == (2, 2, "list VIP")
        segment = (await world.get("/v1/segments/VIP")).json()
        assert segment["text"] == "lists.VIP is true"
        assert await is_in(world, "VIP", "ann")
        person = (await world.get("/v1/people/email/ann@example.com")).json()
        assert person["traits"] == {"lists": {"VIP": True}}
        assert person["trait_origins"]["lists.VIP"]["source"] == "list VIP"


async def test_a_file_of_one_kind_needs_no_header() -> None:
    """Each line is an identifier; what is none waits in quarantine."""
    async with serving() as world:
        told = await put(world, "News.letter", "ann@example.com\nbob@example.com\n", "?kind=email")
        assert (told["rows"], told["stored"]) == (2, 2)
        found = (await world.get("/v1/people/email/bob@example.com/segments/News.letter")).json()
        assert (found["is_in"], found["text"]) == (True, "lists.News.letter is true")


async def test_people_come_off_a_list_and_on_again() -> None:
    """However often the same file says so."""
    async with serving() as world:
        for removes in (False, True, False, True):
            world.clock.advance(1_000)
            await put(world, "VIP", "user_id\nann\n", f"?removes={str(removes).lower()}")
            assert await is_in(world, "VIP", "ann") is not removes


async def test_a_list_is_taken_back_as_files_are() -> None:
    """With it what it told of anybody."""
    async with serving() as world:
        told = await put(world, "VIP", "user_id\nann\nbob\n")
        await put(world, "Other", "user_id\nann\n")
        await fold(world)
        answer = await world.change("DELETE", f"/v1/imports/{told['fingerprint']}?source=list%20VIP")
        assert answer.status_code == 200, answer.text
        assert (await world.get("/v1/people/user_id/bob")).status_code == 404
        assert (await is_in(world, "VIP", "ann"), await is_in(world, "Other", "ann")) == (False, True)


@pytest.mark.parametrize(
    ("name", "file", "code"),
    [
        ("Pro", "user_id\nann\n", "conflict"),
        ("New", "price,colour\n3,red\n", "invalid"),
        ("New", "", "unreadable"),
        ("validate", "user_id\nann\n", "invalid"),
        ("x" * 96, "user_id\nann\n", "invalid"),
    ],
)
async def test_what_is_no_list_is_refused(name: str, file: str, code: str) -> None:
    """Another segment of that name, a file that names nobody, a name that can't be."""
    async with serving() as world:
        assert (await world.change("PUT", "/v1/segments/Pro", {"text": "plan is pro"})).status_code == 200
        answer = await world.change("POST", f"/v1/segments/{name}/list", file.encode())
        assert answer.json()["code"] == code, answer.text
