"""What a company asks in its preference centre, and how that looks: a definition, sensible without any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.choice import ANY, HEALTH, Word

PREFERENCE_CENTRE = "preference_centre"
"""The kind under which the definition is kept."""

CONTRAST_MIN = 4.5
"""Of white text on the colour: WCAG 2.2, 1.4.3."""

TOPICS_MAX = 30

ASKED_MAX = 150
"""Scopes that its forms may choose about: of a person the choices of 200 are kept."""

Text = Annotated[str, Meta(min_length=1, max_length=300)]
Locale = Annotated[str, Meta(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Labels = dict[Locale, Text]
Origin = Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something to choose. `name` is what the ledger calls it, `labels` what people read, by locale."""

    name: Word
    labels: Labels = {}


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What messages are about, and for which purpose they are sent."""

    name: Word
    labels: Labels = {}
    purpose: Word = "marketing"


class PreferenceCentre(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The preference centre of a company.

    `purposes` of messages, each asked for each of the `channels`; `uses` are purposes without messages, such as
    personalisation. `topics` can be left out one by one. `likes` is what people may like or dislike. `notice` is the
    text above the form, by locale. `trait_labels`: what traits are called, by their path. `embedded_by`: origins of the
    pages that may show it in a frame. Names that Courtesy knows (email, sms, marketing, weekly, ...) need no labels.
    """

    brand: Annotated[str, Meta(max_length=100)] = ""
    colour: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] = "#1f4e79"
    purposes: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=5)] = (Item("marketing"),)
    channels: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=8)] = (
        Item("email"),
        Item("sms"),
        Item("push"),
        Item("direct_mail"),
    )
    uses: Annotated[tuple[Item, ...], Meta(max_length=8)] = ()
    topics: Annotated[tuple[Topic, ...], Meta(max_length=TOPICS_MAX)] = ()
    likes: Annotated[tuple[Item, ...], Meta(max_length=TOPICS_MAX)] = ()
    frequencies: Annotated[tuple[Item, ...], Meta(max_length=8)] = (Item("weekly"), Item("monthly"))
    notice: Labels = {}
    trait_labels: dict[str, Labels] = {}
    privacy_url: Annotated[str, Meta(pattern=r"^(https?://\S+)?$", max_length=500)] = ""
    embedded_by: Annotated[tuple[Origin, ...], Meta(max_length=10)] = ()

    def checked(self) -> PreferenceCentre:
        """The same; or CourtesyError(INVALID) for one that says things twice, asks what must not be asked, or can't be
        read."""
        for place in ("purposes", "channels", "uses", "topics", "likes", "frequencies"):
            _check_names(place, [each.name for each in getattr(self, place)])
        purposes = {each.name for each in self.purposes}
        for topic in self.topics:
            if topic.purpose not in purposes:
                raise CourtesyError(
                    Code.INVALID,
                    f"expected one of the purposes for the topic {topic.name!r}, got {topic.purpose!r}",
                    place="topics",
                )
        if both := {*purposes} & {each.name for each in self.uses}:
            raise CourtesyError(Code.INVALID, f"{sorted(both)} are among `purposes` and among `uses`", place="uses")
        asked = len(self.channels) * (len(self.purposes) + len(self.topics)) + len(self.uses) + len(self.likes)
        if asked + len(self.topics) > ASKED_MAX:
            raise CourtesyError(
                Code.INVALID,
                f"expected at most {ASKED_MAX} things to choose, got {asked + len(self.topics)}",
                hint="a topic counts once, and once for each channel",
                place="topics",
            )
        if (found := contrast_with_white(self.colour)) < CONTRAST_MIN:
            raise CourtesyError(
                Code.INVALID,
                f"expected a colour on which white can be read (contrast {CONTRAST_MIN}), got one with {found:.1f}",
                hint="take a darker one",
                place="colour",
            )
        return self


def _check_names(place: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name == ANY or name in seen:
            raise CourtesyError(Code.INVALID, f"expected each name once and no *, got {name!r:.60}", place=place)
        if name.casefold() in HEALTH:
            raise CourtesyError(Code.INVALID, f"health is not asked for here: {name!r:.60}", place=place)
        seen.add(name)


def contrast_with_white(colour: str) -> float:
    """The contrast of a colour (`#rrggbb`) with white: 1 to 21, by the relative luminance of WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
