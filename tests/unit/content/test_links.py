"""Links: cut out at publishing, filled in by tokens that nobody can make lead elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId
from courtesy.content.links import (
    Linked,
    LinkKeys,
    MessageLinks,
    Slot,
    Ticket,
    Use,
    destination,
    leads_to,
    rewrite,
    with_pixel,
)
from courtesy.content.scope import Scope
from courtesy.content.templates import compile_template

KEYS = LinkKeys({1: b"a" * 32, 2: b"b" * 32}, 2)
HOSTS = ("shop.example",)
LINKS = MessageLinks(KEYS, "https://l.example", "spring", 3, PersonId(77), b"m" * 16)
SCOPE = Scope(
    event={"sku": "a/b c", "q": "1&x=2", "url": "https://www.shop.example/p", "evil": "https://evil.example/"},
    message={"unsubscribe_url": LINKS.unsubscribe(), "pixel_url": LINKS.pixel()},
    functions={"link": LINKS.link},
)


def followed(linked: Linked, address: str) -> str | None:
    """Where an address of a rendered mail leads."""
    ticket = KEYS.ticket(Use.LINK, address.removeprefix("https://l.example/l/"))
    assert ticket is not None
    return destination(linked.slots[ticket.slot], ticket.values, HOSTS)


def hrefs(html: str) -> list[str]:
    """The links of HTML."""
    return [each.split('"')[0].replace("&#x2f;", "/") for each in html.split('href="')[1:]]


def test_links_become_slots_and_lead_where_they_led() -> None:
    """What differs between people is signed with the token, and encoded where it is put in."""
    linked = rewrite(
        '<a class="x" href="https://shop.example/a?b=1&amp;c=2">A</a>'
        '<a href="https://shop.example/p/{{ event.sku }}?q={{ event.q }}">B</a>'
        '<a href="{{ event.url | default("x") }}?c=1">C</a><area href="https://shop.example/d">',
        "A: https://shop.example/a?b=1&c=2.\n(https://shop.example/p/{{ event.sku }}?q={{ event.q }})",
    )
    html = compile_template(linked.html, html=True).render(SCOPE)
    text = compile_template(linked.text, html=False).render(SCOPE)
    assert [followed(linked, each) for each in hrefs(html.text)] == [
        "https://shop.example/a?b=1&c=2",
        "https://shop.example/p/a/b%20c?q=1%26x%3D2",
        "https://www.shop.example/p?c=1",
        "https://shop.example/d",
    ]
    first, second = text.text.split("\n")
    assert followed(linked, first.removeprefix("A: ").removesuffix(".")) == "https://shop.example/a?b=1&c=2"
    assert first.removeprefix("A: ").removesuffix(".") == hrefs(html.text)[0]
    assert second[1:-1] == hrefs(html.text)[1]
    assert html.missed == text.missed == []


def test_links_of_mail_phone_and_the_message_itself_stay() -> None:
    """One unsubscribes and opens the web version by tokens of their own."""
    html = (
        '<a href="mailto:a@b.example">a</a><a href="tel:1">b</a><a href="#top">c</a><a name="x">d</a>'
        '<a href="{{ message.unsubscribe_url }}">e</a>'
    )
    assert rewrite(html, "mailto:a@b.example") == Linked(html, "mailto:a@b.example", ())


@pytest.mark.parametrize(
    "address",
    ["https://{{ event.url }}/x", "{{ event.a }}{{ event.b }}", "https://shop{{ event.a }}.example/", "/{{ now }}"],
)
def test_a_link_whose_host_differs_between_people_is_refused(address: str) -> None:
    """Otherwise whoever sends events would choose where our links lead."""
    with pytest.raises(CourtesyError, match="host of a link"):
        rewrite(f'<a href="{address}">x</a>', "")


def test_a_link_with_a_condition_in_it_is_refused() -> None:
    """Conditions stand around links."""
    with pytest.raises(CourtesyError, match="can't have conditions"):
        rewrite('<a href="https://a.example/{% if now %}x{% endif %}">x</a>', "")


@pytest.mark.parametrize(
    ("value", "leads"),
    [
        ("https://shop.example/a", True),
        ("https://www.shop.example", True),
        ("https://shop.example.evil.example/", False),
        ("https://evilshop.example/", False),
        ("http://shop.example/", False),
        ("//shop.example/", False),
        ("javascript:alert(1)//shop.example", False),
        ("https://shop.example@evil.example/", False),
        ("https://evil.example\\@shop.example/", False),
        ("https://evil.example/https://shop.example", False),
        ("https://shop.example\n.evil.example", False),
        ("https://[shop.example", False),
        ("", False),
    ],
)
def test_an_address_that_differs_as_a_whole_leads_only_to_known_hosts(value: str, leads: bool) -> None:
    """The tricks by which open redirects are opened."""
    assert leads_to(value, HOSTS) is leads
    assert (destination(Slot(0, ("", "")), (value,), HOSTS) is not None) is leads


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_value_changes_the_host_of_a_slot(path: str, query: str) -> None:
    """Whatever came in an event, the link stays on the shop's pages."""
    leads = destination(Slot(0, ("https://shop.example/p/", "?q=", "#end")), (path, query), ())
    assert leads is not None
    assert leads_to(leads, HOSTS)
    assert leads.endswith("#end")


def test_values_that_do_not_fit_the_slot_lead_nowhere() -> None:
    """A token of one version can't be used on a slot of another shape."""
    assert destination(Slot(0, ("https://shop.example/",)), ("x",), HOSTS) is None
    assert destination(Slot(0, ("https://shop.example/", "")), (), HOSTS) is None


TICKETS = st.builds(
    Ticket,
    content=st.text(max_size=20),
    version=st.integers(0, 2**31),
    person=st.integers(0, 2**63 - 1).map(PersonId),
    message=st.binary(max_size=16),
    slot=st.integers(0, 999),
    values=st.lists(st.text(max_size=20), max_size=3).map(tuple),
)


@given(TICKETS, st.sampled_from(Use))
def test_a_token_gives_back_what_was_signed_for_its_use_alone(ticket: Ticket, use: Use) -> None:
    """Also after the key was changed, for as long as the old one is kept."""
    old = LinkKeys(KEYS.keys, 1).token(use, ticket)
    assert KEYS.ticket(use, KEYS.token(use, ticket)) == KEYS.ticket(use, old) == ticket
    assert [KEYS.ticket(other, old) for other in Use if other is not use] == [None] * (len(Use) - 1)
    assert LinkKeys({2: KEYS.keys[2]}, 2).ticket(use, old) is None


@given(TICKETS, st.data())
def test_a_token_that_was_changed_anywhere_is_none(ticket: Ticket, data: st.DataObject) -> None:
    """Each of its characters counts, the last one too."""
    token = KEYS.token(Use.LINK, ticket)
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.sampled_from("ABCxyz019-_"))
    changed = token[:at] + char + token[at + 1 :]
    assert KEYS.ticket(Use.LINK, changed) == (ticket if changed == token else None)


@given(st.text(max_size=100) | st.text(alphabet="ABCDEFabcdef019-_=", max_size=200))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    """And none makes it fail."""
    assert KEYS.ticket(Use.LINK, text) is None


def test_the_token_of_a_plain_link_is_short() -> None:
    """Plain text shows it, and some people read it."""
    assert len(MessageLinks(KEYS, "", "spring", 3, PersonId(2**62)).link(1)) <= 60


def test_the_pixel_stands_at_the_end_of_the_page() -> None:
    """Nothing of the mail waits for it."""
    html = compile_template(with_pixel("<body><p>Hi</p></body>"), html=True).render(SCOPE).text
    assert html.startswith("<body><p>Hi</p><img src=")
    assert html.endswith("></body>")
