"""What people mean by their messages, on a labelled set of short texts in 32 languages.

The texts are invented. The lists of words were mended until they understood them all, but for those marked `unseen`,
which were written afterwards: on these the figures are those of texts that nobody thought of.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.consent.word_lists import STOP_PHRASES, STOP_WORDS
from courtesy.consent.words import Meaning, heard

TEXTS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("words.jsonl").read_text("utf-8").splitlines()
]
KNOWN = [each for each in TEXTS if "unseen" not in each]
UNSEEN = [each for each in TEXTS if "unseen" in each]
LAW_WORDS = ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")


def recall_and_precision(texts: list[dict[str, Any]]) -> tuple[float, float]:
    """Of refusals: how many were taken for one, doubtful or not; and of what was, how many were one."""
    taken = [heard(each["text"]).meaning in (Meaning.STOP, Meaning.UNSURE) for each in texts]
    meant = [each["means"] == "stop" for each in texts]
    right = sum(took and was for took, was in zip(taken, meant, strict=True))
    return right / sum(meant), right / sum(taken)


def test_the_set_is_large_and_of_many_languages() -> None:
    """With refusals and with texts that only look like one, in each."""
    assert len(TEXTS) > 700
    for means in ("stop", "nothing"):
        assert {each["lang"] for each in TEXTS if each["means"] == means} >= STOP_WORDS.keys()
    assert STOP_WORDS.keys() == STOP_PHRASES.keys()


def test_refusals_are_understood_and_little_else_is_taken_for_one() -> None:
    """Of known texts nearly all."""
    recall, precision = recall_and_precision(KNOWN)
    assert recall >= 0.995
    assert precision >= 0.97


def test_of_texts_that_nobody_thought_of_most_are_understood() -> None:
    """A floor under what was measured: all of 34 refusals; and eight false alarms of 15, all doubtful."""
    recall, precision = recall_and_precision(UNSEEN)
    assert recall == 1
    assert precision >= 34 / 42
    assert all(heard(each["text"]).meaning is not Meaning.STOP for each in UNSEEN if each["means"] == "nothing")


def test_other_meanings_are_told_apart() -> None:
    """Texts that want messages again, or help, or nothing; a few of these are doubtful, and none is a refusal."""
    others = [each for each in KNOWN if each["means"] != "stop"]
    wrong = [each for each in others if heard(each["text"]).meaning != each["means"]]
    assert [each for each in wrong if each["means"] != "nothing"] == []
    assert [each["text"] for each in wrong if heard(each["text"]).meaning is not Meaning.UNSURE] == []
    assert len(wrong) <= len(others) * 0.035


def test_a_short_answer_is_no_refusal() -> None:
    """A bare no says no to whatever was asked, unless it is a keyword."""
    for text in ("No", "no!", "Nein", "нет", "Non.", "ok"):
        assert heard(text).meaning is Meaning.NOTHING, text


def test_what_no_list_has_is_refused_outright_when_it_is_clear() -> None:
    """By what it is like; no words decided then, and none are said."""
    found = heard("Ich ziehe hiermit meine Einwilligung in jede Werbung zurück, schreiben Sie mir nicht mehr")
    assert found.meaning is Meaning.STOP
    sure = heard("caller does not wish to be contacted about marketing any longer")
    assert sure.meaning in (Meaning.STOP, Meaning.UNSURE)


@pytest.mark.parametrize("language", STOP_WORDS)
def test_a_keyword_stops_however_it_is_written(language: str) -> None:
    """All of them: in capitals, with stops and blanks and courtesies around it."""
    for word in STOP_WORDS[language].split(","):
        for form in ("{}", "  {}.  ", "{}!!!", "«{}»", "Hi, {} please, thanks"):
            for text in (form.format(word.strip()), form.format(word.strip().upper())):
                assert heard(text).meaning is Meaning.STOP, text


@pytest.mark.parametrize("word", LAW_WORDS)
def test_the_words_of_the_law_stop(word: str) -> None:
    """Those that 47 CFR 64.1200(a)(10) names, spelled out and drawn out too."""
    for text in (
        word,
        word.upper(),
        ".".join(word),
        f"{word[:-1]}{word[-1] * 4}",
        f"{word}\n{word}\n{word}",
        f"‘{word}’",
    ):
        assert heard(text).meaning is Meaning.STOP, text


@pytest.mark.parametrize(
    ("text", "everything"), [("STOP ALL", True), ("stopall", True), ("STOP", False), ("Alles abbestellen", True)]
)
def test_who_refuses_everything_is_told_apart(text: str, everything: bool) -> None:
    """From who refuses what comes over this channel."""
    assert (heard(text).meaning, heard(text).everything) == (Meaning.STOP, everything)


def test_what_a_reply_quotes_does_not_count() -> None:
    """An answer by mail has our own words below it, with how to stop."""
    quoted = "\n\nOn Mon, 3 May 2026 at 10:00, Shop wrote:\n> Our offers\n> Reply STOP to unsubscribe"
    assert heard(f"When does it arrive?{quoted}").meaning is Meaning.NOTHING
    assert heard(f"Take me off this list{quoted}").meaning is Meaning.STOP
    assert heard("Yes\n> STOP").meaning is Meaning.NOTHING


@pytest.mark.parametrize(
    "introduction",
    [
        "Il giorno lun 3 mag 2026 alle ore 10:00 Negozio <a@shop.example> ha scritto:\n> ",
        "W dniu 3.05.2026 o 10:00, Sklep pisze:\n> ",
        "3 мая 2026 г., 10:00 Магазин пишет:\n> ",
        "2026年5月3日 10:00 店舗:\n> ",
        "-------- Původní zpráva --------\n",
        "________________________________\n",
        "Von: Laden <a@shop.example>\nGesendet: Montag, 3. Mai 2026\nAn: ich\n",
        "Kimden: Mağaza <a@shop.example>\nTarih: 3 Mayıs 2026\n",
    ],
)
def test_what_a_reply_quotes_is_known_by_its_form(introduction: str) -> None:
    """In languages of which no introduction is listed, too."""
    quoted = f"\n\n{introduction}Reply STOP and you get no more messages from us. Unsubscribe here."
    assert heard(f"When does it arrive?{quoted}").meaning is Meaning.NOTHING
    assert heard(f"Take me off this list{quoted}").meaning is Meaning.STOP


def test_in_doubt_it_is_unsure_and_not_nothing() -> None:
    """So that it is refused until somebody asked."""
    for text in ("why do you keep texting me", "these ads are annoying messages", "stop thief ok"):
        assert heard(text).meaning is Meaning.UNSURE, text


@given(st.text(max_size=300))
def test_any_text_means_something(text: str) -> None:
    """Nothing that somebody can write makes it fail; and the words that decided are said where words did."""
    found = heard(text)
    assert found.words or found.meaning not in (Meaning.START, Meaning.HELP)
    assert not found.words or found.meaning is not Meaning.NOTHING
