"""Mails scored by real spam filters before they are published, with the rules that made the score."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from courtesy.channel.email import spam_filter
from courtesy.channel.email.composing import composed
from courtesy.channel.email.spam_filter import SpamFilter
from tests.e2e.mail_peers import rspamd, spam_score, spamd
from tests.unit.channel.email.letters import FULL
from tests.unit.http.test_content import ITEMS, good, write
from tests.unit.http.world import World, serving

MAIL = "campaign/hello"
NEEDS_RSPAMD = pytest.mark.skipif(shutil.which("rspamd") is None, reason="rspamd is not installed")


async def scored(world: World, subject: str) -> list[dict[str, Any]]:
    """What is told of spam when a mail is published."""
    blocks = [{"type": "text", "text": "Come and see what is new in the shop."}, {"type": "footer"}]
    revision = 0 if subject.istitle() else 1
    await write(world, MAIL, revision, fields={"subject": {"default": subject}, "blocks": {"default": blocks}})
    done = await good(world, "POST", f"{ITEMS}/{MAIL}/publish", {})
    return [each["finding"] for each in done["findings"] if each["finding"]["code"] == "spam"]


@NEEDS_RSPAMD
async def test_rspamd_scores_a_mail_when_it_is_published() -> None:
    """What it would mark is a warning with the rule and what that is about; what it would not is a note."""
    with rspamd() as port:
        async with serving(spam_filter=f"http://127.0.0.1:{port}") as world:
            (fine,) = await scored(world, "Hello")
            assert (fine["severity"], fine["message"]) == ("note", "rspamd gives 0.0 points, of 15 at most")
            (found,) = await scored(world, "COME AND BUY")
            assert found["severity"] == "warning"
            assert found["message"] == "rspamd gives 7.5 points, of 15 at most, for SHOUTING 7.5"
            assert (found["hint"], found["channel"]) == ("SHOUTING: The subject is in capitals", "email")


async def test_spamassassin_says_the_same_as_a_server_and_as_a_program() -> None:
    """And as it does when it is asked by itself."""
    content = composed(FULL).content.replace(b"Subject: ", b"Subject: BUY CHEAP VIAGRA NOW ", 1)
    with spamd() as port:
        served = await SpamFilter(f"spamd://127.0.0.1:{port}").score(content, 60)
    run = await SpamFilter("spamassassin").score(content, 120)
    asked = spam_score(content)
    assert served is not None
    assert run is not None
    assert served.points == run.points == asked.points
    assert {each.name for each in served.rules} == {each.name for each in run.rules} <= asked.rules
    assert served.rules
    assert sum(each.points for each in run.rules) >= run.points - 0.2


async def test_where_no_filter_is_installed_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a note, which keeps nobody from anything."""
    monkeypatch.setattr(spam_filter, "USUAL", ("http://127.0.0.1:1", "spamd://127.0.0.1:1"))
    monkeypatch.setattr(spam_filter, "PROGRAMS", ("no-such-program",))
    async with serving(spam_filter="") as world:
        (found,) = await scored(world, "Hello")
    assert found["severity"] == "note"
    assert found["message"] == "no spam filter is installed here, so the mail is not scored"
    async with serving(spam_filter="http://127.0.0.1:1") as world:
        (found,) = await scored(world, "Hello")
    assert found["message"].startswith("not scored: the spam filter is asked in vain: nobody answers at http")
