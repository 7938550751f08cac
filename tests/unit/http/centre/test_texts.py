"""The languages of the pages: whole, alike, and chosen as asked."""

from __future__ import annotations

import re
from importlib import resources

import msgspec
import pytest

from courtesy.base.time import DAY_MS
from courtesy.http.centre.texts import LOCALES, Texts, accepted, choose, direction_of, texts

SCRIPT = {
    "hy": "[Ա-և]",
    "ka": "[ა-ჰ]",
    "mr": "[ऀ-ॿ]",
    "th": "[ก-๛]",
    "en": "[A-Za-z]",
    "de": "[A-Za-z]",
    "gl": "[A-Za-z]",
}
SAME_EVERYWHERE = {"told_on", "sms"}


def content_of(locale: str) -> dict[str, str | dict[str, str]]:
    """A language's file."""
    file = resources.files("courtesy.http.centre") / "locales" / f"{locale}.json"
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str | dict[str, str]])


def flat(locale: str) -> dict[str, str]:
    """All texts of a language."""
    found: dict[str, str] = {}
    for name, text in content_of(locale).items():
        found.update({name: text} if isinstance(text, str) else {f"{name}.{key}": each for key, each in text.items()})
    return found


@pytest.mark.parametrize("locale", LOCALES)
def test_each_language_says_everything(locale: str) -> None:
    """With the same blanks to fill in, in its own script, and in no other words than English only by chance."""
    english, own = flat("en"), flat(locale)
    assert list(own) == list(english)
    for name, text in own.items():
        assert sorted(re.findall(r"\{\w*\}", text)) == sorted(re.findall(r"\{\w*\}", english[name])), name
        assert text == text.strip()
        if name not in SAME_EVERYWHERE:
            assert re.search(SCRIPT[locale], text), (name, text)
    if locale != "en":
        same = {name.rpartition(".")[2] for name in own if own[name] == english[name]}
        assert same <= SAME_EVERYWHERE


def test_from_right_to_left_values_keep_their_own_direction() -> None:
    """What is filled in is isolated, so that a masked number is not turned round; elsewhere it is as it is."""
    arabic = Texts("ar", {"for_whom": "خيارات {who}."})
    assert arabic.direction == "rtl"
    assert arabic.say("for_whom", who="***67") == "خيارات \u2068***67\u2069."
    assert texts("en").say("for_whom", who="***67") == "These are the choices of ***67."


def test_every_file_is_a_language_that_is_offered() -> None:
    """And the other way round."""
    folder = resources.files("courtesy.http.centre") / "locales"
    assert sorted(each.name.removesuffix(".json") for each in folder.iterdir()) == sorted(LOCALES)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ((None,), "en"),
        (("de-AT",), "de"),
        (("de_CH",), "de"),
        (("fr", "th"), "th"),
        (("KA",), "ka"),
        (("../../etc",), "en"),
        (("", None, "hy"), "hy"),
    ],
)
def test_the_first_language_that_is_known_is_taken(wanted: tuple[str | None, ...], chosen: str) -> None:
    """Whatever its region or case."""
    assert choose(*wanted) == chosen


def test_browsers_say_what_they_like_most() -> None:
    """By weight, then by place; what is refused or unreadable does not count."""
    assert accepted("fr;q=0.5, de-AT, gl;q=0.9, th;q=0, mr;q=x") == ["de-AT", "gl", "fr"]
    assert accepted("") == []


def test_direction_follows_the_language() -> None:
    """Also of languages that are to come."""
    assert [direction_of(each) for each in ("de", "ar", "he", "fa", "ur", "th")] == [
        "ltr",
        "rtl",
        "rtl",
        "rtl",
        "rtl",
        "ltr",
    ]


def test_days_are_written_as_people_write_them() -> None:
    """In each language its own way."""
    written = {texts(each).day(20_000 * DAY_MS) for each in LOCALES}
    assert len(written) == len(LOCALES)
    assert texts("de").day(20_000 * DAY_MS) == "4. Oktober 2024"


def test_labels_of_the_company_come_first() -> None:
    """In the language of the page; a word that we know beats a label in another one, which beats the bare name."""
    german = texts("de")
    assert german.word("channels", "email", {"de": "Brief per Netz"}) == "Brief per Netz"
    assert german.word("channels", "email", {"en": "Mail"}) == "E-Mail"
    assert german.word("channels", "fax", {"en": "Fax machine"}) == "Fax machine"
    assert german.word("channels", "fax", {}) == "fax"
    assert german.label({"th": "หมวก"}, "hats") == "หมวก"
