"""Liquid templates translated: they say what the original says, and what could not be translated is told."""

from __future__ import annotations

from typing import Any

import pytest

from courtesy.content.findings import Severity
from courtesy.content.liquid import Dialect, from_liquid
from courtesy.content.scope import Scope
from courtesy.content.templates import compile_template

EVENT = {
    "total": 1234.5, "count": 3, "zero": 0, "void": "", "flag": False, "code": "A-1", "at": "2026-03-01T09:05:00",
    "items": [
        {"title": "red shoe", "price": 20, "on_sale": True}, {"title": "Hat", "price": 5.5, "on_sale": False},
        {"title": "blue sock", "price": 3, "on_sale": True}, {"title": "Tie", "price": 9, "on_sale": False},
    ],
    "tags": ["b", "a", "b"],
}  # fmt: skip
CUSTOMER = {"first_name": "ann", "city": "Bern", "vip": True, "points": 7, "email": "ann@shop.example"}

TEMPLATES = """
Hi {{ customer.first_name | capitalize }}!
Hi {{ customer.nick | default: "friend" }} {{ event.void | default: 'none' }}
{% if customer.vip %}VIP{% elsif customer.points > 5 %}points{% else %}nothing{% endif %}
{% if event.void %}liquid takes empty text for true{% endif %}{% if event.zero %} and zero{% endif %}
{% if event.flag %}x{% else %}false{% endif %}{% if customer.nothing %}x{% else %} and nil{% endif %}
{% unless customer.city == "Bern" %}away{% else %}home{% endunless %}
{% if customer.vip and customer.points > 10 or customer.city == "Bern" %}yes{% else %}no{% endif %}
{% for item in event.items %}{{ forloop.index }}/{{ forloop.length }} {{ item.title }}{% endfor %}
{% for item in event.items %}{{ item.title }}{% unless forloop.last %}, {% endunless %}{% endfor %}
{% for item in event.items limit:2 offset:1 %}{{ item.title }};{% endfor %}
{% for item in event.items reversed %}{{ item.price }} {% endfor %}
{% for x in event.nothing %}x{% else %}none{% endfor %}
{% for i in (1..event.count) %}{{ i }}{% endfor %}
{% assign name = customer.first_name | upcase | append: "!" %}{{ name }}
{% capture greeting %}Hello {{ customer.first_name }}{% endcapture %}{{ greeting | upcase }}
{% case customer.city %}{% when "Basel", "Zug" %}a{% when "Bern" %}b{% else %}c{% endcase %}
{% case customer.city %} {% when "X" %}a{% else %}c{% endcase %}
a {%- if true -%} b {%- endif -%} c {{- event.code -}} d
{% comment %}not {{ this }}{% endcomment %}{% raw %}{{ that }}{% endraw %}
{{ event.items | map: "title" | join: ", " }}
{{ event.items | where: "on_sale" | map: "title" | join }}
{{ event.items | where: "price", 5.5 | map: "title" | first }}
{{ event.tags | uniq | sort | join: "-" }} {{ event.tags | reverse | join: "" }}
{{ event.tags.size }} {{ event.tags.first }} {{ event.items[0].title }} {{ event.items.last.title }} {{ event["code"] }}
{{ event.items | sort: "price" | map: "price" | join: " " }}
{{ event.count | plus: 2 | times: 3 | minus: 1 }} {{ 10 | divided_by: 4 }} {{ 10 | divided_by: 4.0 }}
{{ 10 | modulo: 4 }}
{{ 4.6 | floor }} {{ 4.2 | ceil }} {{ -7 | abs }}
{{ "a longer text" | truncate: 10 }} {{ "abc" | truncate: 10 }} {{ "abcdef" | slice: 1, 3 }} {{ "abcdef" | slice: 2 }}
{{ "a-b-c" | replace: "-", "+" | remove: "b" }} {{ "a,b" | split: "," | last }} {{ " x " | strip | size }}
{{ "a b&c" | url_encode }} {{ "<b>x</b>" | strip_html }} {{ "x" | prepend: "y" }} {{ "A" | downcase }}
{{ event.at | date: "%B %-d, %Y" }} {{ event.at | date: "%d.%m.%y %H:%M" }} {{ event.at | date: "%a at %I:%M %p" }}
{% if event.code contains "-" %}c{% endif %}{% if event.tags contains "z" %}e{% endif %}
{% if customer.nick == nil %}n{% endif %}{% if event.void == blank %}b{% endif %}
{% if event.tags != empty %}t{% endif %}
{% if event.count >= 3 and event.count <= 3 and event.count <> 4 %}three{% endif %}
{% for item in event.items %}{% assign price = item.price | plus: 1 %}{{ price }}|{% endfor %}
{{ event.items | map: "price" | sum }} {{ event.tags | concat: event.tags | size }}
{% for content in event.tags %}{{ content }}{% endfor %}{% assign message = 1 %}{{ message }}
""".strip().split("\n")


def rendered(source: str, dialect: Dialect = Dialect.CUSTOMER_IO, **scope: Any) -> str:
    """What a Liquid template says here."""
    facts = {"person": {"traits": CUSTOMER}, "event": {"properties": EVENT}, **scope}
    return compile_template(from_liquid(source, dialect).source, html=False).render(Scope(**facts)).text


@pytest.mark.parametrize("source", TEMPLATES)
def test_a_translated_template_says_what_the_original_says(source: str) -> None:
    """Held against an engine of Liquid, which is what the original was written for."""
    liquid = pytest.importorskip("liquid", reason="python-liquid is not installed")
    assert rendered(source) == liquid.render(source, customer=CUSTOMER, event=EVENT)


def test_braze_names_traits_properties_and_blocks_in_its_own_way() -> None:
    """`${…}` and the names of Braze lead to what they mean here."""
    source = "{{${first_name} | default: 'you'}} {{custom_attribute.${city}}} {{event_properties.${items}[0].title}}"
    assert rendered(source, Dialect.BRAZE) == "ann Bern red shoe"
    assert from_liquid("{{content_blocks.${Footer | id: 'x'}}}", Dialect.BRAZE).source == "{% include 'Footer' %}"
    assert rendered("{{ event_properties.${total} | times: 100 | money }}", Dialect.BRAZE) == "€1,234.50"


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("a\n {{ x | md5 }}", "line 2, column 2", "there is no filter like 'md5'"),
        ("{% cycle 'a', 'b' %}", "line 1, column 1", "there is nothing like 'cycle' here"),
        ("{% abort_message 'x' %}", "line 1, column 1", "a message is not stopped from within"),
        ("{% connected_content https://a.example %}", "line 1, column 1", "nothing is fetched"),
        ("{% render 'x', a: 1 %}", "line 1, column 1", "a fragment is named by text alone"),
        ("{{ event.at | date: '%s' }}", "line 1, column 1", "%s of a date is not known"),
        ("{% endfor %}", "line 1, column 1", "there is nothing that it could close"),
        ("{% if customer.vip %}", "line 1, column 22", "is never closed"),
        ("{{ }}", "line 1, column 1", "a value was expected"),
        ("{{ a ~ b }}", "line 1, column 1", "is not understood"),
    ],
)
def test_what_could_not_be_translated_is_told_with_its_place_and_why(source: str, place: str, said: str) -> None:
    """Nothing is dropped in silence."""
    found = [each for each in from_liquid(source, Dialect.CUSTOMER_IO).findings if each.severity is Severity.ERROR]
    assert found[0].place == place
    assert said in found[0].message


def test_what_may_say_something_else_is_a_warning() -> None:
    """Names that nobody knows, and names that are taken."""
    found = from_liquid("{{ product.name }}{% assign offer = 1 %}", Dialect.SHOPIFY)
    assert [each.message for each in found.findings] == [
        "product: is no name that is known here",
        "offer: is called 'offer_1' here",
    ]
    named = from_liquid("{{ product.name }}", Dialect.SHOPIFY, {"product": "event.properties.product"})
    assert (named.source, named.findings) == ("{{ event.properties.product.name }}", [])
