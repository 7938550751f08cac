"""Templates tried with real people: where a fault is told, who is tried, and how many make an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.content.blocks import read_mail
from courtesy.content.compiling import compile_item
from courtesy.content.coverage import uncovered
from courtesy.content.findings import Check, Severity, error, warning
from courtesy.content.items import Body, ItemKey
from courtesy.content.kinds import KINDS
from courtesy.content.language.parsing import parse
from courtesy.content.mail import FragmentText
from courtesy.content.names import uses
from courtesy.content.outline import outlined
from courtesy.content.release import Candidate
from courtesy.content.sampling import Expectations, Tally, people_for
from courtesy.content.scope import Scope


def test_a_name_is_told_by_the_pointer_of_the_block_that_says_it() -> None:
    """Within conditions, loops, columns and fragments, and on its line there."""
    blocks = [
        {"type": "text", "text": "one\n{{ person.a }}"},
        {"type": "condition",
         "branches": [{"when": "person.b", "blocks": [{"type": "text", "text": "{{ person.c }}"}]}],
         "otherwise": [{"type": "image", "src": "{{ person.d }}", "alt": "x"}]},
        {"type": "loop", "each": "it", "of": "event.items", "blocks": [{"type": "text", "text": "{{ it.e }}"}]},
        {"type": "columns", "columns": [{"blocks": [{"type": "button", "text": "x", "link": "{{ person.f }}"}]}]},
        {"type": "fragment", "name": "footer"},
    ]  # fmt: skip
    mail = read_mail(json.dumps({"subject": "{{ person.s }}", "blocks": blocks}).encode())
    inside = read_mail(b'{"subject": "", "blocks": [{"type": "text", "text": "{{ person.g }}"}]}').blocks
    outline = outlined(mail, lambda name: FragmentText(inside) if name == "footer" else None)
    found = {each.said: outline.place(each.at).rpartition(", column")[0] for each in uses(parse(outline.source))}
    assert found == {
        "person.s": "/subject, line 1",
        "person.a": "/blocks/0/text, line 2",
        "person.b": "/blocks/1/branches/0, line 1",
        "person.c": "/blocks/1/branches/0/blocks/0/text, line 1",
        "person.d": "/blocks/1/otherwise/0/src, line 1",
        "event.items": "/blocks/2, line 1",
        "event.items[].e": "/blocks/2/blocks/0/text, line 1",
        "person.f": "/blocks/3/columns/0/blocks/0/link, line 1",
        "person.g": "/blocks/4, line 1",
    }


def test_people_are_tried_in_their_own_locale_and_a_few_others_beside_them() -> None:
    """Regions read the text of their language where there is none of theirs."""
    people = [Scope(locale=each) for each in ("de-CH", "de", "en", "fr", "en-GB", "it")]
    own = {"", "de", "en"}
    assert [each.locale for each in people_for(people, "de", own)][:2] == ["de-CH", "de"]
    assert [each.locale for each in people_for(people, "", own)][:2] == ["fr", "it"]
    assert len(people_for(people, "de", own)) == 3
    assert people_for([], "de", own) == []


@given(st.integers(1, 30), st.integers(1, 30))
def test_an_error_for_less_than_half_is_a_warning(of: int, errors: int) -> None:
    """So no single person keeps an item back; and it is told of how many it is true."""
    tally = Tally(of)
    for _ in range(min(of, errors)):
        tally.add([error(Check.SIZE, "too long", "/html"), error(Check.SIZE, "again", "/html")])
    (found,) = tally.findings()
    assert (found.severity is Severity.ERROR) == (2 * min(of, errors) >= of)
    assert of == 1 or found.message.endswith(f"({min(of, errors)} of {of} samples)")


def test_warnings_stay_warnings() -> None:
    """However many they are true of."""
    tally = Tally(1)
    tally.add([warning(Check.PARTS, "two parts")])
    assert [each.severity for each in tally.findings()] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("fields", "wanted", "found"),
    [
        ({"title": {"default": "x", "de": "y"}, "summary": {"default": "x"}}, (), [("warning", "fields.summary")]),
        ({"title": {"default": "x", "de": "y"}, "summary": {"default": "x", "de": "z"}}, ("de",), []),
        ({"title": {"default": "x", "de-CH": "y"}, "summary": {"default": "x", "de": "z"}}, (),
         [("warning", "fields.title")]),
        ({"title": {"default": "x"}}, ("de-CH", "en"), [("error", "fields.title")]),
        ({"title": {"default": "x", "de": "y"}}, ("de-CH",), []),
    ],
)  # fmt: skip
def test_what_a_locale_lacks_is_found(
    fields: dict[str, dict[str, str]], wanted: tuple[str, ...], found: object
) -> None:
    """A text of the same language stands in for one of a region, and not the other way round."""
    findings = uncovered(KINDS["news"], Body(fields=fields), wanted)
    assert [(str(each.severity), each.place) for each in findings] == found


def test_a_template_of_100_kb_is_tried_and_too_large_for_everybody() -> None:
    """It is an error, as it would be cut for all of them."""
    text = ("{{ person.traits.first_name }} " + "and more words " * 7) * 350
    blocks = [{"type": "text", "text": text}] * 3 + [{"type": "footer"}]
    body = Body(fields={"subject": {"default": "x"}, "blocks": {"default": blocks}})
    people = [Scope(person={"traits": {"first_name": f"Ann{n}"}}, message={"unsubscribe_url": "u"}) for n in range(20)]
    wanted = Expectations(samples=people, similar={"event"}, unsampled={"event", "offer"})
    found = compile_item(Candidate(ItemKey("campaign", "it"), KINDS["campaign"], 1, body), {}, wanted).findings
    assert (found[0].severity, found[0].code) == (Severity.ERROR, Check.SIZE)
    assert found[0].message.endswith("(3 of 3 samples)")
