"""How much a message is like a refusal: what ships is what was learnt, and knows nothing of what it never saw."""

from __future__ import annotations

import sys
from array import array
from collections import Counter

from bench.learn_words import PUBLISHED, UNSEEN, WEIGHTS, learnable, learnt, messages_in
from courtesy.consent.likeness import BUCKETS, WRITTEN_BUCKETS, features, likeness
from courtesy.consent.words import Meaning, heard


def test_the_weights_that_ship_are_those_that_are_learnt() -> None:
    """From the texts in this repository; another machine may round one step otherwise."""
    shipped = array("h")
    shipped.frombytes(WEIGHTS.read_bytes())
    if sys.byteorder == "big":
        shipped.byteswap()
    found = learnt(learnable())
    assert len(shipped) == len(found) == BUCKETS
    assert max(abs(ours - theirs) for ours, theirs in zip(found, shipped, strict=True)) <= 1


def test_nothing_is_learnt_from_what_is_held_out() -> None:
    """Half of the published set, in all languages and of both labels; and the unseen one, all of it."""
    learnt_from = {each.text.casefold() for each in learnable()}
    assert learnt_from.isdisjoint(each.text.casefold() for each in messages_in(UNSEEN))
    published = messages_in(PUBLISHED)
    held_out = {each.text for each in published if each.is_held_out}
    assert held_out.isdisjoint({each.text for each in learnable()})
    assert len(published) >= 600
    assert 0.4 < len(held_out) / len(published) < 0.6
    for part in (True, False):
        some = [each for each in published if each.is_held_out is part]
        assert len({each.language for each in some}) >= 20
        assert min(Counter(each.is_refusal for each in some).values()) > len(some) * 0.4


def test_the_rest_of_the_published_set_is_heard() -> None:
    """What was learnt is known: all revocations are obeyed, and none that is none is one outright."""
    ours = [(each, heard(each.text).meaning) for each in messages_in(PUBLISHED) if not each.is_held_out]
    assert [each.text for each, meaning in ours if each.is_refusal and meaning is Meaning.NOTHING] == []
    assert [each.text for each, meaning in ours if not each.is_refusal and meaning is Meaning.STOP] == []


def test_what_is_like_nothing_is_no_refusal() -> None:
    """Numbers, emoji, and a script that nobody taught it."""
    for text in ("0", "4471", "👍", "🥾🥾🥾", "ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺ", "…"):
        assert heard(text).meaning is Meaning.NOTHING, text
    assert not likeness("ᚠᚢᚦᚨᚱᚲ", "ᚠᚢᚦᚨᚱᚲ").is_understood


def test_features_are_how_it_is_written_and_what_it_means() -> None:
    """Each once and in order; a question is one more of what it means."""
    found = features("no more", "no more")
    assert all(list(part) == sorted(set(part)) for part in found)
    assert len(features("no more?", "no more").meant) == len(found.meant) + 1
    assert max(found.written) < WRITTEN_BUCKETS <= min(found.meant)
    assert features("", "") == features(" ", "")


def test_what_is_meant_is_the_same_in_other_languages() -> None:
    """So that what was learnt in one holds in all."""
    told = ("please no ads", "bitte keine werbung", "prosim zadne reklamy", "رجاء لا اعلان")
    assert len({tuple(features(each, each).meant) for each in told}) == 1
