"""Items: what a body may hold, what it stands on, which variant somebody sees, and how two bodies differ."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.files import files_of, items_in, outdated
from courtesy.content.items import (
    CHANNELS,
    DEFAULT,
    Body,
    ItemKey,
    checked,
    chosen,
    differences,
    fallback,
    locales,
    references,
    resolved,
    variant_of,
)
from courtesy.content.kinds import CAMPAIGN, FRAGMENT, KINDS, OFFER, content_schemas, kind_of, schema_of

LOCALES = st.sampled_from(["de", "de-CH", "de-AT", "fr", "en-GB", "zh-Hant-TW", "sr-Latn"])
VARIANTS = st.builds(
    lambda locale, channel: f"{locale or ('' if channel else DEFAULT)}{'@' + channel if channel else ''}",
    st.none() | LOCALES,
    st.none() | st.sampled_from(CHANNELS),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}", fullmatch=True)
BODIES = st.builds(
    Body,
    title=TEXTS.map(lambda text: text[:200]),
    fields=st.fixed_dictionaries({}, optional={"text": st.dictionaries(VARIANTS, TEXTS, max_size=4)}),
    tags=st.lists(NAMES, max_size=3).map(tuple),
)


@given(VARIANTS)
def test_the_key_of_a_variant_says_whom_it_is_for(key: str) -> None:
    """And is written in one way only."""
    assert str(variant_of(key)) == key


@pytest.mark.parametrize("key", ["", "DE", "de_CH", "@", "@smss", "default@sms", "de@", "x" * 9, "de-ch"])
def test_what_is_no_variant_is_refused(key: str) -> None:
    """So that nobody writes what nobody ever sees."""
    with pytest.raises(CourtesyError):
        checked(FRAGMENT, Body(fields={"text": {key: "Hi"}}))


@given(
    st.dictionaries(VARIANTS, st.integers(), min_size=1), st.just("") | LOCALES, st.just("") | st.sampled_from(CHANNELS)
)
def test_nobody_sees_a_language_that_is_not_theirs_while_there_is_a_default(
    variants: dict[str, int], locale: str, channel: str
) -> None:
    """What is chosen is in a locale that stands in for theirs, or for everybody, and for their channel or for all; and
    nothing is left unchosen that is in a nearer locale."""
    best = chosen(variants, locale, channel)
    fitting = {
        key: found
        for key in variants
        if (found := variant_of(key)) is not None
        and found.locale in (None, *(fallback(locale) if locale else ()))
        and found.channel in (None, channel or None)
    }
    if best is None:
        assert not fitting
        return
    nearness = [*(fallback(locale) if locale else ()), None]
    assert variants[best[1]] == best[0]
    nearest = min(nearness.index(each.locale) for each in fitting.values())
    assert nearness.index(fitting[best[1]].locale) == nearest


def test_a_body_stands_on_what_its_fields_blocks_shapes_and_templates_name() -> None:
    """And on nothing else that looks alike."""
    blocks = [{"type": "section", "blocks": [{"type": "fragment", "name": "legal"}, {"type": "text", "text": "a/b"}]}]
    text = {"default": "{%- include 'footer' %}{{ 'x/y' }}", "de": '{% include "fuss" -%}'}
    body = Body(fields={"blocks": {"default": blocks}, "text": text, "offers": ["offer/a", "offer/b"]})
    assert references(CAMPAIGN, checked(CAMPAIGN, body)) == {
        ItemKey("fragment", "legal"),
        ItemKey("fragment", "footer"),
        ItemKey("fragment", "fuss"),
        ItemKey("offer", "a"),
        ItemKey("offer", "b"),
    }
    placements = {"hero": {"item": "fragment/hero"}, "till": {"fields": {"text": "10 % off"}}}
    offer = Body(fields={"codes": {"kind": "pool", "pool": "spring"}, "placements": placements})
    assert references(OFFER, checked(OFFER, offer)) == {ItemKey("code_pool", "spring"), ItemKey("fragment", "hero")}


def test_a_body_in_one_locale_is_what_somebody_sees() -> None:
    """Each field falls back for itself; what has nothing for them is left out."""
    body = Body(fields={"title": {"default": "Sale", "de": "Rabatt"}, "terms": {"fr": "…"}, "stock": 5})
    assert resolved(OFFER, body, "de-AT") == {"title": "Rabatt", "stock": 5}
    assert locales(OFFER, body) == {"default", "de", "fr"}


def test_differences_name_the_places() -> None:
    """Down to the variant."""
    one = Body(title="A", fields={"text": {"default": "x", "de": "y"}}, tags=("a",))
    other = Body(title="A", fields={"text": {"default": "x", "de": "z", "fr": "w"}})
    assert differences(one, other) == ["fields.text.de", "fields.text.fr", "tags"]
    assert differences(one, one) == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"stock": -1}, "fields.stock"),
    ({"stock": 1.5}, "fields.stock"),
    ({"budget": {"amount": 5, "currency": "eur"}}, "fields.budget.currency"),
    ({"value": {"kind": "half"}}, "fields.value.kind"),
    ({"placements": {"hero": {"item": "Hero"}}}, "fields.placements[...].item"),
    ({"title": "Sale"}, "fields.title"),
    ({"title": {"default": 5}}, "fields.title.default"),
    ({"fallback": "spring"}, "fields.fallback"),
]


@pytest.mark.parametrize(("fields", "place"), WRONG)
def test_what_a_field_can_not_hold_is_refused_at_its_place(fields: dict[str, Any], place: str) -> None:
    """With the type that was expected."""
    with pytest.raises(CourtesyError) as refused:
        checked(OFFER, Body(fields=fields))
    assert (refused.value.code, refused.value.place) == (Code.INVALID, place)


def test_a_body_that_is_too_large_is_refused() -> None:
    """However it is put together."""
    with pytest.raises(CourtesyError) as refused:
        checked(FRAGMENT, Body(fields={"text": {f"de@{each}": "x" * 60_000 for each in CHANNELS}}))
    assert refused.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_is_declared_in_full(kind: Any) -> None:
    """Each field once, in words, with a schema."""
    names = [each.name for each in kind.fields]
    assert len(names) == len(set(names))
    assert all(each.doc.endswith(".") for each in kind.fields)
    assert set(schema_of(kind)["properties"]) == set(names)
    assert f"content_{kind.name}" in content_schemas("#/{name}")
    assert kind_of(kind.name) is kind


@given(st.dictionaries(st.builds(ItemKey, st.just("fragment"), NAMES), BODIES, max_size=5))
def test_files_make_the_items_that_made_them(items: dict[ItemKey, Body]) -> None:
    """Whatever they say, and the same files again."""
    files = files_of(items.items())
    assert items_in(files) == items
    assert files_of(items_in(files).items()) == files
    assert list(outdated(files, files)) == []


def test_files_that_make_no_items_are_refused_at_their_place() -> None:
    """What is no JSON, no item, without its text, or nobody's text."""
    whole = files_of([(ItemKey("fragment", "a"), Body(fields={"text": {"de": "line\n" * 50}}))])
    assert sorted(whole) == ["fragment/a.json", "fragment/a.text.de.txt"]
    broken: list[tuple[dict[str, bytes], str]] = [
        ({"fragment/b.json": b"{"}, "fragment/b.json"),
        ({"fragment/b.json": b'{"colour": 1}'}, "fragment/b.json"),
        ({"fragment/B.json": b"{}"}, "fragment/B.json"),
        ({"fragment/b.txt": b"x"}, "fragment/b.txt"),
        ({"fragment/a.text.de.txt": b"\xff"}, "fragment/a.json: fragment/a.text.de.txt"),
        (
            {"fragment/b.json": msgspec.json.encode({"fields": {"text": {"de": {"$file": "../a.txt"}}}})},
            "fragment/b.json",
        ),
    ]
    for more, place in broken:
        with pytest.raises(CourtesyError) as refused:
            items_in({**whole, **more})
        assert refused.value.place == place
    assert set(items_in({**whole, "README.md": b"what this is"})) == {ItemKey("fragment", "a")}


def test_texts_that_an_item_has_no_more_are_outdated() -> None:
    """Those of others, who may be new, are not."""
    files = files_of([(ItemKey("fragment", "a"), Body())])
    present = ["fragment/a.json", "fragment/a.text.de.txt", "fragment/ab.text.txt", "fragment/new.json"]
    assert list(outdated(files, present)) == ["fragment/a.text.de.txt"]
