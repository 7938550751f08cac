"""Identifier rules: one form for each value, no form for what identifies nobody, and rules that can't work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.accept import Claim
from courtesy.identity.rules import (
    EVENT_IDS_MAX,
    HELD_MAX,
    VALUE_CHARS_MAX,
    IdentifierKind,
    IdentityRules,
    identifier,
    normalise,
    split_identifier,
    usable,
)

RULES = IdentityRules()
ANY_KIND = ("user_id", "email", "phone", "device_id", "anonymous_id", "loyalty_card")
NEEDED = (
    IdentifierKind("user_id", 10, 5, unique=True),
    IdentifierKind("external", 20, 5),
    IdentifierKind("anonymous_id", 60, 100, shareable=True),
)


# -- normal forms


@pytest.mark.parametrize(
    ("sent", "form"),
    [
        ("Ann.Lee@Shop.COM", "ann.lee@shop.com"),
        ("  ann@shop.com\n", "ann@shop.com"),
        ("ann\u200b@shop.com\ufeff", "ann@shop.com"),
        ("ａｎｎ＠ｓｈｏｐ．ｃｏｍ", "ann@shop.com"),
        ("JÖRG@Müller.DE", "jörg@müller.de"),
        ("jo\u0308rg@mu\u0308ller.de", "jörg@müller.de"),
        ("иван@ПОЧТА.рф", "иван@почта.рф"),
        ("ann+news@shop.com", "ann+news@shop.com"),
        ("a.n.n@shop.com", "a.n.n@shop.com"),
    ],
)
def test_an_address_is_compared_without_case_width_and_blanks(sent: str, form: str) -> None:
    """Ways to type one address are one; what only some providers ignore (dots, tags) stays."""
    assert normalise(RULES, "email", sent) == f"email:{form}"


def test_addresses_at_two_domains_are_two() -> None:
    """Folding ß to ss would give one customer's post to another: they are different names since IDNA2008."""
    assert normalise(RULES, "email", "max@fußball.de") != normalise(RULES, "email", "max@fussball.de")


@pytest.mark.parametrize(
    "sent",
    [
        "ann",
        "ann@",
        "@shop.com",
        "ann@shop",
        "ann lee@shop.com",
        "a@b@shop.com",
        "ann@shop.c",
        "a" * 65 + "@shop.com",
        "ann@shop.com\0",
        "ann\x07@shop.com",
        "",
        None,
        True,
        7,
    ],
)
def test_what_is_no_address_identifies_nobody(sent: object) -> None:
    """Free text in a form's field must not become somebody's identity."""
    assert normalise(RULES, "email", sent) is None


@pytest.mark.parametrize(
    ("sent", "form"),
    [
        ("+49 (0)151 23456789", "+4915123456789"),
        ("+1 (415) 555-0132", "+14155550132"),
        ("＋４９ １５１ ２３４５６７８９", "+4915123456789"),
        ("+39 06 698 12345", "+390669812345"),
    ],
)
def test_a_phone_number_is_compared_in_e164(sent: str, form: str) -> None:
    """How a number is grouped, and in which digits, makes no difference."""
    assert normalise(RULES, "phone", sent) == f"phone:{form}"


@pytest.mark.parametrize(
    "sent",
    [
        "0151 23456789",
        "0049 151 23456789",
        "15123456789",
        4915123456789,
        "+49",
        "+49 151 23456789 ext. 12",
        "+491512345678901234",
        "+999 12345678",
        "+",
        "call me",
    ],
)
def test_a_number_that_might_be_somebody_elses_identifies_nobody(sent: object) -> None:
    """Without a country code it must not be guessed; an extension is a switchboard's; the rest are no numbers."""
    assert normalise(RULES, "phone", sent) is None


def test_a_number_and_its_text_are_one_id() -> None:
    """Clients send 7, 7.0 and "7" for the same customer."""
    assert {normalise(RULES, "user_id", sent) for sent in (7, 7.0, "7", " 7 ")} == {"user_id:7"}


def test_an_id_keeps_its_case() -> None:
    """Ids of other systems are theirs to compare; base64 and hashids differ by case alone."""
    assert normalise(RULES, "user_id", "aB3") != normalise(RULES, "user_id", "Ab3")


@pytest.mark.parametrize("sent", ["a\0b", "x" * (VALUE_CHARS_MAX + 1), 10**300, None, "", "  ", 1e300])
@pytest.mark.parametrize("kind", ["user_id", "loyalty_card"])
def test_what_can_not_be_stored_identifies_nobody(kind: str, sent: object) -> None:
    """Over-long values, U+0000 and blanks."""
    assert normalise(RULES, kind, sent) is None


def test_the_longest_value_is_kept_whole() -> None:
    """A cut value could be somebody else's."""
    assert normalise(RULES, "user_id", "x1" * (VALUE_CHARS_MAX // 2)) == "user_id:" + "x1" * (VALUE_CHARS_MAX // 2)


@given(st.sampled_from(ANY_KIND), st.text(max_size=40) | st.integers() | st.floats(allow_nan=False) | st.emails())
def test_a_normal_form_is_its_own_normal_form(kind: str, sent: object) -> None:
    """Reading by a value that was shown finds the same person."""
    key = normalise(RULES, kind, sent)
    if key is not None:
        assert normalise(RULES, *split_identifier(key)) == key
        assert identifier(*split_identifier(key)) == key


# -- who is nobody


PLACEHOLDERS: tuple[object, ...] = (
    *"null NULL None nil undefined NaN unknown anonymous Guest true N/A".split(),
    # Literal field names and values: an SDK release once sent its own field's name for every device.
    *"anonymousId userId user_id deviceId distinct_id email string".split(),
    # Nothing but zeros and signs; minus one.
    *(*"0 0000 -1 - --- *** ? 00:00:00:00:00:00 0.0".split(), 0, -0.0, -1),
    # One sign over and over, as typed to get past a form.
    *(*"xxxxxx aaaaaaa ???????? 11111111 000000000000".split(), 99999999),
    # UUIDs and device ids that thousands have.
    *"00000000-0000-0000-0000-000000000000 FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF 9774d56d682e549c".split(),
    # Templates that nobody filled in; what databases and spreadsheets write for nothing.
    *r"{{user.id}} ${userId} %%EMAIL%% *|EMAIL|* <%id%> \N #N/A (null)".split(),
    *("(not set)", "[object Object]", "{{ user.id }}"),
    # The same in other widths and digits.
    *"ｎｕｌｌ ＮＵＬＬ ００００ ٠٠٠٠ १११११११११".split(),
)


@pytest.mark.parametrize("kind", ["user_id", "device_id", "anonymous_id", "loyalty_card", "group"])
@pytest.mark.parametrize("sent", PLACEHOLDERS)
def test_a_placeholder_identifies_nobody(kind: str, sent: object) -> None:
    """One person for all who send it would be the giant that every identity system dreads."""
    assert normalise(RULES, kind, sent) is None


@pytest.mark.parametrize("name", ["test", "default", "0", "web"])
def test_a_source_may_be_called_like_a_placeholder(name: str) -> None:
    """Nobody claims to be one, so that whatever it is called, its events are found."""
    assert normalise(RULES, "event_source", name) == f"event_source:{name}"


REAL_IDS: tuple[object, ...] = (
    # Names and short ids that customers have; systems that number in base 36 come by abc, too.
    *"abc foo bar nobody Nullmeier guest42 testarossa id7 anon-1".split(),
    *("Null Island", "Nan Lee", "50% off"),
    # Numbers given out in order, with all digits alike up to seven: each is one real customer.
    *(*"1 7 100 1000000 111 111111 999999 -2 007 1234567890 0x0 1e5 ٧".split(), 10, 1111111),
    # Ids of many forms, with runs of zeros and signs among them.
    *"0000-0001 a--b {3F2504E0-4F89-11D3-9A0C-0305E82C3301} 00000000-0000-0000-0000-000000000001".split(),
    *"ab000000000000cd user@shop.com auth0|5f7c8ec7c33c6c004bbafe82 xxxxx aaaaaab xxxxxx1 $100 {x} deadbeef".split(),
    *"🔥 李".split(),
)


@pytest.mark.parametrize("sent", REAL_IDS)
def test_a_real_id_is_not_blocked_by_accident(sent: object) -> None:
    """Who is blocked is never heard of again, so that doubt speaks for the customer."""
    assert normalise(RULES, "user_id", sent) is not None


@pytest.mark.parametrize("sent", ["test@test.com", "TEST@Test.com", "noreply@noreply.com", "ｔｅｓｔ@test.com"])
def test_a_placeholder_address_identifies_nobody(sent: str) -> None:
    """Blocked values of a kind hold in any case and width."""
    assert normalise(RULES, "email", sent) is None


@pytest.mark.parametrize("sent", ["+1 555 555 5555", "+10000000000", "+49 111 1111111", "+1 234 567 8901"])
def test_a_placeholder_number_identifies_nobody(sent: str) -> None:
    """Digits that are typed to get past a form."""
    assert normalise(RULES, "phone", sent) is None


def test_blocked_values_of_a_kind_are_compared_like_any_other() -> None:
    """A company may write its blocked values as they look, not as they are compared."""
    rules = IdentityRules(kinds=(*NEEDED, IdentifierKind("till", 30, 5, blocked=("KASSE Eins",))))
    assert normalise(rules, "till", "kasse eins") is None
    assert normalise(rules, "till", "ＫＡＳＳＥ eins") is None
    assert normalise(rules, "user_id", "kasse eins") == "user_id:kasse eins"


def test_kinds_without_rules_follow_those_for_external_ids() -> None:
    """Every type of `context.externalIds` is a kind; what is blocked for all of them need be said once."""
    external = IdentifierKind("external", 20, 5, blocked=("till",))
    rules = IdentityRules(kinds=(NEEDED[0], external, NEEDED[2]))
    assert normalise(rules, "loyalty_card", "till") is None
    assert rules.kind_of("loyalty_card") is external


# -- which claims count


def test_claims_are_sorted_by_how_much_they_tell() -> None:
    """Each once, in normal form; of one kind the first stays first."""
    claims = [
        Claim("anonymous_id", "a1"),
        Claim("email", "Ann@Shop.com"),
        Claim("loyalty_card", "L1"),
        Claim("email", "ann@shop.com"),
        Claim("user_id", 7),
        Claim("user_id", "null"),
    ]
    assert usable(RULES, claims) == ("user_id:7", "loyalty_card:L1", "email:ann@shop.com", "anonymous_id:a1")
    assert usable(RULES, []) == ()


def test_of_very_many_claims_the_most_telling_count() -> None:
    """A call with hundreds of external ids keeps the append busy no longer than one with fifty."""
    claims = [Claim(f"kind-{number}", number + 1) for number in range(200)] + [Claim("user_id", "ann")]
    ids = usable(RULES, claims)
    assert (len(ids), ids[0]) == (EVENT_IDS_MAX, "user_id:ann")


@pytest.mark.parametrize("kind", ["person", "group", " person ", "group\n", "event_source"])
def test_no_claim_can_pose_as_a_kind_of_our_own(kind: str) -> None:
    """Else whoever names their group as an external id would become one with it, and so with all its members."""
    assert usable(RULES, [Claim(kind, "1234"), Claim("user_id", "ann")]) == ("user_id:ann",)


def test_a_kind_is_known_however_it_is_padded() -> None:
    """An external id of type ` email ` is an address, and has to look like one."""
    assert usable(RULES, [Claim(" email ", "Ann@Shop.com"), Claim("email ", "none")]) == ("email:ann@shop.com",)
    assert usable(RULES, [Claim("a:b", "1"), Claim("a:b", "2")]) == ("a_b:1", "a_b:2")


@pytest.mark.parametrize("kind", ["", "  ", "a\0b"])
def test_a_kind_without_a_name_identifies_nobody(kind: str) -> None:
    """It could not be told from other kinds, or not be stored."""
    assert usable(RULES, [Claim(kind, "1234")]) == ()


def test_what_was_found_out_is_remembered_within_bounds() -> None:
    """Asking again gives the same answer; what somebody sends to fill the memory is not kept."""
    rules = IdentityRules()
    claims = [
        Claim("email", " Ann@Shop.com"),
        Claim("user_id", "x" * 30_000),
        Claim("k" * 30_000, "1"),
        Claim("user_id", 7),
    ]
    assert usable(rules, claims) == usable(rules, claims)
    assert sum(len(each.kind) + len(str(each.value)) for each in rules.remembered) < 100


# -- rules that can't work


@pytest.mark.parametrize(
    ("rules", "place", "told"),
    [
        (IdentityRules(kinds=NEEDED[1:]), "kinds", "user_id"),
        (IdentityRules(kinds=NEEDED[:2]), "kinds", "anonymous_id"),
        (IdentityRules(kinds=()), "kinds", "external"),
        (IdentityRules(kinds=(*NEEDED, NEEDED[0])), "kinds", "user_id"),
        (IdentityRules(kinds=(*NEEDED, IdentifierKind("till", 30, 0))), "kinds.till", "got 0"),
        (IdentityRules(kinds=(*NEEDED, IdentifierKind("a:b", 30, 1))), "kinds.a:b", "':'"),
        (IdentityRules(kinds=(*NEEDED, IdentifierKind("", 30, 1))), "kinds.", "1 to 64"),
        (IdentityRules(kinds=(*NEEDED, IdentifierKind(" till", 30, 1))), "kinds. till", "spaces"),
        (IdentityRules(kinds=(*NEEDED, IdentifierKind("x" * 65, 30, 1))), "kinds." + "x" * 65, "1 to 64"),
        (IdentityRules(kinds=(*NEEDED, IdentifierKind("person", 30, 1))), "kinds.person", "person"),
        (IdentityRules(kinds=NEEDED, blocked_pattern="("), "blocked_pattern", "not a pattern"),
    ],
)
def test_rules_that_can_not_work_are_refused(rules: IdentityRules, place: str, told: str) -> None:
    """The error says which rule it is, and what was expected of it."""
    with pytest.raises(CourtesyError) as caught:
        rules.checked()
    assert (caught.value.code, caught.value.place) == (Code.INVALID, place)
    assert told in caught.value.message


def test_the_default_rules_work() -> None:
    """And so does the least that is needed."""
    assert RULES.checked() is RULES
    assert IdentityRules(kinds=NEEDED).checked().kind_of("email").name == "external"


def test_a_person_may_hold_what_the_caps_allow() -> None:
    """The bound for all kinds together gives way to rules that ask for more."""
    assert RULES.held_max == HELD_MAX
    assert IdentityRules(kinds=(*NEEDED, IdentifierKind("till", 30, 900))).held_max == 1_010


# -- phone numbers without a country code


@pytest.mark.parametrize(
    ("hints", "form"),
    [
        ((("country", "Deutschland"),), "+4915123456789"),
        ((("address_country", "DE"), ("source_country", "FR")), "+4915123456789"),
        ((("locale", "de-DE"),), "+4915123456789"),
        ((("email", ".de"),), "+4915123456789"),
        ((("source_country", "DE"),), "+4915123456789"),
        ((("locale", "de"),), None),
        ((("locale", "en-US"),), None),
        ((("locale", "de-DE"), ("source_country", "BR")), "+4915123456789"),
        ((), None),
    ],
)
def test_a_national_number_identifies_where_something_says_its_country(
    hints: tuple[tuple[str, str], ...], form: str | None
) -> None:
    """In E.164, so that it finds the person whose number came with its code from elsewhere."""
    expected = () if form is None else (f"phone:{form}",)
    assert usable(RULES, [Claim("phone", "0151 23456789", hints)]) == expected


def test_hints_that_contradict_each_other_identify_nobody() -> None:
    """The number may be somebody else's in one of the two countries."""
    assert usable(RULES, [Claim("phone", "0664 1234567", (("locale", "de-AT"),))]) == ("phone:+436641234567",)
    assert usable(RULES, [Claim("phone", "0664 1234567", (("locale", "de-AT"), ("email", ".de")))]) == ()


def test_one_number_of_two_countries_is_two_identifiers() -> None:
    """What was found out about a claim is not remembered for one with other hints."""
    claims = [Claim("phone", "06 12345678", (("country", country),)) for country in ("NL", "FR")]
    assert usable(RULES, claims) == ("phone:+31612345678", "phone:+33612345678")


def test_a_number_with_its_country_code_needs_no_hint_and_heeds_none() -> None:
    """A customer abroad keeps the number of home."""
    assert usable(RULES, [Claim("phone", "+49 151 23456789", (("country", "FR"),))]) == ("phone:+4915123456789",)
    assert usable(RULES, [Claim("phone", "0151 23456789 ext. 12", (("country", "DE"),))]) == ()
