"""The pages themselves, put together from the form, what is known of the person, and the texts of a language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from courtesy.base.ids import SourceId
from courtesy.base.time import from_iso
from courtesy.consent.preference_centre import PreferenceCentre
from courtesy.consent.questions import RATINGS
from courtesy.consent.wishes import FREQUENCY
from courtesy.event.choice import ANY, Action, Scope
from courtesy.event.event import Party
from courtesy.http.centre.form import notice_of
from courtesy.http.centre.markup import Markup, markup, style_of, tag
from courtesy.http.centre.masked import masked_identifiers, shown_value
from courtesy.http.centre.texts import LOCALES, Texts, texts
from courtesy.person.state import Trait
from courtesy.person.view import choices_view
from courtesy.runtime.codes import Purpose
from courtesy.runtime.links import Link
from courtesy.runtime.preferences import GpcSignal, Guest

HISTORY_MAX = 50
TRAITS_MAX = 100

DONE = ("saved", "removed", "unchanged", "answered", "put_off", "unanswered")
"""What a page may say was done."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pages have in common: how they look, their language, and where the same page is in others.
    `address`: the path of this page, None for one that is not to be opened in other languages."""

    centre: PreferenceCentre
    texts: Texts
    address: str | None = None

    def page(self, title: str, *content: object) -> str:
        """The whole page."""
        texts = self.texts
        centre = self.centre
        shown = tag("img", src=centre.logo, alt=centre.brand) if centre.logo else centre.brand
        brand = tag("p", shown, class_="brand") if shown else tag("span")
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="robots", content="noindex, nofollow"),
            tag("title", f"{title} – {self.centre.brand}" if self.centre.brand else title),
            tag("style", Markup(style_of(self.centre.colour))),
        )
        body = tag(
            "body",
            tag("header", brand, self._languages()),
            tag("main", tag("h1", title), *content),
            self._footer(),
        )
        return f"<!doctype html>\n{tag('html', head, body, lang=texts.locale, dir=texts.direction)}\n"

    def _languages(self) -> Markup:
        if self.address is None:
            return Markup("")
        entries = [
            tag("li", tag("strong", name, aria_current="true", lang=locale))
            if locale == self.texts.locale
            else tag("li", tag("a", name, href=f"{self.address}?lang={locale}", lang=locale, hreflang=locale))
            for locale, name in ((each, texts(each)["name"]) for each in LOCALES)
        ]
        return tag("nav", tag("ul", entries), aria_label=self.texts["language"])

    def _footer(self) -> Markup:
        if not self.centre.privacy_url:
            return Markup("")
        link = tag("a", self.texts["privacy"], href=self.centre.privacy_url, rel="noreferrer")
        return tag("footer", tag("p", link))

    def short(self, name: str, *content: object) -> str:
        """A page that says one thing: the text `<name>_title` above `<name>_text`."""
        return self.page(self.texts[f"{name}_title"], tag("p", self.texts[f"{name}_text"], class_="card"), *content)


def centre_page(
    frame: Frame,
    guest: Guest,
    link: Link,
    form: Markup,
    issued: str,
    done: str | None,
    gpc: GpcSignal,
    *questions: Markup,
    codes: bool,
) -> str:
    """The preference centre of one person. `questions`: sections of what they are asked, and of what they answered.
    `codes`: whether there are codes, which some things take."""
    texts = frame.texts
    who = ", ".join(masked_identifiers(guest.reading.identifiers))
    action = f"{frame.address}?lang={texts.locale}"
    hidden = tag("input", type="hidden", name="form", value=issued)
    return frame.page(
        texts["title"],
        tag("p", texts.say("for_whom", who=who) if who else texts["for_somebody"]),
        tag("p", texts[done], class_="card status", role="status") if done in DONE else None,
        tag(
            "form",
            hidden,
            tag("p", notice_of(frame.centre, texts, guest.brand)),
            form,
            tag("div", _buttons(texts, guest.brand), class_="buttons"),
            method="post",
            action=action,
            autocomplete="off",
        ),
        *questions,
        _known(_Facts(texts, frame.centre, guest.source_names), guest, hidden, action),
        _history(texts, frame.centre, guest),
        tag("section", tag("h2", texts["gpc"]), tag("p", texts[_gpc_text(gpc)])),
        _own_data(frame) if codes else None,
        tag("p", texts.say("link_until", date=texts.day(link.expires_s * 1_000)), class_="hint"),
    )


def _buttons(texts: Texts, brand: str) -> list[Markup]:
    plain = ("refuse_all",) if brand == ANY else ("refuse_all", "refuse_everywhere")
    return [
        tag("button", texts["save"], type="submit", name="save", value="yes"),
        *(tag("button", texts[each], type="submit", name=each, value="yes", class_="plain") for each in plain),
    ]


def _gpc_text(gpc: GpcSignal) -> str:
    if not gpc.recorded:
        return "gpc_none"
    if not gpc.honoured:
        return "gpc_overridden"
    return "gpc_honoured" if gpc.sent else "gpc_earlier"


def _own_data(frame: Frame) -> Markup:
    """Where to download and to delete what is held."""
    links = [
        tag("li", tag("a", frame.texts[f"{each}_title"], href=f"{frame.address}/{each}?lang={frame.texts.locale}"))
        for each in Purpose
    ]
    return tag("section", tag("h2", frame.texts["own_data"]), tag("ul", links, class_="ways"))


@dataclass(frozen=True, slots=True)
class _Facts:
    """How facts about a person are shown."""

    texts: Texts
    centre: PreferenceCentre
    source_names: Mapping[SourceId, str]

    def name(self, path: str) -> str:
        """What a trait is called."""
        return self.texts.label(self.centre.trait_labels.get(path, {}), path)

    def entry(self, path: str, trait: Trait) -> Markup:
        """A trait with its value and where it came from."""
        texts = self.texts
        mark = tag("span", texts["inferred"], class_="mark") if trait.party is Party.THIRD else None
        source = f"{texts[str(trait.party)]} ({self.source_names.get(trait.source, trait.source)})"
        origin = texts.say("told_on", source=source, date=texts.day(trait.at))
        value = tag("dd", self._value(path, trait.value))
        return markup([tag("dt", self.name(path), mark), value, tag("dd", origin, class_="from")])

    def _value(self, path: str, value: Any) -> Markup:
        shown = shown_value(path, value)
        if shown is None:
            return tag("em", self.texts["hidden"])
        return tag("bdi", self.texts["yes" if shown else "no"] if isinstance(shown, bool) else shown)


def _known(facts: _Facts, guest: Guest, hidden: Markup, action: str) -> Markup:
    """What is known, each with where it came from; what was inferred can be removed."""
    known = [(path, each) for path, each in sorted(guest.state.traits.items()) if each.value is not None][:TRAITS_MAX]
    inferred = [(path, each) for path, each in known if each.party is Party.THIRD]
    told = [(path, each) for path, each in known if each.party is not Party.THIRD]
    return tag(
        "section",
        tag("h2", facts.texts["known"]),
        tag("dl", [facts.entry(*each) for each in told]) if told else None,
        _inferred(facts, inferred, hidden, action) if inferred else None,
        None if known else tag("p", facts.texts["nothing"]),
    )


def _inferred(facts: _Facts, inferred: Iterable[tuple[str, Trait]], hidden: Markup, action: str) -> Markup:
    rows = []
    for path, trait in inferred:
        box = tag("input", type="checkbox", name="forget", value=path, autocomplete="off")
        rows.append(tag("dl", facts.entry(path, trait)))
        rows.append(tag("label", box, tag("span", facts.texts.say("remove", what=facts.name(path))), class_="choice"))
    return tag(
        "form",
        hidden,
        tag("p", facts.texts["inferred_hint"], class_="hint"),
        rows,
        tag("button", facts.texts["remove_ticked"], type="submit", name="remove", value="yes", class_="plain"),
        method="post",
        action=action,
        autocomplete="off",
        class_="guessed",
    )


def _history(texts: Texts, centre: PreferenceCentre, guest: Guest) -> Markup:
    rows = [
        tag("li", _choice(texts, centre, each), tag("p", texts.day(from_iso(each["recorded"]) or 0), class_="from"))
        for each in choices_view(guest.standing)[:HISTORY_MAX]
    ]
    title = tag("h2", texts["history"])
    return tag("section", title, tag("ol", rows) if rows else tag("p", texts["nothing"]))


def _choice(texts: Texts, centre: PreferenceCentre, each: dict[str, Any]) -> str:
    """One choice in words: what was done, about what, what was said, and until when."""
    parts = [about(texts, centre, Scope(*(each[name] for name in ("purpose", "channel", "topic", "brand"))))]
    if each["action"] in (Action.SET, Action.SIGNAL):
        parts.append(_said(texts, centre, each["value"]))
    until = [texts.say("until", date=texts.day(from_iso(each["held_to"]) or 0))] if each["held_to"] else []
    return f"{texts[each['action']]}: {', '.join([*filter(None, parts), *until])}"


def _said(texts: Texts, centre: PreferenceCentre, value: Any) -> str:
    if isinstance(value, dict) and isinstance(name := value.get(FREQUENCY), str):
        labels = {each.name: each.labels for each in centre.frequencies}
        return texts.word("frequencies", name, labels.get(name, {})) if name else texts["frequency_any"]
    if isinstance(value, bool):
        return texts["yes" if value else "no"]
    if isinstance(value, dict) and isinstance(rating := value.get("rating"), int):
        return texts.say("rating", value=str(rating), most=str(RATINGS[-1]))
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)[:100] or texts["none_of_these"]
    return texts[value] if value in ("like", "neutral", "dislike") else str(value)[:100]


def about(texts: Texts, centre: PreferenceCentre, scope: Scope) -> str:
    """What a choice is about, in words."""
    purpose, channel, topic, brand, _ = scope
    labels = {each.name: each.labels for each in (*centre.purposes, *centre.uses)}
    channels = {each.name: each.labels for each in centre.channels}
    topics = {each.name: each.labels for each in centre.likes} | {each.name: each.labels for each in centre.topics}
    parts = [
        texts.word("purposes", purpose, labels.get(purpose, {})) if purpose != ANY else "",
        texts.word("channels", channel, channels.get(channel, {})) if channel != ANY else "",
        texts.label(topics.get(topic, {}), topic) if topic != ANY else "",
        centre.titles.get(brand, brand) if brand != ANY else "",
    ]
    return " · ".join(filter(None, parts)) or texts["everything"]


def unsubscribe_page(frame: Frame, link: Link) -> str:
    """What to press to unsubscribe. Opening it changes nothing."""
    texts = frame.texts
    return frame.page(
        texts["unsubscribe_title"],
        tag(
            "form",
            tag("p", texts["unsubscribe_text"]),
            tag(
                "p",
                tag("strong", about(texts, frame.centre, Scope(link.purpose, link.channel, link.topic, link.brand))),
            ),
            tag("input", type="hidden", name="List-Unsubscribe", value="One-Click"),
            tag("button", texts["unsubscribe"], type="submit"),
            method="post",
            action=f"{frame.address}?lang={texts.locale}",
            class_="card",
        ),
    )


def unsubscribed_page(frame: Frame, link: Link) -> str:
    """That it is done."""
    texts = frame.texts
    what = tag("strong", about(texts, frame.centre, Scope(link.purpose, link.channel, link.topic, link.brand)))
    return frame.page(
        texts["unsubscribed_title"],
        tag("p", texts["unsubscribed_text"], tag("br"), what, class_="card status", role="status"),
    )
