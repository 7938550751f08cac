"""Accept: the named steps that turn one received call into an event to be resolved and stored, or into a refusal.

Each step reads the draft and writes its own fields; the first refusal ends the list. Nothing here knows of people:
what could identify comes out as `Claim`s, and finding out whom they point to is `identity`'s part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import SourceId, message_key
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, from_iso, to_iso
from courtesy.event.call import EMPTY, NO_CONTEXT, Call, Context, Scalar
from courtesy.event.cause import Cause, Refusal
from courtesy.event.choice import Choice, ToldString, read_choices
from courtesy.event.event import OVERWRITE_RANK, Event, EventType, Party
from courtesy.event.hearsay import CONSENT_UPDATED, Hearsay, categories_of, strings_of
from courtesy.event.held import Circumstances, encode_circumstances

EVENT_BYTES_MAX = 32 * 1024
BATCH_BYTES_MAX = 500 * 1024
BATCH_EVENTS_MAX = 2_500
MESSAGE_ID_CHARS_MAX = 100
NAME_CHARS_MAX = 200
DEPTH_MAX = 64
FUTURE_MS_MAX = DAY_MS

HINT_CHARS_MAX = 64

NO_HINTS: tuple[tuple[str, str], ...] = ()
NO_IDS: tuple[str, ...] = ()
"""Of an event before it is resolved."""
_CALL_TYPES = {kind.value: kind for kind in EventType if kind is not EventType.SYSTEM}


class Claim(NamedTuple):
    """An identifier as a call states it: kind and raw value, not yet normalised or trusted.

    `hints`: of a phone number without a country code, what the call says of its country; name and text, as sent.
    """

    kind: str
    value: Any
    hints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """What accept needs to know of the source that sent a call.

    `consent_purposes`: which purposes the categories of `context.consent` mean, empty for one that is not recorded.
    `consent_vendor`: for which vendor consent strings are read that name none.
    """

    source: SourceId
    party: Party = Party.FIRST
    rank: int = 30
    paused: bool = False
    consent_categories: tuple[str, ...] = ()
    traits_identify: bool = True
    country: str = ""
    consent_purposes: Mapping[str, str] = field(default_factory=dict, hash=False)
    consent_vendor: int | None = None


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A call that passed: its event without identifiers (`ids` is empty until resolved), and what it claims to be.

    `heard`: what it says of consent, if anything, of which some may be news. `wordings`: what was shown to somebody who
    chose, to be kept.
    """

    event: Event
    key: bytes
    claims: tuple[Claim, ...]
    previous: tuple[Claim, ...]
    raw: bytes
    heard: Hearsay | None = None
    wordings: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A call that did not pass. `raw` is the item as it came, so that it can be mended and replayed; `circumstances`
    what came beside it."""

    cause: Cause
    detail: str
    raw: bytes
    message_id: str | None = None
    circumstances: bytes = b""


class Draft(msgspec.Struct, gc=False):
    """One call on its way through the steps. (Like `Accepted` a Struct because one is made 5 times faster.)

    The first fields are given: the item as it came, and what its batch says for all its items. `fallback_id` makes a
    message id for an item that has none; `forced_type` is what the path of the request says. `gpc`: it came with the
    header `Sec-GPC: 1`.
    """

    raw: bytes
    policy: SourcePolicy
    received_ms: int
    batch_sent_at: Scalar
    fallback_id: Callable[[bytes], str]
    forced_type: EventType | None
    live: bool
    batch_context: msgspec.Raw = EMPTY
    batch_integrations: msgspec.Raw = EMPTY
    gpc: bool = False
    call: Call = Call()
    many_brackets: bool = False
    type: EventType = EventType.TRACK
    message_id: str = ""
    name: str | None = None
    group: str | None = None
    at: int = 0
    sent: int | None = None
    original: int | None = None
    properties: msgspec.Raw = EMPTY
    traits: msgspec.Raw = EMPTY
    known_traits: Mapping[str, Any] = {}
    context: Context = NO_CONTEXT
    context_raw: msgspec.Raw = EMPTY
    context_traits: Mapping[str, Any] = {}
    opted_out: bool = False
    choices: tuple[Choice, ...] = ()
    told_strings: tuple[ToldString, ...] = ()
    wordings: tuple[bytes, ...] = ()
    heard: Hearsay | None = None
    claims: list[Claim] = []
    previous: list[Claim] = []


_CALL = msgspec.json.Decoder(Call)
_CONTEXT = msgspec.json.Decoder(Context)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONTEXT_NAMES = frozenset(Context.__struct_encode_fields__)
_NULL = b"null"


def text_of(value: Scalar) -> str | None:
    """A protocol value as text; None for absent, null and blank ones. 7 and 7.0 are both `7`."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _decode(draft: Draft) -> None:
    # What the batch says for all its items is stored with each of them, so it counts as part of each.
    size = len(draft.raw)
    if draft.batch_context is not EMPTY:
        size += len(bytes(draft.batch_context))
    if size > EVENT_BYTES_MAX:
        raise Refusal(Cause.TOO_LARGE, f"expected at most {EVENT_BYTES_MAX} bytes, got {size}")
    try:
        draft.call = _CALL.decode(draft.raw)
    except msgspec.ValidationError as error:
        text = str(error)
        cause = Cause.UNREADABLE if text.startswith("Expected `object`") else Cause.WRONG_TYPE
        raise Refusal(cause, text) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Cause.UNREADABLE, str(error)) from None
    except RecursionError:
        raise Refusal(Cause.UNREADABLE, f"nested deeper than {DEPTH_MAX} levels") from None
    draft.many_brackets = _has_many_brackets(draft.raw)


def _has_many_brackets(content: bytes) -> bool:
    """Whether it could be nested too deeply at all."""
    return content.count(b"{") + content.count(b"[") > DEPTH_MAX


def _find_type(draft: Draft) -> None:
    if draft.forced_type is not None:
        draft.type = draft.forced_type
        return
    sent = draft.call.type
    kind = _CALL_TYPES.get(sent or "")
    if kind is None:
        raise Refusal(Cause.UNKNOWN_TYPE, f"expected one of {', '.join(_CALL_TYPES)}, got {sent!r:.60}")
    draft.type = kind


def _depth_of(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return depth


def _read_object(name: str, raw: msgspec.Raw, many_brackets: bool) -> dict[str, Any]:
    """The object, which proves that anyone can decode it later; empty when null."""
    try:
        value = _OBJECT.decode(raw)
    except RecursionError:
        raise Refusal(Cause.UNREADABLE, f"$.{name} is nested deeper than {DEPTH_MAX} levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        content = bytes(raw)
        if content == _NULL:
            return {}
        if content[:1] == b"{":
            raise Refusal(Cause.UNREADABLE, f"$.{name}: {error}") from None
        shown = content[:40].decode(errors="replace")
        raise Refusal(Cause.NOT_AN_OBJECT, f"expected an object at $.{name}, got {shown}") from None
    if many_brackets and _depth_of(value) > DEPTH_MAX:
        raise Refusal(Cause.UNREADABLE, f"$.{name} is nested deeper than {DEPTH_MAX} levels")
    return value


def _read_objects(draft: Draft) -> None:
    call, many = draft.call, draft.many_brackets
    if call.properties is not EMPTY and _read_object("properties", call.properties, many):
        draft.properties = call.properties
    if call.traits is not EMPTY and (traits := _read_object("traits", call.traits, many)):
        draft.traits, draft.known_traits = call.traits, traits
    if call.context is not EMPTY and (context := _read_object("context", call.context, many)):
        draft.context_raw = call.context
        _read_context(draft, context)
    if draft.batch_context is not EMPTY:
        _read_batch_context(draft, draft.batch_context)
    if call.integrations is not EMPTY or draft.batch_integrations is not EMPTY:
        draft.opted_out = _is_opted_out(call.integrations, draft.batch_integrations)


def _read_batch_context(draft: Draft, under: msgspec.Raw) -> None:
    if _read_object("context", under, _has_many_brackets(bytes(under))):
        over = draft.context_raw
        draft.context_raw = under if over is EMPTY else _laid_over(under, over)
        _read_context(draft, _OBJECT.decode(draft.context_raw))


def _laid_over(under: msgspec.Raw, over: msgspec.Raw) -> msgspec.Raw:
    """Two objects as one, field by field; where both have one, that of `over` stands."""
    return msgspec.Raw(msgspec.json.encode({**_PARTS.decode(under), **_PARTS.decode(over)}))


def _read_context(draft: Draft, value: dict[str, Any]) -> None:
    # Most contexts have nothing that is read here, and looking at the names is cheaper than decoding them again.
    if _CONTEXT_NAMES.isdisjoint(value):
        return
    draft.context = _context_of(bytes(draft.context_raw))
    traits = value.get("traits")
    draft.context_traits = traits if isinstance(traits, dict) else {}


def _context_of(content: bytes) -> Context:
    """The context's known part. A part with an unexpected type is treated as absent: it is kept, but not read."""
    try:
        return _CONTEXT.decode(content)
    except msgspec.ValidationError:
        return _CONTEXT.decode(msgspec.json.encode(dict(filter(_is_readable, _PARTS.decode(content).items()))))


def _is_readable(part: tuple[str, msgspec.Raw]) -> bool:
    try:
        _CONTEXT.decode(msgspec.json.encode(dict([part])))
    except msgspec.ValidationError:
        return False
    return True


_OPT_OUT = b'"Courtesy"'


def _is_opted_out(item: msgspec.Raw, batch: msgspec.Raw) -> bool:
    """Whether the item says that Courtesy shall not have it, or says nothing of that and its batch does."""
    for raw in (item, batch):
        # Almost nobody names us, so that almost nothing needs decoding. Who writes the name in escapes is not heard.
        if raw is EMPTY or _OPT_OUT not in (content := bytes(raw)) or content[:1] != b"{":
            continue
        try:
            told = bytes(_PARTS.decode(content).get("Courtesy", EMPTY))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(Cause.UNREADABLE, f"$.integrations: {error}") from None
        if told not in (b"", _NULL):
            return told == b"false"
    return False


def _find_message_id(draft: Draft) -> None:
    sent = text_of(draft.call.message_id)
    if sent is not None and len(sent) > MESSAGE_ID_CHARS_MAX:
        raise Refusal(Cause.MESSAGE_ID_TOO_LONG, f"expected at most {MESSAGE_ID_CHARS_MAX} characters, got {len(sent)}")
    if sent is not None and "\0" in sent:
        raise Refusal(Cause.WRONG_TYPE, "expected a messageId without the character U+0000")
    draft.message_id = sent if sent is not None else draft.fallback_id(draft.raw)


def _find_name(draft: Draft) -> None:
    call = draft.call
    if draft.type is EventType.TRACK:
        draft.name = text_of(call.event)
        if draft.name is None:
            raise Refusal(Cause.NAME_MISSING, "expected an event name at $.event, got nothing")
    elif draft.type in (EventType.PAGE, EventType.SCREEN):
        draft.name = text_of(call.name) or text_of(call.category)
    if draft.name is not None and len(draft.name) > NAME_CHARS_MAX:
        raise Refusal(Cause.NAME_TOO_LONG, f"expected at most {NAME_CHARS_MAX} characters, got {len(draft.name)}")


def _find_group(draft: Draft) -> None:
    if draft.type is EventType.GROUP:
        draft.group = text_of(draft.call.group_id)
        if draft.group is None:
            raise Refusal(Cause.GROUP_ID_MISSING, "expected a group id at $.groupId, got nothing")


_EPOCH_DAY = date(1970, 1, 1).toordinal()
_TIME_CHARS = 40


# A batch states one `sentAt` for all its items, and clients state most times twice.
@lru_cache(maxsize=1_024)
def _ms_of(text: str) -> int | None:
    """What `from_iso` says, in a quarter of the time for the usual form, which is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return from_iso(text)
    if moment.tzinfo is not UTC:
        return from_iso(text)
    return (
        (moment.toordinal() - _EPOCH_DAY) * DAY_MS
        + moment.hour * HOUR_MS
        + moment.minute * MINUTE_MS
        + moment.second * SECOND_MS
        + moment.microsecond // 1_000
    )


def _instant(name: str, value: str | int | float) -> int | None:
    """ms UTC of an ISO 8601 text or a number of seconds or ms; None when empty."""
    if value == "":
        return None
    at: int | None = None
    if isinstance(value, str):
        at = _ms_of(value) if len(value) <= _TIME_CHARS else from_iso(value)
    elif not isinstance(value, bool):
        # Seconds reach 1e11 in the year 5138, milliseconds passed it in 1973.
        at = int(value if abs(value) >= 1e11 else value * 1_000) if abs(value) < 1e15 else None
    if at is None or at < 0:
        raise Refusal(Cause.TIME_UNREADABLE, f"expected a date since 1970 in ISO 8601 at $.{name}, got {value!r:.60}")
    return at


def _find_time(draft: Draft) -> None:
    call = draft.call
    received = draft.received_ms
    sent_at = call.sent_at if call.sent_at is not None else draft.batch_sent_at
    if sent_at is not None:
        draft.sent = _instant("sentAt", sent_at)
    if call.original_timestamp is not None:
        draft.original = _instant("originalTimestamp", call.original_timestamp)
    if call.timestamp is not None:
        stated = _instant("timestamp", call.timestamp)
        if draft.original is None:
            draft.original = stated
    if draft.original is None:
        draft.at = received
    elif draft.sent is None:
        draft.at = draft.original
    else:
        draft.at = received - (draft.sent - draft.original)
    if draft.at > received + FUTURE_MS_MAX:
        ahead_h = (draft.at - received) // 3_600_000
        raise Refusal(Cause.TIME_IN_FUTURE, f"expected a time up to a day ahead of arrival, got {ahead_h} h ahead")
    # What is a little ahead is a clock that is a little wrong: nothing happens before it is heard of.
    draft.at = max(min(draft.at, received), 0)


def _find_choices(draft: Draft) -> None:
    if draft.type is not EventType.CONSENT:
        return
    content = bytes(draft.call.choices)
    if content in (b"", _NULL):
        raise Refusal(Cause.CHOICES_MISSING, "expected a list of choices at $.choices, got nothing")
    try:
        draft.choices, draft.told_strings, draft.wordings = read_choices(content, draft.at)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Refusal(Cause.CHOICE_UNREADABLE, f"$.choices: {error}") from None


def _find_hearsay(draft: Draft) -> None:
    consent = draft.context.consent
    if consent is None and not draft.gpc and not draft.told_strings:
        return
    policy = draft.policy
    told = {} if consent is None else {"tcf": consent.tcf, "gpp": consent.gpp, "vendor": consent.vendor}
    strings = [
        each
        for members, place in (*draft.told_strings, (told, "context.consent"))
        for each in strings_of(members, policy.consent_vendor, place)
    ]
    preferences = (consent.category_preferences if consent is not None else None) or {}
    heard = Hearsay(
        categories_of(preferences, policy.consent_purposes) if preferences else (),
        tuple(strings),
        draft.gpc,
        _is_choice(draft),
    )
    draft.heard = heard or None


def _find_claims(draft: Draft) -> None:
    call, context = draft.call, draft.context
    claims = draft.claims
    if call.user_id is not None:
        claims.append(Claim("user_id", call.user_id))
    for external in context.external_ids or ():
        if external.id is not None and external.type:
            claims.append(Claim(external.type, external.id))
    if draft.policy.traits_identify:
        if draft.known_traits and draft.type is EventType.IDENTIFY:
            claims.extend(_trait_claims(draft, draft.known_traits))
        if draft.context_traits:
            claims.extend(_trait_claims(draft, draft.context_traits))
    if context.device is not None and context.device.id is not None:
        claims.append(Claim("device_id", context.device.id))
    if call.anonymous_id is not None:
        claims.append(Claim("anonymous_id", call.anonymous_id))
    if draft.type is EventType.ALIAS:
        _find_previous(draft)


def _trait_claims(draft: Draft, traits: Mapping[str, Any]) -> list[Claim]:
    stated = ((kind, traits.get(kind)) for kind in ("email", "phone"))
    return [
        Claim(kind, value, _hints(draft, traits) if kind == "phone" and _is_national(value) else NO_HINTS)
        for kind, value in stated
        if isinstance(value, str | int)
    ]


def _is_national(phone: str | int) -> bool:
    return not (isinstance(phone, str) and phone.lstrip().startswith(("+", "＋")))


def _hints(draft: Draft, traits: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a call says of where its person is, by the names of `standard.hints.Hints`. Only few calls need it."""
    context = {} if draft.context_raw is EMPTY else _OBJECT.decode(draft.context_raw)
    address, location = traits.get("address"), context.get("location")
    email = traits.get("email")
    told = {
        "country": traits.get("country"),
        "address_country": address.get("country") if isinstance(address, dict) else None,
        "location_country": location.get("country") if isinstance(location, dict) else None,
        "locale": context.get("locale"),
        # Its end is all that tells of a country; more would make claims that are equal look different.
        "email": f".{email.rpartition('.')[2]}" if isinstance(email, str) else None,
        "source_country": draft.policy.country,
    }
    return tuple(
        (name, text) for name, text in told.items() if isinstance(text, str) and 0 < len(text) <= HINT_CHARS_MAX
    )


def _find_previous(draft: Draft) -> None:
    previous = draft.call.previous_id
    if text_of(previous) is None:
        raise Refusal(Cause.PREVIOUS_ID_MISSING, "expected the old id at $.previousId, got nothing")
    # A previous id may have been a login or an anonymous id; the protocol does not say which.
    draft.previous = [Claim("user_id", previous), Claim("anonymous_id", previous)]


def _check_permission(draft: Draft) -> None:
    policy = draft.policy
    if draft.opted_out:
        raise Refusal(Cause.OPTED_OUT_OF_COURTESY, "integrations.Courtesy is false")
    # What somebody chooses is heard even where the rest of what they do is not.
    if policy.consent_categories and not _is_choice(draft):
        _check_consent(draft.context, policy.consent_categories)
    if policy.paused:
        raise Refusal(Cause.SOURCE_PAUSED, "the source is paused")


def _is_choice(draft: Draft) -> bool:
    """Whether it tells that somebody has chosen just now."""
    return draft.type is EventType.CONSENT or draft.name in CONSENT_UPDATED


def _check_consent(context: Context, categories: tuple[str, ...]) -> None:
    preferences = (context.consent.category_preferences if context.consent else None) or {}
    for category in categories:
        if category not in preferences:
            raise Refusal(Cause.CONSENT_ABSENT, f"context.consent says nothing of {category!r}")
        if preferences[category] is not True:
            raise Refusal(Cause.CONSENT_REFUSED, f"context.consent refuses {category!r}")


STEPS: tuple[tuple[str, Callable[[Draft], None]], ...] = (
    ("decode", _decode),
    ("find_type", _find_type),
    ("read_objects", _read_objects),
    ("find_message_id", _find_message_id),
    ("find_name", _find_name),
    ("find_group", _find_group),
    ("find_time", _find_time),
    ("find_choices", _find_choices),
    ("find_hearsay", _find_hearsay),
    ("find_claims", _find_claims),
    ("check_permission", _check_permission),
)
"""The steps in their order. Whether any claim is usable is known only once identity rules were applied."""

_RUN = tuple(step for _, step in STEPS)


def accept(draft: Draft) -> Accepted | Rejected:
    """Run the steps. Never raises for what a client sent; a refusal carries the raw item."""
    try:
        for step in _RUN:
            step(draft)
    except Refusal as refusal:
        message_id = draft.message_id or _sent_id(draft.call)
        return Rejected(refusal.cause, refusal.detail, draft.raw, message_id, encode_circumstances(_beside(draft)))
    return _finish(draft)


def _beside(draft: Draft) -> Circumstances:
    return Circumstances(
        draft.forced_type, draft.batch_sent_at, draft.batch_context, draft.batch_integrations, draft.live, draft.gpc
    )


def circumstances_of(given: Accepted) -> bytes:
    """What must have come beside a call that passed, for one that is rejected later."""
    event = given.event
    own = _CALL.decode(given.raw)
    return encode_circumstances(
        Circumstances(
            event.type if own.type != event.type else None,
            to_iso(event.sent) if own.sent_at is None and event.sent is not None else None,
            _not_own(event.context, own.context),
            live=event.live,
            gpc=given.heard is not None and given.heard.gpc,
        )
    )


def _not_own(whole: msgspec.Raw, own: msgspec.Raw) -> msgspec.Raw:
    """The members of a context that are not the call's own."""
    if whole is EMPTY or whole == own:
        return EMPTY
    names = _PARTS.decode(own).keys() if own is not EMPTY and bytes(own) != _NULL else ()
    rest = {name: value for name, value in _PARTS.decode(whole).items() if name not in names}
    return msgspec.Raw(msgspec.json.encode(rest)) if rest else EMPTY


def judge_again(
    item: bytes, circumstances: Circumstances, policy: SourcePolicy, received_ms: int, fallback_id: str, *, live: bool
) -> Accepted | Rejected:
    """What accept says of an item that came before, at `received_ms`, under the same circumstances.

    `fallback_id` is its message id when it has none. History stays history, also when `live` is asked for.
    """
    beside = circumstances
    return accept(
        Draft(
            item,
            policy,
            received_ms,
            beside.sent_at,
            lambda _: fallback_id,
            beside.type,
            live and beside.live,
            beside.context,
            beside.integrations,
            beside.gpc,
        )
    )


def _sent_id(call: Call) -> str | None:
    """The id by which the sender knows the call, for a refusal before it was looked at."""
    sent = text_of(call.message_id)
    return sent if sent is not None and len(sent) <= MESSAGE_ID_CHARS_MAX else None


def _finish(draft: Draft) -> Accepted:
    policy, context = draft.policy, draft.context
    own = draft.traits
    told = context.traits if draft.context_traits else EMPTY
    grouped = draft.type is EventType.GROUP
    overwrite = context.courtesy is not None and context.courtesy.overwrite
    # By position, in a quarter of the time that names take.
    event = Event(
        draft.message_id,
        draft.type,
        draft.at,
        draft.received_ms,
        policy.source,
        OVERWRITE_RANK if overwrite else policy.rank,
        policy.party,
        NO_IDS,
        draft.name,
        draft.group,
        NO_IDS,
        draft.live,
        draft.sent,
        draft.original,
        told if grouped or own is EMPTY else own,
        own if grouped else EMPTY,
        draft.properties,
        draft.context_raw,
        draft.choices,
    )
    key = message_key(policy.source, draft.message_id)
    previous = tuple(draft.previous)
    return Accepted(event, key, tuple(draft.claims), previous, draft.raw, draft.heard, draft.wordings)
