"""Imported files over HTTP."""

from __future__ import annotations

from courtesy.engine.contract import ImportProgress
from courtesy.runtime.fold import FoldWorker
from tests.unit.http.test_people import store
from tests.unit.http.world import NOW_MS, World, serving, track
from tests.unit.runtime.world import call

FILE = "f" * 64


async def bring_in(world: World) -> None:
    """Ann's visit, and a file in which she and Bob buy; all is folded."""
    await store(world, track("a"))
    policy = world.app.catalog.policy("shop")
    rows = [call(f"f{who}", policy=policy, live=False, userId=who, event="Bought") for who in ("ann", "bob")]
    await world.app.ingest.append(rows, policy, keep_keys=True, file=FILE)
    await world.app.engine.save_import(ImportProgress(FILE, policy.source, "sales.csv", 2, NOW_MS))
    app = world.app
    worker = FoldWorker(app.engine, app.catalog.catalog, app.clock, "folder")
    await worker.claim()
    while await worker.fold_once():
        pass
    await worker.release()


async def test_a_file_is_listed_previewed_and_taken_back() -> None:
    """And is then as unknown as the one whom only it told of."""
    async with serving() as world:
        await bring_in(world)
        (listed,) = (await world.get("/v1/imports")).json()["imports"]
        assert listed == {
            "fingerprint": FILE,
            "source": "shop",
            "name": "sales.csv",
            "rows": 2,
            "finished": "2025-11-22T03:04:05.000Z",
            "taken_back": None,
        }
        path = f"/v1/imports/{FILE}?source=shop"
        told = (await world.change("DELETE", f"{path}&dry_run=true")).json()
        assert (told["events"], told["people"], told["finished"]) == (2, 2, False)
        assert (await world.get("/v1/people/user_id/bob")).status_code == 200
        told = (await world.change("DELETE", path)).json()
        assert (told["people"], told["done"], told["finished"]) == (2, 2, True)
        assert (await world.get("/v1/people/user_id/bob")).status_code == 404
        assert (await world.get("/v1/people/user_id/ann")).json()["event_count"] == 1
        assert (await world.get("/v1/imports")).json() == {"imports": []}
        assert await world.fates() == {"received": 1, "stored": 1}
        assert (await world.change("DELETE", path)).status_code == 404


async def test_only_an_admin_key_takes_back() -> None:
    """And the source must be said."""
    async with serving() as world:
        await bring_in(world)
        assert (await world.change("DELETE", f"/v1/imports/{FILE}?source=shop", key=world.read)).status_code == 403
        assert (await world.change("DELETE", f"/v1/imports/{FILE}")).status_code == 400
        assert (await world.get("/v1/people/user_id/bob")).status_code == 200
