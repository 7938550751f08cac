"""Definitions over HTTP: sources, keys, identity rules, subscriptions; secrets are told once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from courtesy.channel.webhook import check_secrets
from courtesy.identity.rules import IdentityRules
from courtesy.person.catalog import DELAY_MS_MAX
from tests.unit.http.world import World, batch, causes, serving, track

HOOK = {"url": "https://shop.example/hook", "events": ["Bought"]}


async def refusal(world: World, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    """Status, code and place of an answer that must be a refusal."""
    response = await world.change(method, path, body)
    assert response.status_code >= 400, response.text
    return response.status_code, response.json()["code"], response.json()["place"]


# -- sources


async def test_a_source_is_declared_changed_listed_and_removed() -> None:
    """The rank in force is told, declared or the party's; and who changed it."""
    async with serving() as world:
        path = "/v1/sources/till%2F1"
        declared = await world.change("PUT", path, {"party": "second", "owner": "shops"})
        assert declared.status_code == 200
        assert declared.json() == {
            "name": "till/1",
            "party": "second",
            "owner": "shops",
            "rank": 20,
            "paused": False,
            "consent_categories": [],
            "traits_identify": True,
            "country": "",
            "consent_purposes": {},
            "consent_vendor": None,
            "inbox_identity": "signed",
            "identity_secret": 0,
            "changed": "2025-11-22T03:04:05.000Z",
            "changed_by": "admin",
        }
        changed = await world.change("PUT", path, {"rank": 55, "consent_categories": ["ads"]})
        assert (changed.json()["rank"], changed.json()["owner"]) == (55, "")
        assert (await world.get(path)).json() == changed.json()
        assert [each["name"] for each in (await world.get("/v1/sources")).json()["sources"]] == ["shop", "till/1"]
        assert (await world.change("DELETE", path)).json() == {"removed": "till/1"}
        assert (await world.get(path)).status_code == 404
        assert (await world.change("DELETE", path)).status_code == 404


async def test_a_source_with_keys_is_not_removed() -> None:
    """Or their clients' events would be refused, and dropped by them for good."""
    async with serving() as world:
        assert (await refusal(world, "DELETE", "/v1/sources/shop"))[:2] == (409, "conflict")
        assert (await world.change("DELETE", "/v1/keys/write")).status_code == 200
        assert (await world.change("DELETE", "/v1/sources/shop")).status_code == 200


async def test_a_change_of_a_source_holds_for_the_next_event() -> None:
    """Paused, asking for consent, and open again."""
    async with serving() as world:
        await world.change("PUT", "/v1/sources/shop", {"paused": True})
        assert causes(await world.post("/v1/batch", batch(track("a")))) == [(0, "source_paused")]
        await world.change("PUT", "/v1/sources/shop", {"consent_categories": ["ads"]})
        assert causes(await world.post("/v1/batch", batch(track("a")))) == [(0, "consent_absent")]
        await world.change("PUT", "/v1/sources/shop", {})
        assert causes(await world.post("/v1/batch", batch(track("a")))) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"rank": 100}, "rank"),
        ({"rank": "high"}, "rank"),
        ({"party": "fourth"}, "party"),
        ({"colour": "red"}, ""),
        ({"consent_categories": "ads"}, "consent_categories"),
        ([], ""),
        (b"{", "body"),
        (b"", "body"),
        (b"\xff", "body"),
        (b"[" * 5_000, ""),
    ],
)
async def test_a_source_that_makes_no_sense_is_refused_with_its_place(body: Any, place: str) -> None:
    """400, and nothing is declared."""
    async with serving() as world:
        status, _, found = await refusal(world, "PUT", "/v1/sources/x", body)
        assert (status, found) == (400, place)
        assert (await world.get("/v1/sources/x")).status_code == 404


async def test_a_body_of_a_definition_is_limited() -> None:
    """413; unlike the tracking protocol, this may say so."""
    async with serving() as world:
        assert await refusal(world, "PUT", "/v1/sources/x", b" " * 2_000_000) == (413, "too_large", "body")


async def test_names_have_a_length() -> None:
    """1 to 100 characters."""
    async with serving() as world:
        assert (await world.change("PUT", f"/v1/sources/{quote('é' * 100)}", {})).status_code == 200
        assert (await refusal(world, "PUT", f"/v1/sources/{'x' * 101}", {}))[0] == 400
        assert (await refusal(world, "POST", "/v1/keys", {"name": "", "scope": "read"}))[2] == "name"


# -- keys


async def test_the_secret_of_a_key_is_told_once() -> None:
    """It works, and no list shows it."""
    async with serving() as world:
        made = await world.change("POST", "/v1/keys", {"name": "app", "scope": "write"})
        assert made.status_code == 201
        key = made.json()
        assert (key["name"], key["scope"], key["source"]) == ("app", "write", "app")
        assert (
            await world.post("/v1/batch", batch(track()), headers={"x-write-key": key["secret"]})
        ).status_code == 200
        listed = await world.get("/v1/keys")
        assert key["secret"] not in listed.text
        assert [each["name"] for each in listed.json()["keys"]] == ["admin", "app", "read", "write"]
        assert (await world.change("DELETE", "/v1/keys/app")).status_code == 200
        assert (
            await world.post("/v1/batch", batch(track()), headers={"x-write-key": key["secret"]})
        ).status_code == 401
        assert (await refusal(world, "DELETE", "/v1/keys/app"))[0] == 404


async def test_a_key_may_write_to_a_source_of_another_name() -> None:
    """And only a write key may name one."""
    async with serving() as world:
        made = await world.change("POST", "/v1/keys", {"name": "app", "scope": "write", "source": "shop"})
        assert made.json()["source"] == "shop"
        assert (await refusal(world, "POST", "/v1/keys", {"name": "x", "scope": "read", "source": "shop"}))[
            2
        ] == "source"
        read = await world.change("POST", "/v1/keys", {"name": "r", "scope": "read"})
        assert read.json()["source"] is None


async def test_a_replaced_key_is_listed_with_its_end() -> None:
    """So that somebody sees what still works."""
    async with serving() as world:
        await world.change("POST", "/v1/keys", {"name": "read", "scope": "read"})
        ends = {each["name"]: each["expires"] for each in (await world.get("/v1/keys")).json()["keys"]}
        assert ends["read"] is None
        assert "2025-11-29T03:04:05.000Z" in ends.values()


@pytest.mark.parametrize("body", [{}, {"name": "x"}, {"name": "x", "scope": "root"}, {"name": 7, "scope": "read"}])
async def test_a_key_needs_name_and_scope(body: Any) -> None:
    """400 otherwise."""
    async with serving() as world:
        assert (await refusal(world, "POST", "/v1/keys", body))[0] == 400


# -- identity rules


async def test_identity_rules_are_read_and_changed() -> None:
    """What is read can be written back; what is written holds for the next event."""
    async with serving() as world:
        rules = (await world.get("/v1/identity/rules")).json()
        assert msgspec.convert(rules, IdentityRules) == IdentityRules()
        assert (await world.change("PUT", "/v1/identity/rules", rules)).json() == rules
        rules["blocked"].append("ann")
        assert (await world.change("PUT", "/v1/identity/rules", rules)).status_code == 200
        assert causes(await world.post("/v1/batch", batch(track()))) == [(0, "no_identifier")]


@pytest.mark.parametrize(
    "body",
    [{"kinds": []}, {"blocked_pattern": "("}, {"kinds": [{"name": "x"}]}, {"alarm_degree": "x"}, {"unknown": 1}],
)
async def test_rules_that_cannot_work_are_refused(body: Any) -> None:
    """And those in force stay."""
    async with serving() as world:
        before = (await world.get("/v1/identity/rules")).json()
        assert (await refusal(world, "PUT", "/v1/identity/rules", body))[0] == 400
        assert (await world.get("/v1/identity/rules")).json() == before


# -- subscriptions


async def test_a_subscription_gets_a_secret_that_is_told_once() -> None:
    """In the form of Standard Webhooks; changing the rest keeps it."""
    async with serving() as world:
        made = (await world.change("PUT", "/v1/subscriptions/cart", HOOK)).json()
        (secret,) = made["secrets"]
        assert check_secrets([secret]) == ""
        changed = await world.change("PUT", "/v1/subscriptions/cart", {**HOOK, "delay_ms": 60_000, "unless": ["Paid"]})
        assert (changed.json()["delay_ms"], changed.json()["unless"]) == (60_000, ["Paid"])
        assert world.app.catalog.now.subscriptions["cart"].secrets == (secret,)
        for response in (
            changed,
            await world.get("/v1/subscriptions/cart"),
            await world.get("/v1/subscriptions"),
        ):
            assert secret not in response.text
            assert "secrets" not in response.json()


async def test_own_secrets_are_taken_and_not_repeated() -> None:
    """Several, while one replaces the other."""
    async with serving() as world:
        secrets = ["whsec_" + "A" * 32, "whsec_" + "B" * 32]
        made = await world.change("PUT", "/v1/subscriptions/x", {**HOOK, "secrets": secrets})
        assert made.json()["secret_count"] == 2
        assert not [secret for secret in secrets if secret in made.text]
        assert world.app.catalog.now.subscriptions["x"].secrets == tuple(secrets)


@pytest.mark.parametrize(
    ("flaw", "place"),
    [
        ({"url": "ftp://x.example"}, "body.url"),
        ({"url": "https://user:pass@x.example/"}, "body.url"),
        ({"url": "nonsense"}, "body.url"),
        ({"url": "http://127.0.0.1/"}, "body.url"),
        ({"url": "http://169.254.169.254/latest"}, "body.url"),
        ({"url": "http://[::1]/"}, "body.url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "body.url"),
        ({"url": 7}, "url"),
        ({"events": []}, "events"),
        ({"events": "Bought"}, "events"),
        ({"delay_ms": -1}, "delay_ms"),
        ({"delay_ms": DELAY_MS_MAX + 1}, "delay_ms"),
        ({"secrets": ["whsec_short"]}, "body.secrets"),
        ({"secret": "x"}, ""),
    ],
)
async def test_a_subscription_that_could_not_be_called_is_refused(flaw: dict[str, Any], place: str) -> None:
    """With its place; a secret is not repeated."""
    async with serving() as world:
        response = await world.change("PUT", "/v1/subscriptions/x", {**HOOK, **flaw})
        assert (response.status_code, response.json()["place"]) == (400, place)
        assert "whsec_short" not in response.text
        assert (await world.get("/v1/subscriptions/x")).status_code == 404


async def test_private_addresses_are_taken_where_the_operator_permits_them() -> None:
    """For tests and closed networks."""
    async with serving(allow_private_webhooks=True) as world:
        body = {**HOOK, "url": "http://127.0.0.1:9/hook"}
        assert (await world.change("PUT", "/v1/subscriptions/x", body)).status_code == 200


async def test_a_subscription_is_removed() -> None:
    """Twice is not found."""
    async with serving() as world:
        await world.change("PUT", "/v1/subscriptions/x", HOOK)
        assert (await world.change("DELETE", "/v1/subscriptions/x")).json() == {"removed": "x"}
        assert (await refusal(world, "DELETE", "/v1/subscriptions/x"))[0] == 404


async def test_a_subscription_says_that_it_is_switched_off_until_it_is_defined_again() -> None:
    """Alone and in the list, since when and why; operators are told how many there are."""
    async with serving() as world:
        await world.change("PUT", "/v1/subscriptions/x", HOOK)
        assert "switched_off" not in (await world.get("/v1/subscriptions/x")).json()
        assert await world.app.catalog.switch_off("x", 1, "410 bye")
        off = {"since": "2025-11-22T03:04:05.000Z", "why": "410 bye"}
        assert (await world.get("/v1/subscriptions/x")).json()["switched_off"] == off
        assert (await world.get("/v1/subscriptions")).json()["subscriptions"][0]["switched_off"] == off
        assert "\ncourtesy_subscriptions_switched_off 1.0" in (await world.get("/metrics", key="")).text
        assert "switched_off" not in (await world.change("PUT", "/v1/subscriptions/x", HOOK)).json()
        assert "\ncourtesy_subscriptions_switched_off 0.0" in (await world.get("/metrics", key="")).text


ADMIN_CALLS = [
    ("GET", "/v1/sources"),
    ("PUT", "/v1/sources/x"),
    ("DELETE", "/v1/sources/shop"),
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("DELETE", "/v1/keys/read"),
    ("GET", "/v1/identity/rules"),
    ("PUT", "/v1/identity/rules"),
    ("GET", "/v1/identity/alarms"),
    ("GET", "/v1/subscriptions"),
    ("PUT", "/v1/subscriptions/x"),
    ("GET", "/v1/counts"),
    ("GET", "/v1/quarantine"),
    ("GET", "/v1/poisoned"),
    ("GET", "/v1/effects"),
    ("GET", "/v1/status"),
]


@pytest.mark.parametrize(("method", "path"), ADMIN_CALLS)
async def test_definitions_and_operations_are_for_admin_keys(method: str, path: str) -> None:
    """No other key, and none at all, may read or change them."""
    async with serving() as world:
        for key, status in ((world.read, 403), (world.write, 403), ("unknown", 401), ("", 401)):
            assert (await world.change(method, path, {}, key=key)).status_code == status
