"""Handlebars templates translated: they say what the original says, and what could not be translated is told."""

from __future__ import annotations

import pytest

from courtesy.content.findings import Severity
from courtesy.content.handlebars import from_handlebars
from courtesy.content.scope import Scope
from courtesy.content.templates import compile_template

FACTS = {
    "firstName": "Ann",
    "city": "",
    "vip": True,
    "count": 3,
    "total": 12.5,
    "items": [{"name": "Shoe", "price": 9, "tags": ["a", "b"]}, {"name": "Hat & Co", "price": 5, "tags": []}],
    "address": {"city": "Bern", "zip": "3000"},
    "none": [],
}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Hi {{firstName}}!", "Hi Ann!"),
        ("{{#if vip}}VIP{{else}}no{{/if}} {{#if none}}x{{else}}empty{{/if}} {{#unless city}}nowhere{{/unless}}",
         "VIP empty nowhere"),
        ("{{#each items}}{{@index}} {{name}} {{../firstName}}{{#unless @last}}, {{/unless}}{{/each}}",
         "0 Shoe Ann, 1 Hat &amp; Co Ann"),
        ("{{#each items}}{{#each tags}}{{this}}-{{../name}} {{/each}}{{else}}x{{/each}}", "a-Shoe b-Shoe "),
        ("{{#each none}}x{{else}}none{{/each}}", "none"),
        ("{{#each items as |item|}}{{item.name}} {{/each}}", "Shoe Hat &amp; Co "),
        ("{{#with address}}{{city}} {{zip}} {{../firstName}}{{/with}}", "Bern 3000 Ann"),
        ("{{address.city}} {{items.[0].name}} {{items.1.name}}", "Bern Shoe Hat &amp; Co"),
        ("{{!-- not this {{x}} --}}{{! nor this }}a", "a"),
        ("a {{~#if vip~}} b {{~/if~}} c", "abc"),
        ("{{#ifEq count 3}}three{{else}}other{{/ifEq}}", "three"),
        ("{{#ifGt total 20}}much{{else}}little{{/ifGt}}", "little"),
        ("{{defaultIfEmpty city 'there'}} {{upper firstName}} {{upper (defaultIfEmpty city 'x')}}", "there ANN X"),
        ("{{#if (eq count 3)}}3{{/if}}{{#if count}}{{else if vip}}x{{else}}y{{/if}}", "3"),
        ("{{math count '+' 2}}", "5"),
        ("{{nothing}}{{address.nothing}}.", "."),
        ("{{#each items}}{{#if @first}}first {{this.name}}{{/if}}{{/each}}", "first Shoe"),
    ],
)  # fmt: skip
def test_a_translated_template_says_what_the_original_says(source: str, said: str) -> None:
    """What the original says was written by Handlebars 4.7 for the same facts."""
    translated = from_handlebars(source)
    assert translated.findings == []
    html = compile_template(translated.source, html=True)
    assert html.render(Scope(person={"traits": FACTS})).text == said


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("a\n {{#list x}}{{/list}}", "line 2, column 2", "there is no block like 'list'"),
        ("{{shout x}}", "line 1, column 1", "there is no function like 'shout'"),
        ("{{> card title='x'}}", "line 1, column 1", "fragments get no values"),
        ("{{#each items as |item n|}}{{/each}}", "line 1, column 1", "a loop has one name here"),
        ("{{@key}}", "line 1, column 1", "there is nothing like @key"),
        ("{{/if}}", "line 1, column 1", "there is nothing here that it could close"),
        ("{{#if x}}", "line 1, column 10", "is never closed"),
        ("{{math 1 '^' 2}}", "line 1, column 1", "there is no arithmetic '^'"),
        ("{{upper}}{{upper x y=1}}", "line 1, column 10", "functions get no values by name here"),
        ("{{}}", "line 1, column 1", "there is nothing in it"),
    ],
)
def test_what_could_not_be_translated_is_told_with_its_place_and_why(source: str, place: str, said: str) -> None:
    """Nothing is dropped in silence."""
    found = [each for each in from_handlebars(source).findings if each.severity is Severity.ERROR]
    assert (found[0].place, said in found[0].message) == (place, True)


def test_names_mean_what_the_company_says() -> None:
    """Otherwise they are traits; what is raw there is escaped here, and said so."""
    found = from_handlebars("{{{bio}}} {{cart.total}} {{unsubscribeUrl}}", {"cart": "event.properties.cart"})
    assert found.source == "{{ person.traits.bio }} {{ event.properties.cart.total }} {{ message.unsubscribe_url }}"
    assert [each.severity for each in found.findings] == [Severity.WARNING]
    assert from_handlebars("{{> footer}}").source == "{% include 'footer' %}"
