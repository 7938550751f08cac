"""Retention rules over HTTP."""

from __future__ import annotations

from tests.unit.http.world import serving


async def test_rules_are_put_listed_and_removed() -> None:
    """By source and event name, with whatever signs."""
    async with serving() as world:
        put = await world.change("PUT", "/v1/retention/shop/Product%20Viewed", {"keep_days": 30})
        assert put.json() == {"name": "shop/Product Viewed", "keep_days": 30}
        await world.change("PUT", "/v1/retention/*%2F*", {"keep_days": 400})
        rules = [{"name": "*/*", "keep_days": 400}, {"name": "shop/Product Viewed", "keep_days": 30}]
        assert (await world.get("/v1/retention")).json() == {"rules": rules}
        assert (await world.change("DELETE", "/v1/retention/*/*")).status_code == 200
        assert (await world.get("/v1/retention")).json() == {"rules": rules[1:]}


async def test_what_can_not_be_a_rule_is_refused() -> None:
    """A source that is not there, a name that is none, no days, and no right."""
    async with serving() as world:
        for path, body, status in (
            ("shp/*", {"keep_days": 3}, 404),
            ("shop", {"keep_days": 3}, 400),
            ("shop/*", {"keep_days": 0}, 400),
            ("shop/*", {}, 400),
        ):
            assert (await world.change("PUT", f"/v1/retention/{path}", body)).status_code == status
        assert (await world.change("DELETE", "/v1/retention/shop/*")).status_code == 404
        assert (await world.get("/v1/retention", world.read)).status_code == 403
