"""What holds for every kind and every value: no exception, the raw value untouched, and a form that stays itself."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.standard.hints import Hints
from courtesy.standard.kinds import standard
from courtesy.standard.value import MARKS, REASONS, Kind, Mark, Reason

# Pieces of which real values are made, so that chance finds more than what is refused at first sight.
PIECES = st.sampled_from(
    (
        "+49 0171 1234567|(415) 555|ext. 12|@|.|gmail.com|info|müller|bücher.de|ann+x|Dr."
        "|van der|Lee|LEE, ANN|Jr.|III|王伟|佐藤花子|김민준|Nguyễn|Иван|Иванович|გიორგი|Գրիգոր|राम"
        "|محمد بن|นายสมชาย|bin|“Bill”|(Bob)|GmbH|·|،|da Silva|1984|03|05|-|/|2567|พ.ศ.|มีนาคม"
        "|März|令和6年|月|日|T10:00|+02:00|45356|1709600000|5 pm|listopad|Dec|Georgia|DE|Deutschland"
        "|🇩🇪|€|$|1.234,50|1,234|12|kr|USD|KWD|CHF|ft|in|kg|°F|l|'|\"|m3|gal|Main St|10115"
        "|Berlin|IL 62704|Apt 4|\n|,| |\u200b|\u00ad|ß|İ|ŉ|ǆ|０|٣|\u0301|\ud800|null|n/a|xxxxxx"
    ).split("|")
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, min_size=1, max_size=7).map("".join)
TEXTS |= st.lists(PIECES, min_size=1, max_size=7).map(" ".join)
VALUES = TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(TEXTS, max_size=2)
ADDRESSES = st.dictionaries(
    st.sampled_from("street number unit suburb postcode city region country name zip State".split())
    | st.text(max_size=5),
    VALUES,
    max_size=6,
)
HINTS = st.builds(
    Hints,
    country=st.sampled_from(("", "DE", "US", "Japan", "TH", "HU", "CN", "ES", "RU", "VN", "KW", "nowhere")) | TEXTS,
    locale=st.sampled_from(("", "de-AT", "en-US", "th", "zh_Hant_TW", "xx-YY", "pl")) | TEXTS,
    email=st.sampled_from(("", "a@b.fr", "a@b.co.uk")),
)


@pytest.mark.parametrize("kind", list(Kind))
@given(raw=VALUES | ADDRESSES, hints=HINTS)
def test_nothing_raises_and_the_raw_value_is_kept(kind: Kind, raw: Any, hints: Hints) -> None:
    """Whatever a sender writes gives a form or a reason, can be told as JSON, and is there as it came."""
    before = copy.deepcopy(raw)
    made = standard(kind, raw, hints)
    assert made.raw is raw
    assert repr(raw) == repr(before)
    assert (made.form is None) == (made.reason is not None)
    assert (made.form is None) == (made.confidence is None)
    assert made.form != ""
    assert msgspec.json.encode(msgspec.structs.replace(made, raw=None))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.ADDRESS])
@given(raw=VALUES, hints=HINTS)
def test_a_standard_form_is_its_own_standard_form(kind: Kind, raw: Any, hints: Hints) -> None:
    """Standardising what was standardised before changes nothing, so that it can be done anywhere."""
    form = standard(kind, raw, hints).form
    if form is not None:
        assert standard(kind, form, hints).form == form


@given(raw=TEXTS | ADDRESSES, hints=HINTS)
def test_the_parts_of_an_address_are_their_own_standard_parts(raw: Any, hints: Hints) -> None:
    """Of an address it is the parts that stay: a line of text can be read in more than one way."""
    parts = standard(Kind.ADDRESS, raw, hints).parts
    if parts is not None:
        again = standard(
            Kind.ADDRESS, {name: text for name, text in msgspec.structs.asdict(parts).items() if text}, hints
        )
        assert again.parts == parts


def test_every_mark_and_every_reason_is_explained() -> None:
    """Nobody has to guess what a mark means."""
    assert set(MARKS) == set(Mark)
    assert set(REASONS) == set(Reason)
