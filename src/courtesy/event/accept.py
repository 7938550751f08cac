"""Accept: the named steps that turn one received call into an event to be resolved and stored, or into a refusal.

Each step reads the draft and writes its own fields; the first refusal ends the list. Nothing here knows of people:
what could identify comes out as `Claim`s, and finding out whom they point to is `identity`'s part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import SourceId, message_key
from courtesy.base.time import DAY_MS, from_iso
from courtesy.event.call import EMPTY, NO_CONTEXT, Call, Context, KnownTraits, Scalar
from courtesy.event.cause import Cause, Refusal
from courtesy.event.event import OVERWRITE_RANK, Event, EventType, Party

EVENT_BYTES_MAX = 32 * 1024
BATCH_BYTES_MAX = 500 * 1024
BATCH_EVENTS_MAX = 2_500
MESSAGE_ID_CHARS_MAX = 100
NAME_CHARS_MAX = 200
DEPTH_MAX = 64
FUTURE_MS_MAX = DAY_MS

_CALL_TYPES = {kind.value: kind for kind in EventType if kind is not EventType.SYSTEM}


class Claim(NamedTuple):
    """An identifier as a call states it: kind and raw value, not yet normalised or trusted."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """What accept needs to know of the source that sent a call."""

    source: SourceId
    party: Party = Party.FIRST
    rank: int = 30
    paused: bool = False
    consent_categories: tuple[str, ...] = ()
    traits_identify: bool = True


@dataclass(frozen=True, slots=True)
class Accepted:
    """A call that passed: its event without identifiers (`ids` is empty until resolved), and what it claims to be."""

    event: Event
    key: bytes
    claims: tuple[Claim, ...]
    previous: tuple[Claim, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A call that did not pass. `raw` is the item as it came, so that it can be mended and replayed."""

    cause: Cause
    detail: str
    raw: bytes
    message_id: str | None = None


class Draft(msgspec.Struct):
    """One call on its way through the steps. (A Struct only because it is made 5 times faster than a dataclass.)"""

    raw: bytes
    policy: SourcePolicy
    received_ms: int
    batch_sent_at: Scalar
    fallback_id: Callable[[], str]
    forced_type: EventType | None
    live: bool
    batch_context: msgspec.Raw = EMPTY
    call: Call = Call()
    type: EventType = EventType.TRACK
    message_id: str = ""
    name: str | None = None
    group: str | None = None
    at: int = 0
    sent: int | None = None
    original: int | None = None
    context: Context = NO_CONTEXT
    context_raw: msgspec.Raw = EMPTY
    claims: list[Claim] = []
    previous: list[Claim] = []


_CALL = msgspec.json.Decoder(Call)
_CONTEXT = msgspec.json.Decoder(Context)
_KNOWN_TRAITS = msgspec.json.Decoder(KnownTraits)
_ANY = msgspec.json.Decoder()
_DICT = msgspec.json.Decoder(dict[str, Any])
_NULL = b"null"


def is_absent(raw: msgspec.Raw) -> bool:
    """True for a field that was not sent or is null."""
    content = bytes(raw)
    return not content or content == _NULL


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
    if len(draft.raw) > EVENT_BYTES_MAX:
        raise Refusal(Cause.TOO_LARGE, f"expected at most {EVENT_BYTES_MAX} bytes, got {len(draft.raw)}")
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


def _find_type(draft: Draft) -> None:
    if draft.forced_type is not None:
        draft.type = draft.forced_type
        return
    sent = draft.call.type
    kind = _CALL_TYPES.get(sent or "")
    if kind is None:
        raise Refusal(Cause.UNKNOWN_TYPE, f"expected one of {', '.join(_CALL_TYPES)}, got {sent!r}")
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


def _read_object(name: str, raw: msgspec.Raw) -> msgspec.Raw:
    """The object as raw bytes, proven to be decodable later by anyone; EMPTY when absent."""
    if is_absent(raw):
        return EMPTY
    content = bytes(raw)
    if content[:1] != b"{":
        raise Refusal(
            Cause.NOT_AN_OBJECT, f"expected an object at $.{name}, got {content[:40].decode(errors='replace')}"
        )
    try:
        value = _ANY.decode(content)
    except RecursionError:
        raise Refusal(Cause.UNREADABLE, f"$.{name} is nested deeper than {DEPTH_MAX} levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Cause.UNREADABLE, f"$.{name}: {error}") from None
    if content.count(b"{") + content.count(b"[") > DEPTH_MAX and _depth_of(value) > DEPTH_MAX:
        raise Refusal(Cause.UNREADABLE, f"$.{name} is nested deeper than {DEPTH_MAX} levels")
    return raw if len(value) else EMPTY


def _read_objects(draft: Draft) -> None:
    for name in ("properties", "traits", "context"):
        _read_object(name, getattr(draft.call, name))
    draft.context_raw = _merge_objects(draft.batch_context, draft.call.context)
    if not is_absent(draft.context_raw):
        draft.context = _context_of(bytes(draft.context_raw))


def _merge_objects(under: msgspec.Raw, over: msgspec.Raw) -> msgspec.Raw:
    """The item's object laid over the batch's, field by field."""
    if is_absent(under):
        return over
    if is_absent(over):
        return under
    return msgspec.Raw(msgspec.json.encode({**_DICT.decode(under), **_DICT.decode(over)}))


def _context_of(raw: bytes) -> Context:
    """The context's known part. A part with an unexpected type is treated as absent: it is kept, but not read."""
    try:
        return _CONTEXT.decode(raw)
    except msgspec.ValidationError:
        known: dict[str, Any] = {}
        for name, value in _DICT.decode(raw).items():
            try:
                msgspec.convert({name: value}, Context)
                known[name] = value
            except msgspec.ValidationError:
                continue
        return _CONTEXT.decode(msgspec.json.encode(known))


def _find_message_id(draft: Draft) -> None:
    sent = text_of(draft.call.message_id)
    if sent is not None and len(sent) > MESSAGE_ID_CHARS_MAX:
        raise Refusal(Cause.MESSAGE_ID_TOO_LONG, f"expected at most {MESSAGE_ID_CHARS_MAX} characters, got {len(sent)}")
    if sent is not None and "\0" in sent:
        raise Refusal(Cause.WRONG_TYPE, "expected a messageId without the character U+0000")
    draft.message_id = sent if sent is not None else draft.fallback_id()


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


def _instant(name: str, value: Scalar) -> int | None:
    """ms UTC of an ISO 8601 text or a number of seconds or ms; None when absent."""
    if value is None or value == "":
        return None
    at: int | None = None
    if isinstance(value, str):
        at = from_iso(value)
    elif not isinstance(value, bool):
        # Seconds reach 1e11 in the year 5138, milliseconds passed it in 1973.
        at = int(value if abs(value) >= 1e11 else value * 1_000) if abs(value) < 1e15 else None
    if at is None or at < 0:
        raise Refusal(Cause.TIME_UNREADABLE, f"expected a date since 1970 in ISO 8601 at $.{name}, got {value!r:.60}")
    return at


def _find_time(draft: Draft) -> None:
    call = draft.call
    received = draft.received_ms
    draft.sent = _instant("sentAt", call.sent_at if call.sent_at is not None else draft.batch_sent_at)
    draft.original = _instant("originalTimestamp", call.original_timestamp)
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


def _find_claims(draft: Draft) -> None:
    call, context = draft.call, draft.context
    claims = draft.claims
    if call.user_id is not None:
        claims.append(Claim("user_id", call.user_id))
    for external in context.external_ids or ():
        if external.id is not None and external.type:
            claims.append(Claim(external.type, external.id))
    if draft.policy.traits_identify:
        for raw in (call.traits if draft.type is EventType.IDENTIFY else EMPTY, context.traits):
            claims.extend(_trait_claims(raw))
    if context.device is not None and context.device.id is not None:
        claims.append(Claim("device_id", context.device.id))
    if call.anonymous_id is not None:
        claims.append(Claim("anonymous_id", call.anonymous_id))
    if draft.type is EventType.ALIAS:
        _find_previous(draft)


def _trait_claims(raw: msgspec.Raw) -> list[Claim]:
    content = bytes(raw)
    if content[:1] != b"{" or (b'"email"' not in content and b'"phone"' not in content):
        return []
    traits = _KNOWN_TRAITS.decode(content)
    known = (Claim("email", traits.email), Claim("phone", traits.phone))
    return [claim for claim in known if isinstance(claim.value, str | int)]


def _find_previous(draft: Draft) -> None:
    previous = draft.call.previous_id
    if text_of(previous) is None:
        raise Refusal(Cause.PREVIOUS_ID_MISSING, "expected the old id at $.previousId, got nothing")
    # A previous id may have been a login or an anonymous id; the protocol does not say which.
    draft.previous = [Claim("user_id", previous), Claim("anonymous_id", previous)]


def _check_permission(draft: Draft) -> None:
    policy = draft.policy
    if policy.paused:
        raise Refusal(Cause.SOURCE_PAUSED, "the source is paused")
    if b"Courtesy" in bytes(draft.call.integrations) and _opted_out(draft.call.integrations):
        raise Refusal(Cause.OPTED_OUT_OF_COURTESY, "integrations.Courtesy is false")
    if policy.consent_categories:
        _check_consent(draft.context, policy.consent_categories)


def _opted_out(raw: msgspec.Raw) -> bool:
    integrations = _ANY.decode(raw)
    return isinstance(integrations, dict) and integrations.get("Courtesy") is False


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
        return Rejected(refusal.cause, refusal.detail, draft.raw, draft.message_id or None)
    return _finish(draft)


def _finish(draft: Draft) -> Accepted:
    call, context, policy = draft.call, draft.context, draft.policy
    own = EMPTY if is_absent(call.traits) else call.traits
    told = EMPTY if is_absent(context.traits) or bytes(context.traits)[:1] != b"{" else context.traits
    grouped = draft.type is EventType.GROUP
    overwrite = context.courtesy is not None and context.courtesy.overwrite
    event = Event(
        id=draft.message_id,
        type=draft.type,
        at=draft.at,
        received=draft.received_ms,
        source=policy.source,
        rank=OVERWRITE_RANK if overwrite else policy.rank,
        party=policy.party,
        ids=(),
        name=draft.name,
        group=draft.group,
        live=draft.live,
        sent=draft.sent,
        original=draft.original,
        traits=told if grouped or own is EMPTY else own,
        group_traits=own if grouped else EMPTY,
        properties=EMPTY if is_absent(call.properties) else call.properties,
        context=EMPTY if is_absent(draft.context_raw) else draft.context_raw,
    )
    key = message_key(policy.source, draft.message_id)
    return Accepted(event, key, tuple(draft.claims), tuple(draft.previous), draft.raw)
