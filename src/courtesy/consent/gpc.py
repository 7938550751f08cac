"""Global Privacy Control of one person: whether a browser of theirs ever sent it, and whether it is honoured now."""

from __future__ import annotations

from typing import NamedTuple

from courtesy.consent.places import larger_places
from courtesy.consent.signals import said_by_gpc
from courtesy.consent.standing import Standing, State, scope_key, verdict
from courtesy.event.choice import Action, Basis, Scope

GPC_SCOPES = tuple(Scope(each.purpose, jurisdiction=each.jurisdiction) for each in said_by_gpc("1"))
"""What it asks not to be done."""


class GpcState(NamedTuple):
    """`recorded`: some request of theirs had it. `honoured`: and all that it asks is refused now; when it is not, they
    allowed some of it later themselves."""

    recorded: bool
    honoured: bool


def gpc_of(standing: Standing, place: str, now_ms: int) -> GpcState:
    """As it stands for somebody in a place, or anywhere in the country of the signal."""
    recorded = all(_is_signalled(standing, scope) for scope in GPC_SCOPES)
    return GpcState(recorded, recorded and all(_is_refused(standing, scope, place, now_ms) for scope in GPC_SCOPES))


def _is_signalled(standing: Standing, scope: Scope) -> bool:
    kept = standing.scopes.get(scope_key(scope), [])
    return any(each.action is Action.SIGNAL and each.value is False for each in kept)


def _is_refused(standing: Standing, scope: Scope, place: str, now_ms: int) -> bool:
    here = place if scope.jurisdiction in larger_places(place) else scope.jurisdiction
    found = verdict(standing, scope._replace(jurisdiction=here), now_ms, frozenset(Basis), {})
    return found.state is State.REFUSED
