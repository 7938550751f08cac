"""A file of sends: each line is read as it is meant, or the file is refused with the line that is wrong."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from courtesy.base.errors import CourtesyError
from courtesy.cli.audit import PAGE, _in_portions, _read
from courtesy.runtime.audit import Told

GOOD = '{"message": "m1", "kind": "user_id", "value": "ann", "channel": "email", "at": 5}'


def test_each_line_is_a_send(tmp_path: Path) -> None:
    """With an instant in ms or ISO 8601, and the hash if there is one; empty lines are none."""
    file = tmp_path / "sent.jsonl"
    hashed = sha256(b"x")
    more = GOOD.replace("5}", f'"1970-01-01T00:00:01Z", "message_hash": "{hashed.hexdigest()}"}}')
    file.write_text(f"{GOOD}\n\n{more}\n")
    ann = ("user_id", "ann", "m1", "email")
    assert list(_read(file)) == [Told(*ann, 5), Told(*ann, 1_000, hashed.digest())]


@pytest.mark.parametrize(
    "wrong",
    [
        "m1",
        "[]",
        GOOD.replace("5", '"yesterday"'),
        GOOD.replace("5", "-5"),
        GOOD.replace('"at"', '"When"'),
        GOOD.replace("m1", ""),
        GOOD.replace("m1", "\\u0000"),
        GOOD.replace("ann", "a\\u0000"),
        GOOD.replace("}", ', "message_hash": "abc"}'),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, wrong: str) -> None:
    """By the file and its number."""
    file = tmp_path / "sent.jsonl"
    file.write_text(f"{GOOD}\n{wrong}\n")
    with pytest.raises(CourtesyError) as raised:
        list(_read(file))
    assert raised.value.place.startswith(f"{file}:2")


def test_a_large_file_is_told_in_portions() -> None:
    """In order, nothing twice, nothing left out."""
    told = [Told("user_id", "ann", f"m{number}", "email", number) for number in range(2 * PAGE + 1)]
    portions = list(_in_portions(told))
    assert [len(each) for each in portions] == [PAGE, PAGE, 1]
    assert [each for portion in portions for each in portion] == told
