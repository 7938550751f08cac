"""The form of the preference centre: what it shows, as the exact bytes that are evidence, and what comes back.

The bytes of the form name nobody. What it showed and for whom is signed beside it, so that a form which comes back can
be made again, byte for byte, and only what was changed in it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import parse_qsl

import msgspec

from courtesy.base.time import HOUR_MS
from courtesy.consent.preference_centre import PreferenceCentre
from courtesy.consent.wishes import Pause, Taste, Wishes, everything_refused
from courtesy.event.choice import ANY
from courtesy.http.centre.markup import Markup, markup, tag
from courtesy.http.centre.texts import Texts
from courtesy.runtime.links import Signer

FORM_MS = 24 * HOUR_MS
"""How long a form may be open: WCAG 2.2, 2.2.1, asks for more than 20 hours."""

FIELDS_MAX = 500
USE = "form"

Fields = Mapping[str, list[str]]


class Issued(msgspec.Struct, frozen=True, array_like=True):
    """What is signed with a form: for which link (SHA-256), when (ms UTC), in which language, the SHA-256 of its bytes,
    and what it showed."""

    link: str
    at_ms: int
    locale: str
    digest: str
    shown: Wishes


_ISSUED = msgspec.json.Decoder(Issued)


def issue(signer: Signer, token: str, now_ms: int, locale: str, form: str, shown: Wishes) -> str:
    """The text that goes with a form."""
    issued = Issued(digest_of(token), now_ms, locale, digest_of(form), shown)
    return signer.signed(USE, msgspec.json.encode(issued))


def issued_for(signer: Signer, token: str, now_ms: int, text: str) -> Issued | None:
    """What went with a form that was made for this link and is not too old; None for anything else."""
    content = signer.opened(USE, text)
    if content is None:
        return None
    try:
        issued = _ISSUED.decode(content)
    except msgspec.DecodeError:
        # Of an earlier version of Courtesy.
        return None
    return issued if issued.link == digest_of(token) and now_ms < issued.at_ms + FORM_MS else None


def digest_of(text: str) -> str:
    """The SHA-256 of a text, hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_fields(body: bytes) -> Fields:
    """The fields of a form as browsers send it. Raises ValueError for what is no such thing."""
    fields: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX):
        fields.setdefault(name, []).append(value)
    return fields


def first(fields: Fields, name: str) -> str:
    """The value of a field, empty when it did not come."""
    return fields.get(name, [""])[0]


def notice_of(centre: PreferenceCentre, texts: Texts, brand: str) -> str:
    """The wording above the form; on the page of a brand it says that it counts for that alone."""
    notice = texts.label(centre.notice, texts["notice"])
    return notice if brand == ANY else f"{notice} {texts.say('brand_only', brand=centre.brand)}"


def form_of(centre: PreferenceCentre, texts: Texts, shown: Wishes) -> Markup:
    """The part of the form that is evidence: everything that is asked, and what was ticked before."""
    return markup(
        [
            *_channels(centre, texts, shown),
            _group(
                texts["uses"],
                [
                    _box(f"u{place}", texts.word("purposes", use.name, use.labels), on)
                    for place, (use, on) in enumerate(zip(centre.uses, shown.uses, strict=True))
                ],
            ),
            _group(
                texts["topics"],
                [
                    _box(f"t{place}", texts.label(topic.labels, topic.name), on)
                    for place, (topic, on) in enumerate(zip(centre.topics, shown.topics, strict=True))
                ],
            ),
            _group(texts["likes"], _likes(centre, texts, shown)),
            _group(texts["frequency"], _frequencies(centre, texts, shown)),
            _group(texts["pause"], _pauses(texts, shown)),
        ]
    )


def _group(legend: str, content: list[Markup]) -> Markup:
    return tag("fieldset", tag("legend", legend), content) if content else Markup("")


def _box(name: str, label: str, is_on: bool) -> Markup:
    box = tag("input", type="checkbox", name=name, value="on", checked=is_on, autocomplete="off")
    return tag("label", box, tag("span", label), class_="choice")


def _radio(name: str, value: str, label: str, is_on: bool) -> Markup:
    radio = tag("input", type="radio", name=name, value=value, checked=is_on, autocomplete="off")
    return tag("label", radio, tag("span", label), class_="choice")


def _channels(centre: PreferenceCentre, texts: Texts, shown: Wishes) -> list[Markup]:
    return [
        _group(
            texts.say("how", purpose=texts.word("purposes", purpose.name, purpose.labels)),
            [
                _box(f"c{row}.{column}", texts.word("channels", channel.name, channel.labels), on)
                for column, (channel, on) in enumerate(zip(centre.channels, ticked, strict=True))
            ],
        )
        for row, (purpose, ticked) in enumerate(zip(centre.purposes, shown.channels, strict=True))
    ]


def _likes(centre: PreferenceCentre, texts: Texts, shown: Wishes) -> list[Markup]:
    return [
        tag(
            "fieldset",
            tag("legend", texts.label(item.labels, item.name)),
            tag("div", [_radio(f"l{place}", each, texts[each], each is taste) for each in Taste], class_="row"),
        )
        for place, (item, taste) in enumerate(zip(centre.likes, shown.tastes, strict=True))
    ]


def _frequencies(centre: PreferenceCentre, texts: Texts, shown: Wishes) -> list[Markup]:
    if not centre.frequencies:
        return []
    named = [(each.name, texts.word("frequencies", each.name, each.labels)) for each in centre.frequencies]
    return [
        _radio("frequency", name, label, name == shown.frequency)
        for name, label in (("", texts["frequency_any"]), *named)
    ]


def _pauses(texts: Texts, shown: Wishes) -> list[Markup]:
    until = shown.paused_until
    keep = texts["pause_none"] if until is None else texts.say("pause_keep", date=texts.day(until))
    others = [(each, texts[f"pause_{each}"]) for each in (Pause.WEEK, Pause.MONTH, Pause.QUARTER)]
    end = [] if until is None else [(Pause.END, texts["pause_end"])]
    return [_radio("pause", each, label, each is Pause.KEEP) for each, label in ((Pause.KEEP, keep), *end, *others)]


def wanted_in(centre: PreferenceCentre, shown: Wishes, fields: Fields) -> tuple[Wishes, Pause]:
    """What a form says that came back. What it does not say, or not in its words, is as it was shown; a box that is not
    ticked does not come back."""
    tastes = tuple(
        Taste(value) if (value := first(fields, f"l{place}")) in list(Taste) else taste
        for place, taste in enumerate(shown.tastes)
    )
    frequency = first(fields, "frequency") if "frequency" in fields else shown.frequency
    wishes = Wishes(
        tuple(
            tuple(f"c{row}.{column}" in fields for column in range(len(ticked)))
            for row, ticked in enumerate(shown.channels)
        ),
        tuple(f"u{place}" in fields for place in range(len(shown.uses))),
        tuple(f"t{place}" in fields for place in range(len(shown.topics))),
        tastes,
        frequency if frequency in ("", *(each.name for each in centre.frequencies)) else shown.frequency,
        shown.paused_until,
    )
    pause = first(fields, "pause")
    if "refuse_all" in fields:
        return everything_refused(wishes), Pause.KEEP
    return wishes, Pause(pause) if pause in list(Pause) else Pause.KEEP
