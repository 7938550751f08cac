"""Templates: what they render, what they report, and that no template and no data can hurt who renders them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.language.operations import OUTPUT_CHARS_MAX
from courtesy.content.scope import Scope
from courtesy.content.templates import Language, Rendered, compile_template

ANN = {"traits": {"first_name": "Ann <b>", "city": None, "site": "javascript:alert(1)", "keys": "k"}}
ORDER = {"name": "Order", "total": 12.5, "products": [{"name": "A", "sku": "a b"}, {"name": "B", "sku": "c"}]}


def render(source: str, html: bool = False, language: Language | None = None, **scope: Any) -> Rendered:
    """What a template gives for Ann and her order, rendered as at first and as ever after, which must agree."""
    given = Scope(**{"person": ANN, "event": ORDER, **scope})
    template = compile_template(source, html=html, language=language)
    rendered = template.render(given)
    assert template.render_metered(given) == rendered
    return rendered


def text(source: str, **scope: Any) -> str:
    """The text alone."""
    return render(source, **scope).text


def error(source: str, html: bool = True) -> str:
    """The error of a template that can't be compiled."""
    with pytest.raises(CourtesyError) as caught:
        compile_template(source, html=html)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Hi {{ person.traits.first_name }}!", "Hi Ann <b>!"),
        ("{% for p in event.products %}{{ loop.index }}. {{ p.name }}\n{% endfor %}", "1. A\n2. B\n"),
        ("{% for p in event.products[1:] %}{{ p.name }}{% else %}none{% endfor %}", "B"),
        ("{% for p in event.nothing %}{{ p.name }}{% else %}none{% endfor %}", "none"),
        ("{% for k, v in event.products[0] | items %}{{ k }}={{ v }};{% endfor %}", "name=A;sku=a b;"),
        ("{% for p in event.products if p.sku == 'c' %}{{ p.name }}{% endfor %}", "B"),
        ("{% if event.total > 10 and not person.traits.vip %}y{% elif 1 %}x{% else %}n{% endif %}", "y"),
        ("{{ 'a' if person.traits.vip else 'b' }}", "b"),
        ("{{ person.traits.nick | default('you') }}", "you"),
        ("{{ person.traits.address.city | default('there') }}", "there"),
        ("{{ person.traits.city | default('there') }}", "there"),
        ("{{ '' | default('x', true) }}{{ '' | default('x') }}", "xx"),
        ("{% set x = 1 + 2 * 3 %}{{ x }} {{ x // 2 }} {{ x % 2 }} {{ -x }} {{ x / 2 }}", "7 3 1 -7 3.5"),
        ("{% set t %}<{{ event.name }}>{% endset %}{{ t | upper }}", "<ORDER>"),
        ("a {#- no -#} b {%- if 1 -%} c {%- endif %} d", "abc d"),
        ("{% raw %}{{ as it is }}{% endraw %}", "{{ as it is }}"),
        ("{{ 'a' ~ 1 ~ 'b' }} {{ 'x' in 'xyz' }} {{ 3 not in [1, 2] }}", "a1b True True"),
        ("{{ person.keys is defined }} {{ person.traits.keys }} {{ event.items | default('-') }}", "False k -"),
        ("{{ event.products | map('name') | listed }}", "A and B"),
        ("{{ event['name'] }} {{ event.products.0.name }} {{ event.products[1]['name'] }}", "Order A B"),
        ("{% if event.total is divisible_by 2 %}even{% endif %}{{ event.name is starting_with('Or') }}", "True"),
        ("ends\n", "ends\n"),
    ],
)
def test_a_template_says(source: str, said: str) -> None:
    """The language is Jinja's, as far as it goes."""
    assert text(source) == said


def test_what_is_written_into_html_is_escaped_and_what_is_written_into_text_is_not() -> None:
    """A name with a tag in it stays a name."""
    assert render("{{ person.traits.first_name }}", html=True).text == "Ann &lt;b&gt;"
    assert render("{{ person.traits.first_name }}", html=False).text == "Ann <b>"


def test_what_is_missing_renders_its_default_or_nothing_and_is_reported_with_its_place() -> None:
    """Nobody gets an error by mail, and nobody has to guess why a name was empty."""
    language = Language(defaults={"person.traits.nick": "friend"})
    rendered = render("Hi {{ person.traits.nick }},\n  from {{ person.traits.city }}", language=language)
    assert rendered.text == "Hi friend,\n  from "
    assert [str(each) for each in rendered.missed] == [
        "line 1, column 7: person.traits.nick is missing",
        "line 2, column 11: person.traits.city is missing",
    ]


def test_what_is_only_asked_for_or_has_a_default_is_not_reported() -> None:
    """A report means that somebody should look."""
    source = "{% if person.traits.vip %}x{% endif %}{{ person.traits.nick | default('you') }}{{ 1 if person.traits.x }}"
    assert render(source).missed == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ persn.name }}", "line 1, column 4: there is no name 'persn' here (did you mean 'person'?)"),
        ("a\n{{ now | mony }}", "line 2, column 10: there is no filter 'mony' (did you mean 'money'?)"),
        ("{{ now is defned }}", "line 1, column 11: there is no test 'defned' (did you mean 'defined'?)"),
        ("{{ lookup(1) }}", "line 1, column 4: there is no function 'lookup'"),
        ("{{ now | money(curency='EUR') }}", "the filter 'money' has no 'curency' (did you mean 'currency'?)"),
        ("{{ now | replace('a') }}", "the filter 'replace' needs 'new'"),
        ("{{ now | upper(1) }}", "the filter 'upper' takes at most 0 values: none"),
        ("{{ now | plural(one='a') }}", "the filter 'plural' needs the forms by name"),
        ("{% iff now %}", "there is no statement 'iff' (did you mean 'if'?)"),
        ("{% if now %}\n{% endfor %}", "line 2, column 1: expected 'elif' or 'else' or 'endif', found 'endfor'"),
        ("{% if now %}", "line 1, column 1: this 'if' is never closed (close it by {% endif %})"),
        ("{{ now", "this tag is never closed"),
        ("{{ 'now }}", "line 1, column 4: this text is never closed"),
        ("{{ }}", "there is nothing between the braces"),
        ("{{ now now }}", "line 1, column 8: expected the end of the tag, found 'now'"),
        ("{% macro m() %}{% endmacro %}", "templates have no 'macro'"),
        ("{% set person = 1 %}", "'person' has its meaning already"),
        ("{% set if = 1 %}", "'if' is a word of the language"),
        ("{% for loop in [1] %}{% endfor %}", "'loop' has its meaning already"),
        ("{{ p }}{% for p in [1] %}{% endfor %}", "there is no name 'p' here"),
        ("{{ person.__class__ }}", "names do not begin with an underscore"),
        ("{{ person.keys() }}", "only functions and filters are called"),
        ("{{ person.traits.bio | safe }}", "'person' is never safe"),
        ("{% include 'x' %}", "there is no fragment 'x'"),
        ("{{ catalogue('products') }}", "'catalogue' takes 2 values without a name"),
        ("\ue000", "the character U+E000 is for private use"),
    ],
)
def test_a_template_that_can_not_work_is_refused_with_its_place(source: str, said: str) -> None:
    """Whoever publishes learns what is wrong, where, and what was probably meant."""
    assert said in error(source)


def test_a_fragment_is_put_in_its_place_and_its_faults_name_it() -> None:
    """Fragments are part of the template that uses them."""
    sources = {"hello": "Hi {{ person.traits.first_name }}", "bad": "\n{{ nme }}", "a": "{% include 'b' %}"}
    sources["b"] = "{% include 'a' %}"
    language = Language(fragments=sources.get)
    assert render("{% include 'hello' %}!", language=language).text == "Hi Ann <b>!"
    for source, said in (
        ("{% include 'bad' %}", "line 2, column 4 of bad: there is no name 'nme' here"),
        ("{% include 'a' %}", "the fragment 'a' holds itself: a → b → a"),
    ):
        with pytest.raises(CourtesyError) as caught:
            compile_template(source, html=False, language=language)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('<a href="{{ person.traits.site }}">', '<a href="#">'),
        ('<a href="https://x.example/{{ event.products[0].sku }}?q={{ event.products[0].sku }}">',
         '<a href="https://x.example/a%20b?q=a%20b">'),
        ('<a href="https://x/?q={{ event.products[0].sku | url_encode }}">', '<a href="https://x/?q=a%20b">'),
        ('<p style="color: {{ person.traits.site }}">', '<p style="color: ">'),
        ('<p title="{{ person.traits.first_name }}">', '<p title="Ann &lt;b&gt;">'),
        ("<p title='{{ \"it's\" }}'>", "<p title='it&#x27;s'>"),
        ("<style>p { color: {{ 'red}</style><script>' }} }</style>{{ 1 }}", "<style>p { color:  }</style>1"),
        ("<!-- {{ '-->' }} -->", "<!-- --&gt; -->"),
        ("{% if 1 %}<b>{% else %}<i>{% endif %}{{ 1 }}", "<b>1"),
    ],
)  # fmt: skip
def test_an_output_is_made_safe_for_where_it_stands(source: str, said: str) -> None:
    """Escaping is not enough in links and styles."""
    assert render(source, html=True).text == said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<a href={{ now }}>", "the value of 'href' needs quotes"),
        ("<p title=x{{ now }}>", "the value of 'title' needs quotes"),
        ("<script>var x = '{{ now }}'</script>", "nothing is written into scripts"),
        ('<p onclick="f({{ now }})">', "nothing is written into 'onclick'"),
        ("<p {{ now }}>", "a tag or the name of an attribute can't be written"),
        ("<{{ now }}>", "a tag or the name of an attribute can't be written"),
        ('<a {% if now %}href="{% endif %}x">', "the ways through this end in different places of HTML"),
        ('{% for i in [1] %}<a title="{% endfor %}', "the ways through this end in different places of HTML"),
        ('<a href="java{% if now %}script:{% endif %}{{ now }}" {% if now %}x="{% endif %}', "different places"),
    ],
)
def test_an_output_that_nothing_could_make_safe_is_refused(source: str, said: str) -> None:
    """A template that could be turned against its reader is not published."""
    assert said in error(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "-" * 50_000 + "1 }}",
        "{{ " + "not " * 900 + "1 }}",
        "{{ " + "(" * 1_900 + "1" + ")" * 1_900 + " }}",
        "{{ " + "[" * 1_900 + "]" * 1_900 + " }}",
        "{{ 1" + "+1" * 1_900 + " }}",
        "{{ now" + ".a" * 1_900 + " }}",
        "{{ now" + "|upper" * 600 + " }}",
        "{{ now" + "|default(now" * 300 + ")" * 300 + " }}",
        "{% if now %}" * 30 + "{% endif %}" * 30,
        "{% if now %}" + "{% elif now %}" * 60 + "{% endif %}",
        "{{ now" + " if now else now" * 250 + " }}",
    ],
)
def test_nesting_ends_with_an_error_and_not_with_the_process(source: str) -> None:
    """The engine calls itself for each level; a deep template would overflow its stack."""
    assert "at most" in error(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}" + "y" * 2_000 + "{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{{ person }}{% endfor %}{% endfor %}",
        "{% set x = 'abcdefghij' %}" + "{% set x = x ~ x %}" * 20 + "{% for a in range(1000) %}{{ x }}{% endfor %}",
    ],
)
def test_a_text_that_would_never_end_or_fit_is_too_large(source: str) -> None:
    """Fuel ends loops, and counting ends long texts, before memory does."""
    template = compile_template(source, html=False)
    for attempt in (template.render, template.render_metered):
        with pytest.raises(CourtesyError) as caught:
            attempt(Scope(person=ANN))
        assert caught.value.code is Code.TOO_LARGE


def test_a_text_that_doubles_is_cut() -> None:
    """Sixty doublings make no 10^19 characters."""
    doubled = "{% set x = 'abcdefghij' %}" + "{% set x = x ~ x %}" * 60 + "{{ x | length }}"
    captured = "{% set x = 'abcdefghij' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x | length }}"
    added = "{% set x = ['a'] %}" + "{% set x = x + x %}" * 60 + "{{ x | length }}"
    replaced = "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x | replace('a', 'aaaaaaaaaa') %}" * 60 + "{{ x | length }}"
    for source in (doubled, captured, added, replaced):
        assert int(compile_template(source, html=False).render(Scope()).text) <= OUTPUT_CHARS_MAX // 10


def test_a_list_of_data_that_is_too_long_is_cut_and_reported() -> None:
    """Who sends events decides how long a list is, not how long a mail is."""
    rendered = render("{% for p in event.products %}x{% endfor %}", event={"products": list(range(5_000))})
    assert len(rendered.text) == 1_000
    assert "has 5,000" in rendered.missed[0].problem


def test_a_large_template_and_fragments_that_multiply_are_refused() -> None:
    """The bound is on what it comes to."""
    sources = {f"f{n}": f"{{% include 'f{n + 1}' %}}" * 100 for n in range(4)} | {"f4": "x" * 100}
    for source in ("x" * 500_001, "{{ 1 }}" * 20_001, "{% include 'f0' %}"):
        with pytest.raises(CourtesyError) as caught:
            compile_template(source, html=False, language=Language(fragments=sources.get))
        assert caught.value.code is Code.TOO_LARGE


def test_a_function_that_fails_makes_nothing_and_is_reported() -> None:
    """A catalogue that does not know a product does not stop the mail."""

    def catalogue(name: str, key: str) -> dict[str, str] | None:
        return {"title": {"a b": "Shoe"}[key]} if key != "none" else None

    source = (
        "{{ catalogue('p', event.products[0].sku).title }}|{{ catalogue('p', 'x').title }}|{{ catalogue('p', 'none') }}"
    )
    rendered = render(source, functions={"catalogue": catalogue})
    assert rendered.text == "Shoe||"
    assert rendered.missed[0].problem == "could not be answered for 'p', 'x'"


NAMES = ["a", "b", "items", "0"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
EVERYTHING = """
{{ event.a }}{{ event.a.b }}{{ event.a[0] }}{{ event.items.a }}{{ event[event.b] }}{{ event.a[1:event.b] }}
{% for x in event.a %}{{ x }}{{ x.a }}{{ loop.index }}{% endfor %}{% for x, y in event.b | items %}{{ y }}{% endfor %}
{% if event.a > event.b or event.a in event.b or event.a == 3 and not event.items %}x{% endif %}
{{ event.a + event.b }}{{ event.a - 1 }}{{ event.a * event.b }}{{ 1 / event.a }}
{{ event.a // event.b }}{{ event.a % 2 }}
{{ -event.a }}{{ event.a ~ event.b }}{{ event.a is divisible_by(event.b) }}{{ event.a is containing(event.b) }}
{{ event.a is number }}{{ event.a is empty }}{% set z = event.a | default(event.b) %}{{ z }}{{ z is odd }}
<a href="{{ event.a }}" title="{{ event.b }}" style="width:{{ event.a }}">{{ catalogue('x', event.a) }}</a>
"""


@given(st.dictionaries(st.sampled_from(["a", "b", "items"]), JSON))
def test_no_data_makes_a_template_fail(event: dict[str, Any]) -> None:
    """Whatever came in an event, the template renders."""
    assert "<a href=" in _EVERYTHING.render(Scope(event=event)).text


_EVERYTHING = compile_template(EVERYTHING, html=True)


@given(st.text(alphabet="ab {}%#-\"'|.()[]=<>/!\n", max_size=60) | st.text(max_size=40))
def test_no_source_makes_the_compiler_fail_otherwise_than_by_its_error(source: str) -> None:
    """Whatever somebody types, they get a template or an error with a place."""
    for html in (True, False):
        assert outcome(source, html) != ""


def outcome(source: str, html: bool) -> str:
    """Where the error is, or that there is none."""
    try:
        compile_template(source, html=html).render(Scope())
    except CourtesyError as problem:
        return problem.place
    return "rendered"
