"""What the commands on content make of what is typed, and how they tell measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from courtesy.base.errors import CourtesyError
from courtesy.cli.content_originals import read_names, read_original
from courtesy.cli.content_words import measure_lines, read_trial
from courtesy.content.limits import Platform
from courtesy.content.measures import MailMeasure, Measure, PrintMeasure, PushMeasure, SmsMeasure
from courtesy.content.sms import Encoding


def test_people_and_events_to_try_with_are_read(tmp_path: Path) -> None:
    """Values may have colons in them."""
    event = tmp_path / "event.json"
    event.write_text('{"total": 5}')
    trial = read_trial(["email:ann@shop.example", "crm:a:b"], str(event), "texts")
    assert [tuple(each) for each in trial.people] == [("email", "ann@shop.example"), ("crm", "a:b")]
    assert (trial.data, trial.connection) == ({"total": 5}, "texts")
    for wrong in ("ann", ":ann", "email:"):
        with pytest.raises(CourtesyError, match="expected a person as kind:value"):
            read_trial([wrong], None)
    event.write_text("[]")
    with pytest.raises(CourtesyError, match="expected an object as JSON"):
        read_trial(None, str(event))


def test_an_original_is_neither_written_over_nor_guessed_at(tmp_path: Path) -> None:
    """It has to be text, and to have another ending than what is written."""
    file = tmp_path / "a.jinja"
    file.write_text("x")
    with pytest.raises(CourtesyError, match="ends as what is written"):
        read_original(file)
    other = tmp_path / "a.liquid"
    other.write_bytes(b"\xff")
    with pytest.raises(CourtesyError, match="not UTF-8"):
        read_original(other)
    assert read_names(["p=event.p", "q=a=b"]) == {"p": "event.p", "q": "a=b"}
    with pytest.raises(CourtesyError, match="expected name=path"):
        read_names(["p"])


def test_measures_are_told_a_line_each() -> None:
    """With what makes a text message dear."""
    sms = SmsMeasure(Encoding.UCS2, 2, 80, 54, ["✓"], 0.14, "EUR")
    push = PushMeasure(Platform.IOS, 120, 4_096, 5, 50, 200, 178)
    card = PrintMeasure((105, 148), (111, 154), (99, 142), (1311, 1819), 300, None, 2)
    lines = [
        *measure_lines(Measure("de", "sms", 3, sms=sms)),
        *measure_lines(Measure("default", "email", 3, mail=MailMeasure(9_000, 104_448, 300, 20, 60))),
        *measure_lines(Measure("default", "push", 3, push=[push])),
        *measure_lines(Measure("de", "print", print=card)),
    ]
    assert lines == [
        "sms in de: 2 parts in UCS-2, because of ✓, 54 left, 0.14 EUR",
        "email in default: 9,000 of 104,448 bytes, subject 20 characters",
        "push in default, ios: 120 of 4,096 bytes, title 5 of 50 characters, text 200 of 178",
        "print in de: 105 × 148 mm, 111 × 154 with bleed, 99 × 142 safe, 2 pages",
    ]
