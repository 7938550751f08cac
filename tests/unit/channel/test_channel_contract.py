"""The types every channel shares: attempts on the wire, causes with their documentation, the wait between attempts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import DAY_MS
from courtesy.channel.contract import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_MS,
    MIN_BACKOFF_MS,
    Attempt,
    Delivered,
    FailCause,
    Failed,
    Parcel,
    Retry,
    RetryCause,
    backoff_ms,
)


@pytest.mark.parametrize(
    "attempt",
    [
        Delivered("200"),
        Retry(RetryCause.THROTTLED, "429", after_ms=5),
        *(Retry(cause, "x") for cause in RetryCause),
        *(Failed(cause, "x") for cause in FailCause),
    ],
)
def test_an_attempt_survives_storage(attempt: Attempt) -> None:
    """Which of the three it was, and its cause, come back from JSON."""
    assert msgspec.json.decode(msgspec.json.encode(attempt), type=Attempt) == attempt


def test_every_cause_is_documented() -> None:
    """The reference and the console explain a cause in a sentence of its own."""
    docs = [cause.doc for cause in (*RetryCause, *FailCause)]
    assert all(doc.endswith(".") for doc in docs)
    assert len(set(docs)) == len(docs)


def test_a_printed_parcel_shows_neither_config_nor_body() -> None:
    """Secrets and personal data do not reach a log by way of a repr."""
    parcel = Parcel(bytes(16), "webhook", 5, {"secret": "hush"}, b"hush")
    assert repr(parcel) == f"Parcel(key={'00' * 16}, kind='webhook', created_at_ms=5)"


@given(st.integers(1, 10**9), st.binary(min_size=16, max_size=16))
def test_a_wait_is_bounded_and_the_same_again(attempt_count: int, key: bytes) -> None:
    """Any machine gives the same wait for the same attempt, within the promised bounds."""
    wait_ms = backoff_ms(attempt_count, key)
    assert MIN_BACKOFF_MS <= wait_ms <= MAX_BACKOFF_MS
    assert backoff_ms(attempt_count, key) == wait_ms


@given(st.integers(1, MAX_ATTEMPTS), st.binary(min_size=16, max_size=16))
def test_waits_grow_until_the_longest(attempt_count: int, key: bytes) -> None:
    """Below the bound, every wait is longer than the one before, whatever the jitter."""
    longer_ms = backoff_ms(attempt_count + 1, key)
    assert longer_ms > backoff_ms(attempt_count, key) or longer_ms >= MAX_BACKOFF_MS // 2


def test_effects_that_failed_together_do_not_return_together() -> None:
    """A thousand keys spread over the whole jitter, early and late in the schedule."""
    for attempt_count in (1, 5, MAX_ATTEMPTS):
        waits = sorted(backoff_ms(attempt_count, key.to_bytes(16, "big")) for key in range(1_000))
        assert len(set(waits)) > 900
        assert 1.9 < waits[-1] / waits[0] <= 2.0


@given(st.binary(min_size=16, max_size=16))
def test_giving_up_takes_days(key: bytes) -> None:
    """A receiver may be down over a weekend and still get everything; nothing is tried for weeks."""
    total_ms = sum(backoff_ms(attempt_count, key) for attempt_count in range(1, MAX_ATTEMPTS))
    assert 2 * DAY_MS < total_ms < 4 * DAY_MS
