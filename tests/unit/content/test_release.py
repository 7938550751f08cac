"""What keeps items from being published together, and who has to say yes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import DAY_MS, to_iso
from courtesy.content.findings import Check, Severity
from courtesy.content.items import Body, ItemKey, Rights, references
from courtesy.content.kinds import FRAGMENT
from courtesy.content.release import Candidate, Pin, Plan, digest_of, in_order, is_blocking, over, troubles
from courtesy.content.workflow import Approval, ApprovalRule, ContentWorkflow, wanting

NOW_MS = 1_763_780_645_000
NAMES = "abcdef"


def candidate(name: str, *included: str) -> Candidate:
    """A fragment that includes others."""
    text = "".join(f"{{% include '{each}' %}}" for each in included)
    return Candidate(ItemKey("fragment", name), FRAGMENT, 1, Body(fields={"text": {"default": text or "x"}}))


GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=3), min_size=1).map(
    lambda graph: [candidate(name, *sorted(included)) for name, included in graph.items()]
)


@given(GRAPHS)
def test_only_what_is_whole_and_stands_on_nothing_of_its_own_is_published(candidates: list[Candidate]) -> None:
    """And then each after what it stands on."""
    found = troubles(Plan(candidates), NOW_MS)
    own = {each.key for each in candidates}
    reach = {each.key: set(references(each.kind, each.body)) for each in candidates}
    is_whole = all(keys <= own for keys in reach.values())
    for _ in NAMES:
        reach = {key: keys | {more for each in keys for more in reach.get(each, ())} for key, keys in reach.items()}
    has_circle = any(key in keys for key, keys in reach.items())
    assert is_blocking(found) == (has_circle or not is_whole)
    if not is_blocking(found):
        done: set[ItemKey] = set()
        for each in in_order(candidates):
            assert references(each.kind, each.body) <= done
            done.add(each.key)
        assert done == own


def test_what_is_withdrawn_with_it_can_not_be_stood_on() -> None:
    """While what stays live can."""
    plan = Plan([candidate("a", "b")], [ItemKey("fragment", "b")], [ItemKey("fragment", "b")])
    assert [each.finding.code for each in troubles(plan, NOW_MS)] == [Check.REFERENCE]
    assert troubles(Plan([candidate("a", "b")], live=[ItemKey("fragment", "b")]), NOW_MS) == []


def test_time_warns_before_it_blocks() -> None:
    """Fourteen days before rights run out, and to the millisecond."""

    def found(ms: int) -> list[tuple[Check, Severity]]:
        body = Body(rights=Rights("Ann", expires=to_iso(NOW_MS)))
        return [(each.code, each.severity) for each in over(body, ms)]

    assert found(NOW_MS - 14 * DAY_MS - 1) == []
    assert found(NOW_MS - 14 * DAY_MS) == [(Check.RIGHTS, Severity.WARNING)]
    assert found(NOW_MS - 1) == [(Check.RIGHTS, Severity.WARNING)]
    assert found(NOW_MS) == [(Check.RIGHTS, Severity.ERROR)]
    never = Body(valid_from=to_iso(NOW_MS + 2), valid_to=to_iso(NOW_MS + 1))
    assert [each.code for each in over(never, NOW_MS)] == [Check.VALIDITY]


def test_a_version_is_known_by_all_that_it_is() -> None:
    """Nothing can be moved from one part of it to another."""
    pin = Pin("fragment", "a", 1)
    known = {
        digest_of(b"ab", [pin], b"c"),
        digest_of(b"a", [pin], b"bc"),
        digest_of(b"ab", [], b"c"),
        digest_of(b"ab", [pin], b""),
    }
    assert len(known) == 4
    assert digest_of(b"", [pin, Pin("a", "a", 2)], b"") == digest_of(b"", [Pin("a", "a", 2), pin], b"")


APPROVALS = st.lists(
    st.builds(
        Approval,
        st.integers(1, 2),
        st.sampled_from(["", "de", "fr"]),
        st.sampled_from(["ada", "bob", "eve"]),
        st.just(0),
    ),
    max_size=8,
)


@given(APPROVALS, st.sets(st.sampled_from(["ada", "bob"])), st.integers(1, 2))
def test_nothing_is_approved_by_its_authors_nor_by_what_was_said_of_another_revision(
    approvals: list[Approval], authors: set[str], wanted: int
) -> None:
    """Against counting by hand, for each locale."""
    workflow = ContentWorkflow((ApprovalRule(wanted),))
    found = wanting(workflow, "fragment", {"de", "fr"}, 2, authors, approvals)
    short = [
        locale
        for locale in ("de", "fr")
        if len({each.by for each in approvals if each.revision == 2 and each.locale in ("", locale)} - authors) < wanted
    ]
    assert len(found) == len(short)


def test_a_rule_is_for_its_kinds_locales_and_people() -> None:
    """And all that fit have to be met."""
    workflow = ContentWorkflow((ApprovalRule(1, ("offer",)), ApprovalRule(1, (), ("fr",), ("zoe",))))
    assert wanting(workflow, "fragment", {"de"}, 1, (), []) == []
    assert len(wanting(workflow, "offer", {"de", "fr"}, 1, (), [])) == 3
    (left,) = wanting(workflow, "offer", {"fr"}, 1, (), [Approval(1, "", "bob", 0)])
    assert "of zoe in fr, has 0" in left.message
    assert wanting(workflow, "offer", {"fr"}, 1, (), [Approval(1, "", "zoe", 0)]) == []
