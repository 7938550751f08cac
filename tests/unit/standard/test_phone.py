"""Phone numbers: E.164, the country from the best hint, and no guess."""

from __future__ import annotations

import pytest

from courtesy.standard.hints import Hint, Hints
from courtesy.standard.phone import standard_phone
from courtesy.standard.value import Confidence, Mark, Reason


def _decided(raw: str | int, **hints: str) -> tuple[str | None, Hint | None, Confidence | None]:
    made = standard_phone(raw, Hints(**hints))
    return made.form, made.parts.hint if made.parts else None, made.confidence


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("+49 (0)171 1234567", "+491711234567"),
        ("＋４９ １７１ １２３４５６７", "+491711234567"),
        ("+39 06 698 12345", "+390669812345"),
        ("+1-415-555-2671", "+14155552671"),
        ("+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "+966501234567"),
    ],
)
def test_a_country_code_needs_no_hint(raw: str, form: str) -> None:
    """And no hint changes it."""
    assert _decided(raw) == (form, None, Confidence.CERTAIN)
    assert _decided(raw, country="US", locale="fr-FR") == (form, None, Confidence.CERTAIN)


def test_hints_decide_in_the_order_of_trust() -> None:
    """What is said of the number's own country goes before the address, that before circumstances, the source last."""
    told = {
        "country": "Germany",
        "address_country": "AT",
        "location_country": "CH",
        "locale": "fr-FR",
        "email": "a@b.nl",
        "source_country": "IT",
    }
    order = []
    while told:
        hint = _decided("0800 1234567", **told)[1]
        order.append(hint)
        told = dict(list(told.items())[1:])
        if hint is None:
            break
    assert order[:2] == [Hint.COUNTRY, Hint.ADDRESS]
    assert _decided("0664 1234567", address_country="Österreich") == ("+436641234567", Hint.ADDRESS, Confidence.LIKELY)
    assert _decided("06 12345678", locale="nl_NL") == ("+31612345678", Hint.LOCALE, Confidence.LIKELY)
    assert _decided("020 7946 0958", email="a@shop.co.uk") == ("+442079460958", Hint.EMAIL, Confidence.LIKELY)
    assert _decided("020 7946 0958", source_country="GB") == ("+442079460958", Hint.SOURCE, Confidence.LIKELY)


def test_a_hint_under_which_it_is_no_number_is_passed_over() -> None:
    """A German number of somebody whose app is set to English of the US is still a German number."""
    assert _decided("0171 1234567", locale="en-US", source_country="DE")[:2] == ("+491711234567", Hint.SOURCE)


@pytest.mark.parametrize(
    "hints", [{}, {"locale": "de"}, {"email": "a@shop.com"}, {"email": "a@shop.io"}, {"country": "?"}]
)
def test_without_a_country_a_national_number_has_no_form(hints: dict[str, str]) -> None:
    """A language is no country, and .io says nothing of where somebody lives."""
    made = standard_phone("0171 1234567", Hints(**hints))
    assert (made.form, made.reason) == (None, Reason.NO_COUNTRY)


def test_circumstances_that_contradict_each_other_are_weak() -> None:
    """Somebody else may have the number that one of them makes of it."""
    made = standard_phone("0664 1234567", Hints(locale="de-AT", email="a@shop.de"))
    assert (made.confidence, made.marks) == (Confidence.WEAK, (Mark.AMBIGUOUS,))


def test_a_locale_of_the_us_alone_is_weak() -> None:
    """It is what software all over the world comes with."""
    assert _decided("(415) 555-2671", locale="en-US")[2] is Confidence.WEAK
    assert _decided("(415) 555-2671", locale="en-US", source_country="US")[2] is Confidence.LIKELY
    assert _decided("(415) 555-2671", country="US")[2] is Confidence.LIKELY


def test_what_is_no_number_says_why() -> None:
    """The reason is one of a closed list."""
    reasons = {raw: standard_phone(raw, Hints(country="DE")).reason for raw in ("call me", "0000000", "12", "", "0171")}
    assert reasons == {
        "call me": Reason.MALFORMED,
        "0000000": Reason.PLACEHOLDER,
        "12": Reason.MALFORMED,
        "": Reason.EMPTY,
        "0171": Reason.IMPOSSIBLE,
    }


def test_extensions_placeholders_and_unassigned_numbers_are_marked() -> None:
    """They have a form, but it is not one to rely on."""
    assert Mark.EXTENSION in standard_phone("+49 151 23456789 ext. 12").marks
    assert Mark.PLACEHOLDER in standard_phone("+1 555 555 5555").marks
    assert Mark.UNASSIGNED in standard_phone("+49 111 22222222").marks
