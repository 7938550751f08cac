"""Accepting: every cause and its precedence, time, claims, consent, and that nothing a client sends makes it raise."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, HOUR_MS, from_iso
from courtesy.event.accept import (
    DEPTH_MAX,
    EVENT_BYTES_MAX,
    Accepted,
    Claim,
    Draft,
    Rejected,
    SourcePolicy,
    accept,
    text_of,
)
from courtesy.event.call import EMPTY
from courtesy.event.cause import FATE, MEANING, Cause, Fate
from courtesy.event.event import OVERWRITE_RANK, EventType, decode_fact, encode
from courtesy.standard.hints import Hints

NOW = 1_763_780_645_000  # 2025-11-22T03:04:05Z
POLICY = SourcePolicy(SourceId(7))

TRACK: dict[str, Any] = {"type": "track", "event": "Bought", "userId": "ann", "messageId": "m1"}


def judge(
    call: Any,
    policy: SourcePolicy = POLICY,
    *,
    forced: EventType | None = None,
    sent_at: Any = None,
    context: Any = None,
    integrations: Any = None,
    live: bool = True,
) -> Accepted | Rejected:
    """What accept says of a call, given as bytes or as a value."""
    raw = call if isinstance(call, bytes) else json.dumps(call).encode()
    return accept(
        Draft(raw, policy, NOW, sent_at, lambda _: "made-up", forced, live, _raw(context), _raw(integrations))
    )


def _raw(value: Any) -> msgspec.Raw:
    if value is None:
        return EMPTY
    return msgspec.Raw(value if isinstance(value, bytes) else json.dumps(value).encode())


def passed(call: Any, policy: SourcePolicy = POLICY, **more: Any) -> Accepted:
    """The event of a call that must pass."""
    judged = judge(call, policy, **more)
    assert isinstance(judged, Accepted), judged
    return judged


def cause(call: Any, policy: SourcePolicy = POLICY, **more: Any) -> Cause:
    """Why a call that must not pass does not."""
    judged = judge(call, policy, **more)
    assert isinstance(judged, Rejected), judged
    return judged.cause


def claims(call: Any, policy: SourcePolicy = POLICY, **more: Any) -> list[tuple[str, Any]]:
    """Kind and value of each claim of a call."""
    return [(claim.kind, claim.value) for claim in passed(call, policy, **more).claims]


# -- causes


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (b"", Cause.UNREADABLE),
        (b"{", Cause.UNREADABLE),
        (b"[]", Cause.UNREADABLE),
        (b"null", Cause.UNREADABLE),
        (b'"track"', Cause.UNREADABLE),
        (b"7", Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"a","properties":{"price":NaN}}', Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"\\ud800"}', Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"\xff"}', Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"a","properties":{"x":"\xff"}}', Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"a","context":{"\xed\xa0\x80":1}}', Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"a","traits":{"x":1e999}}', Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"a","properties":{"x":%s}}' % (b"9" * 5_000), Cause.UNREADABLE),
        (b'{"type":"track","event":"A","userId":"a"} {}', Cause.UNREADABLE),
        ({**TRACK, "properties": {"x": "y" * EVENT_BYTES_MAX}}, Cause.TOO_LARGE),
        ({**TRACK, "userId": ["ann"]}, Cause.WRONG_TYPE),
        ({**TRACK, "userId": {"id": "ann"}}, Cause.WRONG_TYPE),
        ({**TRACK, "type": 7}, Cause.WRONG_TYPE),
        ({**TRACK, "messageId": []}, Cause.WRONG_TYPE),
        ({**TRACK, "timestamp": {}}, Cause.WRONG_TYPE),
        ({**TRACK, "messageId": "a\0b"}, Cause.WRONG_TYPE),
        ({**TRACK, "type": "buy"}, Cause.UNKNOWN_TYPE),
        ({**TRACK, "type": "system"}, Cause.UNKNOWN_TYPE),
        ({**TRACK, "type": None}, Cause.UNKNOWN_TYPE),
        ({}, Cause.UNKNOWN_TYPE),
        ({**TRACK, "properties": []}, Cause.NOT_AN_OBJECT),
        ({**TRACK, "properties": "x"}, Cause.NOT_AN_OBJECT),
        ({**TRACK, "traits": 7}, Cause.NOT_AN_OBJECT),
        ({**TRACK, "context": True}, Cause.NOT_AN_OBJECT),
        ({**TRACK, "messageId": "m" * 101}, Cause.MESSAGE_ID_TOO_LONG),
        ({**TRACK, "event": None}, Cause.NAME_MISSING),
        ({**TRACK, "event": "  "}, Cause.NAME_MISSING),
        ({"type": "track", "userId": "ann"}, Cause.NAME_MISSING),
        ({**TRACK, "event": "e" * 201}, Cause.NAME_TOO_LONG),
        ({"type": "page", "name": "p" * 201, "userId": "ann"}, Cause.NAME_TOO_LONG),
        ({"type": "group", "userId": "ann"}, Cause.GROUP_ID_MISSING),
        ({"type": "group", "userId": "ann", "groupId": " "}, Cause.GROUP_ID_MISSING),
        ({"type": "alias", "userId": "ann"}, Cause.PREVIOUS_ID_MISSING),
        ({"type": "alias", "userId": "ann", "previousId": ""}, Cause.PREVIOUS_ID_MISSING),
        ({**TRACK, "timestamp": "yesterday"}, Cause.TIME_UNREADABLE),
        ({**TRACK, "timestamp": "1969-12-31T23:59:59Z"}, Cause.TIME_UNREADABLE),
        ({**TRACK, "timestamp": True}, Cause.TIME_UNREADABLE),
        ({**TRACK, "timestamp": 1e15}, Cause.TIME_UNREADABLE),
        ({**TRACK, "timestamp": -1}, Cause.TIME_UNREADABLE),
        ({**TRACK, "originalTimestamp": "2025-13-01"}, Cause.TIME_UNREADABLE),
        ({**TRACK, "sentAt": "soon"}, Cause.TIME_UNREADABLE),
        ({**TRACK, "timestamp": "2025-11-24T03:04:05Z"}, Cause.TIME_IN_FUTURE),
        ({**TRACK, "integrations": {"Courtesy": False}}, Cause.OPTED_OUT_OF_COURTESY),
    ],
)
def test_each_flaw_has_its_cause(call: Any, expected: Cause) -> None:
    """What is wrong with a call is told by one cause of the closed list."""
    assert cause(call) is expected


def test_a_refusal_keeps_the_item_as_it_came() -> None:
    """What is rejected can be mended and sent again, and its sender recognises it."""
    raw = json.dumps({**TRACK, "type": "buy"}).encode()
    judged = judge(raw)
    assert isinstance(judged, Rejected)
    assert (judged.raw, judged.message_id) == (raw, "m1")


def test_a_message_id_that_is_too_long_is_not_repeated() -> None:
    """What is not fit to be a message id is not given out as one."""
    judged = judge({**TRACK, "messageId": "m" * 101})
    assert isinstance(judged, Rejected)
    assert judged.message_id is None


def test_each_cause_has_a_meaning_and_a_fate() -> None:
    """The list is closed and documented; a refused event is quarantined, a duplicate, or suppressed. Remarks on what is
    stored come last."""
    assert set(MEANING) == set(FATE) == set(Cause)
    assert set(FATE.values()) == set(Fate) - {Fate.RECEIVED}
    assert [cause for cause in Cause if FATE[cause] is Fate.STORED] == list(Cause)[-3:]


PAUSED = SourcePolicy(SourceId(7), paused=True, consent_categories=("ads",))
FLAWS: list[tuple[Cause, dict[str, Any]]] = [
    (Cause.UNKNOWN_TYPE, {"type": "buy"}),
    (Cause.NOT_AN_OBJECT, {"properties": []}),
    (Cause.MESSAGE_ID_TOO_LONG, {"messageId": "m" * 101}),
    (Cause.NAME_MISSING, {"event": ""}),
    (Cause.TIME_UNREADABLE, {"timestamp": "never"}),
    (Cause.OPTED_OUT_OF_COURTESY, {"integrations": {"Courtesy": False}}),
    (Cause.CONSENT_ABSENT, {}),
]


@pytest.mark.parametrize("first", range(len(FLAWS)))
def test_of_several_flaws_the_first_of_the_list_is_told(first: int) -> None:
    """The causes come in the order in which the list has them."""
    call = dict(TRACK)
    for _, flaw in FLAWS[first:]:
        call |= flaw
    assert cause(call, PAUSED) is FLAWS[first][0]
    order = list(Cause)
    assert [order.index(each) for each, _ in FLAWS] == sorted(order.index(each) for each, _ in FLAWS)


def test_a_paused_source_stores_nothing() -> None:
    """Pausing suppresses what would have been stored."""
    assert cause(TRACK, SourcePolicy(SourceId(7), paused=True)) is Cause.SOURCE_PAUSED


# -- size and depth


def test_an_event_of_exactly_32_kb_passes_and_a_byte_more_does_not() -> None:
    """The limit is what the protocol says, to the byte."""
    room = EVENT_BYTES_MAX - len(json.dumps({**TRACK, "properties": {"x": ""}}))
    passed({**TRACK, "properties": {"x": "y" * room}})
    assert cause({**TRACK, "properties": {"x": "y" * (room + 1)}}) is Cause.TOO_LARGE


def test_what_a_batch_says_for_all_counts_as_part_of_each() -> None:
    """A large context of a batch can't multiply into large events."""
    assert cause(TRACK, context={"x": "y" * EVENT_BYTES_MAX}) is Cause.TOO_LARGE


@pytest.mark.parametrize("name", ["properties", "traits", "context"])
def test_nesting_up_to_the_limit_passes(name: str) -> None:
    """64 levels are more than anyone needs, and 65 are refused."""
    passed({**TRACK, name: _nested(DEPTH_MAX)})
    assert cause({**TRACK, name: _nested(DEPTH_MAX + 1)}) is Cause.UNREADABLE


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 2):
        value = {"in": value}
    return {"in": value} if levels > 1 else value


def test_very_deep_nesting_is_refused_without_exhausting_the_stack() -> None:
    """Ten thousand brackets are one rejected event."""
    deep = b'{"type":"track","event":"A","userId":"a","properties":{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}}"
    assert cause(deep) is Cause.UNREADABLE


def test_many_shallow_objects_are_not_deep() -> None:
    """Breadth is no depth."""
    passed({**TRACK, "properties": {"items": [{"n": number} for number in range(500)]}})


# -- what is stored


def test_nested_objects_are_stored_byte_for_byte() -> None:
    """Spaces, order, escapes and the digits of numbers stay as they came."""
    raw = b'{"type":"track","event":"A","userId":"a","properties":{ "b":1.50, "a":"\\u00e9", "a2":1e2 }}'
    event = passed(raw).event
    assert bytes(event.properties) == b'{ "b":1.50, "a":"\\u00e9", "a2":1e2 }'


def test_what_is_accepted_can_be_folded() -> None:
    """The log's form decodes to the same facts."""
    fact = decode_fact(encode(passed({**TRACK, "properties": {"price": 2}, "context": {"x": 1}}).event))
    assert (fact.name, fact.properties, fact.at) == ("Bought", {"price": 2}, NOW)


@pytest.mark.parametrize("name", ["properties", "traits", "context", "integrations", "timestamp", "sentAt", "groupId"])
def test_explicit_nulls_are_as_good_as_absent(name: str) -> None:
    """Clients that write every field are understood as those that leave fields out."""
    assert passed({**TRACK, name: None}).event == passed(TRACK).event


def test_nulls_in_a_batch_are_as_good_as_absent() -> None:
    """The same for what holds for all items."""
    assert passed(TRACK, context=b"null", integrations=b"null").event == passed(TRACK).event


def test_a_missing_message_id_is_made_up() -> None:
    """An event without an id is an event all the same."""
    assert passed({**TRACK, "messageId": None}).event.id == "made-up"
    assert passed({**TRACK, "messageId": " "}).event.id == "made-up"


def test_numbers_and_booleans_are_ids_too() -> None:
    """7 and 7.0 are the same text, for languages that know no integers."""
    assert [text_of(value) for value in (7, 7.0, 7.5, True, False, " a ", "", None)] == [
        "7",
        "7",
        "7.5",
        "true",
        "false",
        "a",
        None,
        None,
    ]
    assert passed({**TRACK, "messageId": 7}).event.id == "7"


def test_the_path_decides_the_type() -> None:
    """A call to /v1/page is a page call, whatever it says of itself."""
    assert passed(TRACK, forced=EventType.PAGE).event.type is EventType.PAGE


def test_pages_and_screens_are_named_by_name_or_else_category() -> None:
    """A page may go without a name."""
    assert passed({"type": "page", "userId": "a", "name": "Home", "category": "Docs"}).event.name == "Home"
    assert passed({"type": "screen", "userId": "a", "category": "Docs"}).event.name == "Docs"
    assert passed({"type": "page", "userId": "a"}).event.name is None


def test_a_group_call_keeps_the_groups_traits_apart() -> None:
    """Traits of a group call are the group's; those in the context are the person's."""
    call = {
        "type": "group",
        "userId": "a",
        "groupId": 7,
        "traits": {"plan": "pro"},
        "context": {"traits": {"age": 3}},
    }
    event = passed(call).event
    assert (event.group, bytes(event.group_traits), bytes(event.traits)) == ("7", b'{"plan": "pro"}', b'{"age": 3}')


def test_traits_in_the_context_are_taken_when_the_call_has_none() -> None:
    """`context.traits` tells of the person on any call."""
    told = {"context": {"traits": {"plan": "pro"}}}
    assert bytes(passed({**TRACK, **told}).event.traits) == b'{"plan": "pro"}'
    own = {"type": "identify", "userId": "a", "traits": {"plan": "free"}, **told}
    assert bytes(passed(own).event.traits) == b'{"plan": "free"}'


def test_a_sender_may_ask_to_overwrite() -> None:
    """`context.courtesy.overwrite` beats every rank of a source."""
    assert passed(TRACK).event.rank == POLICY.rank
    assert passed({**TRACK, "context": {"courtesy": {"overwrite": True}}}).event.rank == OVERWRITE_RANK


def test_imports_are_not_live() -> None:
    """What is history says so."""
    assert not passed(TRACK, live=False).event.live


# -- what a batch says for all


def test_the_context_of_a_batch_lies_under_that_of_each_item() -> None:
    """Field by field, and what the item says stands; numbers of any size pass unchanged."""
    call = {**TRACK, "context": {"locale": "de", "n": 10**40}}
    event = passed(call, context={"locale": "en", "ip": "1.2.3.4", "m": 10**40}).event
    merged = msgspec.json.decode(event.context)
    assert merged == {"locale": "de", "ip": "1.2.3.4", "n": 10**40, "m": 10**40}


def test_the_context_of_a_batch_stands_for_items_without_one() -> None:
    """Byte for byte, as nothing had to be merged."""
    assert bytes(passed(TRACK, context=b'{ "ip": "::1" }').event.context) == b'{ "ip": "::1" }'


def test_identifiers_and_consent_in_the_context_of_a_batch_count() -> None:
    """It is read like an item's own."""
    context = {"device": {"id": "d1"}, "consent": {"categoryPreferences": {"ads": True}}}
    policy = SourcePolicy(SourceId(7), consent_categories=("ads",))
    assert ("device_id", "d1") in claims(TRACK, policy, context=context)
    own = {**TRACK, "context": {"consent": {"categoryPreferences": {"ads": False}}}}
    assert cause(own, policy, context=context) is Cause.CONSENT_REFUSED


@pytest.mark.parametrize("context", [b"[]", b"7", b'"x"', b"{", b'{"x":NaN}', b'{"x":"\xff"}', b'{"x":1e999}'])
def test_a_broken_context_of_a_batch_is_a_cause_and_no_crash(context: bytes) -> None:
    """Each item of such a batch is rejected, and kept."""
    assert cause(TRACK, context=context) in (Cause.NOT_AN_OBJECT, Cause.UNREADABLE)


def test_an_item_may_opt_out_or_back_in() -> None:
    """What the item says of Courtesy stands over what its batch says."""
    assert cause(TRACK, integrations={"Courtesy": False}) is Cause.OPTED_OUT_OF_COURTESY
    passed({**TRACK, "integrations": {"Courtesy": True}}, integrations={"Courtesy": False})
    nothing_said = {**TRACK, "integrations": {"Courtesy": None, "All": False}}
    assert cause(nothing_said, integrations={"Courtesy": False}) is Cause.OPTED_OUT_OF_COURTESY


@pytest.mark.parametrize("integrations", [{}, {"All": False}, {"Courtesy": {}}, [], "Courtesy", 7, ["Courtesy"]])
def test_other_integrations_do_not_keep_an_event_out(integrations: Any) -> None:
    """Only a plain false is a no."""
    passed({**TRACK, "integrations": integrations})


# -- time


def test_a_wrong_clock_is_corrected_by_what_it_says_of_the_sending() -> None:
    """`received - (sentAt - timestamp)`: a clock two days ahead tells the right time after all."""
    call = {**TRACK, "timestamp": "2025-11-24T03:03:05Z", "sentAt": "2025-11-24T03:04:05Z"}
    event = passed(call).event
    assert event.at == NOW - 60_000
    assert (event.original, event.sent) == (NOW + 2 * DAY_MS - 60_000, NOW + 2 * DAY_MS)


def test_the_time_of_sending_may_be_the_batchs() -> None:
    """An item's own `sentAt` goes first."""
    call = {**TRACK, "timestamp": "2025-11-22T01:00:00Z"}
    assert passed(call, sent_at="2025-11-22T02:00:00Z").event.at == NOW - HOUR_MS
    assert passed({**call, "sentAt": "2025-11-22T01:00:01Z"}, sent_at="2025-11-22T02:00:00Z").event.at == NOW - 1_000


def test_the_original_timestamp_goes_before_the_timestamp() -> None:
    """Proxies rewrite `timestamp`; what the client said is in `originalTimestamp`."""
    call = {**TRACK, "timestamp": "2025-11-22T03:00:00Z", "originalTimestamp": "2025-11-21T03:04:05Z"}
    assert passed(call).event.at == NOW - DAY_MS


def test_without_a_time_it_happened_when_it_arrived() -> None:
    """Our clock counts."""
    event = passed({**TRACK, "timestamp": ""}).event
    assert (event.at, event.received, event.original) == (NOW, NOW, None)


def test_nothing_happens_before_it_is_heard_of() -> None:
    """A little ahead is now, and a day ahead is the limit."""
    assert passed({**TRACK, "timestamp": "2025-11-23T03:04:05Z"}).event.at == NOW
    assert cause({**TRACK, "timestamp": "2025-11-23T03:04:06Z"}) is Cause.TIME_IN_FUTURE


def test_a_correction_never_leads_before_1970() -> None:
    """However long the message lay somewhere."""
    call = {**TRACK, "timestamp": 0, "sentAt": "2200-01-01T00:00:00Z"}
    assert passed(call).event.at == 0


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (1_763_780_000, 1_763_780_000_000),
        (1_763_780_000_123, 1_763_780_000_123),
        (1_763_780_000.5, 1_763_780_000_500),
        ("2025-11-22", 1_763_769_600_000),
        ("2025-11-22T01:00:00", 1_763_773_200_000),
        ("2025-11-22T01:00:00.123456789Z", 1_763_773_200_123),
        ("2025-11-22T02:00:00+01:00", 1_763_773_200_000),
        (" 2025-11-22T01:00:00Z ", 1_763_773_200_000),
    ],
)
def test_times_may_be_written_in_many_ways(value: Any, at: int) -> None:
    """ISO 8601 with or without an offset, seconds or milliseconds."""
    assert passed({**TRACK, "timestamp": value}).event.original == at


@given(st.datetimes(), st.sampled_from(["", "Z", "+00:00", "-07:30", "+14:00"]))
def test_the_quick_way_to_read_a_time_agrees_with_the_thorough_one(moment: Any, offset: str) -> None:
    """Whatever the instant and the offset: the same milliseconds, or a refusal where there are none since 1970."""
    text = moment.isoformat() + offset
    expected = from_iso(text)
    judged = judge({**TRACK, "timestamp": text, "sentAt": text})
    if expected is None or expected < 0:
        assert isinstance(judged, Rejected)
        assert judged.cause is Cause.TIME_UNREADABLE
    else:
        assert isinstance(judged, Accepted)
        assert judged.event.original == expected


# -- claims


def test_what_could_identify_is_claimed_most_telling_first() -> None:
    """Login, external ids, traits, device, anonymous id."""
    call = {
        "type": "identify",
        "userId": "ann",
        "anonymousId": "x1",
        "traits": {"email": "ann@example.org", "phone": 491701234567, "age": 30},
        "context": {
            "device": {"id": "d1", "type": "ios"},
            "externalIds": [{"id": "l7", "type": "loyalty"}, {"id": None, "type": "loyalty"}, {"id": "z"}],
            "traits": {"email": "ann@work.example"},
        },
    }
    assert claims(call) == [
        ("user_id", "ann"),
        ("loyalty", "l7"),
        ("email", "ann@example.org"),
        ("phone", 491701234567),
        ("email", "ann@work.example"),
        ("device_id", "d1"),
        ("anonymous_id", "x1"),
    ]


def test_a_national_phone_number_is_claimed_with_what_the_call_says_of_its_country() -> None:
    """Traits, context and source, by the names that `standard` gives them; what has another type is left out."""
    call = {
        "type": "identify",
        "userId": "a",
        "traits": {
            "phone": "0171 1234567",
            "country": "DE",
            "email": "ann@shop.de",
            "address": {"country": "Austria"},
        },
        "context": {"locale": "de-CH", "location": {"country": "Liechtenstein"}},
    }
    (phone,) = (
        claim for claim in passed(call, SourcePolicy(SourceId(7), country="FR")).claims if claim.kind == "phone"
    )
    assert phone.value == "0171 1234567"
    assert [name for name, _ in phone.hints] == list(Hints.__struct_fields__)
    assert Hints(**dict(phone.hints)) == Hints("DE", "Austria", "Liechtenstein", "de-CH", ".de", "FR")
    odd: dict[str, Any] = {"phone": "0171 1234567", "country": 7, "address": "x", "email": ["a"]}
    (phone,) = passed({"type": "identify", "traits": odd, "context": {"locale": "x" * 65, "location": "y"}}).claims
    assert phone.hints == ()


@pytest.mark.parametrize("phone", ["+49 171 1234567", " +491711234567", "＋491711234567"])
def test_a_number_with_its_country_code_is_claimed_without_hints(phone: str) -> None:
    """They would cost time and change nothing."""
    call = {"type": "identify", "userId": "a", "traits": {"phone": phone, "country": "DE"}}
    assert [claim.hints for claim in passed(call).claims] == [(), ()]


def test_traits_identify_only_where_the_source_may() -> None:
    """A source of bought addresses must not join people by them."""
    call = {"type": "identify", "userId": "a", "traits": {"email": "a@example.org"}}
    assert claims(call, SourcePolicy(SourceId(7), traits_identify=False)) == [("user_id", "a")]


def test_traits_of_other_calls_do_not_identify() -> None:
    """The e-mail in a group's traits is the group's."""
    call = {"type": "group", "userId": "a", "groupId": "g", "traits": {"email": "info@example.org"}}
    assert claims(call) == [("user_id", "a")]


def test_a_context_of_unexpected_types_is_kept_but_not_read() -> None:
    """One odd part hides none of the others, and costs nobody the event."""
    context = {"device": "iPhone", "externalIds": {"id": 1}, "traits": {"email": "a@example.org"}, "n": 10**40}
    accepted = passed({**TRACK, "context": context})
    assert [claim.kind for claim in accepted.claims] == ["user_id", "email"]
    assert msgspec.json.decode(accepted.event.context) == context


def test_an_alias_claims_the_old_id_as_either_kind() -> None:
    """The protocol does not say whether it was a login or an anonymous id."""
    accepted = passed({"type": "alias", "userId": "new", "previousId": "old"})
    assert accepted.previous == (Claim("user_id", "old"), Claim("anonymous_id", "old"))


# -- consent

ADS = SourcePolicy(SourceId(7), consent_categories=("ads", "stats"))


def consenting(**preferences: Any) -> dict[str, Any]:
    """A call with these answers to categories of consent."""
    return {**TRACK, "context": {"consent": {"categoryPreferences": preferences}}}


def test_consent_to_every_category_that_the_source_asks_for_lets_an_event_pass() -> None:
    """Other categories don't matter, nor does consent where nobody asks for it."""
    passed(consenting(ads=True, stats=True, other=False), ADS)
    passed(consenting(ads=False))


def test_absent_consent_keeps_an_event_out() -> None:
    """Unknown means no."""
    assert cause(TRACK, ADS) is Cause.CONSENT_ABSENT
    assert cause(consenting(ads=True), ADS) is Cause.CONSENT_ABSENT
    assert cause({**TRACK, "context": {"consent": "yes"}}, ADS) is Cause.CONSENT_ABSENT
    assert cause({**TRACK, "context": {"consent": {"categoryPreferences": None}}}, ADS) is Cause.CONSENT_ABSENT


@pytest.mark.parametrize("answer", [False, None, "true", 1])
def test_only_a_plain_yes_is_consent(answer: Any) -> None:
    """What is not true is a refusal."""
    assert cause(consenting(ads=True, stats=answer), ADS) is Cause.CONSENT_REFUSED


# -- anything at all

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "type messageId userId anonymousId previousId groupId event name category timestamp originalTimestamp sentAt",
    "writeKey properties traits context integrations",
]
NAMES = st.sampled_from(" ".join(FIELDS).split())
PARTS = st.sampled_from(["traits", "device", "externalIds", "consent", "courtesy", "groupId", "email", "Courtesy", "x"])
OBJECTS = st.dictionaries(PARTS, JSON | st.dictionaries(PARTS, JSON, max_size=2), max_size=4)
TYPES = st.sampled_from([kind.value for kind in EventType])
CALLS = st.builds(
    lambda base, odd, kind: {**base, **odd, "type": kind},
    st.fixed_dictionaries({"event": st.just("A"), "userId": st.just("ann"), "groupId": st.just("g")}),
    st.dictionaries(NAMES, JSON | OBJECTS, max_size=6),
    TYPES | JSON,
)


def assert_sound(judged: Accepted | Rejected, raw: bytes) -> None:
    """A refusal explains itself; what is accepted can be folded and shown later."""
    if isinstance(judged, Rejected):
        assert judged.detail
        assert judged.raw == raw
        return
    payload = encode(judged.event)
    assert decode_fact(payload).at <= NOW
    msgspec.json.encode(msgspec.json.decode(payload))


@given(CALLS | JSON, JSON | OBJECTS, JSON | OBJECTS, JSON)
def test_no_json_makes_it_raise(call: Any, context: Any, integrations: Any, sent_at: Any) -> None:
    """Any value in any place is accepted or refused."""
    raw = json.dumps(call).encode()
    scalar = sent_at if isinstance(sent_at, str | int | float | bool | None) else None
    policy = SourcePolicy(SourceId(7), consent_categories=("ads",)) if len(raw) % 2 else POLICY
    assert_sound(judge(raw, policy, context=context, integrations=integrations, sent_at=scalar), raw)


@given(st.binary(max_size=200), st.binary(max_size=50), st.sampled_from(["properties", "traits", "context"]))
def test_no_bytes_make_it_raise(raw: bytes, inside: bytes, name: str) -> None:
    """Neither as a call, nor inside of one, nor in what a batch says for all."""
    assert_sound(judge(raw), raw)
    around = b'{"type":"identify","userId":"a","%s":{"email":"%s"}}' % (name.encode(), inside)
    assert_sound(judge(around), around)
    assert_sound(judge(around, context=inside, integrations=b'{"Courtesy":%s' % inside), around)


@given(CALLS, st.data())
def test_no_damage_to_a_call_makes_it_raise(call: Any, data: st.DataObject) -> None:
    """A call with some bytes changed, lost or repeated is accepted or refused."""
    raw = bytearray(json.dumps(call, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 4)))
        raw[start:end] = data.draw(st.binary(max_size=3))
    assert_sound(judge(bytes(raw)), bytes(raw))
