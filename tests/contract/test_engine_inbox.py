"""What waits to be shown, on every store: once each, and seen once."""

from __future__ import annotations

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Engine
from courtesy.engine.delivery import IN_APP, InboxItem, MessageFate
from tests.contract.builders import NOW_MS

ANN, BOB = PersonId(1), PersonId(2)


def item(person: PersonId, message: str) -> InboxItem:
    """A message that waits for a day."""
    return InboxItem(person, message, IN_APP, b"{}", NOW_MS, NOW_MS + DAY_MS)


async def test_a_message_is_seen_once_and_only_while_it_waits(engine: Engine) -> None:
    """By whom it is for; what was taken can't be seen."""
    await engine.put_inbox([item(ANN, "c/1"), item(ANN, "c/2"), item(BOB, "c/1")])
    assert await engine.mark_seen([ANN], ["c/1", "c/9"]) == 1
    assert await engine.mark_seen([ANN], ["c/1"]) == 0
    await engine.put_inbox([item(ANN, "c/1")])
    assert await engine.mark_seen([ANN], ["c/1"]) == 0
    assert await engine.mark_seen([BOB], ["c/1"]) == 1
    assert await engine.take_from_inbox([ANN], ["c/1", "c/2"], "clicked") == 2
    assert await engine.mark_seen([ANN], ["c/2"]) == 0
    assert await engine.take_from_inbox([ANN], ["c/1", "c/2"], "clicked") == 0
    assert await engine.message_fates("c") == {MessageFate("c", IN_APP, "clicked", ""): 2}
    assert [each.message for each in await engine.inbox([ANN, BOB], IN_APP, NOW_MS)] == ["c/1"]
