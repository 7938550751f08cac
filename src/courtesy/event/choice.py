"""A choice: what somebody allowed, refused or wished, for what, since when, and how we know."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from courtesy.base.ids import effect_key
from courtesy.base.time import from_iso

ANY = "*"
"""In a scope: whatever it may be."""

PURPOSE_CHARS_MAX = 100
Word = Annotated[str, Meta(min_length=1, max_length=PURPOSE_CHARS_MAX, pattern=r"^[^\s\x00]([^\x00]*[^\s\x00])?$")]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Note = Annotated[str, Meta(max_length=200)]
Place = Annotated[str, Meta(pattern=r"^(\*|[A-Z]{2}(-[A-Z0-9]{1,3})?)$")]
"""`*`, a country (ISO 3166-1, or `EU` for the European Economic Area), or a part of one (ISO 3166-2)."""

RESTRICTION = "restriction"
"""The purpose of a SET by which somebody has their data kept and nothing else done with it, true or false; reserved."""

CHOICES_MAX = 50
STRINGS_MAX = 4
"""Consent strings in one call: a GPP string with all of its sections makes some 150 choices."""

WORDING_CHARS_MAX = 10_000
VALUE_BYTES_MAX = 1_024
INSTANT_MAX = 2**42
"""The year 2109."""

HEALTH = frozenset({"health", "medical", "medicine", "diagnosis", "illness", "hiv"})


class Action(StrEnum):
    """What a choice does.

    GRANT allows. WITHDRAW takes back what was allowed, OBJECT refuses what needs no allowance. SET states a preference:
    a like, a dislike, a wish. EXPIRE ends what was allowed without a refusal. CORRECT takes an earlier choice out of
    account, as never made. SIGNAL is what a device or browser says by itself, such as Global Privacy Control.
    """

    GRANT = "grant"
    WITHDRAW = "withdraw"
    OBJECT = "object"
    SET = "set"
    EXPIRE = "expire"
    CORRECT = "correct"
    SIGNAL = "signal"


class Basis(StrEnum):
    """On what a GRANT rests."""

    CONSENT = "consent"
    SOFT_OPT_IN = "soft_opt_in"
    PURCHASE = "purchase"
    INQUIRY = "inquiry"
    CONTRACT = "contract"
    LEGITIMATE_INTEREST = "legitimate_interest"
    LEGAL_OBLIGATION = "legal_obligation"


class Scope(NamedTuple):
    """For what a choice counts: each part is a word, or `*` for any.

    `jurisdiction` is a country or a part of one (`DE`, `US-CA`), or a union of them (`EU`): a choice made under one law
    says nothing under another.
    """

    purpose: str
    channel: str = ANY
    topic: str = ANY
    brand: str = ANY
    jurisdiction: str = ANY

    def is_within(self, other: Scope) -> bool:
        """Whether all that this one is about, the other is about as well."""
        return all(theirs in (ANY, own) for own, theirs in zip(self, other, strict=True))


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """How it can be shown that somebody chose.

    `notice`, `form`: SHA-256 of the wording and of the form as they were shown; the bytes are kept under these names.
    `network`: the address, cut to its first part. `affirmative`: by an act of their own, so no box that was ticked
    already. `double_opt_in`: confirmed by a second message. `own_sale`, `similar_goods` and `refusal_offered` are what
    a soft opt-in takes: the address came with a sale of our own, for goods like these, and refusing was easy then.
    `message`: SHA-256 of what they wrote, when they chose by a message. `signal`: SHA-256 of the consent string that
    said it; its bytes are kept as those of notices are.
    """

    notice: Digest | None = None
    form: Digest | None = None
    locale: Annotated[str, Meta(max_length=35)] | None = None
    network: Annotated[str, Meta(max_length=45)] | None = None
    agent: Digest | None = None
    affirmative: bool | None = None
    double_opt_in: bool | None = None
    own_sale: bool | None = None
    similar_goods: bool | None = None
    refusal_offered: bool | None = None
    message: Digest | None = None
    signal: Digest | None = None


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of the ledger, as it lies in an event's payload.

    It holds from `held_from` to `held_to` (ms UTC; None: until further notice); the event's arrival says since when we
    know. `value` is what a SET sets, and what a SIGNAL says (true or false). `corrects` is the id of the choice that a
    CORRECT is about. `method`, `actor` and `request` say how it came in, through whom, and on which occasion; `policy`
    is the version of the policy that was shown.
    """

    action: Action
    purpose: str = ANY
    channel: str = ANY
    topic: str = ANY
    brand: str = ANY
    jurisdiction: str = ANY
    held_from: int = 0
    held_to: int | None = None
    value: Any = None
    basis: Basis | None = None
    policy: str | None = None
    corrects: str | None = None
    method: str | None = None
    actor: str | None = None
    request: str | None = None
    evidence: Evidence | None = None

    @property
    def scope(self) -> Scope:
        """For what it counts."""
        return Scope(self.purpose, self.channel, self.topic, self.brand, self.jurisdiction)


class ToldChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A choice as a client sends it: as `Choice`, with instants in ISO 8601 or ms. `heldFrom`: the event's own time
    unless it is said. `wording` is the notice that was shown, in full: its SHA-256 becomes the evidence's `notice`.

    Or, instead of a choice, a consent string in `tcf` or `gpp`, to be read for a `vendor`.
    """

    action: Action | UnsetType = UNSET
    purpose: Word | UnsetType = UNSET
    channel: Word = ANY
    topic: Word = ANY
    brand: Word = ANY
    jurisdiction: Place = ANY
    held_from: str | int | None = None
    held_to: str | int | None = None
    value: Any = None
    basis: Basis | None = None
    policy: Note | None = None
    corrects: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    method: Note | None = None
    actor: Note | None = None
    request: Note | None = None
    evidence: Evidence | None = None
    wording: Annotated[str, Meta(min_length=1, max_length=WORDING_CHARS_MAX)] | None = None
    tcf: str | None = None
    gpp: str | None = None
    vendor: Annotated[int, Meta(ge=1, le=65_535)] | None = None

    @property
    def is_string(self) -> bool:
        """Whether it is a consent string instead of a choice."""
        return self.tcf is not None or self.gpp is not None


class ToldString(NamedTuple):
    """A consent string that stood in the place of a choice, as a mapping of its members, and which place that was."""

    members: dict[str, Any]
    place: str


class Told(NamedTuple):
    """What a client tells: choices, consent strings that are still to be read, and wordings that are to be kept."""

    choices: tuple[Choice, ...]
    strings: tuple[ToldString, ...] = ()
    wordings: tuple[bytes, ...] = ()


_TOLD = msgspec.json.Decoder(list[ToldChoice])


def is_purpose(text: str) -> bool:
    """Whether a choice may name it as its purpose."""
    try:
        return msgspec.convert(text, Word).casefold() not in HEALTH
    except msgspec.ValidationError:
        return False


def read_choices(content: bytes, at_ms: int) -> Told:
    """What a client tells in an event of that time. Raises ValueError, saying which choice and what is wrong."""
    told = _TOLD.decode(content)
    if not 1 <= len(told) <= CHOICES_MAX:
        raise ValueError(f"expected 1 to {CHOICES_MAX} choices, got {len(told)}")
    strings = [_read_string(number, each) for number, each in enumerate(told) if each.is_string]
    if len(strings) > STRINGS_MAX:
        raise ValueError(f"expected at most {STRINGS_MAX} consent strings, got {len(strings)}")
    choices = tuple(_read(number, each, at_ms) for number, each in enumerate(told) if not each.is_string)
    wordings = {each.wording: None for each in told if each.wording is not None}
    return Told(choices, tuple(strings), tuple(each.encode("utf-8", "surrogatepass") for each in wordings))


_STRING_ONLY = ToldChoice()


def _read_string(number: int, told: ToldChoice) -> ToldString:
    where = f"choices[{number}]"
    members = {"tcf": told.tcf, "gpp": told.gpp, "vendor": told.vendor}
    if msgspec.structs.replace(told, tcf=None, gpp=None, vendor=None) != _STRING_ONLY:
        raise ValueError(f"{where}: expected nothing but `vendor` beside a consent string, which says the rest itself")
    if told.tcf is not None and told.gpp is not None:
        raise ValueError(f"{where}: expected `tcf` or `gpp`, got both")
    if not (told.tcf or told.gpp or "").strip():
        raise ValueError(f"{where}: expected a consent string, got an empty text")
    return ToldString(members, where)


def choice_id(key: bytes, ordinal: int) -> str:
    """The id of a choice: of the message that told it, and its place there. 32 hexadecimal digits."""
    return effect_key(key, f"choice/{ordinal}").hex()


def _read(number: int, told: ToldChoice, at_ms: int) -> Choice:
    where = f"choices[{number}]"
    begins = _instant(told.held_from, f"{where}.heldFrom")
    held_from = at_ms if begins is None else begins
    held_to = _instant(told.held_to, f"{where}.heldTo")
    wrong = _wrong_with(told) or ("" if held_to is None or held_to > held_from else "heldTo lies before heldFrom")
    if wrong:
        raise ValueError(f"{where}: {wrong}")
    fields = {name: getattr(told, name) for name in Choice.__struct_fields__}
    purpose = ANY if told.purpose is UNSET else told.purpose
    stated = {"purpose": purpose, "held_from": held_from, "held_to": held_to, "evidence": _evidence(told)}
    return Choice(**{**fields, **stated})


def _evidence(told: ToldChoice) -> Evidence | None:
    if told.wording is None:
        return told.evidence
    notice = sha256(told.wording.encode("utf-8", "surrogatepass")).hexdigest()
    return msgspec.structs.replace(told.evidence or Evidence(), notice=notice)


def _instant(value: str | int | None, where: str) -> int | None:
    if value is None:
        return None
    at_ms = from_iso(value) if isinstance(value, str) else value
    if at_ms is None or not 0 <= at_ms < INSTANT_MAX:
        raise ValueError(f"expected an instant since 1970 in ISO 8601 or ms at {where}, got {value!r:.40}")
    return at_ms


def _wrong_with(told: ToldChoice) -> str:
    """What makes no sense in a choice; empty when nothing does."""
    if told.action is UNSET:
        return "expected an action, or a consent string in `tcf` or `gpp`"
    if told.vendor is not None:
        return "`vendor` is only for consent strings"
    if told.wording is not None and told.evidence is not None and told.evidence.notice is not None:
        return "expected `wording` or the `notice` of the evidence, got both"
    if told.action is Action.CORRECT:
        return "" if told.corrects is not None else "expected `corrects`, the id of the choice that was never made"
    if told.corrects is not None:
        return "`corrects` is only for the action correct"
    if told.purpose is UNSET:
        return "expected a purpose, or * for any"
    if {part.casefold() for part in (told.purpose, told.topic)} & HEALTH:
        return "health is no purpose or topic here: what the law asks for it is more than this ledger shows"
    if told.purpose == RESTRICTION:
        return _wrong_with_restriction(told)
    if told.action is Action.SET:
        return _wrong_with_value(told.value)
    if told.action is Action.SIGNAL:
        return "" if isinstance(told.value, bool) else "expected the value true or false of a signal"
    if told.value is not None:
        return "`value` is only for the actions set and signal"
    return _wrong_with_grant(told) if told.action is Action.GRANT else ""


def _wrong_with_restriction(told: ToldChoice) -> str:
    if told.action is not Action.SET or not isinstance(told.value, bool):
        return "a restriction is set, to true or false"
    is_whole = (told.channel, told.topic, told.brand, told.jurisdiction) == (ANY, ANY, ANY, ANY)
    return "" if is_whole else "a restriction is of everything: it has no channel, topic, brand or jurisdiction"


def _wrong_with_value(value: Any) -> str:
    if value is None:
        return "expected a value to set"
    size = len(msgspec.json.encode(value))
    return "" if size <= VALUE_BYTES_MAX else f"expected a value of at most {VALUE_BYTES_MAX} bytes, got {size}"


def _wrong_with_grant(told: ToldChoice) -> str:
    shown = told.evidence or Evidence()
    if told.basis in (None, Basis.CONSENT) and shown.affirmative is False:
        return "consent takes an act of the person's own: a box that was ticked already is none"
    if told.basis is Basis.SOFT_OPT_IN and not (shown.own_sale and shown.similar_goods and shown.refusal_offered):
        return "a soft opt-in takes evidence that own_sale, similar_goods and refusal_offered are all true"
    return ""
