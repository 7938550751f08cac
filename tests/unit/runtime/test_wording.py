"""What writes messages reads a version once, however many messages of a batch ask for it at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.base.time import ManualClock
from courtesy.content.items import ItemKey
from courtesy.delivery.desk import No
from courtesy.delivery.message import Admitted, Message, Skip
from courtesy.engine.content import Item
from courtesy.engine_memory import MemoryEngine
from courtesy.person.state import PersonState
from courtesy.runtime.wording import FRESH_MS, ContentWording

NOW_MS = 1_763_769_600_000
BATCH = 200


class _Counted(MemoryEngine):
    """An engine that counts how often it is asked for an item."""

    asked = 0

    async def content_item(self, key: ItemKey) -> Item | None:
        self.asked += 1
        await asyncio.sleep(0)
        return await super().content_item(key)


async def test_a_batch_reads_a_version_once() -> None:
    """Compiling its templates takes some milliseconds: two hundred times at once, a sender stood still for seconds."""
    engine = _Counted(ManualClock(NOW_MS))
    await engine.open()
    not_reached: Any = None
    wording = ContentWording(engine, not_reached, ManualClock(NOW_MS), not_reached)
    message = Message("spring/1", "marketing", ("email",), "campaign/spring@1", NOW_MS + FRESH_MS)
    each = Admitted(message, "email", "letters", 1_000, NOW_MS)
    state = PersonState(PersonId(1))
    found = await asyncio.gather(*(wording.write(each, bytes(16), state, NOW_MS, {}) for _ in range(BATCH)))
    assert found == [No(Skip.CONTENT, "there is no campaign/spring")] * BATCH
    assert engine.asked == 1
    await wording.write(each, bytes(16), state, NOW_MS, {})
    assert engine.asked == 2, "what is not there may be by now"
