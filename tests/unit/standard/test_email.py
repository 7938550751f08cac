"""E-mail addresses: one form, the mailbox kept apart from it, and what kind of address it is."""

from __future__ import annotations

import pytest

from courtesy.identity.rules import IdentityRules, normalise
from courtesy.standard.email import standard_email
from courtesy.standard.value import Mark, Reason


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (" Ann.Lee@Shop.COM\n", "ann.lee@shop.com"),
        ("Ann Lee <Ann@shop.com>", "ann@shop.com"),
        ("mailto:ann@shop.com", "ann@shop.com"),
        ("ａｎｎ＠ｓｈｏｐ．ｃｏｍ", "ann@shop.com"),
        ("ann\u200b@shop.com\ufeff", "ann@shop.com"),
        ("info@Bücher.de", "info@xn--bcher-kva.de"),
        ("info@xn--bcher-kva.de", "info@xn--bcher-kva.de"),
        ("иван@ПОЧТА.рф", "иван@xn--80a1acny.xn--p1ai"),
        ("max@fußball.de", "max@xn--fuball-cta.de"),
    ],
)
def test_ways_to_write_an_address_are_one(raw: str, form: str) -> None:
    """Case, width, names around it, and a domain in letters or in ASCII make no difference."""
    assert standard_email(raw).form == form


@pytest.mark.parametrize(
    "raw",
    ["ann", "ann@", "@shop.com", "ann@shop", "a b@shop.com", "a..b@shop.com", ".a@shop.com", "a@-shop.com", "a@[::1]"],
)
def test_what_breaks_the_rules_for_addresses_has_no_form(raw: str) -> None:
    """RFC 5321 and 5322, as mail servers hold to them."""
    made = standard_email(raw)
    assert (made.form, made.reason) == (None, Reason.MALFORMED)


@pytest.mark.parametrize(
    ("raw", "mailbox", "tag"),
    [
        ("a.n.n+news@googlemail.com", "ann@gmail.com", "news"),
        ("Ann.Lee+x@outlook.com", "ann.lee@outlook.com", "x"),
        ("ann@me.com", "ann@icloud.com", None),
        ("a_n-n@pm.me", "ann@proton.me", None),
        ("ann-lee@ya.ru", "annlee@yandex.ru", None),
        ("a.n.n+x@shop.com", "a.n.n+x@shop.com", None),
        ("+x@gmail.com", "+x@gmail.com", None),
    ],
)
def test_the_mailbox_follows_the_rules_of_the_provider(raw: str, mailbox: str, tag: str | None) -> None:
    """Only of providers whose rules are known; nothing is left out elsewhere."""
    parts = standard_email(raw).parts
    assert parts is not None
    assert (parts.mailbox, parts.tag) == (mailbox, tag)


def test_two_addresses_of_one_mailbox_stay_two_identifiers() -> None:
    """They are likely one person, but not for certain: what the provider ignores never reaches identity."""
    one, two = standard_email("a.nn@gmail.com"), standard_email("ann@gmail.com")
    assert one.parts is not None
    assert two.parts is not None
    assert one.parts.mailbox == two.parts.mailbox
    assert one.form != two.form
    rules = IdentityRules()
    assert normalise(rules, "email", "a.nn@gmail.com") != normalise(rules, "email", "ann@gmail.com")


@pytest.mark.parametrize(
    ("raw", "marks"),
    [
        ("info@shop.com", {Mark.ROLE}),
        ("Sales2@shop.com", {Mark.ROLE}),
        ("kundenservice@shop.de", {Mark.ROLE}),
        ("infos.ann@shop.com", set()),
        ("x@mailinator.com", {Mark.DISPOSABLE}),
        ("x@abc.mailinator.com", {Mark.DISPOSABLE}),
        ("x@notmailinator.com", set()),
        ("dpdcnf87nu@privaterelay.appleid.com", {Mark.PRIVATE_RELAY}),
        ("ann@gmail.com", {Mark.FREE_PROVIDER}),
        ("ann+x@gmail.com", {Mark.FREE_PROVIDER, Mark.TAGGED}),
        ("ann@web.de", {Mark.FREE_PROVIDER}),
        ("test@test.com", {Mark.PLACEHOLDER}),
        ("null@shop.com", {Mark.PLACEHOLDER}),
        ("ann@example.com", {Mark.RESERVED}),
        ("ann@shop.example", {Mark.RESERVED}),
        ("ann@shop.invalid", {Mark.RESERVED}),
        ("jörg@shop.de", {Mark.INTERNATIONAL}),
    ],
)
def test_addresses_are_marked(raw: str, marks: set[Mark]) -> None:
    """What a marketer wants to know before writing to it."""
    assert set(standard_email(raw).marks) == marks
