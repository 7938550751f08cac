"""Laws as data: each rule does what its source says, and the same history answers differently where law differs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS
from courtesy.consent.law import Answer, Laws, Mode, Policy, Rule, Why, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Kept, Standing, add
from courtesy.event.choice import ANY, Action, Basis, Scope

ALL = Laws(LAWS)
ANN = (PersonId(1),)
NOON = 12 * 60


def ms(text: str) -> int:
    """ms UTC of a day."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


NOW = ms("2026-11-22")


def said(*choices: tuple[Action, Scope, Basis | None, int]) -> Standing:
    """What somebody said."""
    made = Standing()
    for number, (action, scope, basis, at) in enumerate(choices):
        value = False if action is Action.SIGNAL else None
        add(made, scope, Kept(at, f"{number:032x}", action, None, at, basis, value, ANN))
    return made


def ask(
    standing: Standing,
    place: str,
    channel: str = "email",
    purpose: str = "marketing",
    now: int = NOW,
    minute: int | None = NOON,
) -> Answer:
    """The question, with a topic and a brand that nothing was said of."""
    return allowed(standing, Scope(purpose, channel, "hats", "acme", place), now, ALL, minute)


NOBODY = Standing()
CONSENTED = said((Action.GRANT, Scope("marketing"), Basis.CONSENT, NOW - DAY_MS))
REFUSED = said((Action.OBJECT, Scope("marketing"), None, NOW - DAY_MS))


@pytest.mark.parametrize(
    ("place", "channel", "answer"),
    [
        ("DE", "email", Why.NOTHING_SAID),
        ("DE", "push", Why.NOTHING_SAID),
        ("DE", "post", Why.NOT_REFUSED),
        ("CA", "email", Why.NOTHING_SAID),
        ("US", "email", Why.NOT_REFUSED),
        ("US-CA", "email", Why.NOT_REFUSED),
        ("US", "sms", Why.NOTHING_SAID),
        ("TH", "email", Why.NOTHING_SAID),
        (ANY, "email", Why.NOTHING_SAID),
    ],
)
def test_of_whom_nothing_is_known(place: str, channel: str, answer: Why) -> None:
    """Unknown means no where the law asks for opt-in, and where no law is known."""
    found = ask(NOBODY, place, channel)
    assert (found.why, found.allowed) == (answer, answer is Why.NOT_REFUSED)
    assert found.source


@pytest.mark.parametrize("place", ["DE", "FR", "US", "US-CA", "CA", "TH", ANY])
@pytest.mark.parametrize("channel", ["email", "sms", "push", "post"])
def test_a_refusal_counts_everywhere_and_a_consent_wherever_there_is_a_rule(place: str, channel: str) -> None:
    """The choices that decided are named."""
    no, yes = ask(REFUSED, place, channel), ask(CONSENTED, place, channel)
    assert not no.allowed
    assert (no.why, no.choices) == (Why.REFUSED, ("0" * 32,)) or no.why is Why.NO_RULE
    assert (yes.why, yes.choices) == (Why.GRANTED, ("0" * 32,)) or yes.why is Why.NO_RULE


def test_service_messages_need_no_consent() -> None:
    """A receipt is not marketing: it goes out whatever was refused of marketing."""
    for place in ("DE", "US", "CA", ANY):
        assert ask(REFUSED, place, purpose="service").why is Why.NEEDED


def test_a_soft_opt_in_is_enough_for_mail_in_europe_and_for_nothing_else() -> None:
    """It does not reach push, and means nothing in Canada."""
    soft = said((Action.GRANT, Scope("marketing"), Basis.SOFT_OPT_IN, NOW - DAY_MS))
    assert ask(soft, "DE", "email").why is Why.GRANTED
    assert ask(soft, "DE", "push").why is Why.NOTHING_SAID
    assert ask(soft, "CA", "email").why is Why.NOTHING_SAID


def test_implied_consent_in_canada_ends_by_itself() -> None:
    """Two years after a purchase, half a year after an inquiry; express consent does not end."""
    then = ms("2025-01-01")
    bought, asked = (said((Action.GRANT, Scope("marketing"), basis, then)) for basis in (Basis.PURCHASE, Basis.INQUIRY))
    express = said((Action.GRANT, Scope("marketing"), Basis.CONSENT, then))
    days = [181, 182, 729, 730, 9_999]
    assert [ask(asked, "CA", now=then + day * DAY_MS).allowed for day in days] == [True, False, False, False, False]
    assert [ask(bought, "CA", now=then + day * DAY_MS).allowed for day in days] == [True, True, True, False, False]
    assert all(ask(express, "CA", now=then + day * DAY_MS).allowed for day in days)


def test_sale_is_opted_out_of_by_global_privacy_control_and_only_there() -> None:
    """In California and its like; a later consent overrides it."""
    gpc = (Action.SIGNAL, Scope("sale", jurisdiction="US"), None, NOW - 2 * DAY_MS)
    later = (Action.GRANT, Scope("sale", jurisdiction="US"), Basis.CONSENT, NOW - DAY_MS)
    for place in ("US-CA", "US-CO"):
        assert ask(NOBODY, place, ANY, "sale").why is Why.NOT_REFUSED
        assert ask(said(gpc), place, ANY, "sale").why is Why.REFUSED
        assert ask(said(gpc, later), place, ANY, "sale").why is Why.GRANTED
    assert ask(said(gpc), "DE", ANY, "sale").why is Why.NOTHING_SAID
    assert ask(said(gpc), "US-CA", "email").why is Why.NOT_REFUSED


def test_texts_go_out_by_day_alone() -> None:
    """From eight to nine in the evening where they are, and not at all where that is not known."""
    minutes = [None, 0, 8 * 60 - 1, 8 * 60, 21 * 60 - 1, 21 * 60]
    assert [ask(CONSENTED, "US-TX", "sms", minute=minute).why for minute in minutes] == [
        Why.HOUR_UNKNOWN, Why.QUIET_HOURS, Why.QUIET_HOURS, Why.GRANTED, Why.GRANTED, Why.QUIET_HOURS,
    ]  # fmt: skip
    assert ask(CONSENTED, "US-TX", "email", minute=0).why is Why.GRANTED


def test_one_revocation_counts_for_calls_and_texts_from_a_day_on() -> None:
    """A switch with a date, and no code: before it a STOP by text leaves calls alone."""
    scope = Scope("marketing")
    stopped = said(
        (Action.GRANT, scope, Basis.CONSENT, ms("2026-01-01")),
        (Action.WITHDRAW, scope._replace(channel="sms"), None, ms("2026-06-01")),
    )
    eve, day = ms("2027-01-30"), ms("2027-01-31")
    assert [ask(stopped, "US", "sms", now=now).why for now in (eve, day)] == [Why.REFUSED, Why.REFUSED]
    assert [ask(stopped, "US", "voice", now=now).why for now in (eve, day)] == [Why.GRANTED, Why.REFUSED]
    assert ask(stopped, "US", "voice", now=day).policy != ask(stopped, "US", "voice", now=eve).policy
    assert ask(stopped, "US", "email", now=day).why is Why.GRANTED


def test_laws_are_those_of_the_day() -> None:
    """Before a law was in force what is general holds."""
    assert ask(NOBODY, "US", now=ms("2003-12-31")).why is Why.NOTHING_SAID
    assert ask(NOBODY, "US", now=ms("2004-01-01")).why is Why.NOT_REFUSED
    assert ask(NOBODY, "DE", "post", now=ms("2018-05-24")).why is Why.NOTHING_SAID


def test_each_law_in_force_has_to_allow_it() -> None:
    """A state's law beside its country's: the no of either decides."""
    strict = Policy("strict", "US-CA", 0, (Rule("never", Mode.OPT_IN, "a test", channels=frozenset({"email"})),))
    laws = Laws([*LAWS, strict])
    for place, answer in (("US-CA", Why.NOTHING_SAID), ("US-TX", Why.NOT_REFUSED)):
        assert allowed(NOBODY, Scope("marketing", "email", ANY, ANY, place), NOW, laws).why is answer


def test_too_much_said_counts_as_a_refusal_where_silence_is_a_yes() -> None:
    """A flood of choices may have pushed a refusal out."""
    cut = Standing(is_cut=True)
    assert ask(cut, "US").why is Why.TOO_MUCH_SAID
    assert ask(cut, "DE").why is Why.NOTHING_SAID


def test_without_any_policy_nothing_is_allowed() -> None:
    """No basis, no message."""
    assert allowed(CONSENTED, Scope("marketing", "email"), NOW, Laws([])) == (False, Why.NO_RULE, (), "", "", "")


def test_every_rule_names_its_source_and_every_version_is_one() -> None:
    """No two versions of a policy begin on one day, and no rule is without a source."""
    versions = [policy.version for policy in LAWS]
    assert len(set(versions)) == len(versions)
    assert all(rule.source and rule.name for policy in LAWS for rule in policy.rules)
    for policy in LAWS:
        assert len({rule.name for rule in policy.rules}) == len(policy.rules)


@pytest.mark.parametrize("place", ["DE", "US-CA", "US", "CA", "TH", ANY])
@pytest.mark.parametrize("purpose", ["service", "marketing", "analytics", "sale"])
def test_who_is_restricted_is_used_for_nothing_anywhere(place: str, purpose: str) -> None:
    """Not even for what is needed; the source is named, whatever the law of the place says of consent."""
    standing = said((Action.GRANT, Scope(ANY), Basis.CONSENT, NOW - DAY_MS))
    kept = Kept(NOW - DAY_MS, "r" * 32, Action.SET, None, NOW - DAY_MS, None, True, ANN)
    add(standing, Scope("restriction"), kept)
    found = ask(standing, place, purpose=purpose)
    assert (found.allowed, found.why, found.rule, found.choices) == (False, Why.RESTRICTED, "restriction", ("r" * 32,))
    assert "GDPR 18" in found.source
    assert ask(standing, place, purpose=purpose, now=NOW - 2 * DAY_MS).why is not Why.RESTRICTED
