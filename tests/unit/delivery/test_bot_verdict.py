"""Opens and clicks of machines are told from those of people, with the reasons; in doubt it says so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.delivery.bot_verdict import Reason, Seen, Verdict, judged, networks

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
SENT_MS = 1_793_448_000_000
LATER_MS = SENT_MS + 3_600_000


def seen(**facts: Any) -> Seen:
    """A click an hour after sending, by a browser, but for what is given."""
    return Seen(**{"is_click": True, "at_ms": LATER_MS, "sent_at_ms": SENT_MS, "user_agent": CHROME, **facts})


@pytest.mark.parametrize(
    ("facts", "verdict", "reasons"),
    [
        ({}, Verdict.HUMAN, [Reason.BROWSER]),
        ({"user_agent": IPHONE}, Verdict.HUMAN, [Reason.BROWSER]),
        ({"is_click": False}, Verdict.HUMAN, [Reason.BROWSER]),
        ({"is_honeypot": True}, Verdict.MACHINE, [Reason.HONEYPOT]),
        ({"method": "HEAD"}, Verdict.MACHINE, [Reason.METHOD]),
        ({"is_prefetch": True}, Verdict.MACHINE, [Reason.PREFETCH]),
        ({"user_agent": "Barracuda Sentinel (EE)"}, Verdict.MACHINE, [Reason.SCANNER]),
        ({"user_agent": "python-requests/2.32"}, Verdict.MACHINE, [Reason.SCANNER]),
        ({"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, Verdict.MACHINE, [Reason.SCANNER]),
        ({"user_agent": "WhatsApp/2.23"}, Verdict.MACHINE, [Reason.PREVIEW]),
        ({"user_agent": GOOGLE, "is_click": False}, Verdict.MACHINE, [Reason.IMAGE_PROXY]),
        ({"user_agent": "Mozilla/5.0", "is_click": False}, Verdict.MACHINE, [Reason.PRIVACY_PROXY]),
        ({"user_agent": "Mozilla/5.0"}, Verdict.MACHINE, [Reason.SCANNER]),
        ({"near_links": 3}, Verdict.MACHINE, [Reason.MANY_LINKS]),
        ({"near_links": 2}, Verdict.HUMAN, [Reason.BROWSER]),
        ({"at_ms": SENT_MS + 1_000}, Verdict.UNSURE, [Reason.AT_ONCE]),
        ({"at_ms": SENT_MS + 9_000}, Verdict.UNSURE, [Reason.AT_ONCE]),
        ({"at_ms": SENT_MS + 9_000, "is_click": False}, Verdict.HUMAN, [Reason.BROWSER]),
        ({"at_ms": SENT_MS + 1_000, "ip": "198.51.100.7"}, Verdict.MACHINE, [Reason.AT_ONCE, Reason.DATA_CENTRE]),
        ({"ip": "198.51.100.7"}, Verdict.UNSURE, [Reason.DATA_CENTRE]),
        ({"ip": "2001:db8::1"}, Verdict.UNSURE, [Reason.DATA_CENTRE]),
        ({"ip": "somewhere"}, Verdict.HUMAN, [Reason.BROWSER]),
        ({"user_agent": ""}, Verdict.UNSURE, [Reason.NO_USER_AGENT]),
        ({"user_agent": "Something/1"}, Verdict.UNSURE, []),
        ({"reporter_says": True}, Verdict.MACHINE, [Reason.REPORTER_MACHINE]),
        ({"reporter_says": False, "user_agent": "Something/1"}, Verdict.HUMAN, [Reason.REPORTER_HUMAN]),
        ({"did_something": True, "at_ms": SENT_MS, "near_links": 9}, Verdict.HUMAN, [Reason.ON_THE_PAGE]),
        ({"did_something": True, "is_honeypot": True}, Verdict.MACHINE, [Reason.HONEYPOT]),
    ],
)
def test_a_verdict_has_its_reasons(facts: dict[str, Any], verdict: Verdict, reasons: list[Reason]) -> None:
    """The strongest first."""
    made = judged(seen(**facts), networks(["198.51.100.0/24", "2001:db8::/32"]))
    assert (made.verdict, list(made.reasons)) == (verdict, reasons)


FACTS = st.builds(
    Seen,
    is_click=st.booleans(),
    at_ms=st.integers(SENT_MS, LATER_MS),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    user_agent=st.sampled_from(["", CHROME, GOOGLE, "curl/8", "Something/1"]),
    sent_at_ms=st.sampled_from([None, SENT_MS]),
    near_links=st.integers(1, 5),
    is_honeypot=st.booleans(),
    is_prefetch=st.booleans(),
    did_something=st.booleans(),
    reporter_says=st.sampled_from([None, True, False]),
)


@given(FACTS)
def test_one_more_fact_against_it_never_makes_a_machine_a_person(facts: Seen) -> None:
    """So a verdict that is made again with more facts changes in one direction only."""
    before = judged(facts).verdict
    for worse in ({"is_honeypot": True}, {"is_prefetch": True}, {"near_links": 9}, {"method": "HEAD"}):
        told = {name: getattr(facts, name) for name in facts.__dataclass_fields__}
        after = judged(Seen(**{**told, **worse})).verdict
        assert before is not Verdict.MACHINE or after is Verdict.MACHINE
    assert judged(facts) == judged(facts)
    assert msgspec.json.encode(judged(facts))
