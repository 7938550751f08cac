"""What a question shows, which answers fit it, and what they become."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.consent.questions import Question, choices_of, read_answer, shown, traits_of
from courtesy.consent.standing import Standing
from courtesy.consent.wishes import Person
from courtesy.event.choice import VALUE_BYTES_MAX, read_choices

NOBODY = Person(Standing(), "*")
OPTIONS = [{"name": "red", "labels": {"de": "rot"}}, {"name": "blue"}]


def question(kind: str, **more: Any) -> Question:
    """A question of that kind, in three languages."""
    text = {"en": "Which?", "de": "Welche?", "pt-BR": "Qual?"}
    return msgspec.convert({"text": text, "answer": {"kind": kind, **more}}, Question).checked()


@pytest.mark.parametrize(
    ("locales", "expected"),
    [
        (("de",), "de"),
        (("de-CH",), "de"),
        (("de_AT",), "de"),
        (("fr", "pt-PT"), "pt-BR"),
        (("PT-br",), "pt-BR"),
        (("fr",), "en"),
        ((), "en"),
        (("", "-"), "en"),
    ],
)
def test_the_language_is_the_best_there_is(locales: tuple[str, ...], expected: str) -> None:
    """The exact one, or else of the same language, or else the first that was defined."""
    assert shown("q", question("consent", purpose="marketing"), locales).locale == expected


def test_options_are_shown_in_the_language_or_by_name() -> None:
    """So that nothing is left empty."""
    seen = shown("q", question("some_of", topic="colours", options=OPTIONS), ("de",))
    assert [(each.name, each.label) for each in seen.options] == [("red", "rot"), ("blue", "blue")]


@pytest.mark.parametrize(
    ("asked", "told", "value"),
    [
        (question("one_of", topic="colours", options=OPTIONS), "red", "red"),
        (question("some_of", topic="colours", options=OPTIONS), ["blue", "red", "blue"], ["blue", "red"]),
        (question("some_of", topic="colours", options=OPTIONS), [], []),
        (question("rating", topic="service"), 5, {"rating": 5}),
        (question("trait", path="sizes.shoe"), "41", "41"),
    ],
)
def test_answers_become_settings_of_their_topic(asked: Question, told: Any, value: Any) -> None:
    """One choice, which the ledger takes."""
    (made,) = choices_of(asked.answer, read_answer(asked.answer, told), NOBODY, 1_000, 0)
    (choice,) = read_choices(msgspec.json.encode([made]), 1_000).choices
    assert (choice.action, choice.value) == ("set", value)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (question("consent", purpose="marketing"), "yes"),
        (question("consent", purpose="marketing"), 1),
        (question("consent", purpose="marketing"), None),
        (question("one_of", topic="colours", options=OPTIONS), "green"),
        (question("one_of", topic="colours", options=OPTIONS), ["red"]),
        (question("some_of", topic="colours", options=OPTIONS), "red"),
        (question("some_of", topic="colours", options=OPTIONS), ["green"]),
        (question("rating", topic="service"), 0),
        (question("rating", topic="service"), True),
        (question("rating", topic="service"), 4.5),
        (question("trait", path="size"), "  "),
        (question("trait", path="size"), "x" * 501),
        (question("trait", path="colour", options=OPTIONS), "green"),
    ],
)
def test_other_answers_do_not_fit(asked: Question, told: Any) -> None:
    """Whatever comes, it is said what was expected."""
    with pytest.raises(Exception, match="expected"):
        read_answer(asked.answer, told)


@pytest.mark.parametrize("comment", ["x" * 10_000, "é\n" * 5_000, '"\\' * 600, "\u0001" * 300, "🥾" * 500])
def test_what_is_written_is_cut_to_what_a_choice_holds(comment: str) -> None:
    """Characters at first, then bytes as the ledger counts them; never so that it is refused."""
    rating = question("rating", topic="service", comment_chars=500)
    (made,) = choices_of(rating.answer, read_answer(rating.answer, 3, comment), NOBODY, 1_000, 1_700_000_000_000)
    (choice,) = read_choices(msgspec.json.encode([made]), 1_000).choices
    assert comment.startswith(choice.value["comment"])
    assert VALUE_BYTES_MAX * 0.4 < len(msgspec.json.encode(choice.value)) <= VALUE_BYTES_MAX
    trait = question("trait", path="motto")
    (made,) = choices_of(trait.answer, read_answer(trait.answer, "x" + comment[:499]), NOBODY, 1_000, 0)
    read_choices(msgspec.json.encode([made]), 1_000)


def test_a_trait_is_nested_by_its_path() -> None:
    """Other answers set none."""
    trait = question("trait", path="sizes.shoe.left")
    assert traits_of(trait.answer, read_answer(trait.answer, "41")) == {"sizes": {"shoe": {"left": "41"}}}
    rating = question("rating", topic="service")
    assert traits_of(rating.answer, read_answer(rating.answer, 4)) == {}
