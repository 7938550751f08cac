"""The reference says what the code says, and covers all of it."""

from __future__ import annotations

import pytest

from courtesy.base.errors import Code
from courtesy.channel import CHANNELS
from courtesy.channel.contract import FailCause, RetryCause
from courtesy.channel.email import CARRIERS
from courtesy.delivery.bot_verdict import Reason as BotReason
from courtesy.delivery.cause import DeliveryCause, Reaction
from courtesy.delivery.outcome import OutcomeKind
from courtesy.event.cause import Cause
from courtesy.event.event import TRUST_RANK
from courtesy.http.app import OPERATIONS
from courtesy.identity.resolve import RefusalReason
from courtesy.identity.rules import IdentityRules
from courtesy.runtime.settings import Settings
from tests.docs.commands import commands
from tests.docs.reference import FOLDER, PAGES
from tests.tidy.checkout import ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_up_to_date(name: str) -> None:
    """Nobody reads what was true once; `python -m tests.docs.reference --write` brings the page up to date."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_the_reference_has_no_page_that_nothing_writes() -> None:
    """A page that was renamed does not stay behind."""
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("settings.md", [f"COURTESY_{name.upper()}" for name in Settings.__struct_fields__]),
        ("causes.md", list(Cause)),
        ("errors.md", list(Code)),
        ("commands.md", [command.name for command in commands()]),
        ("channels.md", [channel.component.name for channel in CHANNELS]),
        ("channels.md", [cause.value for cause in (*RetryCause, *FailCause)]),
        ("email.md", [carrier.component.name for carrier in CARRIERS]),
        ("email.md", [each.value for each in (*OutcomeKind, *DeliveryCause, *Reaction, *BotReason)]),
        ("identity-kinds.md", [kind.name for kind in IdentityRules().kinds]),
        ("identity-kinds.md", list(RefusalReason)),
        ("api.md", [operation.path for operation in OPERATIONS]),
    ],
)
def test_everything_that_has_a_name_is_documented(page: str, names: list[str]) -> None:
    """Settings, causes, codes, commands, channels, kinds and paths can all be looked up."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    assert names
    assert [name for name in names if name not in text] == []


def test_every_setting_and_command_says_what_it_is_for() -> None:
    """No row of the reference ends in nothing."""
    silent = [
        (command.name, parameter.name)
        for command in commands()
        for parameter in command.parameters
        if not parameter.meaning
    ]
    assert silent == []
    rows = (FOLDER / "settings.md").read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if row.startswith("| `") and row.endswith("|  |")] == []


def test_the_parties_are_documented_with_their_ranks() -> None:
    """Who reads whom to trust reads the ranks that are in force."""
    text = (ROOT / "docs" / "how-to" / "trust.md").read_text(encoding="utf-8")
    assert [party for party, rank in TRUST_RANK.items() if f"| {party} | {rank} |" not in text] == []
