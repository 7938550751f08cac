"""What is made of an item when it is published, for those who show it."""

from __future__ import annotations

from collections.abc import Mapping

from courtesy.content.items import Body, ItemKey
from courtesy.content.release import Candidate, Compiled


def compile_item(candidate: Candidate, used: Mapping[ItemKey, Body]) -> Compiled:
    """Nothing yet but what the item says itself; `used` is there for what stands on others."""
    return Compiled()
