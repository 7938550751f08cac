"""Trying a value by HTTP and on the command line, and national phone numbers of a source with a country."""

from __future__ import annotations

import json

import msgspec
import pytest
from typer.testing import CliRunner

from courtesy.cli.main import cli
from courtesy.http.standards import StandardView
from courtesy.standard.value import Kind
from tests.unit.http.world import batch, serving

VALUES = {
    Kind.EMAIL: "Ann@Shop.com",
    Kind.PHONE: "0171 1234567",
    Kind.NAME: "Lee, Ann",
    Kind.ADDRESS: "Hauptstraße 5, 53111 Bonn",
    Kind.DATE: "05/03/1984",
    Kind.COUNTRY: "Deutschland",
    Kind.CURRENCY: "1.234,50 €",
    Kind.UNIT: "5 ft 11 in",
}


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_can_be_tried_in_both_ways(kind: Kind) -> None:
    """The same answer from the API and from the command line, in the documented form."""
    asked = {"kind": kind, "value": VALUES[kind], "hints": {"country": "DE"}}
    async with serving() as world:
        answer = await world.change("POST", "/v1/standard", asked)
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == set(msgspec.to_builtins(msgspec.convert(told, StandardView)))
    assert (told["raw"], told["reason"]) == (VALUES[kind], None)
    shown = json.loads(CliRunner().invoke(cli, ["standard", kind, VALUES[kind], "--country", "DE"]).stdout)
    assert shown["form"] == told["form"]
    assert shown["parts"] == told["parts"]
    assert list(shown["marks"]) == told["marks"]


async def test_what_can_not_be_asked_is_told() -> None:
    """An unknown kind or hint is named."""
    async with serving() as world:
        wrong = await world.change("POST", "/v1/standard", {"kind": "colour", "value": "red"})
        assert (wrong.status_code, wrong.json()["place"]) == (400, "kind")
        wrong = await world.change("POST", "/v1/standard", {"kind": "phone", "value": "1", "hint": {}})
        assert wrong.status_code == 400


def test_the_command_line_says_why_there_is_no_form() -> None:
    """In words, for somebody who does not know the codes."""
    shown = json.loads(CliRunner().invoke(cli, ["standard", "date", "03/05/1984"]).stdout)
    assert shown["form"] is None
    assert "several things" in shown["reason"]["ambiguous"]


async def test_a_national_number_of_a_source_with_a_country_finds_the_person() -> None:
    """The same person as the number with its country code; the trait stays as it was sent."""
    async with serving() as world:
        assert (await world.change("PUT", "/v1/sources/shop", {"country": "Nederland"})).json()["country"] == "NL"
        wrong = await world.change("PUT", "/v1/sources/shop", {"country": "Atlantis"})
        assert (wrong.status_code, wrong.json()["place"]) == (400, "country")
        call = {"type": "identify", "userId": "ann", "traits": {"phone": "06 1234 5678"}}
        assert (await world.post("/v1/batch", batch(call))).json()["results"] == []
        person = (await world.get("/v1/people/phone/%2B31612345678")).json()
        assert person["traits"] == {"phone": "06 1234 5678"}
        assert {"phone:+31612345678", "user_id:ann"} == {
            f"{each['kind']}:{each['value']}" for each in person["identifiers"]
        }
