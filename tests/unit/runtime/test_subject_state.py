"""What a recipient is told of somebody: what it may know, what it asks about, and until when that holds."""

from __future__ import annotations

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Kept, Standing, add
from courtesy.engine.contract import HeldIdentifier, PersonReading
from courtesy.event.choice import Action, Basis, Scope
from courtesy.person.state import PersonState, encode_state
from courtesy.runtime.recipient import Recipient, SubjectIds
from courtesy.runtime.settings import Settings
from courtesy.runtime.subject_state import SubjectState, subject_state

NOW_MS = 1_793_448_000_000
ANN = PersonId(7)
SUBJECT = bytes(range(16))
MAIL = Scope("marketing", "email")
NAMES = ("anonymous_id:a-1", "email:ann@x.example", "user_id:ann")


def recipient(**fields: object) -> Recipient:
    """A recipient that only differs in what a test is about."""
    return Recipient(**{"url": "https://crm.example", "secrets": ("s",), **fields})  # type: ignore[arg-type]


def kept(number: int, action: Action, *, at: int = NOW_MS, to: int | None = None, basis: Basis | None = None) -> Kept:
    """A choice."""
    return Kept(at, f"{number:032x}", action, to, at, basis, None, (ANN,))


def told(
    to: Recipient, *choices: tuple[Scope, Kept], now_ms: int = NOW_MS, part_of: bytes | None = None
) -> SubjectState:
    """What it is told of Ann, who chose that."""
    standing = Standing()
    for scope, each in choices:
        add(standing, scope, each)
    state = encode_state(PersonState(ANN, standing=standing))
    held = [HeldIdentifier(name, False, SourceId(1), "m", NOW_MS) for name in NAMES]
    reading = PersonReading(ANN, Position(99), held, [], [state], [])
    return subject_state(to, SUBJECT, part_of, reading, now_ms, Laws(LAWS))


def allowed(state: SubjectState) -> dict[tuple[str, ...], bool]:
    """What is said of each question, by purpose, channel, topic and brand."""
    names = ("purpose", "channel", "topic", "brand")
    return {tuple(each[name] for name in names): each["allowed"] for each in state.document["allowed"]}


def test_it_gets_the_identifiers_that_it_may_know() -> None:
    """Not those of browsers and devices, unless it is to; and none of one who is a part of another."""
    assert [each["kind"] for each in told(recipient()).document["identifiers"]] == ["email", "user_id"]
    named = told(recipient(kinds=("anonymous_id",))).document["identifiers"]
    assert named == [{"kind": "anonymous_id", "value": "a-1"}]
    part = told(recipient(), part_of=bytes(16)).document
    assert (part["identifiers"], part["part_of"], part["version"]) == ([], "00" * 16, 99)


def test_it_is_told_what_choices_come_to_for_what_it_does() -> None:
    """For each of its purposes and channels, and topic by topic where something was said of one."""
    news = MAIL._replace(topic="news")
    choices = ((MAIL, kept(1, Action.WITHDRAW)), (news, kept(2, Action.GRANT, at=NOW_MS + 1)))
    state = told(recipient(purposes=("marketing",), channels=("email",)), *choices, now_ms=NOW_MS + 2)
    assert allowed(state) == {
        ("marketing", "email", "*", "*"): False, ("marketing", "email", "news", "*"): True,
    }  # fmt: skip
    assert [each["topic"] for each in state.document["choices"]] == ["news", "*"]
    other = told(recipient(purposes=("analytics",), channels=("web",)), *choices)
    assert (other.document["choices"], allowed(other)) == ([], {("analytics", "web", "*", "*"): False})


def test_what_was_said_of_everything_is_about_what_it_does() -> None:
    """A choice for any purpose or channel is told to everybody."""
    everything = (Scope("*"), kept(1, Action.OBJECT))
    state = told(recipient(purposes=("marketing",), channels=("sms",)), everything)
    assert [each["action"] for each in state.document["choices"]] == ["object"]
    assert allowed(told(recipient(), everything)) == {
        ("marketing", "email", "*", "*"): False, ("marketing", "sms", "*", "*"): False,
    }  # fmt: skip


def test_it_holds_until_a_choice_begins_or_ends_by_itself() -> None:
    """The first of the instants to come; for ever when there is none."""
    assert told(recipient(), (MAIL, kept(1, Action.GRANT))).until_ms is None
    ends = (MAIL, kept(1, Action.GRANT, to=NOW_MS + DAY_MS))
    begins = (MAIL, kept(2, Action.WITHDRAW, at=NOW_MS + HOUR_MS))
    assert told(recipient(), ends).until_ms == NOW_MS + DAY_MS
    assert told(recipient(), ends, begins).until_ms == NOW_MS + HOUR_MS
    assert told(recipient(), ends, now_ms=NOW_MS + DAY_MS).until_ms is None


def test_it_is_what_a_recipient_holds_under_whatever_version() -> None:
    """It may hold more, but nothing else."""
    state = told(recipient(), (MAIL, kept(1, Action.GRANT)))
    assert state.is_what({**state.document, "version": 1, "own": "thing"})
    assert not state.is_what(None)
    assert not state.is_what({**state.document, "choices": []})
    assert not state.is_what({"version": 99})


def test_a_person_has_another_name_at_each_recipient() -> None:
    """Always the same there, and under another key another."""
    ids = SubjectIds(Settings(link_key="k" * 32))
    names = {ids.of("crm", ANN), ids.of("mail", ANN), ids.of("crm", PersonId(8))}
    assert len(names) == 3
    assert SubjectIds(Settings(link_key="k" * 32)).of("crm", ANN) in names
    assert SubjectIds(Settings(link_key="l" * 32)).of("crm", ANN) not in names
