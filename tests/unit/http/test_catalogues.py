"""Catalogues and assets over HTTP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pyvips

from courtesy.runtime.assets_named import lacking_assets
from courtesy.runtime.catalogues import ITEMS_MAX
from tests.unit.http.test_offers import good
from tests.unit.http.world import World, serving

PRODUCTS = "/v1/catalogues/products"
ITEMS = f"{PRODUCTS}/items"
DEFINITION: dict[str, Any] = {
    "title": "Products",
    "fields": {
        "price": {"type": "money", "currency": "EUR", "required": True},
        "stock": {"type": "stock"},
        "sizes": {"type": "text", "many": True},
        "title": {"type": "localised"},
    },
    "interest": [{"event": "Product Viewed", "property": "product_id", "days": 30}],
}


async def refused(world: World, status: int, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The problem of a call that is refused."""
    answer = await world.change(method, path, body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_catalogue_is_defined_filled_and_removed() -> None:
    """What is declared, what is inferred, and how many there are."""
    async with serving() as world:
        made = await good(world, "PUT", PRODUCTS, DEFINITION)
        assert (made["live_count"], made["definition"]["title"]) == (0, "Products")
        await good(
            world, "PUT", f"{ITEMS}/p1", {"fields": {"price": 20, "brand": "Acme", "page": "https://x.example/"}}
        )
        found = (await world.get(PRODUCTS)).json()
        assert {name: each["type"] for name, each in found["inferred"].items()} == {"brand": "text", "page": "url"}
        listed = (await world.get("/v1/catalogues")).json()["catalogues"]
        assert [(each["name"], each["live_count"], each["inferred"]) for each in listed] == [("products", 1, None)]
        assert await good(world, "DELETE", PRODUCTS) == {"removed": "products"}
        await refused(world, 404, "GET", PRODUCTS)
        wrong = await refused(world, 400, "PUT", PRODUCTS, {"fields": {"id": {"type": "text"}}})
        assert wrong["place"] == "fields.id"


async def test_an_entry_is_put_patched_retired_and_remembered() -> None:
    """With the price before, and since when it is not that."""
    async with serving() as world:
        await good(world, "PUT", PRODUCTS, DEFINITION)
        path = f"{ITEMS}/a%2Fb%20c"
        await good(world, "PUT", path, {"fields": {"price": 20}})
        patched = await good(world, "PATCH", path, {"fields": {"price": 15, "sizes": ["S"]}})
        assert (patched["id"], patched["fields"]) == ("a/b c", {"price": 15, "sizes": ["S"]})
        assert patched["was"] == {"price": {"value": 20, "until": patched["changed"]}}
        gone = await good(world, "DELETE", path)
        assert gone["retired"] == gone["changed"]
        versions = (await world.get(f"{path}/versions")).json()["versions"]
        assert [(each["version"], each["retired"]) for each in versions] == [(3, True), (2, False), (1, False)]
        wrong = await refused(world, 400, "PUT", path, {"fields": {"price": "cheap"}})
        assert wrong["place"] == "a/b c.price"
        await refused(world, 404, "DELETE", f"{ITEMS}/none")


async def test_thousands_come_at_once_and_are_paged() -> None:
    """In one call, all or nothing; and are found by a value."""
    async with serving() as world:
        await good(world, "PUT", PRODUCTS, DEFINITION)
        items = [{"id": number, "fields": {"price": number, "sizes": ["M"]}} for number in range(ITEMS_MAX)]
        made = await good(world, "POST", ITEMS, {"items": items})
        assert {each["outcome"] for each in made["items"]} == {"new"}
        page = (await world.get(f"{ITEMS}?limit=2&after=4998")).json()
        assert ([each["id"] for each in page["items"]], page["next"]) == (["4999", "5"], "5")
        found = (await world.get(f"{ITEMS}?field=price&value=4999")).json()
        assert [each["id"] for each in found["items"]] == ["4999"]
        too_many = [*items, {"id": "one more", "fields": {"price": 1}}]
        await refused(world, 400, "POST", ITEMS, {"items": too_many})


async def test_files_of_each_kind_say_the_same() -> None:
    """CSV, JSONL and Parquet; a row that is no entry is told and keeps nothing else out."""
    csv = (
        "sku;price;stock;sizes;title.de;title.en\n"
        "p1;19.90;3;S|M;Tasse;Mug\n"
        "p2;29.90 CHF;0;;Kanne;Pot\n"
        "p3;cheap;1;;;\n"
        ";1;1;;;\n"
    )
    rows = [
        {"sku": "p1", "price": 19.9, "stock": 3, "sizes": ["S", "M"], "title": {"de": "Tasse", "en": "Mug"}},
        {"sku": "p2", "price": {"amount": 29.9, "currency": "CHF"}, "stock": 0, "title": {"de": "Kanne", "en": "Pot"}},
    ]
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{**rows[0], "price": 19.9}]), parquet)
    async with serving() as world:
        await good(world, "PUT", PRODUCTS, DEFINITION)
        report = await good(world, "POST", f"{PRODUCTS}/imports?id=sku", csv.encode())
        assert (report["new"], report["refused_count"]) == (2, 2)
        assert [(each["row"], each["id"]) for each in report["refused"]] == [(4, "p3"), (5, "")]
        found = (await world.get(ITEMS)).json()["items"]
        assert [each["fields"] for each in found] == [
            {name: value for name, value in row.items() if name != "sku"} for row in rows
        ]
        lines = b"\n".join(map(msgspec.json.encode, rows))
        assert (await good(world, "POST", f"{PRODUCTS}/imports?id=sku", lines))["same"] == 2
        assert (await good(world, "POST", f"{PRODUCTS}/imports?id=sku", parquet.getvalue()))["same"] == 1


async def test_a_full_file_retires_what_it_lacks() -> None:
    """First only said, then done; but not when it lacks so much that it is rather cut off."""
    async with serving() as world:
        await good(world, "PUT", PRODUCTS, DEFINITION)
        items = [{"id": f"p{number}", "fields": {"price": 1}} for number in range(10)]
        await good(world, "POST", ITEMS, {"items": items})
        lacking_two = "id,price\n" + "".join(f"p{number},{2 if number == 0 else 1}\n" for number in range(8))
        dry = await good(world, "POST", f"{PRODUCTS}/imports?full=true&dry_run=true", lacking_two.encode())
        assert (dry["changed"], dry["same"], dry["retired"]) == (1, 7, 2)
        assert [(each["id"], each["outcome"], each["fields"]) for each in dry["differences"]] == [
            ("p0", "changed", ["price"]), ("p8", "retired", []), ("p9", "retired", []),
        ]  # fmt: skip
        assert (await world.get(PRODUCTS)).json()["live_count"] == 10
        done = await good(world, "POST", f"{PRODUCTS}/imports?full=true", lacking_two.encode())
        assert {**done, "differences": dry["differences"]} == dry
        cut = await good(world, "POST", f"{PRODUCTS}/imports?full=true", b"id,price\np0,2\n")
        assert "lacks 7 of 8 entries" in cut["held_back"]
        path = f"{PRODUCTS}/imports?full=true&retire_at_most=100"
        nameless = await good(world, "POST", path, b"id,price\np0,2\n,1\n")
        assert "without an id" in nameless["held_back"]
        found = (await world.get(PRODUCTS)).json()
        assert (found["live_count"], found["retired_count"]) == (8, 2)


async def test_a_picture_is_taken_in_and_shown_for_good(tmp_path: Path) -> None:
    """To anybody, under an address that never changes; content that names another is not published."""
    picture = bytes(pyvips.Image.black(300, 200, bands=3).copy(interpretation="srgb").jpegsave_buffer())
    async with serving(data=str(tmp_path)) as world:
        asset = await good(world, "POST", "/v1/assets?title=black&focus_x=10", picture)
        assert (asset["media_type"], asset["width"], asset["focus"]) == ("image/jpeg", 300, {"x": 10, "y": 50})
        path = asset["url"].removeprefix("http://127.0.0.1:8080")
        shown = await world.get(path, key="")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        assert "immutable" in shown.headers["cache-control"]
        assert (await world.get(f"/a/{asset['sha256']}/77x0-inside.webp", key="")).status_code == 403
        assert (await world.get("/a/..%2F..%2Flinks.key/original", key="")).status_code == 404
        query = "?width=77&height=33&fit=cover&format=png"
        signed = (await world.get(f"/v1/assets/{asset['sha256']}{query}")).json()["url"]
        assert "77x33-cover-f10x50.png?s=" in signed
        assert (await world.get(signed.removeprefix("http://127.0.0.1:8080"), key="")).status_code == 200
        svg = await refused(world, 400, "POST", "/v1/assets", b"<svg onload='alert(1)'/>")
        assert "SVG" in svg["message"]
        for name, digest in (("good", asset["sha256"]), ("bad", "0" * 64)):
            fields = {"file": {"default": digest}, "alt": {"default": "black"}}
            await good(world, "PUT", f"/v1/content/items/image/{name}", {"title": name, "fields": fields})
        await good(world, "POST", "/v1/content/items/image/good/publish", {})
        problem = await refused(world, 409, "POST", "/v1/content/items/image/bad/publish", {})
        assert [each["finding"]["code"] for each in problem["findings"]] == ["asset"]
        assert await lacking_assets(world.app.engine, world.app.shelf.assets.has) == []

        async def nothing_there(_: str) -> bool:
            return False

        lacking = await lacking_assets(world.app.engine, nothing_there)
        assert lacking == [asset["sha256"]], "nobody misses what only a draft names"
