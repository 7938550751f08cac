"""Resolve, rule by rule: who an event is about when people log in, share devices, change numbers, or are mixed up."""

from __future__ import annotations

import pytest

from courtesy.identity.resolve import Owner, RefusalReason
from courtesy.identity.rules import HELD_MAX
from tests.unit.identity.graph import TIGHT, Graph, alias, check, event

ANN, BOB = "user_id:ann", "user_id:bob"
PHONE, TABLET = "anonymous_id:phone", "anonymous_id:tablet"


# -- coming to know somebody


def test_a_login_takes_over_what_was_done_before_it() -> None:
    """The anonymous visitor and the customer who logs in are one person, who keeps the visitor's number."""
    graph = Graph()
    assert (
        graph.tell(event(PHONE)) == graph.tell(event(ANN, PHONE)) == graph.tell(event(ANN)) == graph.tell(event(PHONE))
    )
    assert graph.merges == []
    check(graph)


def test_a_login_on_a_second_device_merges_what_was_done_there() -> None:
    """The known person survives, and the merge says which message joined which two identifiers."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, PHONE))
    (visitor,) = graph.tell(event(TABLET))
    assert graph.tell(event(ANN, TABLET)) == [ann]
    (merge,) = graph.merges
    assert (merge.loser, merge.survivor, merge.a, merge.b) == (visitor, ann, ANN, TABLET)
    assert merge.evidence.message_id == "m3"
    check(graph)


def test_the_known_person_survives_an_earlier_unknown_one() -> None:
    """A merge moves the visitor, who has little, and not the customer, who has a history, whoever came first."""
    graph = Graph()
    graph.tell(event(TABLET))
    (ann,) = graph.tell(event(ANN))
    assert graph.tell(event(ANN, TABLET)) == [ann]


def test_of_two_unknown_people_the_earlier_survives() -> None:
    """Which of two survives is settled by their numbers, so that every process chooses alike."""
    graph = Graph()
    (first,) = graph.tell(event("email:a@shop.com"))
    graph.tell(event(TABLET))
    assert graph.tell(event("email:a@shop.com", TABLET)) == [first]
    assert graph.tell(event(TABLET)) == [first]


def test_one_event_may_join_three_people() -> None:
    """Everybody whom the event names becomes one, by a forest of merges."""
    graph = Graph()
    graph.tell(event(PHONE), event("device_id:d"), event("email:a@shop.com"))
    (person,) = graph.tell(event(ANN, "email:a@shop.com", "device_id:d", PHONE))
    assert set(graph.held) == {person}
    check(graph)


# -- one device, several people


def test_a_device_with_two_logins_gets_a_person_of_its_own() -> None:
    """The anonymous id that a logout left behind belongs to neither of the two who logged in."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, TABLET))
    (bob,) = graph.tell(event(BOB, TABLET))
    (shared,) = graph.tell(event(TABLET))
    assert len({ann, bob, shared}) == 3
    assert graph.owners[TABLET] == Owner(shared, shared=True)
    assert graph.reasons(TABLET) == [RefusalReason.OTHER_PERSON]
    check(graph)


def test_a_shared_device_leads_nobody_to_anybody() -> None:
    """Whoever uses it next is themself when they log in, and new when they give a new address."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, TABLET))
    graph.tell(event(BOB, TABLET))
    people = graph.tell(event(ANN, TABLET), event("user_id:cid", TABLET), event("email:d@shop.com", TABLET))
    assert people[0] == ann
    assert len(set(people)) == 3
    assert graph.owners[TABLET].person not in people
    check(graph)


def test_an_event_with_shared_devices_only_is_about_the_most_telling() -> None:
    """With two of them there is still one answer, and it is the same each time."""
    graph = Graph()
    graph.tell(event(ANN, "device_id:d", TABLET), event(BOB, "device_id:d", TABLET))
    assert graph.tell(event("device_id:d", TABLET)) == [graph.owners["device_id:d"].person]


def test_who_was_held_together_by_a_shared_device_stays_explained() -> None:
    """When the device is set apart, a new link says since when and why the rest are one person."""
    graph = Graph()
    graph.tell(event("email:a@shop.com", TABLET), event(ANN, TABLET))
    graph.tell(event(BOB, TABLET))
    assert graph.same(ANN, "email:a@shop.com")
    link = graph.links[ANN, "email:a@shop.com"]
    assert (link.reason, link.evidence.message_id) == (f"one person until {TABLET} was set apart", "m3")
    check(graph)


def test_a_login_by_alias_on_a_shared_device_joins_nobody() -> None:
    """Old clients send an alias from the device's id at each login; that says nothing of who logged in before."""
    graph = Graph()
    (ann,) = graph.tell(alias(ANN, "tablet"))
    (bob,) = graph.tell(alias(BOB, "tablet-2"), event(BOB, "anonymous_id:tablet"))[:1]
    graph.tell(alias(BOB, "tablet"))
    assert graph.owners[ANN].person == ann
    assert graph.owners[BOB].person == bob
    check(graph)


def test_an_alias_from_a_device_of_somebody_else_sets_it_apart() -> None:
    """The device was seen with two people who can't be one, which is what makes it shared."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, TABLET))
    (bob,) = graph.tell(alias(BOB, "tablet"))
    assert ann != bob
    assert graph.owners[TABLET].shared
    check(graph)


def test_a_shared_device_can_not_be_aliased() -> None:
    """It speaks for nobody, as the new id and as the previous one; the refusals tell so."""
    graph = Graph()
    graph.tell(event(ANN, TABLET), event(BOB, TABLET))
    before = dict(graph.owners)
    graph.tell(alias(TABLET, "ann"), alias(TABLET, "new"), alias(ANN, "tablet"))
    assert graph.owners == before
    assert graph.reasons("user_id:ann") == graph.reasons("user_id:new") == [RefusalReason.OTHER_PERSON]
    assert graph.reasons(TABLET)[-1] == RefusalReason.OTHER_PERSON
    check(graph)


def test_a_support_agent_who_acts_for_a_customer_is_not_merged_with_them() -> None:
    """The agent's browser is set apart once; both logins stay what they were."""
    graph = Graph()
    (agent,) = graph.tell(event("user_id:agent", "anonymous_id:desk"))
    (ann,) = graph.tell(event(ANN, PHONE))
    assert graph.tell(event(ANN, "anonymous_id:desk"), event("user_id:agent", "anonymous_id:desk")) == [ann, agent]
    check(graph)


# -- shared and recycled addresses


def test_a_family_address_stays_with_who_had_it_first() -> None:
    """The second login is a person of their own; the address is refused to them, and can raise an alarm."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, "email:family@shop.com"))
    (bob,) = graph.tell(event(BOB, "email:family@shop.com", PHONE))
    assert ann != bob
    assert graph.tell(event("email:family@shop.com")) == [ann]
    assert graph.same(BOB, PHONE)
    assert graph.reasons("email:family@shop.com") == [RefusalReason.OTHER_PERSON]
    check(graph)


def test_a_recycled_phone_number_does_not_merge_its_two_holders() -> None:
    """The number stays where it was until somebody cuts it off; nothing of the old holder reaches the new one."""
    graph = Graph()
    (old,) = graph.tell(event(ANN, "phone:+4915123456789"))
    (new,) = graph.tell(event(BOB, "phone:+4915123456789"))
    assert old != new
    assert graph.owners["phone:+4915123456789"] == Owner(old)
    check(graph)


def test_a_less_telling_identifier_does_not_overrule_a_login() -> None:
    """An event that names a new login is not the event of whoever else holds its address."""
    graph = Graph()
    graph.tell(event(ANN, "email:family@shop.com"), event(PHONE))
    (bob,) = graph.tell(event(BOB, "email:family@shop.com", PHONE))
    assert graph.owners[PHONE] == graph.owners[BOB] == Owner(bob)
    assert not graph.same(ANN, BOB)


def test_one_event_with_two_logins_is_about_the_first() -> None:
    """The second login gets a person of its own when it comes alone."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, BOB))
    assert BOB not in graph.owners
    assert graph.tell(event(BOB)) != [ann]
    assert graph.tell(event(ANN, BOB)) == [ann]
    assert graph.reasons(BOB) == [RefusalReason.OVER_CAP, RefusalReason.OTHER_PERSON]
    check(graph)


# -- aliases


def test_an_alias_joins_a_known_visitor() -> None:
    """What the visitor did is the customer's from then on."""
    graph = Graph()
    graph.tell(event(PHONE), event(ANN))
    graph.tell(alias(ANN, "phone"))
    assert graph.same(ANN, PHONE)
    assert "user_id:phone" not in graph.owners
    assert [merge.reason for merge in graph.merges] == ["alias"]
    check(graph)


def test_an_alias_may_come_before_what_it_explains() -> None:
    """An unknown previous id is taken in both kinds it may be, so that late events find their person."""
    graph = Graph()
    (ann,) = graph.tell(alias(ANN, "old"))
    assert graph.tell(event("user_id:old"), event("anonymous_id:old")) == [ann, ann]
    check(graph)


def test_an_alias_for_two_strangers_makes_one_person() -> None:
    """Neither id was known before; both are from then on, and the link says that an alias joined them."""
    graph = Graph()
    graph.tell(alias(ANN, "bob"))
    assert graph.same(ANN, BOB)
    assert graph.links[ANN, BOB].reason == "alias"
    check(graph)


def test_an_alias_from_an_id_to_itself_changes_nothing() -> None:
    """Clients send it when a login did not change the id."""
    graph = Graph()
    graph.tell(event(ANN))
    before = graph.everything()
    graph.tell(alias((ANN, "anonymous_id:ann"), "ann"))
    assert graph.merges == []
    assert graph.refusals == []
    assert before[0] is graph.owners
    check(graph)


def test_an_alias_repeated_changes_nothing() -> None:
    """Telling the same again is not an error."""
    graph = Graph()
    graph.tell(event(ANN), event(BOB), alias(ANN, "bob"))
    before = (dict(graph.owners), dict(graph.links), list(graph.merges), list(graph.refusals))
    graph.tell(alias(ANN, "bob"))
    assert before == graph.everything()


def test_an_alias_joins_two_logins() -> None:
    """The one way in which two values of a unique kind come together is that somebody says so."""
    graph = Graph()
    (ann,) = graph.tell(event(ANN, PHONE))
    graph.tell(event(BOB, TABLET))
    assert graph.tell(alias(ANN, "bob")) == [ann]
    assert graph.same(ANN, BOB, PHONE, TABLET)
    check(graph)


def test_an_alias_over_the_cap_is_refused() -> None:
    """A login that swallows others stops growing, and says that it did; the one refused stays a person."""
    graph = Graph(TIGHT)
    for name in ("b", "c", "d"):
        graph.tell(event(f"user_id:{name}"))
    graph.tell(alias("user_id:a", "b"), alias("user_id:a", "c"), alias("user_id:a", "d"))
    assert graph.same("user_id:a", "user_id:b", "user_id:c")
    assert not graph.same("user_id:a", "user_id:d")
    assert graph.reasons("user_id:d") == [RefusalReason.OVER_CAP]
    check(graph)


def test_aliases_from_unknown_ids_respect_the_cap() -> None:
    """Ids that nobody ever used can't make a giant either."""
    graph = Graph(TIGHT)
    for number in range(9):
        graph.tell(alias(ANN, f"unknown-{number}"))
    assert len([key for key in graph.owners if key.startswith("user_id:")]) == 3
    assert RefusalReason.OVER_CAP in graph.reasons("user_id:unknown-8")
    check(graph)


# -- caps


@pytest.mark.parametrize("kind", ["email", "loyalty_card", "device_id", "anonymous_id"])
def test_a_value_over_the_cap_leaves_its_event_with_the_right_person(kind: str) -> None:
    """The event is told of the person whom its other identifiers name; the value is not linked."""
    graph = Graph()
    cap = graph.rules.kind_of(kind).cap
    (ann,) = graph.tell(event(ANN))
    people = graph.tell(*(event(ANN, f"{kind}:{number}") for number in range(cap + 1)))
    assert set(people) == {ann}
    assert f"{kind}:{cap}" not in graph.owners
    assert graph.reasons(f"{kind}:{cap}") == [RefusalReason.OVER_CAP]
    check(graph)


def test_a_value_over_the_cap_gets_its_own_person_when_it_comes_alone() -> None:
    """From then on it is somebody else; with the full person it stays apart, and its events are theirs."""
    graph = Graph(TIGHT)
    (ann,) = graph.tell(event(ANN, "email:1@shop.com", "email:2@shop.com"))
    (other,) = graph.tell(event("email:3@shop.com"))
    assert other != ann
    assert graph.tell(event(ANN, "email:3@shop.com")) == [ann]
    assert graph.tell(event("email:3@shop.com")) == [other]
    assert graph.reasons("email:3@shop.com") == [RefusalReason.OVER_CAP]
    check(graph)


def test_a_new_value_over_the_cap_in_front_does_not_lose_its_event() -> None:
    """The most telling identifier may be the one that does not fit; the event is its person's all the same."""
    graph = Graph(TIGHT)
    (person,) = graph.tell(event("email:1@shop.com", "email:2@shop.com", PHONE))
    assert graph.tell(event("email:3@shop.com", PHONE)) == [person]
    assert graph.tell(event("email:3@shop.com", "device_id:d", TABLET, PHONE)) == [graph.owners[PHONE].person]
    check(graph)


def test_a_device_over_the_cap_keeps_its_own_person_when_it_is_set_apart() -> None:
    """Who was nothing but that device needs no second person: what it did stays where it can be found."""
    graph = Graph(TIGHT)
    graph.tell(*(event(ANN, f"anonymous_id:{number}") for number in range(3)))
    (visitor,) = graph.tell(event("anonymous_id:4"))
    graph.tell(event(ANN, "anonymous_id:4"))
    assert graph.owners["anonymous_id:4"] == Owner(visitor, shared=True)
    check(graph)


def test_caps_stop_a_giant() -> None:
    """A hard-coded address links a bounded number of devices, however many send it."""
    graph = Graph()
    for number in range(300):
        graph.tell(event("email:app@vendor.com", f"anonymous_id:{number}"))
    assert max(map(len, graph.held.values())) == 101
    check(graph)


def test_kinds_that_senders_invent_can_not_make_a_giant() -> None:
    """Each brings a cap of its own; of all together a person holds so many, by events, merges and aliases alike."""
    graph = Graph()
    for number in range(HELD_MAX + 20):
        graph.tell(event(ANN, f"kind-{number}:x"))
    assert len(graph.held[graph.owners[ANN].person]) == HELD_MAX
    assert graph.reasons(f"kind-{HELD_MAX}:x") == [RefusalReason.OVER_CAP]
    graph.tell(event(BOB), alias(ANN, "bob"), alias(ANN, "new"), event(TABLET), event(ANN, TABLET))
    assert len(graph.held[graph.owners[ANN].person]) == HELD_MAX
    assert not graph.same(ANN, BOB)
    check(graph)


# -- evidence


def test_links_keep_the_first_message_that_told_of_them() -> None:
    """Later messages that say the same add nothing."""
    graph = Graph()
    graph.tell(event(ANN, PHONE))
    graph.tell(event(ANN, PHONE))
    graph.tell(event(ANN, PHONE, TABLET))
    assert {pair: link.evidence.message_id for pair, link in graph.links.items()} == {
        (ANN, PHONE): "m1",
        (ANN, TABLET): "m3",
    }


def test_a_refused_value_is_linked_to_nobody() -> None:
    """Links say what is one person, refusals what is not."""
    graph = Graph()
    graph.tell(event(ANN, "email:family@shop.com"), event(BOB, "email:family@shop.com", PHONE))
    assert (BOB, "email:family@shop.com") not in graph.links
    assert (BOB, PHONE) in graph.links
