"""Law as data, and the one question: may this person be used for that, now?

A policy is what one law, or one firm, asks for in one place from some day on. It is never edited: what changes is a new
version with a day of its own. `allowed` is pure, and answers with the choices and the rule that decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from courtesy.base.time import DAY_MS
from courtesy.consent.places import larger_places
from courtesy.consent.standing import Kept, Standing, State, restrictions, verdict
from courtesy.event.choice import ANY, Basis, Scope

CONSENT_ONLY = frozenset({Basis.CONSENT})
EVERY_BASIS = frozenset(Basis)
REMEMBERED_MAX = 4_096

RESTRICTED_RULE, RESTRICTED_POLICY = "restriction", "gdpr-restriction"
RESTRICTED_SOURCE = "GDPR 18(2): restricted data is kept, and otherwise only used as the person agrees"


class Mode(StrEnum):
    """What holds while nobody has said anything. OPT_IN: no. OPT_OUT: yes. NEEDED: yes, whatever was refused, because
    the law or a contract with the person asks for it."""

    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    NEEDED = "needed"


class Hours(NamedTuple):
    """The minutes of a day, from midnight where the person is, between which it is allowed: `first` included, `end`
    not."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for some purposes and channels.

    `bases`: on what an allowance may rest. `lives_days`: after how many days those on some bases end. `hours`: at which
    time of day alone it is allowed; where it is not known which time it is there, it is not. `follows`: channels whose
    refusals count for this one as well. `source`: where that is written.
    """

    name: str
    mode: Mode
    source: str
    purposes: frozenset[str] = frozenset({ANY})
    channels: frozenset[str] = frozenset({ANY})
    bases: frozenset[Basis] = CONSENT_ONLY
    lives_days: Mapping[Basis, int] = field(default_factory=dict, hash=False)
    hours: Hours | None = None
    follows: tuple[str, ...] = ()

    def is_about(self, scope: Scope) -> bool:
        """Whether it is about that purpose and channel."""
        return self.purposes & {scope.purpose, ANY} != set() and self.channels & {scope.channel, ANY} != set()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one place from an instant on (ms UTC), the first that is about a question decides. In the place `*`
    it is for whoever has none of their own."""

    name: str
    place: str
    in_force_from: int
    rules: tuple[Rule, ...]

    @property
    def version(self) -> str:
        """The name and the day from which it is in force, counted from 1970."""
        return f"{self.name}@{self.in_force_from // DAY_MS}"

    def rule_about(self, asked: Scope) -> Rule | None:
        """The first rule that is about a question."""
        return next((rule for rule in self.rules if rule.is_about(asked)), None)


class Why(StrEnum):
    """What decided."""

    GRANTED = "granted"
    REFUSED = "refused"
    NOTHING_SAID = "nothing_said"
    NOT_REFUSED = "not_refused"
    NEEDED = "needed"
    RESTRICTED = "restricted"
    QUIET_HOURS = "quiet_hours"
    HOUR_UNKNOWN = "hour_unknown"
    NO_RULE = "no_rule"
    TOO_MUCH_SAID = "too_much_said"


class Answer(NamedTuple):
    """Whether it is allowed; why; the choices and the rule that decided, with the version of its policy and its
    source."""

    allowed: bool
    why: Why
    choices: tuple[str, ...]
    rule: str
    policy: str
    source: str


class Laws:
    """Policies, to ask which of their rules are about a question. What was asked once is remembered."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(sorted(policies, key=lambda each: each.in_force_from))
        self._found: dict[tuple[str, str, str, int], list[tuple[Policy, Rule]]] = {}

    def about(self, asked: Scope, now_ms: int) -> list[tuple[Policy, Rule]]:
        """The rule of each law in force that is about the question, that of the smallest place first; of the general
        policy when no law is."""
        key = asked.jurisdiction, asked.purpose, asked.channel, now_ms // DAY_MS
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= REMEMBERED_MAX:
                self._found.clear()
            found = self._found[key] = self._about(asked, now_ms)
        return found

    def _about(self, asked: Scope, now_ms: int) -> list[tuple[Policy, Rule]]:
        for places in ((asked.jurisdiction, *larger_places(asked.jurisdiction)), (ANY,)):
            latest = {
                each.name: each for each in self.policies if each.place in places and each.in_force_from <= now_ms
            }
            ordered = sorted(latest.values(), key=lambda each: (places.index(each.place), each.name))
            rules = [(policy, policy.rule_about(asked)) for policy in ordered]
            found = [(policy, rule) for policy, rule in rules if rule is not None]
            if found:
                return found
        return []


def allowed(standing: Standing, asked: Scope, now_ms: int, laws: Laws, local_minute: int | None = None) -> Answer:
    """Whether a person may be used for a purpose over a channel, about a topic, for a brand, where they are.

    `asked` names a purpose and a channel. `local_minute`: of the day, where the person is, as far as it is known. Of
    several laws that are in force in that place (its own, its country's, its union's) each has to allow it. Of whoever
    asked for restriction nothing is, under any law.
    """
    restricted = restrictions(standing, now_ms)
    if restricted:
        ids = tuple(each.id for each in restricted)
        return Answer(False, Why.RESTRICTED, ids, RESTRICTED_RULE, RESTRICTED_POLICY, RESTRICTED_SOURCE)
    found = laws.about(asked, now_ms)
    if not found:
        return Answer(False, Why.NO_RULE, (), "", "", "")
    answers = [_by_rule(standing, asked, now_ms, policy, rule, local_minute) for policy, rule in found]
    return next((answer for answer in answers if not answer.allowed), answers[0])


def allowed_at(standing: Standing, asked: Scope, now_ms: int, laws: Laws, minutes: Sequence[int | None]) -> Answer:
    """As `allowed`, where it may be any of several minutes of the day, one at least: in each it has to be."""
    answers = [allowed(standing, asked, now_ms, laws, minute) for minute in minutes]
    return next((answer for answer in answers if not answer.allowed), answers[0])


def _by_rule(
    standing: Standing, asked: Scope, now_ms: int, policy: Policy, rule: Rule, local_minute: int | None
) -> Answer:
    """What one rule says."""

    def answer(is_allowed: bool, why: Why, kept: Iterable[Kept] = ()) -> Answer:
        return Answer(is_allowed, why, tuple(each.id for each in kept), rule.name, policy.version, rule.source)

    if rule.mode is Mode.NEEDED:
        return answer(True, Why.NEEDED)
    lives_ms = {basis: days * DAY_MS for basis, days in rule.lives_days.items()}
    found = verdict(standing, asked, now_ms, rule.bases, lives_ms)
    for channel in rule.follows:
        if found.state is not State.REFUSED:
            other = verdict(standing, asked._replace(channel=channel), now_ms, rule.bases, lives_ms)
            found = other if other.state is State.REFUSED else found
    if found.state is State.REFUSED:
        return answer(False, Why.REFUSED, found.kept)
    if found.state is State.UNKNOWN and rule.mode is Mode.OPT_IN:
        return answer(False, Why.NOTHING_SAID)
    if found.state is State.UNKNOWN and found.is_cut:
        return answer(False, Why.TOO_MUCH_SAID)
    if rule.hours is not None and local_minute is None:
        return answer(False, Why.HOUR_UNKNOWN)
    if rule.hours is not None and local_minute is not None and not rule.hours.first <= local_minute < rule.hours.end:
        return answer(False, Why.QUIET_HOURS)
    if found.state is State.GRANTED:
        return answer(True, Why.GRANTED, found.kept)
    return answer(True, Why.NOT_REFUSED)
