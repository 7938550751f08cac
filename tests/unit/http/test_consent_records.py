"""Consent handed out over HTTP: records, tables and receipts, from the ledger, with their evidence."""

from __future__ import annotations

import csv
import io
from typing import Any

from courtesy.base.time import to_iso
from tests.unit.http.world import NOW_MS, World, serving

ANN = "/v1/people/user_id/ann"
NOTICE = "ab" * 32
CONTROLLER = {
    "name": "Shop Ltd",
    "contact": "Data protection office",
    "email": "privacy@shop.example",
    "phone": "+49 30 1234",
    "address": {"street": "Main St 1", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    "privacy_url": "https://shop.example/privacy",
    "choices_url": "https://shop.example/choices",
    "storage_countries": ["DE", "EU"],
    "retention": "P2Y",
}
MAIL = {"purpose": "marketing", "channel": "email"}


async def tell(world: World, message_id: str, *choices: dict[str, Any], at: int = NOW_MS) -> None:
    """Ann chooses."""
    call = {"messageId": message_id, "userId": "ann", "timestamp": to_iso(at), "choices": list(choices)}
    answer = await world.post("/v1/consent", call)
    assert answer.json()["results"] == [], answer.text


async def told(world: World) -> None:
    """Ann allows mail on a form, and takes it back."""
    shown = {"notice": NOTICE, "locale": "de-DE", "affirmative": True}
    await tell(world, "c1", {"action": "grant", **MAIL, "method": "web form", "evidence": shown}, at=NOW_MS - 2)
    await tell(world, "c2", {"action": "withdraw", **MAIL, "method": "=cmd|' /C calc'!A0"}, at=NOW_MS - 1)
    await tell(world, "c3", {"action": "set", **MAIL, "topic": "hats", "value": "weekly"})


async def test_records_carry_the_evidence_and_name_the_controller() -> None:
    """As JSON-LD; the one record replaces the other, and a wish is none."""
    async with serving() as world:
        await told(world)
        assert (await world.change("PUT", "/v1/controller", CONTROLLER)).status_code == 200
        answer = await world.get(f"{ANN}/consent-records", world.read)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ld+json"), answer.text
        given, withdrawn, controller = answer.json()["@graph"]
        assert given["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentGiven", "dpv:ExpressedConsent"]
        assert given["dpv:hasConsentStatus"][0]["dpv:hasIndicationMethod"] == "web form"
        assert given["dpv:hasNotice"][0]["dct:identifier"] == NOTICE
        assert withdrawn["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentWithdrawn"]
        assert withdrawn["dct:replaces"] == {"@id": given["@id"]}
        assert controller["dpv:hasName"] == "Shop Ltd"


async def test_a_receipt_is_found_by_the_id_of_its_choice() -> None:
    """As digits or as a UUID, in both forms; unknown ids, wishes and withdrawals where there is none are 404."""
    async with serving() as world:
        await told(world)
        await world.change("PUT", "/v1/controller", CONTROLLER)
        listed = {each["action"]: each["id"] for each in (await world.get(f"{ANN}/choices")).json()["choices"]}
        receipt = await world.get(f"{ANN}/choices/{listed['grant']}/receipt")
        assert receipt.headers["content-type"] == "application/ld+json"
        (record,) = receipt.json()["dpv:hasRecordOfActivity"]
        assert record["dct:identifier"] == listed["grant"]
        by_uuid = await world.get(f"{ANN}/choices/{record['dpv:hasIdentifier']}/receipt?format=kantara")
        assert by_uuid.json()["consentReceiptID"] == record["dpv:hasIdentifier"]
        for wanted, form in (("0" * 32, "kantara"), (listed["set"], "iso-27560"), (listed["withdraw"], "kantara")):
            missing = await world.get(f"{ANN}/choices/{wanted}/receipt?format={form}")
            assert missing.status_code == 404, missing.text


async def test_kantara_receipts_are_of_what_was_given() -> None:
    """One for the grant, in the language of the form."""
    async with serving() as world:
        await told(world)
        await world.change("PUT", "/v1/controller", CONTROLLER)
        answer = await world.get(f"{ANN}/consent-records?format=kantara")
        (receipt,) = answer.json()["receipts"]
        assert (receipt["version"], receipt["language"]) == ("KI-CR-v1.1.0", "de-DE")
        assert receipt["piiControllers"][0]["piiController"] == "Shop Ltd"
        assert answer.headers["content-type"] == "application/json"


async def test_a_table_has_every_choice_and_no_formula() -> None:
    """For a spreadsheet: what it would run is text; it needs no controller."""
    async with serving() as world:
        await told(world)
        answer = await world.get(f"{ANN}/consent-records?format=csv")
        assert answer.headers["content-type"].startswith("text/csv")
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert [row["action"] for row in rows] == ["grant", "withdraw", "set"]
        assert rows[1]["method"] == "'=cmd|' /C calc'!A0"
        assert (rows[0]["evidence_notice"], rows[0]["source"]) == (NOTICE, "shop")


async def test_without_a_controller_a_record_says_what_is_missing() -> None:
    """An error with a hint, and never a record that names nobody; nor for a key that may only write."""
    async with serving() as world:
        await told(world)
        for form in ("iso-27560", "kantara"):
            answer = await world.get(f"{ANN}/consent-records?format={form}")
            assert answer.status_code == 409
            assert "PUT /v1/controller" in answer.json()["hint"]
        less = {name: value for name, value in CONTROLLER.items() if name not in ("phone", "retention")}
        await world.change("PUT", "/v1/controller", less)
        assert "retention" in (await world.get(f"{ANN}/consent-records")).json()["message"]
        assert "phone" in (await world.get(f"{ANN}/consent-records?format=kantara")).json()["message"]
        assert (await world.get(f"{ANN}/consent-records", world.write)).status_code == 403
        assert (await world.get("/v1/people/user_id/nobody/consent-records?format=csv")).status_code == 404


async def test_the_controller_is_read_as_it_was_defined() -> None:
    """Until then there is none; one that can't be is refused."""
    async with serving() as world:
        assert (await world.get("/v1/controller")).status_code == 404
        await world.change("PUT", "/v1/controller", CONTROLLER)
        assert (await world.get("/v1/controller")).json()["address"]["city"] == "Berlin"
        for wrong in ({"privacy_url": "shop.example"}, {"retention": "two years"}, {"email": ""}, {"fax": "1"}):
            assert (await world.change("PUT", "/v1/controller", {**CONTROLLER, **wrong})).status_code == 400
