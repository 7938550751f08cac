"""A preview as a page: every channel and locale side by side, to be looked at and handed around.

One file without scripts. What a message says is shown as text, and its HTML in a sandbox of its own, where nothing of
it runs, leads anywhere or reaches the page around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import groupby
from typing import Any

import msgspec

from courtesy.content.findings import Finding, Severity
from courtesy.runtime.export_page import text_of
from courtesy.runtime.leaving import Leaving
from courtesy.runtime.preview_style import STYLE
from courtesy.runtime.previewed import Preview, Shown

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; font-src https:"
"""Of the page and, as browsers hand it down, of the mails in it: no scripts, no forms, no frames from elsewhere."""

NO_PICTURES = '<meta http-equiv="content-security-policy" content="img-src \'none\'">'
CHANNELS = {
    "email": "E-mail",
    "sms": "Text message",
    "push": "Push",
    "web_push": "Browser push",
    "in_app": "In the application",
    "web": "Web",
    "webhook": "Webhook",
    "print": "Print",
    "social": "Social",
    "till": "Till",
}
PLATFORMS = {"android": "Android", "ios": "iPhone", "browser": "Browser"}

_SWITCHES = (
    ("Width", "width", (("wide", "Computer"), ("narrow", "Phone"))),
    ("Colours", "colours", (("light", "Light"), ("dark", "Dark"), ("forced", "Dark by force"))),
    ("Pictures", "pictures", (("on", "Shown"), ("off", "Blocked"))),
)
_HEAD_TAG = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_LINK = re.compile(r"""<a\b[^>]*?\bhref=["']([^"']*)["']""", re.IGNORECASE)


def page(preview: Preview) -> str:
    """The page of a preview. Whatever a message says, it is shown and does nothing."""
    return "".join(_parts(preview))


def _parts(preview: Preview) -> Iterator[str]:
    title = text_of(preview.title or preview.content)
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="content-security-policy" content="{POLICY}">\n'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">\n'
        f"<title>Preview: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
    )
    reads = f", reads {text_of(preview.locale)}" if preview.locale else ""
    yield (
        f"<p>{text_of(preview.content)}, {text_of(preview.source)}. As it is for <b>{text_of(preview.person)}</b>"
        f"{reads}. Made on {text_of(preview.made[:10])} at {text_of(preview.made[11:16])} UTC; nothing was sent.</p>\n"
    )
    yield from _switches()
    yield "</header>\n<main>\n"
    yield from _findings("What was found", preview.findings)
    leaving = {each.channel: each for each in preview.leaving}
    for channel, shown in groupby(preview.shown, lambda each: each.channel):
        yield from _channel(channel, list(shown), leaving.get(channel))
    if not preview.shown:
        yield "<p>There is nothing to show.</p>\n"
    yield "</main>\n</body>\n</html>\n"


def _switches() -> Iterator[str]:
    """What is chosen here the style sheet follows."""
    yield '<form class="switches" aria-label="How mails are shown">\n'
    for legend, name, choices in _SWITCHES:
        yield f"<fieldset><legend>{legend}</legend>"
        for number, (value, label) in enumerate(choices):
            checked = "" if number else " checked"
            yield f'<label><input type="radio" name="{name}" id="{name}-{value}"{checked}> {label}</label>'
        yield "</fieldset>\n"
    yield "</form>\n"


def _channel(channel: str, shown: list[Shown], leaving: Leaving | None) -> Iterator[str]:
    """A channel, its locales side by side."""
    name = CHANNELS.get(channel, channel)
    yield f'<section aria-labelledby="h-{channel}">\n<h2 id="h-{channel}">{name}</h2>\n'
    if leaving is not None:
        yield _verdict(leaving)
    yield f'<div class="row" tabindex="0" role="group" aria-label="{name}, by locale">\n'
    for each in sorted(shown, key=lambda one: not one.theirs):
        yield from _column(each, leaving)
    yield "</div>\n</section>\n"


def _verdict(leaving: Leaving) -> str:
    """Whether it would leave now, in a sentence."""
    if leaving.leaves:
        to = f" to {text_of(leaving.address)}" if leaving.address else ""
        over = f" over {text_of(leaving.connection)}" if leaving.connection else ""
        price = f", for {leaving.price:g} of the contact budget" if leaving.price else ""
        return f'<p class="verdict yes">✓ Would leave now{to}{over}{price}.</p>\n'
    why = f" ({text_of(leaving.why)})" if leaving.why else ""
    when = f" It would leave at {text_of(leaving.not_before)}." if leaving.not_before else ""
    return f'<p class="verdict no">✕ Would not leave now: {text_of(leaving.reason.replace("_", " "))}{why}.{when}</p>\n'


def _column(each: Shown, leaving: Leaving | None) -> Iterator[str]:
    locale = text_of(each.placement or each.locale or "All others")
    theirs = ' <span class="theirs">what they get</span>' if each.theirs and not each.placement else ""
    yield f'<article class="column {each.channel}">\n<h3>{locale}{theirs}</h3>\n'
    if each.parts:
        yield from _LOOKS.get(each.channel, _of_fields)(each, leaving)
    lacked = [f"{one.about} {one.problem}, {one.place}" for one in each.lacked]
    yield from _list("Lacking for this person", "warning", lacked)
    yield from _findings("", each.findings)
    yield "</article>\n"


def _findings(heading: str, findings: Iterable[Finding]) -> Iterator[str]:
    by_severity = sorted(findings, key=lambda each: list(Severity).index(each.severity))
    told = [
        (each.severity, f"{each.message}{f' — {each.hint}' if each.hint else ''}", each.place) for each in by_severity
    ]
    if told:
        yield f'<div class="found">{f"<h2>{heading}</h2>" if heading else ""}<ul>'
        for severity, message, place in told:
            at = f" <code>{text_of(place)}</code>" if place else ""
            yield f'<li class="{severity}"><b>{severity}</b> {text_of(message)}{at}</li>'
        yield "</ul></div>\n"


def _list(heading: str, kind: str, items: list[str]) -> Iterator[str]:
    if items:
        yield f'<div class="found"><h4>{heading}</h4><ul>'
        yield from (f'<li class="{kind}">{text_of(each)}</li>' for each in items)
        yield "</ul></div>\n"


def _said(each: Shown, name: str) -> str:
    """A part as text, empty when there is none."""
    return text_of(each.parts.get(name) or "")


def _lang(each: Shown) -> str:
    return f' lang="{text_of(each.locale)}" dir="auto"' if each.locale else ' dir="auto"'


# -- e-mail


def _of_mail(each: Shown, leaving: Leaving | None) -> Iterator[str]:
    sender = text_of(leaving.sender) if leaving is not None else ""
    to = text_of(leaving.address) if leaving is not None else ""
    yield f'<div class="mail"><dl class="head"{_lang(each)}>'
    for name, told in (("From", sender), ("To", to), ("Subject", _said(each, "subject"))):
        if told:
            yield f'<div><dt lang="en">{name}</dt><dd>{told}</dd></div>'
    yield "</dl>\n"
    markup = str(each.parts.get("html") or "")
    if markup:
        yield _frame(each, "pictures-on", markup)
        yield _frame(each, "pictures-off", without_pictures(markup))
    yield "</div>\n"
    is_open = "" if markup else " open"
    yield f"<details{is_open}><summary>Text part</summary><pre{_lang(each)}>{_said(each, 'text')}</pre></details>\n"
    if links := list(dict.fromkeys(_LINK.findall(markup))):
        yield f"<details><summary>Where links lead ({len(links)})</summary><ul>"
        yield from (f"<li><code>{text_of(unescape(link))}</code></li>" for link in links)
        yield "</ul></details>\n"
    if markup:
        yield f'<p class="meta">{len(markup.encode("utf-8", "replace")):,} bytes of HTML</p>\n'


def _frame(each: Shown, kind: str, markup: str) -> str:
    """HTML in a sandbox that allows nothing."""
    title = text_of(f"Mail in {each.locale or 'the default locale'}, {kind.replace('-', ' ')}")
    return f'<iframe class="{kind}" sandbox="" title="{title}" srcdoc="{text_of(markup)}"></iframe>\n'


def without_pictures(markup: str) -> str:
    """The same mail as programs show it that block pictures."""
    found = _HEAD_TAG.search(markup)
    at = found.end() if found else 0
    return markup[:at] + NO_PICTURES + markup[at:]


# -- others


def _of_sms(each: Shown, leaving: Leaving | None) -> Iterator[str]:
    look = each.sms
    assert look is not None, "a text message has parts"
    yield f'<div class="phone"{_lang(each)}>'
    for number, part in enumerate(look.parts, 1):
        of = f'<span class="part" lang="en">{number}/{len(look.parts)}</span>' if len(look.parts) > 1 else ""
        yield f'<p class="bubble">{text_of(part)}{of}</p>'
    yield "</div>\n"
    cost = "" if look.cost is None else f", {look.cost.amount:g} {text_of(look.cost.currency)}"
    count = f"{len(look.parts)} part{'' if len(look.parts) == 1 else 's'}"
    yield f'<p class="meta">{count} in {look.encoding}, {look.left} left in the last{cost}</p>\n'


def _of_push(each: Shown, leaving: Leaving | None) -> Iterator[str]:
    for look in each.push:
        yield f'<div class="phone lock"><p class="meta">{PLATFORMS[look.platform]}</p><div class="notice"{_lang(each)}>'
        yield f"<b>{text_of(look.title)}</b><p>{text_of(look.text)}</p></div></div>\n"
        yield f'<p class="meta">{look.bytes:,} bytes</p>\n'


def _of_in_app(each: Shown, leaving: Leaving | None) -> Iterator[str]:
    display = each.parts.get("display")
    told: dict[str, Any] = display if isinstance(display, dict) else {}
    style = told.get("style", "dialog")
    yield f'<div class="screen {text_of(style)}"><div class="card"{_lang(each)}>'
    image = each.parts.get("image")
    if isinstance(image, dict):
        yield f'<img src="{text_of(image.get("url", ""))}" alt="{text_of(image.get("alt", ""))}">'
    if title := _said(each, "title"):
        yield f'<p class="title">{title}</p>'
    yield f'<p class="said">{_said(each, "text")}</p><p class="buttons"><span class="button">Close</span>'
    if each.parts.get("link"):
        yield f'<span class="button first">{text_of(told.get("button") or "Open")}</span>'
    yield "</p></div></div>\n"
    rules = [f"{name}: {value}" for name, value in told.items() if name not in ("style", "button")]
    link = [f"leads to {each.parts['link']}"] if each.parts.get("link") else []
    yield f'<p class="meta">{text_of("; ".join([f"shown as a {style}", *rules, *link]))}</p>\n'


def _of_fields(each: Shown, leaving: Leaving | None) -> Iterator[str]:
    """The parts of what has no look of its own here."""
    yield f'<dl class="fields"{_lang(each)}>'
    for name, value in each.parts.items():
        told = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        yield f"<dt>{text_of(name)}</dt><dd>{text_of(told)}</dd>"
    yield "</dl>\n"


_LOOKS = {"email": _of_mail, "sms": _of_sms, "push": _of_push, "web_push": _of_push, "in_app": _of_in_app}
