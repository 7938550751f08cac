"""The outbox: each effect once per key, claimed by one at a time, settled finally once, with its report."""

from __future__ import annotations

import asyncio

import pytest

from courtesy.base.ids import partition_of
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Engine, LeaseLost
from courtesy.engine.outbox import ClaimedEffect, EffectState, NewEffect
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    ODD_TEXTS,
    TTL_MS,
    Store,
    batch,
    commit,
    effect,
    lease_of,
    log_of,
    put,
    record,
    settlement,
    soon,
)

UNTIL_MS = NOW_MS + TTL_MS
WAITING, CLAIMED, DELIVERED, FAILED, SKIPPED, UNSURE = EffectState


async def claim(engine: Engine, now_ms: int = NOW_MS, limit: int = 100, kind: str = "webhook") -> list[ClaimedEffect]:
    """Claim for as long as leases last."""
    return await engine.claim_effects(kind, now_ms, TTL_MS, limit)


async def claim_one(engine: Engine, now_ms: int = NOW_MS) -> ClaimedEffect:
    """Claim the one effect that there is."""
    (claimed,) = await claim(engine, now_ms)
    return claimed


# -- putting


async def test_an_effect_waits_to_be_carried_out(engine: Engine) -> None:
    """It comes to the dispatcher as it was put, on its first attempt."""
    one = effect("e1", target="orders", body=bytes(range(256)), created_ms=NOW_MS - 5)
    await put(engine, one)
    assert await claim(engine) == [ClaimedEffect(*one[:6], attempt=1)]


async def test_an_effect_of_a_known_key_changes_nothing(engine: Engine) -> None:
    """Within one commit and in a later one, the first effect of a key is the only one."""
    first = effect("e1", body=b"first")
    await put(engine, first, first._replace(body=b"again"))
    await put(engine, first._replace(body=b"later", target="elsewhere"))
    assert await claim(engine) == [ClaimedEffect(*first[:6], attempt=1)]
    assert len(await engine.effects(None, 10)) == 1


@pytest.mark.parametrize("final", [DELIVERED, FAILED])
async def test_a_key_is_never_free_again(engine: Engine, final: EffectState) -> None:
    """A crash and a re-fold long after an effect was carried out do not carry it out again."""
    await put(engine, effect("e1"))
    await engine.settle(settlement(await claim_one(engine), final))
    await put(engine, effect("e1", created_ms=NOW_MS + 1))
    assert await claim(engine, UNTIL_MS + 1) == []
    assert [each.state for each in await engine.effects(None, 10)] == [final]


async def test_an_effect_of_a_refused_commit_is_not_put(engine: Engine) -> None:
    """A worker that lost its lease causes nothing."""
    lease = await lease_of(engine)
    with pytest.raises(LeaseLost):
        await engine.commit_fold(commit(lease._replace(epoch=lease.epoch - 1), effects=[effect()]))
    assert await claim(engine) == []


async def test_2500_effects_are_put_in_one_commit(engine: Engine) -> None:
    """A campaign is one commit, and is claimed in batches until none is left."""
    await put(engine, *(effect(f"e{number}", created_ms=NOW_MS - 3_000 + number) for number in range(2_500)))
    keys = [each.key for each in await claim(engine, limit=2_000) + await claim(engine, limit=2_000)]
    assert keys == [effect(f"e{number}").key for number in range(2_500)]


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_the_words_of_an_effect_may_be_odd(engine: Engine, text: str) -> None:
    """Kind, target, cause and detail are kept to the letter."""
    await put(engine, effect("e1", kind=text, target=text))
    (claimed,) = await claim(engine, kind=text)
    await engine.settle(settlement(claimed, FAILED, cause=text, detail=text))
    (reading,) = await engine.effects(None, 10)
    assert (reading.kind, reading.target, reading.cause, reading.detail) == (text, text, text, text)


# -- claiming


async def test_effects_are_claimed_oldest_first_up_to_the_limit(engine: Engine) -> None:
    """What was asked for first is carried out first."""
    await put(engine, *(effect(f"e{age}", created_ms=NOW_MS - age) for age in (1, 3, 2, 4)))
    ages = [[NOW_MS - each.created_ms for each in await claim(engine, limit=3)] for _ in range(2)]
    assert ages == [[4, 3, 2], [1]]


async def test_effects_of_one_kind_are_claimed_without_the_others(engine: Engine) -> None:
    """A channel that is stuck holds up none but its own."""
    await put(engine, effect("e1", kind="email"), effect("e2", kind="webhook"))
    assert [each.kind for each in await claim(engine, kind="email")] == ["email"]
    assert await claim(engine, kind="email") == []
    assert [each.kind for each in await claim(engine, kind="webhook")] == ["webhook"]
    assert await claim(engine, kind="sms") == []


async def test_effects_for_excepted_targets_are_left_alone(engine: Engine) -> None:
    """A target that has enough under way gets no more, and takes no other target's place in the batch."""
    await put(engine, *(effect(f"busy{n}", target="busy", created_ms=NOW_MS - 9 + n) for n in range(3)))
    await put(engine, effect("other", target="other"))
    claimed = await engine.claim_effects("webhook", NOW_MS, TTL_MS, 2, except_targets=["busy", "unknown"])
    assert [each.target for each in claimed] == ["other"]
    assert [each.target for each in await claim(engine)] == ["busy"] * 3


async def test_a_claimed_effect_is_not_claimed_again_while_the_claim_lasts(engine: Engine) -> None:
    """One dispatcher at a time carries it out."""
    await put(engine, effect())
    await claim_one(engine)
    assert await claim(engine, UNTIL_MS - 1) == []


async def test_a_claim_that_ran_out_is_claimed_again_as_the_next_attempt(engine: Engine) -> None:
    """A dispatcher that died leaves nothing undone."""
    await put(engine, effect())
    attempts = [(await claim_one(engine, NOW_MS + number * TTL_MS)).attempt for number in range(3)]
    assert attempts == [1, 2, 3]


async def test_dispatchers_that_claim_at_once_share_the_effects(engine: Engine, store: Store) -> None:
    """No effect is given to two, and none is left."""
    await put(engine, *(effect(f"e{number}") for number in range(40)))
    async with store.another() as other:
        shares = await asyncio.gather(*(claim(through, limit=10) for through in (engine, other) * 3))
    keys = [each.key for share in shares for each in share] + [each.key for each in await claim(engine)]
    assert len(keys) == len(set(keys)) == 40


# -- settling


@pytest.mark.parametrize("final", [DELIVERED, FAILED])
async def test_a_final_outcome_is_kept(engine: Engine, final: EffectState) -> None:
    """What became of an effect is there to be read, and it is never claimed again."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    assert await engine.settle(settlement(claimed, final, cause="refused", detail="410 Gone", at_ms=NOW_MS + 7))
    (reading,) = await engine.effects(None, 10)
    assert (reading.state, reading.cause, reading.detail) == (final, "refused", "410 Gone")
    assert (reading.attempt, reading.settled_ms) == (1, NOW_MS + 7)
    assert await claim(engine, 2 * UNTIL_MS) == []


async def test_an_effect_waits_until_it_may_be_tried_again(engine: Engine) -> None:
    """What failed for now comes again at its time and not before, as the next attempt."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    retry_ms = NOW_MS + 5_000
    assert await engine.settle(settlement(claimed, WAITING, cause="busy", detail="503", not_before_ms=retry_ms))
    (reading,) = await engine.effects(None, 10)
    assert (reading.state, reading.cause, reading.settled_ms) == (WAITING, "busy", None)
    assert await claim(engine, retry_ms - 1) == []
    assert (await claim_one(engine, retry_ms)).attempt == 2


async def test_an_attempt_that_was_overtaken_settles_nothing(engine: Engine) -> None:
    """A dispatcher that took too long is told so, and the outcome is the later attempt's."""
    await put(engine, effect())
    late = await claim_one(engine)
    now = await claim_one(engine, UNTIL_MS)
    before = await engine.effects(None, 10)
    assert not await engine.settle(settlement(late, DELIVERED, report=record(ANN, "late")))
    assert await engine.effects(None, 10) == before
    assert await log_of(engine, ANN) == []
    assert await engine.settle(settlement(now, FAILED))


async def test_an_attempt_that_took_too_long_and_was_not_overtaken_is_settled(engine: Engine) -> None:
    """Nobody else has tried, so what it says is what happened."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    assert await engine.settle(settlement(claimed, DELIVERED, at_ms=2 * UNTIL_MS))


@pytest.mark.parametrize("first", [DELIVERED, FAILED])
@pytest.mark.parametrize("second", [WAITING, DELIVERED, FAILED])
async def test_exactly_one_settlement_is_final(engine: Engine, first: EffectState, second: EffectState) -> None:
    """What is settled stays settled, and is reported once."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    assert await engine.settle(settlement(claimed, first, report=record(ANN, "first")))
    before = await engine.effects(None, 10)
    assert not await engine.settle(settlement(claimed, second, cause="other", report=record(ANN, "second")))
    assert await engine.effects(None, 10) == before
    assert [each.key for each in await log_of(engine, ANN)] == [record(ANN, "first").key]


async def test_settlements_of_one_attempt_at_once_count_once(engine: Engine, store: Store) -> None:
    """However many say what became of it, one of them is believed."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    async with store.another() as other:
        believed = await asyncio.gather(
            *(
                through.settle(settlement(claimed, DELIVERED, report=record(ANN, f"m{number}")))
                for number, through in enumerate((engine, other) * 3)
            )
        )
    assert believed.count(True) == 1
    assert len(await log_of(engine, ANN)) == 1


async def test_settling_what_was_never_put_changes_nothing(engine: Engine) -> None:
    """An unknown key is nobody's attempt."""
    unknown = ClaimedEffect(*effect("unknown")[:6], attempt=1)
    assert not await engine.settle(settlement(unknown, DELIVERED, report=record()))
    assert await engine.effects(None, 10) == []
    assert await engine.head() == 0


async def test_a_final_outcome_is_reported_in_the_log(engine: Engine) -> None:
    """The report is a record like any other: last in the log, in its person's partition, to be folded."""
    await put(engine, effect())
    report = record(ANN, "report")
    assert await engine.settle(settlement(await claim_one(engine), DELIVERED, report=report))
    (given,) = await log_of(engine, ANN)
    assert given[2:] == report
    assert (given.position, given.partition) == (await engine.head(), partition_of(ANN))
    assert await engine.unfolded([await lease_of(engine)], 10) == [given]


async def test_an_outcome_that_is_not_final_is_not_reported(engine: Engine) -> None:
    """The log tells what became of an effect, not each try."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    assert await engine.settle(settlement(claimed, WAITING, not_before_ms=NOW_MS, report=record(ANN, "report")))
    assert await log_of(engine, ANN) == []


async def test_a_report_waits_for_an_append_under_way(engine: Engine) -> None:
    """Its position too is in the order of commits; until then the effect is not settled either."""
    await put(engine, effect())
    claimed = await claim_one(engine)
    async with engine.appending() as append:
        position = await append.write(batch([record(BOB, "m1")]))
        settling = asyncio.create_task(engine.settle(settlement(claimed, DELIVERED, report=record(ANN, "report"))))
        await asyncio.wait({settling}, timeout=0.05)
        assert [each.state for each in await engine.effects(None, 10)] == [CLAIMED]
    assert await soon(settling)
    assert [each.position > position for each in await log_of(engine, ANN)] == [True]


# -- reading


async def test_an_effect_is_shown_at_every_stage(engine: Engine) -> None:
    """The console tells where an effect stands."""
    await put(engine, effect("e1", target="orders"))
    (waiting,) = await engine.effects(None, 10)
    await claim_one(engine)
    (claimed,) = await engine.effects(None, 10)
    assert [(each.state, each.attempt, each.settled_ms) for each in (waiting, claimed)] == [
        (WAITING, 0, None),
        (CLAIMED, 1, None),
    ]
    assert waiting[:4] == claimed[:4] == (effect("e1").key, "webhook", ANN, "orders")
    assert (waiting.cause, waiting.detail, waiting.created_ms) == ("", "", NOW_MS)


async def test_effects_are_shown_newest_first_up_to_the_limit(engine: Engine) -> None:
    """The latest are what somebody is looking for."""
    await put(engine, *(effect(f"e{number}", created_ms=NOW_MS + number) for number in (2, 1, 3)))
    assert [each.created_ms - NOW_MS for each in await engine.effects(None, 2)] == [3, 2]


async def test_effects_of_one_person_are_shown_without_the_others(engine: Engine) -> None:
    """What was done about somebody is about them."""
    await put(engine, effect("e1", person=ANN), effect("e2", person=BOB))
    assert [each.key for each in await engine.effects(BOB, 10)] == [effect("e2").key]
    assert len(await engine.effects(None, 10)) == 2


async def test_the_clock_of_a_claim_is_the_callers(engine: Engine, clock: ManualClock) -> None:
    """A dispatcher's instant is what counts, so that a retry can be asked for at a time to come."""
    await put(engine, NewEffect(*effect("e1", created_ms=NOW_MS + 5)))
    clock.advance(1_000)
    assert await claim(engine, NOW_MS + 4) == []
    assert len(await claim(engine, NOW_MS + 5)) == 1


async def test_what_is_due_is_counted_up_to_a_limit(engine: Engine) -> None:
    """Neither what waits for its time nor what is claimed, nor other kinds."""
    some = [effect(f"e{number}", created_ms=NOW_MS) for number in range(5)]
    await put(engine, *some, effect("later", created_ms=NOW_MS + 1))
    assert await engine.due_effects(["webhook"], NOW_MS, 100) == 5
    assert await engine.due_effects(["webhook"], NOW_MS, 3) == 3
    assert await engine.due_effects(["smtp"], NOW_MS, 100) == 0
    await claim(engine, limit=2)
    assert await engine.due_effects(["webhook", "smtp"], NOW_MS, 100) == 3


async def test_of_what_ended_long_ago_only_the_key_is_kept(engine: Engine) -> None:
    """What is open stays, however old, and so does what ended since; nothing can be put a second time."""
    await put(engine, *(effect(name) for name in ("old", "late", "open")))
    old, late, _ = sorted(await claim(engine), key=lambda each: ["old", "late", "open"].index(_name_of(each)))
    await engine.settle(settlement(old, DELIVERED)._replace(at_ms=NOW_MS))
    await engine.settle(settlement(late, FAILED)._replace(at_ms=NOW_MS + 1))
    assert await engine.let_go_of_effects(NOW_MS + 1) == 1
    assert set(await engine.effects_by_key([effect(name).key for name in ("old", "late", "open")])) == {
        effect("late").key,
        effect("open").key,
    }
    await put(engine, *(effect(name) for name in ("old", "late", "open")))
    assert await claim(engine) == []
    assert len(await engine.effects(None, 10)) == 2
    assert await engine.let_go_of_effects(NOW_MS + 1) == 0


def _name_of(claimed: ClaimedEffect) -> str:
    return next(name for name in ("old", "late", "open") if effect(name).key == claimed.key)
