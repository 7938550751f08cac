"""The mapping file: what it can say, and how it is told that it is wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.source.mapping import (
    Calls,
    Condition,
    CsvOptions,
    Mapping,
    Output,
    Rule,
    Value,
    check_columns,
    parse_mapping,
    write_mapping,
)
from courtesy.source.ready import ready_mapping, ready_mappings, ready_rule
from tests.tidy.checkout import ROOT

TRACK = {"type": "track", "event": "action"}


def mapping(rule: dict[str, Any]) -> Mapping:
    """A mapping of one rule."""
    return parse_mapping(json.dumps({"rules": [rule]}).encode(), "m.json")


def refused(content: dict[str, Any] | bytes) -> CourtesyError:
    """The error that a mapping is refused with."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(CourtesyError) as caught:
        parse_mapping(raw, "m.json")
    assert caught.value.code is Code.INVALID
    return caught.value


def refused_rule(**rule: Any) -> CourtesyError:
    """The same, for a mapping of one rule."""
    return refused({"rules": [rule]})


def test_a_mapping_survives_being_written_for_people() -> None:
    """What is proposed can be edited and read back; what is default is not written."""
    for each in ready_mappings().values():
        assert parse_mapping(write_mapping(each)) == each
    assert write_mapping(mapping({"outputs": [TRACK]})).count(b"\n") < 15


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    """With the place in the file."""
    error = refused_rule(outputs=[{**TRACK, "propertes": {}}])
    assert "propertes" in error.message
    assert error.hint == "did you mean 'properties'?"
    assert error.place == "m.json $.rules[0].outputs[0]"


def test_an_unknown_word_is_refused_with_the_nearest_known_one() -> None:
    """Types of calls, formats and casts are closed lists."""
    error = refused_rule(outputs=[{"type": "trak", "event": "a"}])
    assert error.hint == "did you mean 'track'?"


def test_what_is_no_json_is_told_so() -> None:
    """With what the reader expected."""
    assert "JSON" in refused(b"{rules: []}").message


@pytest.mark.parametrize(
    ("rule", "place", "message"),
    [
        ({}, "$.rules[0]", "exactly one of `outputs`, `calls` and `skip`"),
        ({"skip": "x", "outputs": [TRACK]}, "$.rules[0]", "exactly one of `outputs`, `calls` and `skip`"),
        ({"outputs": [{"type": "track"}]}, "$.rules[0].outputs[0]", "`event`, which a call of type track needs"),
        ({"outputs": [{"type": "group"}]}, "$.rules[0].outputs[0]", "`group_id`, which a call of type group needs"),
        ({"outputs": [{"type": "alias"}]}, "$.rules[0].outputs[0]", "`previous_id`, which a call of type alias needs"),
        ({"outputs": [TRACK], "timezone": "Europe/Berln"}, "$.rules[0].timezone", "a time zone"),
        ({"outputs": [TRACK], "csv": {"delimiter": "::"}}, "$.rules[0].csv.delimiter", "one character"),
        ({"outputs": [TRACK], "csv": {"encoding": "utf-9"}}, "$.rules[0].csv.encoding", "an encoding"),
        ({"outputs": [TRACK], "csv": {"header": True, "columns": ["a"]}}, "$.rules[0].csv.columns", "without a header"),
        ({"outputs": [TRACK], "time": {}}, "$.rules[0].time", "exactly one of `column`"),
        ({"outputs": [TRACK], "time": {"column": "a", "constant": 1}}, "$.rules[0].time", "exactly one of `column`"),
        ({"outputs": [TRACK], "time": {"column": "a", "format": "dd.mm"}}, "$.rules[0].time.format", "a pattern"),
        (
            {"outputs": [TRACK], "identifiers": {"user_id": {"template": "{a"}}},
            "$.rules[0].identifiers.user_id.template",
            "not a template",
        ),
        (
            {"outputs": [TRACK], "identifiers": {"user_id": {"template": "{a:>9}"}}},
            "$.rules[0].identifiers.user_id.template",
            "a column name",
        ),
        ({"outputs": [TRACK], "when": [{"column": "a"}]}, "$.rules[0].when[0]", "exactly one of `empty`"),
        (
            {"outputs": [{**TRACK, "when": {"column": "a", "matches": "("}}]},
            "$.rules[0].outputs[0].when.matches",
            "not a pattern",
        ),
        (
            {"outputs": [{**TRACK, "traits": {"address": "a", "address.city": "b"}}]},
            "$.rules[0].outputs[0].traits",
            "a value or an object",
        ),
        ({"calls": {}}, "$.rules[0].calls", "exactly one of `each` and `arguments`"),
        ({"calls": {"each": "$"}, "identifiers": {"email": "a"}}, "$.rules[0].identifiers", "user_id or anonymous_id"),
        ({"calls": {"each": "$"}, "time": "a"}, "$.rules[0]", "no `time` beside `calls`"),
    ],
)
def test_what_cannot_work_is_refused_where_it_stands(rule: dict[str, Any], place: str, message: str) -> None:
    """Whatever the file: before anything is read."""
    error = refused_rule(**rule)
    assert error.place == f"m.json {place}"
    assert message in error.message


def test_a_mapping_without_rules_is_refused() -> None:
    """It would import nothing, in silence."""
    assert refused({"rules": []}).place == "m.json $.rules"


def test_a_column_that_the_file_lacks_is_refused_with_the_nearest_it_has() -> None:
    """Wherever in the rule it is named."""
    rule = mapping({"outputs": [TRACK], "identifiers": {"user_id": "custmer_id"}}).rules[0]
    with pytest.raises(CourtesyError) as caught:
        check_columns(rule, ["action", "customer_id"], "m.json: ")
    assert caught.value.hint == "did you mean 'customer_id'?"
    assert caught.value.place == "m.json: .identifiers.user_id"
    check_columns(rule, ["action", "custmer_id"], "m.json: ")


@pytest.mark.parametrize(
    ("name", "is_for"),
    [
        ("orders.csv", True),
        ("orders.csv.gz", True),
        ("2019/orders.csv", True),
        ("old-orders.csv", False),
        ("orders.csv.bak", False),
    ],
)
def test_a_rule_is_for_files_by_their_names(name: str, *, is_for: bool) -> None:
    """The folder and the packing need not be named."""
    assert mapping({"files": "orders.csv", "skip": "x"}).rules[0].is_for(name) is is_for


def test_ready_mappings_are_found_by_name() -> None:
    """With the nearest name for one that there is not."""
    assert ready_mapping("rees46").rules
    with pytest.raises(CourtesyError) as caught:
        ready_mapping("rees_46")
    assert (caught.value.code, caught.value.hint) == (Code.NOT_FOUND, "did you mean 'rees46'?")


def test_ready_mappings_are_found_by_exactly_their_columns() -> None:
    """In any order; a file with another column is somebody else's."""
    found = ready_rule(["household_id", "campaign_id"])
    assert found is not None
    assert found[0] == "complete_journey"
    assert ready_rule(["household_id", "campaign_id", "my_column"]) is None


def test_every_rule_of_a_ready_mapping_can_be_found() -> None:
    """Each states its columns, and no two the same."""
    columns = [frozenset(rule.columns) for each in ready_mappings().values() for rule in each.rules]
    assert all(columns)
    assert len(set(columns)) == len(columns)


def test_the_mappings_in_the_guide_are_right() -> None:
    """Whoever copies one from the page gets no error."""
    guide = (ROOT / "docs" / "how-to" / "import-files.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```json\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 2
    assert all(parse_mapping(example.encode()).rules for example in examples)


def test_the_guide_names_all_that_a_mapping_can_say() -> None:
    """Each field of a rule, of an output, of a value, of a condition, of CSV and of recorded calls."""
    guide = (ROOT / "docs" / "how-to" / "import-files.md").read_text(encoding="utf-8")
    parts: tuple[type[msgspec.Struct], ...] = (Rule, Output, Value, Condition, CsvOptions, Calls)
    fields = {name for part in parts for name in part.__struct_encode_fields__}
    assert {name for name in fields if f"`{name}`" not in guide} == set()
    assert {name for name in ready_mappings() if f"`{name}`" not in guide} == set()
