"""The readable export: one page without scripts or anything from elsewhere, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from courtesy.person.view import leaves

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ccc;
  overflow-wrap: anywhere }
th { white-space: nowrap }
dl { margin: 0 } dt { font-weight: 600 } dd { margin: 0 0 .3rem 1rem }
@media (max-width: 40rem) { th, td { padding: .2rem .25rem; font-size: .8rem } th { white-space: normal } }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } tr { break-inside: avoid } }
"""

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex">
<title>What we hold about you</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>What we hold about you</h1>
<p>Made on {exported}. All times are in UTC, like 2026-05-03T14:05:00.000Z: the date, then the time of day.
The same content for programs is in the JSON file that belongs to this page.</p>
"""

_PARTY = {
    "zero": "you told us",
    "first": "we saw it ourselves",
    "second": "a partner told us",
    "third": "we got it from others",
}
_STATES = {
    "waiting": "not sent yet",
    "claimed": "being sent",
    "delivered": "delivered",
    "failed": "could not be delivered",
}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What HTML does not allow: control characters other than tab and line feed, and halves of characters."""

Document = Mapping[str, Any]


def page(document: Document) -> str:
    """The page for a document of `Exports.of`. Whatever a value holds, it is shown as text and does nothing."""
    return "".join(_parts(document))


def _parts(document: Document) -> Iterator[str]:
    yield _HEAD.format(style=STYLE, exported=text_of(document["exported"]))
    yield from sections(document)
    yield "</main>\n</body>\n</html>\n"


def sections(document: Document) -> Iterator[str]:
    """What a document says, a heading and a table for each part of it."""
    person = document["person"]
    yield from section("How we recognise you", _IDENTIFIERS, map(_identifier_row, person["identifiers"]))
    yield from section("What we know of you", _TRAITS, _trait_rows(person))
    yield from section("How we read some of it", _STANDARD, person["standard"].items())
    yield from section("Groups that you belong to", _GROUPS, _picked(person["groups"], "group", "first", "last"))
    yield from section("What you did, in numbers", _BEHAVIOURS, _behaviour_rows(person["events"]))
    yield from section("What we wait for", _WAITING, _picked(person["waiting"], "subscription", "due"))
    yield from section("Why we think that this is all you", _LINKS, _why_rows(document))
    yield from section("What we did not take for yours", _REFUSED, _picked(document["refused"], *_REFUSED_NAMES))
    yield from section("What we corrected by hand", _CORRECTED, _picked(document["corrections"], *_CORRECTED_NAMES))
    yield from section("What you allowed, refused and wished", _CHOICES, map(_choice_row, document["choices"]))
    yield from section("What you asked of us", _REQUESTS, _picked(document["requests"], *_REQUESTS_NAMES))
    yield from section("Messages that we sent about you", _EFFECTS, map(_effect_row, document["effects"]))
    yield from section("What we were allowed to send you", _PERMITS, _picked(document["permits"], *_PERMITS_NAMES))
    yield from section("What we sent you", _SENDS, _picked(document["sends"], *_SENDS_NAMES))
    yield from section("Messages that wait for you", _INBOX, _picked(document["inbox"], *_INBOX_NAMES))
    yield from section("Offers that you were given", _GRANTS, _picked(document["grants"], *_GRANTS_NAMES))
    yield from section("Offers that you used", _REDEMPTIONS, _picked(document["redemptions"], *_REDEMPTIONS_NAMES))
    yield from section("Who else we told about you", _RECIPIENTS, _picked(document["recipients"], *_RECIPIENTS_NAMES))
    yield from section("What came in and is not counted yet", _HELD, map(_held_row, document["held"]))
    yield from section("Everything that you did, the oldest first", _EVENTS, map(_event_row, document["events"]))


_IDENTIFIERS = ("What", "Value", "Since", "Told by")
_TRAITS = ("What", "Value", "Where it comes from", "Told by", "When")
_STANDARD = ("What", "As we read it")
_GROUPS = ("Group", "First", "Last")
_BEHAVIOURS = ("What", "How often", "First", "Last", "Sums")
_WAITING = ("For", "Until")
_LINKS = ("This", "and this", "Because of", "Told by", "When")
_REFUSED = ("What", "Why", "Told by", "When")
_REFUSED_NAMES = ("identifier", "reason", "source", "at")
_CORRECTED = ("What", "Why", "By whom", "When")
_CORRECTED_NAMES = ("kind", "reason", "by", "at")
_CHOICES = ("When", "What", "For", "Until", "How", "Told by")
_REQUESTS = ("Request", "What", "Where it stands", "Received", "Answered")
_REQUESTS_NAMES = ("request", "kind", "state", "received", "settled")
_EFFECTS = ("To", "What became of it", "Tries", "When")
_PERMITS = ("Message", "Over", "For", "Because", "Where that is written", "When")
_PERMITS_NAMES = ("message", "channel", "purpose", "why", "source", "issued")
_SENDS = ("Message", "Over", "When")
_SENDS_NAMES = ("message", "channel", "at")
_GRANTS = ("Offer", "Code", "Since", "Until", "How it ended")
_GRANTS_NAMES = ("offer", "code", "granted", "expires", "ended")
_REDEMPTIONS = ("Offer", "Code", "When", "Order", "Where", "Given back")
_REDEMPTIONS_NAMES = ("offer", "code", "at", "order", "where", "given_back")
_INBOX = ("Which", "Where", "Since", "Until", "What it says")
_INBOX_NAMES = ("message", "channel", "created", "expires", "content")
_RECIPIENTS = ("Whom", "First", "Last that they took", "Last that we saw there")
_RECIPIENTS_NAMES = ("recipient", "first_told", "last_accepted", "last_verified")
_HELD = ("When", "Told by", "Why it waits", "What came")
_EVENTS = ("When", "What", "Told by", "Details")


def section(title: str, head: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A heading, and a table under these column heads; or that there is nothing."""
    yield f"<h2>{text_of(title)}</h2>\n"
    is_empty = True
    for row in rows:
        if is_empty:
            is_empty = False
            heads = "".join(f'<th scope="col">{text_of(name)}</th>' for name in head)
            yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n"
        yield f"<tr>{''.join(f'<td>{_value(cell)}</td>' for cell in row)}</tr>\n"
    yield "<p>Nothing.</p>\n" if is_empty else "</tbody>\n</table>\n"


def _value(value: Any) -> str:
    """A value as HTML: lists and objects as lists, nothing as a dash."""
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            inside = "".join(f"<dt>{text_of(name)}</dt><dd>{_value(each)}</dd>" for name, each in value.items())
            return f"<dl>{inside}</dl>" if inside else "–"
        case list() | tuple():
            return f"<ul>{''.join(f'<li>{_value(each)}</li>' for each in value)}</ul>" if value else "–"
        case _:
            return f"<bdi>{text_of(value)}</bdi>"


def text_of(value: Any) -> str:
    """Any value as the text of an element or an attribute: escaped, and of characters that HTML allows."""
    return escape(_UNPRINTABLE.sub(_sign_of, str(value)))


def _sign_of(found: re.Match[str]) -> str:
    """The sign that stands for a control character (U+2400 and on), the replacement character for the others."""
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def _picked(rows: Iterable[Document], *names: str) -> Iterator[list[Any]]:
    return ([row[name] for name in names] for row in rows)


def _identifier_row(each: Document) -> list[Any]:
    told = f"{each['source']}, message {each['message_id']}"
    return [each["kind"], each["value"], each["since"], told]


def _trait_rows(person: Document) -> Iterator[list[Any]]:
    """Each trait with where it comes from."""
    origins = person["trait_origins"]
    for path, value in leaves(person["traits"], origins):
        origin = origins.get(path, {})
        yield [path, value, _PARTY.get(origin.get("party", "")), origin.get("source"), origin.get("at")]


def _behaviour_rows(events: Mapping[str, Document]) -> Iterator[list[Any]]:
    for name, each in events.items():
        yield [name, each["count"], each["first"], each["last"], each["sums"]]


def _why_rows(document: Document) -> Iterator[list[Any]]:
    for each in (*document["links"], *document["merges"]):
        yield [each["a"], each["b"], each["reason"], each["source"], each["at"]]


_ACTIONS = {
    "grant": "you allowed",
    "withdraw": "you took back",
    "object": "you refused",
    "set": "you wished",
    "expire": "it ended",
    "signal": "your browser said",
    "correct": "it was never so",
}


def _choice_row(each: Document) -> list[Any]:
    scope = {name: each[name] for name in ("purpose", "channel", "topic", "brand", "jurisdiction") if each[name] != "*"}
    said = _ACTIONS.get(each["action"], each["action"])
    what = said if each["value"] is None else {said: each["value"]}
    shown = {name: value for name, value in (each["evidence"] or {}).items() if value is not None}
    how = {
        "by": each["method"],
        "through": each["actor"],
        "request": each["request"],
        "policy": each["policy"],
        **shown,
    }
    told = {name: value for name, value in how.items() if value is not None}
    return [each["held_from"], what, scope or "everything", each["held_to"], told, each["source"]]


def _effect_row(each: Document) -> list[Any]:
    outcome = _STATES.get(each["state"], each["state"])
    became = f"{outcome}: {each['cause']}" if each["cause"] else outcome
    return [each["target"], became, each["attempts"], each["created"]]


def _held_row(each: Document) -> list[Any]:
    return [each["received"], each["source"], each["detail"], each["raw"]]


def _event_row(each: Document) -> list[Any]:
    parts = ("identifiers", "properties", "traits", "group", "group_traits", "context", "unreadable")
    return [
        each["at"],
        each["name"] or each["type"],
        each["source"],
        {name: each[name] for name in parts if each[name]},
    ]
