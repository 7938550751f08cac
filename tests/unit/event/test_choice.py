"""Choices as clients tell them: what is missing is filled in, and what makes no sense is refused with its reason."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.event.accept import Accepted, Rejected, SourcePolicy
from courtesy.event.cause import Cause
from courtesy.event.choice import CHOICES_MAX, Action, Basis, Choice, Scope, choice_id, read_choices
from courtesy.event.event import decode_fact, encode
from tests.unit.event.test_accept import NOW, POLICY, judge

HASH = "ab" * 32
MAIL = {"action": "grant", "purpose": "marketing", "channel": "email"}


def tell(*choices: Any, policy: SourcePolicy = POLICY, **more: Any) -> Accepted | Rejected:
    """What accept says of a call that tells these."""
    return judge({"type": "consent", "userId": "ann", "messageId": "m1", "choices": list(choices), **more}, policy)


def told(*choices: Any, **more: Any) -> tuple[Choice, ...]:
    """The choices, as the fold reads them from the log."""
    passed = tell(*choices, **more)
    assert isinstance(passed, Accepted), passed
    fact = decode_fact(encode(passed.event))
    assert fact.choices == passed.event.choices
    return fact.choices


def test_what_is_not_said_is_any_from_the_events_time_until_further_notice() -> None:
    """Only the action and the purpose are needed."""
    (choice,) = told({"action": "grant", "purpose": "marketing"}, timestamp="2025-11-20T00:00:00Z")
    assert choice == Choice(Action.GRANT, "marketing", held_from=1_763_596_800_000)
    assert choice.scope == Scope("marketing", "*", "*", "*", "*")


def test_everything_that_is_said_is_kept() -> None:
    """Instants as ISO 8601 or ms."""
    evidence = {"notice": HASH, "form": HASH, "locale": "de", "network": "192.0.2.0", "affirmative": True}
    (choice,) = told(
        {
            **MAIL,
            "topic": "hats",
            "brand": "acme",
            "jurisdiction": "US-CA",
            "heldFrom": "2025-01-01T00:00:00Z",
            "heldTo": 1_900_000_000_000,
            "basis": "consent",
            "policy": "privacy-7",
            "method": "checkout",
            "actor": "till 3",
            "request": "r-1",
            "evidence": evidence,
        }
    )
    assert choice.scope == Scope("marketing", "email", "hats", "acme", "US-CA")
    assert (choice.held_from, choice.held_to, choice.basis) == (1_735_689_600_000, 1_900_000_000_000, Basis.CONSENT)
    assert (choice.policy, choice.method, choice.actor, choice.request) == ("privacy-7", "checkout", "till 3", "r-1")
    assert msgspec.to_builtins(choice.evidence) == evidence


SOFT = {"own_sale": True, "similar_goods": True, "refusal_offered": True}


@pytest.mark.parametrize(
    "choice",
    [
        {"action": "withdraw", "purpose": "*"},
        {"action": "object", "purpose": "marketing", "heldTo": "2030-01-01"},
        {"action": "set", "purpose": "marketing", "channel": "email", "topic": "frequency", "value": "weekly"},
        {"action": "signal", "purpose": "sale", "jurisdiction": "US", "value": False},
        {"action": "expire", "purpose": "marketing"},
        {"action": "correct", "corrects": "0f" * 16},
        {**MAIL, "basis": "soft_opt_in", "evidence": SOFT},
        {**MAIL, "evidence": {"affirmative": True}},
    ],
)
def test_each_action_is_understood(choice: dict[str, Any]) -> None:
    """With what belongs to it."""
    assert told(choice)[0].action == choice["action"]


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"purpose": "marketing"}, "action"),
        ({"action": "allow", "purpose": "marketing"}, "action"),
        ({"action": "grant"}, "purpose"),
        ({**MAIL, "purpose": ""}, "purpose"),
        ({**MAIL, "purpose": " marketing"}, "purpose"),
        ({**MAIL, "jurisdiction": "Germany"}, "jurisdiction"),
        ({**MAIL, "chanel": "email"}, "chanel"),
        ({**MAIL, "heldFrom": "yesterday"}, "heldFrom"),
        ({**MAIL, "heldFrom": -1}, "heldFrom"),
        ({**MAIL, "heldFrom": "2025-01-02", "heldTo": "2025-01-01"}, "heldTo lies before heldFrom"),
        ({**MAIL, "value": 7}, "`value` is only for"),
        ({**MAIL, "corrects": "0f" * 16}, "`corrects` is only for"),
        ({**MAIL, "evidence": {"affirmative": False}}, "an act of the person's own"),
        ({**MAIL, "evidence": {"notice": "abc"}}, "notice"),
        ({**MAIL, "basis": "soft_opt_in"}, "own_sale, similar_goods and refusal_offered"),
        ({**MAIL, "basis": "soft_opt_in", "evidence": {**SOFT, "own_sale": False}}, "own_sale"),
        ({"action": "set", "purpose": "marketing"}, "expected a value"),
        ({"action": "set", "purpose": "marketing", "value": "x" * 2_000}, "1024 bytes"),
        ({"action": "set", "purpose": "marketing", "topic": "Health", "value": 1}, "health"),
        ({"action": "signal", "purpose": "sale", "value": "no"}, "true or false"),
        ({"action": "set", "purpose": "restriction", "value": "yes"}, "to true or false"),
        ({"action": "grant", "purpose": "restriction"}, "to true or false"),
        ({"action": "set", "purpose": "restriction", "value": True, "channel": "email"}, "of everything"),
        ({"action": "correct"}, "`corrects`"),
        ({"action": "correct", "corrects": "7"}, "corrects"),
        ("grant", "choices"),
        (None, "choices"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(choice: Any, reason: str) -> None:
    """And with its place among the others; the call waits in quarantine to be mended."""
    refused = tell(MAIL, choice)
    assert isinstance(refused, Rejected)
    assert refused.cause is Cause.CHOICE_UNREADABLE
    assert reason in refused.detail
    assert "[1]" in refused.detail or "[...]" in refused.detail


@pytest.mark.parametrize("choices", [None, [], [MAIL] * (CHOICES_MAX + 1), {}, "all"])
def test_a_call_tells_some_choices_and_not_too_many(choices: Any) -> None:
    """None at all is another mistake than a wrong one."""
    refused = judge({"type": "consent", "userId": "ann", "choices": choices})
    assert isinstance(refused, Rejected)
    assert refused.cause is (Cause.CHOICES_MISSING if choices is None else Cause.CHOICE_UNREADABLE)


def test_choices_of_other_calls_are_left_alone() -> None:
    """Only a call of this type tells any."""
    passed = judge({"type": "track", "event": "Bought", "userId": "ann", "choices": [MAIL]})
    assert isinstance(passed, Accepted)
    assert passed.event.choices == ()


def test_a_source_that_asks_for_consent_hears_choices_all_the_same() -> None:
    """Or nobody could ever say no to it, nor yes."""
    policy = SourcePolicy(POLICY.source, consent_categories=("Analytics",))
    assert isinstance(tell(MAIL, policy=policy), Accepted)


def test_ids_are_those_of_the_message_and_the_place() -> None:
    """Stable, and different for each choice of a call."""
    ids = [choice_id(bytes(16), number) for number in range(3)]
    assert ids == [choice_id(bytes(16), number) for number in range(3)]
    assert len(set(ids)) == 3
    assert all(len(each) == 32 for each in ids)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["action", "purpose", "value", "heldFrom", "evidence", "x"]), inner)
        ),
        max_leaves=12,
    )
)
def test_nothing_that_a_client_sends_raises_anything_else(value: Any) -> None:
    """It is choices, or a ValueError that says why not."""
    content = json.dumps(value).encode()
    try:
        found = read_choices(content, NOW)
    except (ValueError, msgspec.DecodeError):
        return
    assert found
