"""What is told of the quarantine, by the API and the command line alike: groups, examples, proposals, totals."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from courtesy.base.time import to_iso
from courtesy.engine.contract import Quarantined
from courtesy.event.cause import Cause, Fate
from courtesy.event.mend import Fix, Operation, described
from courtesy.runtime.quarantine import Example, Group, Preview, Replay, Tally, TriedProposal


class GroupView(msgspec.Struct, frozen=True):
    """Events that are wrong in the same way. `signature`: where and how, without the values."""

    group: str
    source: str
    cause: Cause
    signature: str
    events: int
    first: str
    last: str
    meaning: str
    remedy: str


class Groups(msgspec.Struct, frozen=True):
    """Most events first."""

    groups: list[GroupView]


class HeldView(msgspec.Struct, frozen=True):
    """A held event as it came, and as mended so far (null when it is not). Text, or base64, as the encoding says."""

    number: int
    received: str
    detail: str
    message_id: str | None
    raw: str
    raw_encoding: str
    mended: str | None
    mended_encoding: str | None


class ProposalView(msgspec.Struct, frozen=True):
    """A fix that would let `mends` of the latest `tried` events of the group in."""

    said: str
    fix: Fix
    words: list[str]
    mends: int
    tried: int


class GroupDetail(msgspec.Struct, frozen=True):
    """A group with its latest events, newest first, and fixes that may help, the best first."""

    group: GroupView
    examples: list[HeldView]
    proposals: list[ProposalView]


class Totals(msgspec.Struct, frozen=True):
    """Of the events `looked_at`: `left` stay in quarantine, by the cause that they then have; `unmended` of them are
    those to which the fix could not be applied; `gone` were taken by another replay meanwhile."""

    looked_at: int
    stored: int
    duplicate: int
    suppressed: int
    unmended: int
    gone: int
    left: dict[str, int]


class ExampleView(msgspec.Struct, frozen=True):
    """One event before and after (null when the fix could not be applied), and what would become of it."""

    number: int
    before: str
    after: str | None
    fate: Fate
    cause: Cause | None
    detail: str


class PreviewView(msgspec.Struct, frozen=True):
    """What a replay would do to the latest events. `words` says what the fix does."""

    words: list[str]
    totals: Totals
    examples: list[ExampleView]


class Replayed(msgspec.Struct, frozen=True):
    """What was done. A read `?after=<position>` sees all that was stored. `next_before` is null at the end."""

    totals: Totals
    position: str
    next_before: int | None


class FixView(msgspec.Struct, frozen=True):
    """A saved fix."""

    name: str
    said: str
    fix: Fix
    words: list[str]
    changed: str
    changed_by: str


def as_text(raw: bytes) -> tuple[str, str]:
    """Bytes as JSON can say them: text, or base64 where they are no UTF-8; and which of the two."""
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"


def words_of(fix: Sequence[Operation]) -> list[str]:
    """A fix in plain words."""
    return [described(each) for each in fix]


def group_view(group: Group) -> GroupView:
    """A group as it is told."""
    found = group.found
    return GroupView(
        group.id,
        group.source,
        found.cause,
        found.signature,
        found.event_count,
        to_iso(found.first_ms),
        to_iso(found.last_ms),
        group.meaning,
        group.remedy,
    )


def held_view(held: Quarantined) -> HeldView:
    """A held event as it is told."""
    raw, encoding = as_text(held.raw)
    mended, mended_encoding = (None, None) if held.mended is None else as_text(held.mended)
    return HeldView(
        held.number, to_iso(held.received_ms), held.detail, held.message_id, raw, encoding, mended, mended_encoding
    )


def totals_view(tally: Tally) -> Totals:
    """Totals as they are told."""
    left = {str(cause): count for cause, count in tally.left.most_common()}
    return Totals(tally.looked_at, tally.stored, tally.duplicate, tally.suppressed, tally.unmended, tally.gone, left)


def example_view(example: Example) -> ExampleView:
    """An example as it is told."""
    after = None if example.after is None else as_text(example.after)[0]
    return ExampleView(example.number, as_text(example.before)[0], after, example.fate, example.cause, example.detail)


def proposal_view(tried: TriedProposal) -> ProposalView:
    """A proposal as it is told."""
    fix = tried.proposal.fix
    return ProposalView(tried.proposal.said, fix, words_of(fix), tried.mended_count, tried.tried_count)


def group_detail(group: Group, examples: Sequence[Quarantined], proposals: Sequence[TriedProposal]) -> GroupDetail:
    """A group as it is told, with what belongs to it."""
    return GroupDetail(
        group_view(group), [held_view(each) for each in examples], [proposal_view(each) for each in proposals]
    )


def preview_view(fix: Sequence[Operation], found: Preview) -> PreviewView:
    """A preview as it is told."""
    return PreviewView(words_of(fix), totals_view(found.tally), [example_view(each) for each in found.examples])


def replay_view(done: Replay) -> Replayed:
    """A replay as it is told."""
    return Replayed(totals_view(done.tally), str(done.position), done.next_before)
