"""What an item of content is: a kind with declared fields, and a body with a value for some of them.

A field that is localised or varies by channel holds *variants*: an object whose keys are `default`, a locale (`de-CH`),
a channel (`@sms`), or both (`de@sms`). Everything else holds its value as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import from_iso
from courtesy.content.locales import parent
from courtesy.offer.terms import Money

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,99}$"
"""Names are file names and parts of paths, also where capitals make no difference; a dot parts the name of an item from
that of its field in files."""

CHANNELS = ("email", "sms", "push", "web_push", "in_app", "web", "webhook", "print", "social", "till")
"""What content may be written for."""

DEFAULT = "default"
TITLE_CHARS_MAX = 200
FIELDS_BYTES_MAX = 512 * 1024
WHOLE_MAX = 10**9

LOCALE_PATTERN = r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?"
_VARIANT = re.compile(rf"(?:{DEFAULT}|(?P<locale>{LOCALE_PATTERN}))?(?:@(?P<channel>[a-z_]+))?")

Word = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*\S[^\x00]*$")]
Instant = Annotated[str, Meta(min_length=10, max_length=40)]


Locale = Annotated[str, Meta(pattern=f"^{LOCALE_PATTERN}$")]


class ItemKey(NamedTuple):
    """Which item: `offer/spring-10`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def key_of(text: str, place: str = "") -> ItemKey:
    """The key that `kind/name` names. Raises CourtesyError(INVALID)."""
    kind, slash, name = text.partition("/")
    if not slash or not re.match(NAME_PATTERN, kind) or not re.match(NAME_PATTERN, name):
        raise CourtesyError(
            Code.INVALID,
            f"expected an item as kind/name, got {text!r:.120}",
            hint="such as fragment/footer; names have lower case letters, digits, - and _",
            place=place,
        )
    return ItemKey(kind, name)


class FieldType(StrEnum):
    """What a field holds. `template` is text in the language of templates, `shape` one that the field declares."""

    TEXT = "text"
    TEMPLATE = "template"
    BLOCKS = "blocks"
    NUMBER = "number"
    WHOLE = "whole number"
    MONEY = "money"
    INSTANT = "date-time"
    BOOLEAN = "boolean"
    ASSET = "asset"
    ITEM = "item"
    EXPRESSION = "expression"
    SHAPE = "shape"


_TYPES: Mapping[FieldType, Any] = {
    FieldType.TEXT: str,
    FieldType.TEMPLATE: str,
    FieldType.BLOCKS: list[dict[str, Any]],
    FieldType.NUMBER: float,
    FieldType.WHOLE: int,
    FieldType.MONEY: Money,
    FieldType.INSTANT: Instant,
    FieldType.BOOLEAN: bool,
    FieldType.ASSET: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")],
    FieldType.ITEM: Annotated[str, Meta(max_length=201)],
    FieldType.EXPRESSION: Annotated[str, Meta(max_length=20_000)],
}
_CHARS_MAX = {FieldType.TEXT: 10_000, FieldType.TEMPLATE: 200_000}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a kind. `required`: nothing is published without it. `many`: it holds a list. `kinds`: of which kinds
    an item that it refers to may be. `shape`: the type that it holds, for the type `shape`. `low` and `high`: bounds of
    a number. `chars_max`: of a text, where less than usual is asked for."""

    name: str
    type: FieldType
    doc: str
    required: bool = False
    localised: bool = False
    by_channel: bool = False
    many: bool = False
    chars_max: int | None = None
    kinds: tuple[str, ...] = ()
    shape: Any = None
    low: float | None = None
    high: float | None = None

    @property
    def has_variants(self) -> bool:
        """Whether it holds one value for each of several locales or channels."""
        return self.localised or self.by_channel

    @property
    def content_type(self) -> Any:
        """The type of one value, as msgspec knows it, with its limits."""
        if self.type is FieldType.SHAPE:
            return self.shape
        type_ = _TYPES[self.type]
        if self.type in _CHARS_MAX:
            type_ = Annotated[str, Meta(max_length=self.chars_max or _CHARS_MAX[self.type], pattern=r"^[^\x00]*$")]
        elif self.type is FieldType.NUMBER:
            type_ = Annotated[float, Meta(ge=self.low, le=self.high)]
        elif self.type is FieldType.WHOLE:
            type_ = Annotated[int, Meta(ge=int(self.low or 0), le=WHOLE_MAX if self.high is None else int(self.high))]
        return Annotated[list[type_], Meta(max_length=200)] if self.many else type_  # type: ignore[valid-type]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of item: what it is, and its fields."""

    name: str
    summary: str
    doc: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field of a name; None when there is none."""
        return next((each for each in self.fields if each.name == name), None)


class Rights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whose it is, under which licence, and until when it may be used (ISO 8601)."""

    holder: Word
    licence: Annotated[str, Meta(max_length=200)] = ""
    expires: Instant | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an item says. `title` is for those who work with it, `owner` is who answers for it. `language`: that of
    what stands under `default`. It may be shown from `valid_from` until before `valid_to` (ISO 8601)."""

    title: Annotated[str, Meta(max_length=TITLE_CHARS_MAX)] = ""
    fields: dict[str, Any] = {}
    tags: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    owner: Annotated[str, Meta(max_length=100)] = ""
    language: Locale = "en"
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    rights: Rights | None = None


class Variant(NamedTuple):
    """For whom a value is: everybody, or those of a locale, on a channel."""

    locale: str | None
    channel: str | None

    def __str__(self) -> str:
        at = "" if self.channel is None else f"@{self.channel}"
        return f"{self.locale or ''}{at}" or DEFAULT


def variant_of(key: str) -> Variant | None:
    """What the key of a variant means; None for what is none."""
    match = _VARIANT.fullmatch(key) if key else None
    if match is None or match["channel"] not in (None, *CHANNELS):
        return None
    return Variant(match["locale"], match["channel"])


class Value(NamedTuple):
    """One value of a body, with its field and for whom it is. `place` leads to it in the body."""

    field: Field
    variant: Variant
    content: Any
    place: str


def values(kind: Kind, body: Body) -> Iterator[Value]:
    """Every value of a sound body, in the order in which the kind declares its fields."""
    for field in kind.fields:
        if field.name not in body.fields:
            continue
        given, place = body.fields[field.name], f"fields.{field.name}"
        if not field.has_variants:
            yield Value(field, Variant(None, None), given, place)
            continue
        for key in sorted(given):
            variant = variant_of(key)
            assert variant is not None, "a sound body has no other keys"
            yield Value(field, variant, given[key], f"{place}.{key}")


def checked(kind: Kind, body: Body) -> Body:
    """The body, when each of its values is of the type that its field declares; what is missing is no concern here.

    Raises CourtesyError(INVALID) for the first thing wrong, with the nearest valid name; TOO_LARGE when it has more
    than FIELDS_BYTES_MAX bytes.
    """
    for name, given in body.fields.items():
        field = kind.field(name)
        if field is None:
            known = [each.name for each in kind.fields]
            hint = nearest(name, known) or f"its fields are {', '.join(known)}"
            raise CourtesyError(
                Code.INVALID, f"the kind {kind.name} has no field {name!r:.60}", hint=hint, place="fields"
            )
        _check_field(field, given, f"fields.{name}")
    for place, instant in _instants(body):
        if from_iso(instant) is None:
            raise CourtesyError(Code.INVALID, f"expected an ISO 8601 instant, got {instant!r}", place=place)
    size = len(msgspec.json.encode(body.fields))
    if size > FIELDS_BYTES_MAX:
        raise CourtesyError(Code.TOO_LARGE, f"expected at most {FIELDS_BYTES_MAX} bytes, got {size}", place="fields")
    return body


def _instants(body: Body) -> Iterator[tuple[str, str]]:
    expires = None if body.rights is None else body.rights.expires
    for place, instant in (
        ("valid_from", body.valid_from),
        ("valid_to", body.valid_to),
        ("rights.expires", expires),
    ):
        if instant is not None:
            yield place, instant


def _check_field(field: Field, given: Any, place: str) -> None:
    if not field.has_variants:
        _check_value(field, given, place)
        return
    if not isinstance(given, dict):
        hint = f'such as {{"{DEFAULT}": …}}'
        raise CourtesyError(Code.INVALID, "expected an object with a value for each variant", hint=hint, place=place)
    for key, each in given.items():
        _check_variant(field, key, place)
        _check_value(field, each, f"{place}.{key}")


def _check_variant(field: Field, key: str, place: str) -> None:
    variant = variant_of(key)
    if variant is None or str(variant) != key:
        hint = nearest(key.rpartition("@")[2], CHANNELS) if "@" in key else "such as default, de, de-CH, @sms or de@sms"
        raise CourtesyError(Code.INVALID, f"expected a locale or a channel, got {key!r:.60}", hint=hint, place=place)
    if variant.locale and not field.localised:
        raise CourtesyError(Code.INVALID, "the field is the same in all locales", place=f"{place}.{key}")
    if variant.channel and not field.by_channel:
        raise CourtesyError(Code.INVALID, "the field is the same on all channels", place=f"{place}.{key}")


def _check_value(field: Field, given: Any, place: str) -> None:
    try:
        msgspec.convert(given, field.content_type)
    except msgspec.ValidationError as error:
        message, _, inside = str(error).partition(" - at `$")
        raise CourtesyError(Code.INVALID, message, place=place + inside.rstrip("`")) from None
    each = given if field.many else (given,)
    if field.type is FieldType.INSTANT and any(from_iso(one) is None for one in each):
        raise CourtesyError(Code.INVALID, f"expected an ISO 8601 instant, got {given!r:.60}", place=place)
    if field.type is FieldType.ITEM:
        for one in each:
            _check_reference(field, one, place)


def _check_reference(field: Field, text: str, place: str) -> None:
    kind = key_of(text, place).kind
    if field.kinds and kind not in field.kinds:
        expected = " or ".join(field.kinds)
        raise CourtesyError(Code.INVALID, f"expected an item of the kind {expected}, got {text!r}", place=place)


def fallback(locale: str) -> tuple[str, ...]:
    """The locale and those that stand in for it by CLDR: `de-CH`, `de`."""
    found: list[str] = []
    at: str | None = locale
    while at is not None and at not in found:
        found.append(at)
        at = parent(at)
    return tuple(found)


def chosen(variants: Mapping[str, Any], locale: str = "", channel: str = "") -> tuple[Any, str] | None:
    """Of a field's variants the best for a locale and a channel, with the key that it stands under; None when there is
    none for them.

    The language goes before the channel: a text that is long for its channel is read, one in a foreign language is not.
    """
    for one in (*(fallback(locale) if locale else ()), ""):
        for key in (f"{one}@{channel}" if channel else "", one or DEFAULT):
            if key in variants:
                return variants[key], key
    return None


def resolved(kind: Kind, body: Body, locale: str = "", channel: str = "") -> dict[str, Any]:
    """Every field as somebody of a locale sees it on a channel; without those that have nothing for them."""
    found: dict[str, Any] = {}
    for name, given in body.fields.items():
        field = kind.field(name)
        if field is not None and field.has_variants:
            best = chosen(given, locale, channel)
            if best is not None:
                found[name] = best[0]
        else:
            found[name] = given
    return found


def locales(kind: Kind, body: Body) -> frozenset[str]:
    """The locales for which a body says something, `default` among them."""
    return frozenset(each.variant.locale or DEFAULT for each in values(kind, body)) | {DEFAULT}


_INCLUDED = re.compile(r"{%[-+]?\s*include\s+[\"']([a-z0-9][a-z0-9_-]{0,99})[\"']")
FRAGMENT, POOL, POOL_NAME = "fragment", "code_pool", "pool"


def references(kind: Kind, body: Body) -> frozenset[ItemKey]:
    """Every item that a body stands on: by its fields, in its shapes and blocks, and in what its templates include."""
    return frozenset(key for each in values(kind, body) for key in _referred(each))


def _referred(value: Value) -> Iterator[ItemKey]:
    match value.field.type:
        case FieldType.ITEM:
            for text in value.content if value.field.many else (value.content,):
                yield key_of(text)
        case FieldType.TEMPLATE:
            yield from _included(value.content)
        case FieldType.BLOCKS:
            yield from _in_blocks(value.content)
        case FieldType.SHAPE:
            yield from _in_shape(value.content)
        case _:
            return


def _included(text: str) -> Iterator[ItemKey]:
    """Templates include fragments, by their names."""
    return (ItemKey(FRAGMENT, name) for name in _INCLUDED.findall(text))


def _in_blocks(node: Any) -> Iterator[ItemKey]:
    """Blocks of the type `fragment` name one, and all their texts are templates."""
    if isinstance(node, dict):
        name = node.get("name")
        if node.get("type") == FRAGMENT and isinstance(name, str) and re.match(NAME_PATTERN, name):
            yield ItemKey(FRAGMENT, name)
        for each in node.values():
            yield from _in_blocks(each)
    elif isinstance(node, list):
        for each in node:
            yield from _in_blocks(each)
    elif isinstance(node, str):
        yield from _included(node)


def _in_shape(node: Any) -> Iterator[ItemKey]:
    """Shapes refer by `item` to one of any kind, and by `pool` to one by its name."""
    if not isinstance(node, dict):
        return
    for name, each in node.items():
        if name == "item" and isinstance(each, str):
            yield key_of(each)
        elif name == POOL_NAME and isinstance(each, str):
            yield ItemKey(POOL, each)
        else:
            yield from _in_shape(each)


def differences(one: Body, other: Body) -> list[str]:
    """The places in which two bodies differ, in order: `title`, `fields.text.de`."""
    ours, theirs = _places(one), _places(other)
    return sorted(place for place in ours.keys() | theirs.keys() if ours.get(place) != theirs.get(place))


def _places(body: Body) -> dict[str, Any]:
    found = msgspec.to_builtins(body)
    for name, given in found.pop("fields", {}).items():
        is_split = isinstance(given, dict) and given and all(variant_of(key) for key in given)
        parts = given.items() if is_split else ((None, given),)
        found.update((f"fields.{name}" if key is None else f"fields.{name}.{key}", each) for key, each in parts)
    return dict(found)
