"""E-mail addresses: valid form, one way of writing, the mailbox behind it, and what kind of address it is.

The form is what identifies: lower case, the domain in ASCII. The *mailbox* is kept apart from it: it leaves out what
the provider leaves out (dots, tags), so two forms with one mailbox probably belong to one person, and may be matched
as likely. They are two identifiers all the same: rules of providers change, and people share tagged addresses.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from email_validator import EmailNotValidError, validate_email

from courtesy.standard.placeholder import is_placeholder
from courtesy.standard.shipped import lines_of, words_of
from courtesy.standard.text import folded_width, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

EMAIL_CHARS_MAX = 254

# RFC 2606 and 6761; `local` of RFC 6762.
_NEVER_MAIL = frozenset("test invalid localhost local onion arpa".split())
_RESERVED_DOMAINS = frozenset("example example.com example.net example.org".split())


class Provider(msgspec.Struct, frozen=True):
    """How a provider reads the part before the @. `domain`: the one under which all its domains are one.

    `ignored`: characters that make no difference. `tag`: what begins a tag, empty when there are none.
    """

    domain: str
    ignored: str
    tag: str


class EmailParts(msgspec.Struct, frozen=True):
    """`mailbox`: where post for this address arrives, as far as the provider's rules are known; else the form.

    `domain` is in its own script, `domain_ascii` as it stands in the form. `tag` is None when there is none.
    """

    local: str
    domain: str
    domain_ascii: str
    mailbox: str
    tag: str | None


@cache
def providers() -> dict[str, Provider]:
    """The rules that are known, by domain."""
    found = {}
    for line in lines_of("mail_providers.txt"):
        ignored, tag, *domains = line.split()
        for domain in domains:
            own = domain.startswith("=")
            name = domain.removeprefix("=")
            target = name if own else domains[0].removeprefix("=")
            found[name] = Provider(target, "" if ignored == "none" else ignored, "" if tag == "none" else tag)
    return found


def standard_email(raw: Any) -> Standard[EmailParts]:
    """The address in lower case, its domain in ASCII (IDNA 2008). Asks no server whether anybody is there.

    `Ann <ann@shop.example>` and `mailto:ann@shop.example` are understood, too.
    """
    text = text_or_reason(raw, EMAIL_CHARS_MAX + 100)
    if isinstance(text, Reason):
        return refused(Kind.EMAIL, raw, text)
    address = folded_width(text).lower().removeprefix("mailto:").strip()
    if address.endswith(">") and "<" in address:
        address = address[address.rindex("<") + 1 : -1].strip()
    if is_placeholder(address) and "@" not in address:
        return refused(Kind.EMAIL, raw, Reason.PLACEHOLDER)
    try:
        valid = validate_email(
            address, check_deliverability=False, globally_deliverable=False, allow_domain_literal=False
        )
    except (EmailNotValidError, ValueError):
        if address.rpartition(".")[2] in _NEVER_MAIL:
            return refused(Kind.EMAIL, raw, Reason.IMPOSSIBLE, None, (Mark.RESERVED,))
        return refused(Kind.EMAIL, raw, Reason.MALFORMED)
    if "." not in valid.ascii_domain:
        return refused(Kind.EMAIL, raw, Reason.MALFORMED)
    local = folded_width(valid.local_part).lower()
    return _standard(raw, local, valid.domain.lower(), valid.ascii_domain.lower())


def _standard(raw: Any, local: str, domain: str, ascii_domain: str) -> Standard[EmailParts]:
    form = f"{local}@{ascii_domain}"
    mailbox, tag = mailbox_of(local, ascii_domain)
    marks = tuple(_marks(form, local, ascii_domain, tag))
    parts = EmailParts(local, domain, ascii_domain, mailbox, tag)
    return Standard(Kind.EMAIL, raw, form, parts, marks, Confidence.CERTAIN)


def mailbox_of(local: str, domain: str) -> tuple[str, str | None]:
    """Where post arrives, and the tag; both parts in lower case, the domain in ASCII."""
    provider = providers().get(domain)
    if provider is None:
        return f"{local}@{domain}", None
    base, tag = local, None
    if provider.tag and provider.tag in local[1:]:
        place = local.index(provider.tag, 1)
        base, tag = local[:place], local[place + 1 :]
    for char in provider.ignored:
        base = base.replace(char, "")
    return (f"{base}@{provider.domain}", tag or None) if base else (f"{local}@{domain}", None)


def _marks(form: str, local: str, domain: str, tag: str | None) -> list[Mark]:
    marks = []
    base = local.split("+", 1)[0]
    if base in words_of("role_addresses.txt") or base.rstrip("0123456789") in words_of("role_addresses.txt"):
        marks.append(Mark.ROLE)
    if _under(domain, words_of("disposable_domains.txt")):
        marks.append(Mark.DISPOSABLE)
    if _under(domain, words_of("relay_domains.txt")):
        marks.append(Mark.PRIVATE_RELAY)
    elif domain in words_of("free_mail_domains.txt") or domain in providers():
        marks.append(Mark.FREE_PROVIDER)
    if is_placeholder(form) or is_placeholder(local):
        marks.append(Mark.PLACEHOLDER)
    if _under(domain, _RESERVED_DOMAINS):
        marks.append(Mark.RESERVED)
    if tag is not None:
        marks.append(Mark.TAGGED)
    if not local.isascii():
        marks.append(Mark.INTERNATIONAL)
    return marks


def _under(domain: str, known: frozenset[str]) -> bool:
    """Whether a domain is one of these, or below one."""
    while domain:
        if domain in known:
            return True
        domain = domain.partition(".")[2]
    return False
