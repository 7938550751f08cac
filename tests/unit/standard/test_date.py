"""Dates: many ways to write one day, and no guess where a date can be two."""

from __future__ import annotations

from typing import Any

import pytest

from courtesy.standard.date import standard_date
from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.value import Mark, Reason

THAI = Hints(country="TH")


@pytest.mark.parametrize(
    "raw",
    [
        *("2024-03-05", "20240305", "2024/3/5", "2024.03.05", "05.03.2024", "5. März 2024", "5 mars 2024"),
        *("March 5, 2024", "5th March 2024", "Mar 5 2024", "5-Mar-2024", "5 de marzo de 2024", "5 марта 2024 г."),
        *(
            "2024年3月5日",
            "令和6年3月5日",
            "2024년 3월 5일",
            "٥ مارس ٢٠٢٤",
            "5 มีนาคม 2567",
            "5 มี.ค. 2567",
            "5 मार्च 2024",
        ),
        *("5 მარტი 2024", "5 մարտի 2024", "5 Μαρτίου 2024", "5 במרץ 2024", "５．３．２０２４", 45356, "45356", 45356.0),
    ],
)
def test_ways_to_write_a_day_are_one(raw: Any) -> None:
    """In any language that Babel knows of ours, in any digits, of a spreadsheet too."""
    assert standard_date(raw).form == "2024-03-05"


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("2024-03-05T10:00:00+02:00", "2024-03-05T08:00:00Z"),
        ("2024-03-05T23:30:00-05:00", "2024-03-06T04:30:00Z"),
        ("2024-03-05 10:00", "2024-03-05T10:00:00"),
        ("March 5, 2024 12:04 am", "2024-03-05T00:04:00"),
        (1709600000, "2024-03-05T00:53:20Z"),
        ("1709600000123", "2024-03-05T00:53:20Z"),
        ("--03-05", "--03-05"),
        ("5 March", "--03-05"),
    ],
)
def test_a_time_of_day_is_kept(raw: Any, form: str) -> None:
    """In UTC where a zone was written, else as it was."""
    assert standard_date(raw).form == form


def test_day_and_month_are_told_apart_by_locale_or_country() -> None:
    """Without either, a date that can be two has no form; where it can be only one, nothing is asked."""
    assert standard_date("03/05/2024").reason is Reason.AMBIGUOUS
    for hints, form in (
        (Hints(locale="en-US"), "2024-03-05"),
        (Hints(locale="en-GB"), "2024-05-03"),
        (Hints(country="US"), "2024-03-05"),
        (Hints(country="Frankreich"), "2024-05-03"),
    ):
        made = standard_date("03/05/2024", hints)
        assert (made.form, made.marks) == (form, (Mark.AMBIGUOUS,))
    assert standard_date("03/25/2024").form == standard_date("25/03/2024").form == "2024-03-25"
    assert standard_date("05/05/2024").marks == ()


@pytest.mark.parametrize(
    ("raw", "hints", "form", "mark"),
    [
        ("25/12/99", NO_HINTS, "1999-12-25", Mark.CENTURY_ASSUMED),
        ("25.12.05", NO_HINTS, "2005-12-25", Mark.CENTURY_ASSUMED),
        ("25/12/67", THAI, "2024-12-25", Mark.BUDDHIST_ERA),
        ("25 ธ.ค. 67", NO_HINTS, "2024-12-25", Mark.BUDDHIST_ERA),
        ("25/12/2567", NO_HINTS, "2024-12-25", Mark.BUDDHIST_ERA),
        ("2024-12-25", THAI, "2024-12-25", None),
    ],
)
def test_years_are_brought_into_one_count(raw: str, hints: Hints, form: str, mark: Mark | None) -> None:
    """Two digits and the Buddhist era; what was assumed is marked."""
    made = standard_date(raw, hints)
    assert (made.form, made.marks) == (form, () if mark is None else (mark,))


def test_a_month_whose_name_means_two_is_decided_by_the_language() -> None:
    """Listopad is October in Croatian and November in Polish."""
    assert standard_date("5 listopad 2024").reason is Reason.AMBIGUOUS
    assert standard_date("5 listopad 2024", Hints(locale="hr")).form == "2024-10-05"
    assert standard_date("5 listopada 2024", Hints(country="PL")).form == "2024-11-05"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("31.02.2024", Reason.IMPOSSIBLE),
        ("2023-02-29", Reason.IMPOSSIBLE),
        ("2024-13-45", Reason.IMPOSSIBLE),
        ("soon", Reason.MALFORMED),
        ("12", Reason.MALFORMED),
        (True, Reason.WRONG_TYPE),
        (float("nan"), Reason.MALFORMED),
        (None, Reason.EMPTY),
    ],
)
def test_what_is_no_day_says_why(raw: Any, reason: Reason) -> None:
    """The calendar is checked."""
    assert standard_date(raw).reason is reason
