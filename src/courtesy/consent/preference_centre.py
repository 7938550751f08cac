"""What a company asks in its preference centre, and how that looks: a definition, sensible without any."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

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
Colour = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")]
Url = Annotated[str, Meta(pattern=r"^(https?://\S+)?$", max_length=500)]
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


LOGO_BYTES_MAX = 32 * 1024
Logo = Annotated[
    str,
    Meta(
        pattern="^(data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2})?$",
        max_length=LOGO_BYTES_MAX * 4 // 3 + 100,
    ),
]
"""An image within the page, which is loaded from nowhere. No SVG: what one holds is not told by how it begins."""

_BEGINNINGS = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


class Brand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A brand with a preference centre of its own. `name` is what the ledger calls it, `title` what people read.

    What is left out is as for the company; an empty list asks nothing of the kind.
    """

    name: Word
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    colour: Colour | None = None
    logo: Logo | None = None
    purposes: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=5)] | None = None
    channels: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=8)] | None = None
    uses: Annotated[tuple[Item, ...], Meta(max_length=8)] | None = None
    topics: Annotated[tuple[Topic, ...], Meta(max_length=TOPICS_MAX)] | None = None
    likes: Annotated[tuple[Item, ...], Meta(max_length=TOPICS_MAX)] | None = None
    frequencies: Annotated[tuple[Item, ...], Meta(max_length=8)] | None = None
    notice: Labels | None = None
    privacy_url: Url | None = None


class PreferenceCentre(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The preference centre of a company.

    `purposes` of messages, each asked for each of the `channels`; `uses` are purposes without messages, such as
    personalisation. `topics` can be left out one by one. `likes` is what people may like or dislike. `notice` is the
    text above the form, by locale. `trait_labels`: what traits are called, by their path. `embedded_by`: origins of the
    pages that may show it in a frame. Names that Courtesy knows (email, sms, marketing, weekly, ...) need no labels.
    `logo` stands in for the name of the company, `brand`, which screen readers say. `brands` have pages of their own:
    what is chosen there counts for that brand alone.
    """

    brand: Annotated[str, Meta(max_length=100)] = ""
    colour: Colour = "#1f4e79"
    logo: Logo = ""
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
    privacy_url: Url = ""
    embedded_by: Annotated[tuple[Origin, ...], Meta(max_length=10)] = ()

    brands: Annotated[tuple[Brand, ...], Meta(max_length=20)] = ()

    def under(self, name: str) -> PreferenceCentre:
        """As the pages of a brand are; for `*` those of the company. One that is not there any more has the company's,
        under its name in the ledger."""
        if name == ANY:
            return self
        found = next((each for each in self.brands if each.name == name), Brand(name, name))
        own = {field: getattr(found, field) for field in Brand.__struct_fields__ if field not in ("name", "title")}
        return replace(self, brand=found.title, **{field: value for field, value in own.items() if value is not None})

    @property
    def titles(self) -> dict[str, str]:
        """What people read for each brand, by its name in the ledger."""
        return {each.name: each.title for each in self.brands}

    @property
    def all_purposes(self) -> list[str]:
        """Every purpose of messages that the company or a brand asks for."""
        rows = (self.purposes, *(each.purposes or () for each in self.brands))
        return list(dict.fromkeys(item.name for row in rows for item in row))

    def checked(self) -> PreferenceCentre:
        """The same; or CourtesyError(INVALID) for one that says things twice, asks what must not be asked, or can't be
        read."""
        _check_names("brands", [each.name for each in self.brands])
        asked = 0
        for each in (self, *(self.under(brand.name) for brand in self.brands)):
            _check_page(each)
            asked += each.asked_count
        if asked > ASKED_MAX:
            raise CourtesyError(
                Code.INVALID,
                f"expected at most {ASKED_MAX} things to choose, got {asked}",
                hint="a topic counts once, and once for each channel; all of it for the company, and for each brand",
                place="topics",
            )
        return self

    @property
    def asked_count(self) -> int:
        """How many scopes one page may choose about."""
        of_channels = len(self.channels) * (len(self.purposes) + len(self.topics))
        return of_channels + len(self.topics) + len(self.uses) + len(self.likes)


def _check_page(centre: PreferenceCentre) -> None:
    """Whether the page of the company, or of a brand, makes sense."""
    for place in ("purposes", "channels", "uses", "topics", "likes", "frequencies"):
        _check_names(place, [each.name for each in getattr(centre, place)])
    purposes = {each.name for each in centre.purposes}
    for topic in centre.topics:
        if topic.purpose not in purposes:
            raise CourtesyError(
                Code.INVALID,
                f"expected one of the purposes for the topic {topic.name!r}, got {topic.purpose!r}",
                place="topics",
            )
    if both := purposes & {each.name for each in centre.uses}:
        raise CourtesyError(Code.INVALID, f"{sorted(both)} are among `purposes` and among `uses`", place="uses")
    if (found := contrast_with_white(centre.colour)) < CONTRAST_MIN:
        raise CourtesyError(
            Code.INVALID,
            f"expected a colour on which white can be read (contrast {CONTRAST_MIN}), got one with {found:.1f}",
            hint="take a darker one",
            place="colour",
        )
    _check_logo(centre.logo)


def _check_logo(logo: str) -> None:
    """Whether it is an image of the kind that it says, and not too large."""
    if not logo:
        return
    kind, _, content = logo.removeprefix("data:image/").partition(";base64,")
    try:
        image = base64.b64decode(content, validate=True)
    except binascii.Error:
        image = b""
    if len(image) > LOGO_BYTES_MAX or _BEGINNINGS[kind].match(image) is None:
        raise CourtesyError(
            Code.INVALID,
            f"expected an image of the type {kind} with at most {LOGO_BYTES_MAX} bytes",
            hint="base64 of the file, after `data:image/png;base64,`",
            place="logo",
        )


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
