"""The one error: every code has its statuses, and a message says where and what to do."""

from __future__ import annotations

import pytest

from courtesy.base.errors import EXIT_STATUS, HTTP_STATUS, Code, CourtesyError, nearest


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_status_for_http_and_for_the_shell(code: Code) -> None:
    """A new code can't be forgotten in either table, and none passes for success."""
    assert 400 <= HTTP_STATUS[code] < 600
    assert 64 <= EXIT_STATUS[code] <= 78


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CourtesyError(Code.INVALID, "expected 1, got 2"), "expected 1, got 2"),
        (CourtesyError(Code.INVALID, "expected 1", place="port"), "port: expected 1"),
        (CourtesyError(Code.INVALID, "expected 1", hint="count", place="port"), "port: expected 1 (count)"),
    ],
)
def test_an_error_reads_as_a_sentence(error: CourtesyError, text: str) -> None:
    """The place in front, the hint behind, neither when there is none."""
    assert str(error) == text


def test_the_nearest_known_name_is_a_hint() -> None:
    """A typo is answered with what was probably meant, a strange name with nothing."""
    assert nearest("emial", ["email", "phone"]) == "did you mean 'email'?"
    assert nearest("zzz", ["email", "phone"]) == ""
    assert nearest("email", []) == ""
