"""The readable answer to a request for access: who has what of somebody, and what they can do about it; to be printed,
or read aloud. One page without scripts or anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from courtesy.consent.records import described
from courtesy.event.choice import Scope
from courtesy.runtime.export_page import STYLE, section, sections, text_of

Document = Mapping[str, Any]

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<title>What we hold about you: {request}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>What we hold about you</h1>
<p>You asked what we hold about you. We received that on {received}, as request {request}. This is our answer, made on
{made}. All times are in UTC, like 2026-05-03T14:05:00.000Z: the date, then the time of day.</p>
"""

_RIGHTS = """<h2>What you can do</h2>
<ul>
<li>Have what is wrong put right, and what is missing added.</li>
<li>Be forgotten.</li>
<li>Have your data kept, and nothing else done with it.</li>
<li>Object to being used for something; to direct marketing without giving any reason.</li>
<li>Take back what you allowed, at any time.</li>
<li>Get what you gave us in a form that programs read, to take elsewhere.</li>
<li>Complain to the authority for data protection where you live or work.</li>
</ul>
"""

_WHO = (
    ("Name", "name"),
    ("Whom to ask", "contact"),
    ("E-mail", "email"),
    ("Telephone", "phone"),
    ("Address", "address"),
    ("What your data is used for", "service"),
    ("Where it is kept", "storage_countries"),
    ("For how long", "retention"),
    ("Privacy policy", "privacy_url"),
    ("Where to exercise your rights", "rights_url"),
)
_RECIPIENTS = ("Who", "How they got it", "How often", "First", "Last")


def page(document: Document) -> str:
    """The page for a document of `package.access`. Whatever a value holds, it is shown as text and does nothing."""
    return "".join(_parts(document))


def _parts(document: Document) -> Iterator[str]:
    held, request = document["held"], document["request"]
    yield _HEAD.format(
        style=STYLE,
        request=text_of(request["request"]),
        received=text_of(request["received"]),
        made=text_of(held["exported"]),
    )
    controller = document["controller"] or {}
    controller = {**controller, "retention": in_words(controller.get("retention", ""))}
    who = ((label, controller.get(name)) for label, name in _WHO)
    yield from section("Who we are", ("What", "Answer"), (row for row in who if row[1]))
    recipients = map(_recipient_row, document["recipients"])
    yield from section("Who else got something of it", _RECIPIENTS, recipients)
    yield _RIGHTS
    yield from section("The words that you were shown", ("When", "For", "The words"), _notices(document))
    yield from sections(held)
    yield "</main>\n</body>\n</html>\n"


_UNITS = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}


def in_words(period: str) -> str:
    """A period of ISO 8601 in whole years, months, weeks and days, like `P2Y6M`, in words."""
    parts = re.findall(r"(\d+)([YMWD])", period)
    return ", ".join(f"{count} {_UNITS[unit] if int(count) != 1 else _UNITS[unit][:-1]}" for count, unit in parts)


def _recipient_row(each: Document) -> list[Any]:
    return [each["name"], each["how"], each["times"] or None, each["first"], each["last"]]


def _notices(document: Document) -> Iterator[list[Any]]:
    """The wordings that are kept, by the choices that were made on them; without the forms around them."""
    for each in document["held"]["choices"]:
        words = document["wordings"].get((each["evidence"] or {}).get("notice"))
        if words is not None:
            scope = Scope(*(each[name] for name in Scope._fields))
            yield [each["held_from"], described(scope), words]
