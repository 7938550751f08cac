"""The kinds of items, one declaration each. Checks, the reference and the description of the API follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.content.blocks import Theme
from courtesy.content.display import Display
from courtesy.content.items import NAME_PATTERN, Field, FieldType, Kind
from courtesy.content.printing import PRINT, PrintPage
from courtesy.offer import terms

ItemRef = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}/[a-z0-9][a-z0-9_-]{0,99}$")]
Name = Annotated[str, Meta(pattern=NAME_PATTERN)]


class Representation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an offer looks like at a placement: an item, such as a fragment or an image, or fields of its own."""

    item: ItemRef | None = None
    fields: Annotated[dict[Name, str], Meta(max_length=50)] = {}


_TITLE = Field("title", FieldType.TEXT, "Its heading.", localised=True, by_channel=True, chars_max=200)
_IMAGE = Field("image", FieldType.ITEM, "A picture to it.", kinds=("image",))
_LINK = Field("link", FieldType.TEXT, "Where it leads: an absolute https address.", localised=True, chars_max=2_000)
_PURPOSE = Field("purpose", FieldType.TEXT, "The purpose that people must allow for it.", chars_max=100)
_TOPIC = Field("topic", FieldType.TEXT, "The topic that people can refuse.", chars_max=100)
_SUBJECT = Field("subject", FieldType.TEMPLATE, "The subject of the mail.", localised=True, chars_max=500)
_PREHEADER = Field("preheader", FieldType.TEMPLATE, "What mailboxes show beside it.", localised=True, chars_max=500)
_BLOCKS = Field("blocks", FieldType.BLOCKS, "The body, as a tree of blocks.", localised=True, by_channel=True)
_THEME = Field("theme", FieldType.SHAPE, "Colours, font and width of the mail.", shape=Theme)
_PRINT = Field(PRINT, FieldType.SHAPE, "The sheet that it is printed as; none: it is not printed.", shape=PrintPage)
_TEXT = Field("text", FieldType.TEMPLATE, "The text.", localised=True, by_channel=True)


FRAGMENT = Kind(
    "fragment",
    "A piece that others are put together of.",
    "A footer, a greeting, a paragraph of law: written once, in each locale and for each channel.",
    (_TEXT, _BLOCKS),
)
IMAGE = Kind(
    "image",
    "A picture, with what it shows in words.",
    "`focus_x` and `focus_y` say which part of it must stay when it is cut: 0 is left and top, 1 right and bottom.",
    (
        Field("file", FieldType.ASSET, "The file, by its SHA-256.", required=True, localised=True, by_channel=True),
        Field("alt", FieldType.TEXT, "What it shows.", required=True, localised=True, chars_max=500),
        Field("focus_x", FieldType.NUMBER, "The part that matters, from left.", low=0, high=1),
        Field("focus_y", FieldType.NUMBER, "The part that matters, from top.", low=0, high=1),
        Field("credit", FieldType.TEXT, "Who is to be named with it.", chars_max=200),
        _PRINT,
    ),
)
DOCUMENT = Kind(
    "document",
    "A file to be read or downloaded.",
    "Terms, a manual, a catalogue.",
    (
        Field("file", FieldType.ASSET, "The file, by its SHA-256.", required=True, localised=True),
        Field("title", FieldType.TEXT, "What it is called.", required=True, localised=True, chars_max=200),
        Field("summary", FieldType.TEXT, "What is in it.", localised=True, chars_max=2_000),
        _PRINT,
    ),
)
OFFER = Kind(
    "offer",
    "What somebody may have, and on which terms.",
    """How long it is good is the validity that every item has (`valid_from`, `valid_to`), and `valid_days` from the
day on which somebody got it, whichever ends first. All channels look it up in the version that is published.""",
    (
        Field("value", FieldType.SHAPE, "What it is worth.", required=True, shape=terms.Value),
        Field("title", FieldType.TEXT, "Its heading.", required=True, localised=True, by_channel=True, chars_max=200),
        Field("terms", FieldType.TEXT, "The small print.", localised=True),
        _IMAGE,
        _LINK,
        Field("valid_days", FieldType.WHOLE, "For how many days it is good once somebody has it.", low=1, high=3_660),
        Field("stock", FieldType.WHOLE, "How many there are; none: as many as are wanted.", low=0, high=1e9),
        Field("budget", FieldType.MONEY, "What all redemptions together may cost."),
        Field(
            "low_water",
            FieldType.WHOLE,
            "How few may be left before somebody is told; none: a twentieth.",
            low=0,
            high=1e9,
        ),
        Field("codes", FieldType.SHAPE, "What people show to redeem it; none: nothing.", shape=terms.Codes),
        Field("eligibility", FieldType.EXPRESSION, "Who may have it, as the text of a segment; none: everybody."),
        Field(
            "redemptions_per_person",
            FieldType.WHOLE,
            "How often one person may redeem it; none: once, 0: as often as they like.",
            low=0,
            high=1e9,
        ),
        Field(
            "placements",
            FieldType.SHAPE,
            "What it looks like where: a representation for each placement.",
            shape=Annotated[dict[Name, Representation], Meta(max_length=100)],
        ),
        Field("fallback", FieldType.ITEM, "The offer to show to whom this one can't be given.", kinds=("offer",)),
        _PURPOSE,
        _TOPIC,
    ),
)
CODE_POOL = Kind(
    "code_pool",
    "A store of codes, each given once.",
    "What a pool is like; its codes are no content, and are loaded into it apart.",
    (
        Field("purpose", FieldType.TEXT, "What the codes are for.", chars_max=500),
        Field(
            "low_water",
            FieldType.WHOLE,
            "How few may be left before somebody is told; none: a twentieth.",
            low=0,
            high=1e9,
        ),
    ),
)
NEWS = Kind(
    "news",
    "Something that happened.",
    "For feeds, pages and apps. `shown_from` is the day under which it is shown.",
    (
        Field("title", FieldType.TEXT, "Its heading.", required=True, localised=True, by_channel=True, chars_max=200),
        Field("summary", FieldType.TEMPLATE, "In a few words.", localised=True, by_channel=True, chars_max=2_000),
        _TEXT,
        _IMAGE,
        _LINK,
        Field("shown_from", FieldType.INSTANT, "Its day."),
        _TOPIC,
    ),
)
TEMPLATE = Kind(
    "template",
    "A layout that campaigns fill.",
    "E-mail as `blocks`, everything else as `text`; both in the language of templates.",
    (_SUBJECT, _PREHEADER, _BLOCKS, _THEME, _TEXT),
)
CAMPAIGN = Kind(
    "campaign",
    "What one message says, on all its channels.",
    "To whom it goes and when is no content; whoever sends it keeps to the version that it was planned with.",
    (
        _SUBJECT,
        _PREHEADER,
        _TITLE,
        _BLOCKS,
        _THEME,
        _TEXT,
        _IMAGE,
        _LINK,
        Field("display", FieldType.SHAPE, "How it is shown within pages and applications.", shape=Display),
        Field("template", FieldType.ITEM, "The layout that has what it lacks itself.", kinds=("template",)),
        Field("offers", FieldType.ITEM, "What it offers.", many=True, kinds=("offer",)),
        _PURPOSE,
        _TOPIC,
    ),
)

KINDS: Mapping[str, Kind] = {
    each.name: each for each in (FRAGMENT, IMAGE, DOCUMENT, OFFER, CODE_POOL, NEWS, TEMPLATE, CAMPAIGN)
}
"""Every kind by its name."""


def kind_of(name: str, place: str = "") -> Kind:
    """A kind by its name. Raises CourtesyError(NOT_FOUND)."""
    found = KINDS.get(name)
    if found is None:
        hint = nearest(name, KINDS) or f"the kinds are {', '.join(KINDS)}"
        raise CourtesyError(Code.NOT_FOUND, f"there is no kind of content {name!r:.60}", hint=hint, place=place)
    return found


def schema_of(kind: Kind) -> dict[str, Any]:
    """A JSON Schema (2020-12) of the fields of a kind, as they are stored."""
    definitions: dict[str, Any] = {}
    schema = _schema(kind, "#/$defs/{name}", definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": definitions}


def content_schemas(ref_template: str) -> dict[str, Any]:
    """A schema of the fields of each kind, under `content_<kind>`, with whatever these refer to beside them."""
    definitions: dict[str, Any] = {}
    return {f"content_{name}": _schema(kind, ref_template, definitions) for name, kind in KINDS.items()} | definitions


def _schema(kind: Kind, ref_template: str, definitions: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": kind.name,
        "description": kind.summary,
        "type": "object",
        "properties": {each.name: _property(each, ref_template, definitions) for each in kind.fields},
        "additionalProperties": False,
    }


def _property(field: Field, ref_template: str, definitions: dict[str, Any]) -> dict[str, Any]:
    (schema,), found = msgspec.json.schema_components((field.content_type,), ref_template=ref_template)
    definitions.update(found)
    if field.has_variants:
        schema = {"type": "object", "additionalProperties": schema}
    return {**schema, "description": field.doc}
