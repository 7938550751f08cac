"""Subjects and receipts on a store: nothing is lost, nothing is told twice at once, and who is erased stays so."""

from __future__ import annotations

from dataclasses import replace

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import MINUTE_MS, ManualClock
from courtesy.engine.contract import Engine
from courtesy.engine.propagation import (
    GONE,
    AttemptEnd,
    Change,
    ChangeKind,
    ClaimedSubject,
    Cursor,
    Ended,
    Receipt,
    ReceiptFilter,
    ReceiptState,
)
from courtesy.identity.repair import Erasure, Note
from courtesy.identity.resolve import Changes
from tests.contract.builders import NOW_MS, Message, batch, read, receive
from tests.contract.test_engine_repair import ANN as ANNS
from tests.contract.test_engine_repair import DEVICE, by_ann, login, seen, world_of

CRM, SHOP_MAIL = "crm", "mail"
LATER_MS = NOW_MS + MINUTE_MS


def change(person: PersonId, version: int = 1, *, urgent: bool = False, entry: int | None = None) -> Change:
    """Somebody chose."""
    subject = person.to_bytes(16, "big")
    return Change(person, subject, ChangeKind.CONSENT, urgent, Position(version), entry)


async def people(engine: Engine, *names: str) -> list[PersonId]:
    """People who own an identifier of that name each; and a cursor for both recipients."""
    for recipient in (CRM, SHOP_MAIL):
        await engine.start_propagation(recipient, from_start=False)
    await receive(engine, *(Message(f"made-{name}", (f"user_id:{name}",)) for name in names))
    return [(await read(engine, f"user_id:{name}")).person for name in names]


async def queue(engine: Engine, *changes: Change, recipient: str = CRM, now_ms: int = NOW_MS) -> None:
    """Queue changes whatever the cursor says."""
    assert await engine.queue_changes(recipient, changes, now_ms)


async def claim(engine: Engine, now_ms: int = NOW_MS, *, urgent: bool = False) -> list[ClaimedSubject]:
    """Claim what is due at the CRM."""
    return await engine.claim_subjects(CRM, now_ms, MINUTE_MS, 10, urgent=urgent)


def verified(claimed: ClaimedSubject, version: int, next_ms: int | None = None) -> AttemptEnd:
    """An attempt that ended well."""
    return AttemptEnd(
        CRM, claimed.subject, claimed.attempt, Position(version), LATER_MS, ReceiptState.VERIFIED, accepted=True,
        next_ms=next_ms, forgets=version == GONE,
    )  # fmt: skip


async def end(engine: Engine, ended: AttemptEnd) -> list[Ended] | None:
    """Settle one attempt."""
    (settled,) = await engine.end_attempts([ended])
    return settled


async def receipts(engine: Engine, recipient: str = CRM) -> list[Receipt]:
    """All receipts of a recipient, the oldest first."""
    return (await engine.receipts(ReceiptFilter(recipient), None, 100))[::-1]


async def test_the_cursor_moves_with_what_was_made_of_it_or_not_at_all(engine: Engine) -> None:
    """Who comes second with the same entries adds nothing; starting again goes on from where it is."""
    (ann,) = await people(engine, "ann")
    first = await engine.propagation_cursor(CRM)
    assert first is not None
    after = first._replace(entry=first.entry + 2)
    assert await engine.queue_changes(CRM, [change(ann, entry=0), change(ann, entry=1)], NOW_MS, (first, after))
    assert not await engine.queue_changes(CRM, [change(ann, entry=0)], NOW_MS, (first, after))
    await engine.start_propagation(CRM, from_start=True)
    assert await engine.propagation_cursor(CRM) == after
    assert await engine.propagation_cursor("nobody") is None
    assert [each.entry for each in await receipts(engine)] == [0, 1]
    assert await engine.subjects(CRM, [ann]) == {ann: change(ann).subject}
    assert await engine.subjects(SHOP_MAIL, [ann]) == {}


async def test_a_subject_is_claimed_once_and_settles_all_that_was_sent(engine: Engine) -> None:
    """What came meanwhile is due at once, and only the last attempt counts."""
    (ann,) = await people(engine, "ann")
    await queue(engine, change(ann, 1), change(ann, 2))
    (claimed,) = await claim(engine)
    assert (claimed.person, claimed.tries, claimed.has_changes) == (ann, 0, True)
    await queue(engine, change(ann, 5), now_ms=NOW_MS + 1)
    assert await claim(engine) == []
    assert [each.state for each in await receipts(engine)] == ["sent", "sent", "queued"]
    (again,) = await claim(engine, NOW_MS + MINUTE_MS)
    assert again.attempt == claimed.attempt + 1
    assert await end(engine, verified(claimed, 3)) is None
    ended = await end(engine, verified(again, 3, LATER_MS + 7))
    assert ended == [Ended(ChangeKind.CONSENT, False, NOW_MS)] * 2
    one, two, three = await receipts(engine)
    assert (one.sent_ms, one.accepted_ms, one.verified_ms, one.attempts) == (NOW_MS, LATER_MS, LATER_MS, 2)
    assert (two.state, three.state, three.person) == (ReceiptState.VERIFIED, ReceiptState.SENT, ann)
    (rest,) = await claim(engine, LATER_MS)
    assert await end(engine, verified(rest, 9, LATER_MS + 7)) == [Ended(ChangeKind.CONSENT, False, NOW_MS + 1)]
    assert await claim(engine, LATER_MS + 6) == []
    (look,) = await claim(engine, LATER_MS + 7)
    assert not look.has_changes


async def test_attempts_are_settled_together_as_each_would_be_alone(engine: Engine) -> None:
    """One ended well, one goes on, one is forgotten, one was overtaken by another attempt, of two recipients."""
    ann, bob, eve, dan = await people(engine, "ann", "bob", "eve", "dan")
    await queue(engine, *(change(each) for each in (ann, bob, eve, dan)))
    await queue(engine, change(ann, 1, urgent=True), recipient=SHOP_MAIL)
    claimed = {each.person: each for each in await claim(engine)}
    (other,) = await engine.claim_subjects(SHOP_MAIL, NOW_MS, MINUTE_MS, 10, urgent=True)
    overtaken = claimed[dan]._replace(attempt=claimed[dan].attempt - 1)
    goes_on = replace(verified(claimed[bob], 5, LATER_MS + 9), end=None, error="late")
    settled = await engine.end_attempts(
        [
            verified(claimed[ann], 5),
            goes_on,
            replace(verified(claimed[eve], 5), forgets=True),
            verified(overtaken, 5),
            replace(verified(other, 0), recipient=SHOP_MAIL),
            verified(claimed[dan], 5),
        ]
    )
    done = [Ended(ChangeKind.CONSENT, False, NOW_MS)]
    assert settled == [done, [], done, None, [], done]
    assert [(each.state, each.error, each.person) for each in await receipts(engine)] == [
        ("verified", "", ann),
        ("accepted", "late", bob),
        ("verified", "", None),
        ("verified", "", dan),
    ]
    assert [each.state for each in await receipts(engine, SHOP_MAIL)] == ["sent"]
    assert await claim(engine, LATER_MS + 8) == []
    (again,) = await claim(engine, LATER_MS + 9)
    assert (again.person, again.tries) == (bob, 1)


async def test_a_failed_attempt_is_due_again_and_keeps_what_was_accepted(engine: Engine) -> None:
    """With a count of the tries, which ends with success."""
    (ann,) = await people(engine, "ann")
    await queue(engine, change(ann))
    (claimed,) = await claim(engine)
    again_ms = LATER_MS + 10
    failed = AttemptEnd(CRM, claimed.subject, claimed.attempt, Position(4), LATER_MS, accepted=True,
                        error="it holds something else", read_back='"v1"', next_ms=again_ms)  # fmt: skip
    assert await end(engine, failed) == []
    (receipt,) = await receipts(engine)
    assert (receipt.state, receipt.error, receipt.read_back) == ("accepted", "it holds something else", '"v1"')
    assert await claim(engine, again_ms - 1) == []
    (second,) = await claim(engine, again_ms)
    assert second.tries == 1
    await end(engine, verified(second, 4, again_ms))
    (receipt,) = await receipts(engine)
    assert (receipt.state, receipt.accepted_ms, receipt.error, receipt.read_back) == ("verified", LATER_MS, "", "")
    (third,) = await claim(engine, again_ms)
    assert third.tries == 0


async def test_urgent_changes_are_claimed_apart(engine: Engine) -> None:
    """A subject with one that is urgent is; when that is settled it is no more."""
    ann, bob = await people(engine, "ann", "bob")
    await queue(engine, change(ann), change(bob))
    await queue(engine, change(bob, 2, urgent=True))
    (urgent,) = await claim(engine, urgent=True)
    assert urgent.person == bob
    (other,) = await claim(engine)
    assert other.person == ann
    await end(engine, verified(urgent, 3, LATER_MS))
    assert await claim(engine, LATER_MS, urgent=True) == []
    assert {each.person for each in await claim(engine, LATER_MS)} == {ann, bob}


async def test_what_is_overdue_is_given_up_and_can_be_taken_up_again(engine: Engine) -> None:
    """It is listed as such; a later state that is verified settles it as well."""
    ann, bob = await people(engine, "ann", "bob")
    await queue(engine, change(ann, 1, urgent=True), change(bob, 1))
    await queue(engine, change(bob, 2), now_ms=NOW_MS + 1)
    given_up = await engine.escalate_overdue(CRM, NOW_MS, LATER_MS, None)
    assert sorted(given_up) == [Ended(ChangeKind.CONSENT, False, NOW_MS), Ended(ChangeKind.CONSENT, True, NOW_MS)]
    one, two, three = await receipts(engine)
    assert (one.state, one.escalated_ms, one.error) == ("escalated", LATER_MS, "not confirmed in time")
    assert [(each.state, each.receipt_count) for each in await engine.tallies()] == [("escalated", 2), ("queued", 1)]
    (bobs,) = await claim(engine, LATER_MS)
    await end(engine, verified(bobs, 2))
    assert [each.state for each in await receipts(engine)] == ["escalated", "verified", "verified"]
    assert await engine.receipts(ReceiptFilter(CRM, ReceiptState.ESCALATED), None, 5) == [one]
    assert await engine.receipts(ReceiptFilter(people=frozenset([bob])), three.number, 5) == [
        (await receipts(engine))[1]
    ]
    assert await engine.retry_receipts(CRM, [two.number], LATER_MS) == 0
    assert await engine.retry_receipts(CRM, None, LATER_MS) == 1
    assert await engine.escalate_overdue(CRM, NOW_MS, LATER_MS, None) == []
    (anns,) = await claim(engine, LATER_MS, urgent=True)
    await end(engine, verified(anns, 2))
    assert {each.state for each in await receipts(engine)} == {ReceiptState.VERIFIED}


async def erase(engine: Engine, person: PersonId, identifiers: list[str], **recipients: tuple[str, ...]) -> None:
    """Erase somebody, everywhere."""
    note = Note("erase", person, "eve", "", LATER_MS)
    erasure = Erasure(note, [person], identifiers, recipients=recipients, request="R-1", suppress=False)
    async with engine.appending() as append:
        await append.write(batch(changes=Changes(), now_ms=LATER_MS)._replace(erasure=erasure))


async def test_who_is_erased_is_erased_where_they_were_told_of_and_nowhere_else(engine: Engine) -> None:
    """Under the id alone, with what the recipient needs to find them; then nothing of them is left."""
    ann, bob = await people(engine, "ann", "bob")
    await queue(engine, change(ann, 1), change(bob, 1))
    await queue(engine, change(ann, 1), recipient=SHOP_MAIL)
    told = {each.person: each for each in await claim(engine)}
    await erase(engine, ann, ["user_id:ann"], crm=("email:ann@x.example",), mail=())
    assert await receipts(engine, SHOP_MAIL) == []
    assert [(each.person, each.kind, each.request) for each in await receipts(engine)] == [
        (None, "consent", ""), (bob, "consent", ""), (None, "erasure", "R-1"),
    ]  # fmt: skip
    assert await end(engine, verified(told[ann], 8)) == [Ended(ChangeKind.CONSENT, False, NOW_MS)]
    (gone,) = await claim(engine, LATER_MS, urgent=True)
    assert (gone.person, gone.subject, gone.find_by) == (None, change(ann).subject, ("email:ann@x.example",))
    await queue(engine, change(ann, 9))
    assert await end(engine, verified(gone, GONE)) == [Ended(ChangeKind.ERASURE, True, LATER_MS)]
    assert await claim(engine, LATER_MS + MINUTE_MS, urgent=True) == []
    assert [each.state for each in await receipts(engine)] == ["verified", "sent", "verified"]
    assert await engine.subjects(CRM, [ann, bob]) == {bob: change(bob).subject}


async def test_an_erasure_that_was_given_up_can_be_taken_up_again(engine: Engine) -> None:
    """Its subject stays until then, for else nobody could ever tell."""
    (ann,) = await people(engine, "ann")
    await queue(engine, change(ann, 1))
    await claim(engine)
    await erase(engine, ann, ["user_id:ann"], crm=())
    assert len(await engine.escalate_overdue(CRM, LATER_MS, LATER_MS, LATER_MS)) == 2
    assert await engine.retry_receipts(CRM, None, LATER_MS) == 2
    (gone,) = await claim(engine, LATER_MS, urgent=True)
    await end(engine, verified(gone, GONE))
    assert await engine.retry_receipts(CRM, None, LATER_MS) == 0
    assert {each.state for each in await receipts(engine)} == {ReceiptState.VERIFIED}


async def test_merges_and_corrections_are_told_of_once_each(engine: Engine, clock: ManualClock) -> None:
    """With everybody whom they concern, behind a cursor; and of whom somebody is a part."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"))
        ann, device = (await world.state(ANNS)).person, (await world.state(DEVICE)).person
        await engine.start_propagation(CRM, from_start=True)
        cursor = await engine.propagation_cursor(CRM)
        assert cursor is not None
        assert await engine.identity_changes(cursor, 10) == []
        await world.store(login("l1"))
        (merged,) = await engine.identity_changes(cursor, 10)
        assert merged.people == {ann, device}
        (root,) = set((await engine.roots([ann, device])).values())
        assert root == (await world.state(ANNS)).person
        cursor = cursor._replace(merge=merged.merge, repair=merged.repair)
        assert await engine.identity_changes(cursor, 10) == []
        await world.repairs.unmerge(ANNS, DEVICE, "eve", "", dry=False)
        (cut,) = await engine.identity_changes(cursor, 10)
        assert cut.people >= {ann, device}
        assert await engine.identity_changes(Cursor(0, cut.merge, cut.repair, 0), 10) == []
        assert await engine.roots([ann, device]) == {ann: ann, device: device}


async def test_a_recipient_that_is_let_go_has_nothing_under_way(engine: Engine) -> None:
    """What was is given up, nothing comes after it, and beginning again begins anew."""
    (ann,) = await people(engine, "ann")
    await queue(engine, change(ann))
    assert await engine.stop_propagation(CRM, LATER_MS) == [Ended(ChangeKind.CONSENT, False, NOW_MS)]
    assert await engine.propagation_cursor(CRM) is None
    assert not await engine.queue_changes(CRM, [change(ann)], LATER_MS)
    assert await claim(engine, LATER_MS) == []
    await engine.start_propagation(CRM, from_start=True)
    cursor = await engine.propagation_cursor(CRM)
    assert cursor is not None
    assert (cursor.entry, cursor.began) == (0, 0)
