"""What a store keeps of segments: who is in which."""

from __future__ import annotations

from typing import NamedTuple

from courtesy.base.ids import PersonId


class MembershipChange(NamedTuple):
    """A person entered (`inside`) or left a segment, by its number, at `at_ms`. `value`: for which of its values, in
    JSON, if it is one for each; empty for any other."""

    person: PersonId
    segment: int
    value: str
    inside: bool
    at_ms: int
