"""What consent strings and the Global Privacy Control mean: which facts, for whom, where, and which field said it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from courtesy.base.errors import CourtesyError
from courtesy.consent.fields import Restriction
from courtesy.consent.gpp import decode_gpp
from courtesy.consent.signals import (
    DISCLOSURE_REQUIRED_FROM_MS,
    TCF_PURPOSES,
    Action,
    Said,
    decode_signal,
    said_by,
    said_by_gpc,
    said_by_tcf,
)
from courtesy.consent.tcf import CanadianTcString, PublisherTc, TcString, decode_tcf, decode_tcf_canada
from courtesy.consent.vendors import Vendors
from tests.unit.consent.vectors import TCF, vendor_list

GRANT, WITHDRAW, OBJECT = Action.GRANT, Action.WITHDRAW, Action.OBJECT

# Of 2026-01-15: consent for 1, 7 and 9 and vendor 21; no legitimate interest, no disclosed vendors.
CONSENTED = decode_tcf(next(each["tc"] for each in TCF if each["source"].endswith("purposes_1_7_9")))
AFTER = replace(CONSENTED, updated_ms=DISCLOSURE_REQUIRED_FROM_MS)


def purposes(said: list[Said], action: Action) -> set[str]:
    """Purposes with such an action."""
    return {each.purpose for each in said if each.action is action}


def fields(said: list[Said], purpose: str) -> dict[Action, str]:
    """Which field said what of a purpose."""
    return {each.action: each.field for each in said if each.purpose == purpose}


def test_every_purpose_of_the_vendor_list_has_a_name() -> None:
    """And no two have the same."""
    assert {str(number) for number in TCF_PURPOSES} == vendor_list()["purposes"].keys()
    assert len(set(TCF_PURPOSES.values())) == len(TCF_PURPOSES)


def test_a_vendor_is_granted_what_was_consented_to() -> None:
    """The rest is withdrawn, and objected to, as nothing there is a legitimate interest."""
    said = said_by_tcf(CONSENTED, 21)
    granted = {"storage", "advertising_measurement", "analytics"}
    assert purposes(said, GRANT) == granted
    assert purposes(said, WITHDRAW) == purposes(said, OBJECT) == set(TCF_PURPOSES.values()) - granted
    assert {(each.jurisdiction, each.channel) for each in said} == {("EU", "*")}
    assert fields(said, "analytics") == {GRANT: "tcfeuv2.PurposesConsent"}
    assert fields(said, "content") == {
        WITHDRAW: "tcfeuv2.PurposesConsent",
        OBJECT: "tcfeuv2.VendorLegitimateInterest",
    }


def test_another_vendor_is_granted_nothing() -> None:
    """Consent to a purpose is not consent to everybody."""
    said = said_by_tcf(CONSENTED, 22)
    assert purposes(said, GRANT) == set()
    assert fields(said, "storage")[WITHDRAW] == "tcfeuv2.VendorConsent"


def test_a_legitimate_interest_is_no_consent_and_no_objection() -> None:
    """The purpose is withdrawn for what rests on consent, and not objected to."""
    tc = replace(CONSENTED, purpose_interests=(2, 7), vendor_interests=Vendors.of([21]))
    said = said_by_tcf(tc, 21)
    assert fields(said, "advertising") == {WITHDRAW: "tcfeuv2.PurposesConsent"}
    assert fields(said, "advertising_measurement") == {GRANT: "tcfeuv2.PurposesConsent"}
    assert fields(said, "content")[OBJECT] == "tcfeuv2.PurposesLITransparency"


@pytest.mark.parametrize(
    ("updated_ms", "disclosed", "granted"),
    [
        (DISCLOSURE_REQUIRED_FROM_MS - 100, None, True),
        (DISCLOSURE_REQUIRED_FROM_MS, None, False),
        (DISCLOSURE_REQUIRED_FROM_MS, Vendors.of([20, 21]), True),
        (DISCLOSURE_REQUIRED_FROM_MS, Vendors.of([20]), False),
        (DISCLOSURE_REQUIRED_FROM_MS - 100, Vendors.of([20]), False),
    ],
)
def test_a_vendor_must_have_been_disclosed(updated_ms: int, disclosed: Vendors | None, granted: bool) -> None:
    """From 2026-02-28 the string has to say so; before, it counts if it does."""
    said = said_by_tcf(replace(CONSENTED, updated_ms=updated_ms, disclosed_vendors=disclosed), 21)
    assert bool(purposes(said, GRANT)) is granted
    expected = {GRANT: "tcfeuv2.PurposesConsent"}
    if not granted:
        expected = {WITHDRAW: "tcfeuv2.DisclosedVendors", OBJECT: "tcfeuv2.DisclosedVendors"}
    assert fields(said, "storage") == expected


@pytest.mark.parametrize(
    ("kind", "consent", "interest"), [(0, False, False), (1, True, False), (2, False, True), (3, True, True)]
)
def test_a_publisher_can_rule_out_what_a_person_allowed(kind: int, consent: bool, interest: bool) -> None:
    """0 rules out both, 1 leaves consent, 2 leaves legitimate interest, 3 means nothing; only for the vendors named."""
    tc = replace(
        CONSENTED,
        vendor_consents=Vendors.of([21, 22]),
        vendor_interests=Vendors.of([21, 22]),
        purpose_interests=(8, 9),
        restrictions=tuple(Restriction(purpose, kind, Vendors.of([21])) for purpose in (8, 9)),
    )
    said = said_by_tcf(tc, 21)
    assert ("analytics" in purposes(said, GRANT)) is consent
    assert ("content_measurement" not in purposes(said, OBJECT)) is interest
    if not consent:
        assert fields(said, "analytics")[WITHDRAW] == "tcfeuv2.PubRestrictions"
    assert "analytics" in purposes(said_by_tcf(tc, 22), GRANT)


def test_the_publisher_has_what_its_own_segment_says() -> None:
    """Whatever vendors may do, and whoever was disclosed; without a segment nothing is said."""
    said = said_by_tcf(replace(AFTER, publisher=PublisherTc((2,), (9,))))
    assert purposes(said, GRANT) == {"advertising"}
    assert fields(said, "advertising") == {GRANT: "tcfeuv2.PubPurposesConsent"}
    assert fields(said, "analytics") == {WITHDRAW: "tcfeuv2.PubPurposesConsent"}
    assert fields(said, "storage")[OBJECT] == "tcfeuv2.PubPurposesLITransparency"
    assert said_by_tcf(replace(AFTER, publisher=None)) == []


def test_storage_is_left_out_where_it_was_not_asked_for() -> None:
    """The bit of purpose 1 then says nothing."""
    said = said_by_tcf(replace(CONSENTED, purpose_one_treatment=True), 21)
    assert {each.purpose for each in said} == set(TCF_PURPOSES.values()) - {"storage"}


def test_canada_says_express_and_implied_consent() -> None:
    """In its own words, without purpose 1, and without the date of Europe."""
    text = "BPXuQIAPXuQIAAfKABENB-CgAAAAAAAAAAAAAAAA"
    tc = replace(
        decode_tcf_canada(text),
        updated_ms=DISCLOSURE_REQUIRED_FROM_MS,
        purpose_consents=(1, 2),
        purpose_interests=(9,),
        vendor_consents=Vendors.of([21]),
        vendor_interests=Vendors.of([21]),
    )
    said = said_by_tcf(tc, 21)
    assert fields(said, "storage") == {}
    assert fields(said, "advertising") == {GRANT: "tcfcav1.PurposesExpressConsent"}
    assert fields(said, "analytics") == {WITHDRAW: "tcfcav1.PurposesExpressConsent"}
    assert fields(said, "content")[OBJECT] == "tcfcav1.PurposesImpliedConsent"
    assert {each.jurisdiction for each in said} == {"CA"}
    assert isinstance(tc, CanadianTcString)


@pytest.mark.parametrize("vendor", [None, 21])
def test_a_string_of_version_1_says_nothing(vendor: int | None) -> None:
    """What was consented to then were other purposes."""
    assert said_by(decode_signal("BO2e4qiO2e4qiB9ABADEDS-AAAAxKABgACBiQA"), vendor) == []


def _withdrawn(text: str) -> set[tuple[str, str, str]]:
    said = said_by(decode_signal(text))
    assert {(each.action, each.channel) for each in said} <= {(WITHDRAW, "*")}
    return {(each.purpose, each.jurisdiction, each.field) for each in said}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "DBABBg~BUUAAABA.YA",
            {
                ("sale", "US-CA", "usca.SaleOptOut"),
                ("sharing", "US-CA", "usca.SharingOptOut"),
                ("sale", "US-CA", "usca.Gpc"),
                ("sharing", "US-CA", "usca.Gpc"),
                ("targeted_advertising", "US-CA", "usca.Gpc"),
            },
        ),
        ("DBABBg~BooAAACA.QA", set()),
        ("DBABBg~BAAAAACA", set()),
        (
            "DBABRg~BVUAABA",
            {("sale", "US-VA", "usva.SaleOptOut"), ("targeted_advertising", "US-VA", "usva.TargetedAdvertisingOptOut")},
        ),
        (
            "DBABLA~CVUVAAAAAABA.QA",
            {
                ("sale", "US", "usnat.SaleOptOut"),
                ("sharing", "US", "usnat.SharingOptOut"),
                ("targeted_advertising", "US", "usnat.TargetedAdvertisingOptOut"),
            },
        ),
        (
            "DBABUYA~BRVQ.AAA",
            {("sale", "US-IN", "usin.SaleOptOut"), ("targeted_advertising", "US-IN", "usin.TargetedAdvertisingOptOut")},
        ),
        ("DBABTA~1YYN", {("sale", "US", "uspv1.OptOutSale")}),
        ("1YYN", {("sale", "US", "uspv1.OptOutSale")}),
        ("1YNN", set()),
        ("1---", set()),
    ],
)
def test_opt_outs_of_the_united_states_withdraw(text: str, expected: set[tuple[str, str, str]]) -> None:
    """Each in its own jurisdiction; not having opted out says nothing, nor does a browser that asks for nothing."""
    assert _withdrawn(text) == expected


def test_a_gpp_string_says_what_its_sections_say() -> None:
    """One of Europe and one of the United States; a section that can't be read says nothing."""
    (europe,) = (section for section in decode_gpp("DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA").sections)
    assert isinstance(europe, TcString)
    both = decode_signal("DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YYN")
    assert said_by(both, 21) == [*said_by_tcf(europe, 21), *said_by(decode_signal("1YYN"))]
    assert said_by(decode_signal("DBABRg~ZZZZ")) == []


@pytest.mark.parametrize(("header", "on"), [("1", True), (" 1 ", True), ("0", False), ("", False), (None, False)])
def test_the_header_of_the_global_privacy_control_withdraws(header: str | None, on: bool) -> None:
    """Sale and sharing, and only when it is 1."""
    expected = [Said(purpose, "US", WITHDRAW, "Sec-GPC") for purpose in ("sale", "sharing")]
    assert said_by_gpc(header) == (expected if on else [])


@pytest.mark.parametrize("header", ["true", "11", "yes", "１"])
def test_no_other_header_is_a_signal(header: str) -> None:
    """The specification knows one value."""
    assert said_by_gpc(header) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", "TcString"),
        ("BO2e4qiO2e4qiB9ABADEDS-AAAAxKABgACBiQA", "TcStringV1"),
        ("DBABTA~1YYN", "Gpp"),
        ("1YYN", "UsPrivacy"),
    ],
)
def test_the_first_character_says_what_a_string_is(text: str, kind: str) -> None:
    """Nobody has to be asked which of the standards their string follows."""
    assert type(decode_signal(text)).__name__ == kind


@pytest.mark.parametrize("text", ["", "A", "E", "2YYN", " CPXx", "ü"])
def test_a_string_of_no_standard_is_refused(text: str) -> None:
    """The error lists what a string may begin with."""
    with pytest.raises(CourtesyError, match="expected a first character of B, C, D or 1"):
        decode_signal(text)
