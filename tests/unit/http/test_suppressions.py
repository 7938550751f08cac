"""The suppression list over HTTP: filled, looked up, lifted, in numbers, and for admins alone."""

from __future__ import annotations

from tests.unit.http.world import serving

BOTH = {"channel": "email", "addresses": ["Ann@example.com", "bob@example.com"]}


async def test_addresses_are_suppressed_and_lifted() -> None:
    """As they are written by whoever asks, in the order asked."""
    async with serving() as world:
        put = await world.change("POST", "/v1/suppressions", {**BOTH, "cause": "dead_address"})
        assert put.json() == {"addresses": 2}
        asked = {"channel": "email", "addresses": ["eve@example.com", "ann@example.com"]}
        eve, ann = (await world.change("POST", "/v1/suppressions/look-up", asked)).json()["addresses"]
        assert (eve["suppressed"], eve["cause"], eve["since"]) == (False, None, None)
        assert (ann["suppressed"], ann["cause"], ann["until"], ann["spares_service"]) == (
            True,
            "dead_address",
            None,
            False,
        )
        assert (await world.change("POST", "/v1/suppressions/lift", asked)).json() == {"addresses": 1}
        (left,) = (await world.get("/v1/suppressions")).json()["suppressed"]
        assert left == {"channel": "email", "cause": "dead_address", "addresses": 1}


async def test_what_is_no_address_is_refused_with_its_place() -> None:
    """And nothing of the list is taken."""
    async with serving() as world:
        bad = {"channel": "email", "addresses": ["ann@example.com", "bob"]}
        answer = await world.change("POST", "/v1/suppressions", bad)
        assert (answer.status_code, answer.json()["place"]) == (400, "addresses[1]")
        unsure = await world.change("POST", "/v1/suppressions", {**BOTH, "cause": "temporary"})
        assert (unsure.status_code, unsure.json()["place"]) == (400, "cause")
        assert (await world.get("/v1/suppressions")).json()["suppressed"] == []
        assert (await world.get("/v1/suppressions", key="")).status_code == 401
