"""Spam filters: what they answer is read, and one that is missing, slow or says nonsense keeps nobody from anything."""

from __future__ import annotations

import socket

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.channel.email import spam_filter
from courtesy.channel.email.spam_filter import Rule, SpamFilter, read_rspamd, read_spamassassin

REPORT = """Spam: False ; 4.9 / 5.0

Content preview:  Hello
Content analysis details:   (4.9 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 3.5 SUBJ_ALL_CAPS          Subject is all capitals
-0.1 DKIM_VALID             Message has at least one valid DKIM signature
 1.4 HTML_IMAGE_ONLY_04     BODY: HTML: images with 0-400 bytes of words
                            [a continuation that is none of our concern]
 0.0 UNPARSEABLE_RELAY      Informational
"""


def test_the_report_of_spamassassin_is_read() -> None:
    """The rules that cost points, the dearest first."""
    score = read_spamassassin(REPORT)
    assert (score.points, score.limit, score.is_spam) == (4.9, 5.0, False)
    assert score.rules == [
        Rule("SUBJ_ALL_CAPS", 3.5, "Subject is all capitals"),
        Rule("HTML_IMAGE_ONLY_04", 1.4, "BODY: HTML: images with 0-400 bytes of words"),
    ]
    assert read_spamassassin(REPORT.replace("False ; 4.9", "True ; 5.0")).is_spam


def test_the_answer_of_rspamd_is_read() -> None:
    """Whatever it would do about a mail makes it spam."""
    answer = b"""{"score": 6.5, "required_score": 15.0, "action": "add header", "symbols": {
        "R_BAD": {"score": 6.5, "description": "Bad"}, "R_GOOD": {"score": -1}, "R_NOTE": {"score": null}}}"""
    score = read_rspamd(answer)
    assert (score.filter, score.points, score.limit, score.is_spam) == ("rspamd", 6.5, 15.0, True)
    assert score.rules == [Rule("R_BAD", 6.5, "Bad")]


@pytest.mark.parametrize("answer", [b"", b"{}", b"<html>", b'{"score": "x"}', b"\xff"])
def test_nonsense_is_told_as_such(answer: bytes) -> None:
    """And is no score."""
    with pytest.raises(CourtesyError, match="can't be read"):
        read_rspamd(answer)
    with pytest.raises(CourtesyError, match="can't be read"):
        read_spamassassin(answer.decode("utf-8", "replace"))


async def test_a_filter_that_is_named_and_not_there_is_told_and_one_of_many_is_not() -> None:
    """Port 1 is nobody's."""
    for where in ("http://127.0.0.1:1", "spamd://127.0.0.1:1"):
        with pytest.raises(CourtesyError, match="nobody answers") as caught:
            await SpamFilter(where).score(b"mail", 5.0)
        assert caught.value.code is Code.UNAVAILABLE


async def test_without_any_there_is_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither at the usual ports nor as a program."""
    monkeypatch.setattr(spam_filter, "USUAL", ("http://127.0.0.1:1", "spamd://127.0.0.1:1"))
    monkeypatch.setattr(spam_filter, "PROGRAMS", ("no-such-program",))
    assert await SpamFilter("").score(b"mail", 5.0) is None


async def test_a_filter_that_never_answers_is_not_waited_for() -> None:
    """It takes what it is given, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for where in (f"http://127.0.0.1:{port}", f"spamd://127.0.0.1:{port}"):
            with pytest.raises(CourtesyError, match="did not answer"):
                await SpamFilter(where).score(b"mail", 0.2)
