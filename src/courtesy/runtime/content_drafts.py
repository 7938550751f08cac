"""What an item says in a version, as it stands, or in a form that nobody has saved: compiled, and nothing kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import Clock
from courtesy.content.compiling import compile_item
from courtesy.content.findings import Finding
from courtesy.content.items import Body, ItemKey, checked, references
from courtesy.content.kinds import kind_of
from courtesy.content.release import Candidate, Compiled, Plan, troubles
from courtesy.content.showing import shown_sheets
from courtesy.content.wording import SAID, Sheet, sheets_of
from courtesy.engine.content import ItemState, Version
from courtesy.engine.contract import Engine
from courtesy.runtime.content import body_of, item_in


class Said(NamedTuple):
    """What an item says, in one state of it: `source` in words, sheets by locale and channel, what was found."""

    body: Body
    source: str
    sheets: Mapping[tuple[str, str], Sheet]
    findings: list[Finding]


class Drafts:
    """Compiles what is to be looked at. Nothing is changed."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def version(self, key: ItemKey, number: int | None) -> Said:
        """A version, or the one that is live, from what was published with it. Raises CourtesyError(NOT_FOUND)."""
        item = await item_in(self._engine, key)
        found = await self._engine.content_version(key, number or item.live or 0)
        if found is None:
            wanted = f"no version {number}" if number else "no version that is live"
            raise CourtesyError(Code.NOT_FOUND, f"{key} has {wanted}", hint="look at its draft", place="version")
        candidate = Candidate(key, kind_of(key.kind), found.revision, body_of(found.body))
        made = Compiled(msgspec.json.decode(found.artefacts, type=dict[str, str]))
        sheets, _ = _sheets(candidate, await self._pinned(found), made)
        return Said(candidate.body, f"version {found.number}", sheets, [])

    async def draft(self, key: ItemKey, unsaved: Body | None) -> Said:
        """An item as it stands, or as `unsaved` has it, with what it stands on as that is live, or else drafted.

        Raises CourtesyError: NOT_FOUND, and INVALID for a body that its kind does not allow.
        """
        kind = kind_of(key.kind)
        if unsaved is None:
            item = await item_in(self._engine, key)
            body, revision, source = body_of(item.body), item.revision, f"revision {item.revision}"
        else:
            body, revision, source = checked(kind, unsaved), 0, "unsaved"
        candidate = Candidate(key, kind, revision, body)
        used = await self._standing_on(candidate)
        found = [each.finding for each in troubles(Plan([candidate], live=used.keys()), self._clock.now_ms())]
        made = compile_item(candidate, used)
        sheets, more = _sheets(candidate, used, made)
        return Said(body, source, sheets, list(dict.fromkeys([*found, *made.findings, *more])))

    async def _pinned(self, version: Version) -> dict[ItemKey, Body]:
        """What a version stands on, also through others; the nearer counts."""
        found: dict[ItemKey, Body] = {}
        ahead = [version]
        for at in ahead:
            for pin in at.pins:
                if pin.key not in found and (met := await self._engine.content_version(pin.key, pin.version)):
                    found[pin.key] = body_of(met.body)
                    ahead.append(met)
        return found

    async def _standing_on(self, candidate: Candidate) -> dict[ItemKey, Body]:
        """What a draft stands on: what is live with what that is pinned to, else drafts, as if all were published."""
        found: dict[ItemKey, Body] = {}
        ahead = sorted(references(candidate.kind, candidate.body))
        for key in ahead:
            item = None if key in found else await self._engine.content_item(key)
            if item is None or item.state is ItemState.ARCHIVED:
                continue
            live = None if item.live is None else await self._engine.content_version(key, item.live)
            if live is not None:
                found = {**await self._pinned(live), **found, key: body_of(live.body)}
            else:
                found[key] = body_of(item.body)
                ahead += sorted(references(kind_of(key.kind), found[key]))
        return found


def _sheets(
    candidate: Candidate, used: Mapping[ItemKey, Body], made: Compiled
) -> tuple[dict[tuple[str, str], Sheet], list[Finding]]:
    """What an item says by locale and channel: what was compiled of it where that is what leaves."""
    if candidate.key.kind in SAID:
        return sheets_of(made.artefacts), []
    sheets, found = shown_sheets(candidate, used)
    return {(each.locale, each.channel): each for each in sheets}, found
