"""Guessing what lists of subscribers say of consent: the exports of mail systems, and tables with a history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from courtesy.event.action_words import to_action, to_network
from courtesy.event.casting import Unread
from courtesy.source.guess import NO_CONSENT, guess_mapping
from courtesy.source.mapping import parse_mapping, write_mapping
from tests.unit.source.test_guess import guessed_csv


def outputs(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of a rule, constants as they are."""
    assert {each["type"] for each in rule["outputs"]} == {"consent"}
    return [{name: plain(value) for name, value in each["choice"].items()} for each in rule["outputs"]]


def plain(value: Any) -> Any:
    """A constant alone."""
    return value["constant"] if isinstance(value, dict) and set(value) == {"constant"} else value


def test_the_export_of_an_audience_with_times(tmp_path: Path) -> None:
    """Confirmed at one time and unsubscribed at another, over e-mail; of the address the first part."""
    rule = guessed_csv(
        tmp_path,
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,UNSUB_TIME,NOTES",
        "ann@shop.example,Ann,2,2020-01-01 10:00:00,192.0.2.7,2020-01-01 10:05:00,192.0.2.7,2021-05-05 09:00:00,x",
        "bob@shop.example,Bob,3,2020-02-01 10:00:00,192.0.2.8,2020-02-01 10:05:00,192.0.2.8,,",
    )
    assert rule["identifiers"] == {"email": "Email Address"}
    granted, withdrawn = rule["outputs"]
    assert (granted["time"], granted["when"]) == ("CONFIRM_TIME", {"column": "CONFIRM_TIME", "empty": False})
    assert (withdrawn["time"], withdrawn["when"]) == ("UNSUB_TIME", {"column": "UNSUB_TIME", "empty": False})
    assert outputs(rule) == [
        {
            "action": "grant",
            "purpose": "marketing",
            "channel": "email",
            "method": "imported list",
            "evidence.network": {"column": "CONFIRM_IP", "as": "network"},
        },
        {"action": "withdraw", "purpose": "marketing", "channel": "email", "method": "imported list"},
    ]
    assert "Ann" not in str(rule)


def test_a_status_for_each_channel(tmp_path: Path) -> None:
    """As profiles are exported, with a time for each or without."""
    rule = guessed_csv(
        tmp_path,
        "Email,Phone Number,Email Marketing Consent,Email Marketing Consent Timestamp,SMS Marketing Consent",
        "ann@shop.example,+4930123,SUBSCRIBED,2024-01-01T00:00:00Z,NEVER_SUBSCRIBED",
        "bob@shop.example,+4930124,UNSUBSCRIBED,2024-02-01T00:00:00Z,SUBSCRIBED",
    )
    assert [each["channel"] for each in outputs(rule)] == ["email", "sms"]
    mail, sms = rule["outputs"]
    assert mail["choice"]["action"] == {"column": "Email Marketing Consent", "as": "consent"}
    assert mail["time"] == "Email Marketing Consent Timestamp"
    assert "time" not in sms


def test_yes_and_no_for_each_channel(tmp_path: Path) -> None:
    """As shops export their customers."""
    rule = guessed_csv(
        tmp_path,
        "Customer ID,Email,Accepts Email Marketing,Accepts SMS Marketing",
        "1,ann@shop.example,yes,no",
        "2,bob@shop.example,no,no",
    )
    assert [each["channel"] for each in outputs(rule)] == ["email", "sms"]


def test_columns_of_what_somebody_opted_out_of(tmp_path: Path) -> None:
    """One for each kind of mail and one for all; false says nothing."""
    rule = guessed_csv(
        tmp_path,
        "Email,Opted out of email: Product News,Unsubscribed from all email",
        "ann@shop.example,true,false",
        "bob@shop.example,false,false",
    )
    one, everything = outputs(rule)
    assert (one["action"], one["topic"], one["channel"]) == ("withdraw", "product_news", "email")
    assert "topic" not in everything
    assert rule["outputs"][1]["when"] == {"column": "Unsubscribed from all email", "matches": "(?i:true|yes|1)"}


HISTORY = (
    "email;status;purpose;channel;list;timestamp;source system;method;wording;ip;jurisdiction",
    "ann@shop.example;subscribed;marketing;email;hats;2023-01-02 10:00;old CRM;web form;Yes, write to me;192.0.2.7;DE",
    "ann@shop.example;unsubscribed;marketing;email;hats;2023-06-02 10:00;old CRM;link;;;DE",
    "bob@shop.example;bounced;marketing;email;hats;2023-06-02 10:00;old CRM;;;;DE",
)


def test_a_table_with_a_history_says_all_of_it(tmp_path: Path) -> None:
    """Several rows a person, each at its time, with where it came from and what was shown."""
    rule = guessed_csv(tmp_path, *HISTORY)
    (output,) = rule["outputs"]
    assert output["time"] == "timestamp"
    assert outputs(rule) == [
        {
            "action": {"column": "status", "as": "consent"},
            "purpose": "purpose",
            "channel": "channel",
            "topic": "list",
            "jurisdiction": "jurisdiction",
            "method": "method",
            "actor": "source system",
            "wording": "wording",
            "evidence.network": {"column": "ip", "as": "network"},
        }
    ]


def test_a_table_that_only_may_be_about_consent_is_so_when_it_is_said(tmp_path: Path) -> None:
    """Yes and no under `status` may mean anything."""
    lines = ("email,status,date", "ann@shop.example,active,2024-01-01", "bob@shop.example,inactive,2024-01-02")
    assert guessed_csv(tmp_path, *lines)["outputs"][0]["type"] != "consent"
    rules = parse_mapping(write_mapping(guess_mapping(tmp_path / "data.csv", consent=True))).rules
    assert [output.type for output in rules[0].outputs] == ["consent"]
    assert "marketing" in rules[0].note
    (tmp_path / "other.csv").write_text("email,city\nann@shop.example,Berlin\n")
    assert guess_mapping(tmp_path / "other.csv", consent=True).rules[0].skip == NO_CONSENT


@pytest.mark.parametrize(
    ("word", "action"),
    [("Subscribed", "grant"), ("OPTED_OUT", "withdraw"), ("Opted-In", "grant"), (False, "withdraw"), (1, "grant"),
     ("never subscribed", None), ("Bounced", None), ("", None), (None, None), ("objected", "object"),
     ("withdraw", "withdraw"), ("expire", "expire")],
)  # fmt: skip
def test_words_of_lists_are_actions(word: Any, action: str | None) -> None:
    """In any spelling; a bounce is no choice."""
    assert to_action(word) == action


def test_a_word_that_is_not_known_is_no_guess() -> None:
    """It is told, so that the row waits for somebody who knows."""
    found = to_action("maybe")
    assert isinstance(found, Unread)
    assert found.detail == "expected subscribed, unsubscribed or the like, got 'maybe'"


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.0.0/16"), ("2001:db8:1::7", "2001:db8::/32"), ("", None), (None, None)],
)
def test_of_an_address_the_first_part_is_kept(address: Any, network: str | None) -> None:
    """Which says from where somebody came, and not who they are."""
    assert to_network(address) == network


def test_what_is_no_address_is_not_repeated() -> None:
    """For it may be one that is written in another way."""
    found = to_network("192.0.2.7, 198.51.100.1")
    assert isinstance(found, Unread)
    assert "192" not in found.detail
