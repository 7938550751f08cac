"""The laws that come with Courtesy, as policies. Not legal advice: what is in them is what their sources say,
shortened.

Who needs other rules, or later ones, adds policies of their own name, or later versions of these.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from courtesy.consent.law import CONSENT_ONLY, EVERY_BASIS, Hours, Mode, Policy, Rule
from courtesy.consent.places import EU
from courtesy.event.choice import ANY, Basis

SERVICE, MARKETING, ANALYTICS = "service", "marketing", "analytics"
SALE, SHARING, TARGETED = "sale", "sharing", "targeted_advertising"
EMAIL, SMS, VOICE = "email", "sms", "voice"

DIRECT = frozenset({EMAIL, SMS, VOICE, "push", "whatsapp", "messenger"})
CALLS = frozenset({SMS, VOICE})


def _from(day: str) -> int:
    moment = date.fromisoformat(day)
    return int(datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()) * 1_000


_NEEDED = Rule(
    "service",
    Mode.NEEDED,
    "what a contract or a law asks for needs no consent (GDPR 6(1)(b) and (c); CAN-SPAM, transactional messages)",
    purposes=frozenset({SERVICE}),
)

GENERAL = Policy(
    "courtesy",
    ANY,
    _from("1970-01-01"),
    (
        _NEEDED,
        Rule("opt_in", Mode.OPT_IN, "where no law is known to us, the strictest: unknown means no"),
    ),
)

GDPR = Policy(
    "gdpr-eprivacy",
    EU,
    _from("2018-05-25"),
    (
        _NEEDED,
        Rule(
            "email_soft_opt_in",
            Mode.OPT_IN,
            "ePrivacy 13(1) and (2): consent, or an address that came with one's own sale, for similar goods, with an"
            " easy refusal then and in each message",
            purposes=frozenset({MARKETING}),
            channels=frozenset({EMAIL, SMS}),
            bases=frozenset({Basis.CONSENT, Basis.SOFT_OPT_IN}),
        ),
        Rule(
            "direct_opt_in",
            Mode.OPT_IN,
            "ePrivacy 13(1)",
            purposes=frozenset({MARKETING}),
            channels=DIRECT,
        ),
        Rule(
            "post_objection",
            Mode.OPT_OUT,
            "GDPR 6(1)(f) and recital 47, with the right to object of 21(2) and (3), which is absolute",
            purposes=frozenset({MARKETING}),
            channels=frozenset({"post"}),
            bases=EVERY_BASIS,
        ),
        Rule("opt_in", Mode.OPT_IN, "GDPR 6(1)(a) and 7"),
    ),
)

CAN_SPAM = Policy(
    "can-spam",
    "US",
    _from("2004-01-01"),
    (
        Rule(
            "email_opt_out",
            Mode.OPT_OUT,
            "CAN-SPAM, 15 U.S.C. 7704: commercial mail until the recipient opts out",
            purposes=frozenset({MARKETING}),
            channels=frozenset({EMAIL}),
            bases=EVERY_BASIS,
        ),
    ),
)

QUIET = Hours(8 * 60, 21 * 60)


def _tcpa(day: str, follows: bool) -> Policy:
    """`follows`: whether a refusal by one of text and call counts for the other."""
    return Policy(
        "tcpa",
        "US",
        _from(day),
        tuple(
            Rule(
                f"{channel}_opt_in",
                Mode.OPT_IN,
                "TCPA, 47 CFR 64.1200: prior express consent, not before 8:00 or after 21:00 where they are"
                + ("; one revocation for all, 64.1200(a)(10)" if follows else ""),
                purposes=frozenset({MARKETING}),
                channels=frozenset({channel}),
                hours=QUIET,
                follows=tuple(sorted(CALLS - {channel})) if follows else (),
            )
            for channel in sorted(CALLS)
        ),
    )


TCPA = (_tcpa("1991-12-20", follows=False), _tcpa("2027-01-31", follows=True))
"""Since the second day one revocation counts for all robocalls and texts of a sender: twice put off by the FCC."""

STATES_SINCE = {
    "US-CA": "2020-01-01",
    "US-VA": "2023-01-01",
    "US-CO": "2023-07-01",
    "US-CT": "2023-07-01",
}


def _state(place: str, day: str) -> Policy:
    return Policy(
        "ccpa-cpra" if place == "US-CA" else f"privacy-{place.lower()}",
        place,
        _from(day),
        (
            Rule(
                "sale_opt_out",
                Mode.OPT_OUT,
                "CCPA/CPRA 1798.120, regulation 7025: sale and sharing until an opt-out; Global Privacy Control is one"
                if place == "US-CA"
                else "the state's law on consumer data: sale and targeted advertising until an opt-out",
                purposes=frozenset({SALE, SHARING, TARGETED}),
                bases=EVERY_BASIS,
            ),
        ),
    )


US = Policy(
    "us-general",
    "US",
    _from("1970-01-01"),
    (
        _NEEDED,
        Rule(
            "use_opt_out",
            Mode.OPT_OUT,
            "no federal law asks for consent to one's own use; refusals are honoured",
            purposes=frozenset({ANALYTICS, "personalisation", SALE, SHARING, TARGETED}),
            bases=EVERY_BASIS,
        ),
        Rule(
            "post_opt_out",
            Mode.OPT_OUT,
            "no federal law asks for consent to mail by post; refusals are honoured",
            purposes=frozenset({MARKETING}),
            channels=frozenset({"post"}),
            bases=EVERY_BASIS,
        ),
    ),
)

CASL = Policy(
    "casl",
    "CA",
    _from("2014-07-01"),
    (
        _NEEDED,
        Rule(
            "implied_or_express",
            Mode.OPT_IN,
            "CASL 6 and 10: express consent, or implied for two years from a purchase and six months from an inquiry",
            purposes=frozenset({MARKETING}),
            channels=frozenset({EMAIL, SMS, "messenger"}),
            bases=frozenset({Basis.CONSENT, Basis.PURCHASE, Basis.INQUIRY}),
            lives_days={Basis.PURCHASE: 730, Basis.INQUIRY: 182},
        ),
        Rule("opt_in", Mode.OPT_IN, "where CASL says nothing, the strictest", bases=CONSENT_ONLY),
    ),
)

LAWS: tuple[Policy, ...] = (
    GENERAL,
    GDPR,
    CAN_SPAM,
    *TCPA,
    US,
    *(_state(place, day) for place, day in STATES_SINCE.items()),
    CASL,
)
"""All that come with Courtesy."""
