"""Functions and files stay short: `ratchet.json` holds what is allowed, and turns in one direction only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.tidy.sizes import FunctionSize, Sizes, functions_in, measure, measure_checkout

# How much better than the ratchet the code may be before the test advises to tighten it.
SHARE_SLACK = 0.05
MEDIAN_SLACK_LINES = 3


class Ratchet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is allowed: named exceptions, a least share of short functions, a greatest median length."""

    functions_over_70_lines: list[str]
    files_over_800_lines: list[str]
    share_of_functions_under_30_lines: float
    median_function_lines: float


def offences(sizes: Sizes, ratchet: Ratchet) -> list[str]:
    """What is worse than the ratchet allows, and exceptions that nothing needs any more."""
    found = _differences("function", 70, sizes.long_functions, ratchet.functions_over_70_lines)
    found += _differences("file", 800, sizes.long_files, ratchet.files_over_800_lines)
    if sizes.short_share < ratchet.share_of_functions_under_30_lines:
        found.append(
            f"{sizes.short_share:.3f} of the functions are under 30 lines,"
            f" at least {ratchet.share_of_functions_under_30_lines} are wanted"
        )
    if sizes.median_lines > ratchet.median_function_lines:
        found.append(
            f"the median function has {sizes.median_lines:g} lines,"
            f" at most {ratchet.median_function_lines:g} are wanted"
        )
    return found


def _differences(what: str, limit: int, now: list[str], allowed: list[str]) -> list[str]:
    new = [
        f"{name} is a {what} over {limit} lines: split it where a reader would" for name in now if name not in allowed
    ]
    gone = [name for name in allowed if name not in now]
    return new + [f"{name} is not over {limit} lines any more: take it out of ratchet.json" for name in gone]


def advice(sizes: Sizes, ratchet: Ratchet) -> str:
    """How to tighten the ratchet; empty while the code is not much better than it asks."""
    hints = []
    if sizes.short_share > ratchet.share_of_functions_under_30_lines + SHARE_SLACK:
        hints.append(f"share_of_functions_under_30_lines to {sizes.short_share - SHARE_SLACK / 2:.2f}")
    if sizes.median_lines < ratchet.median_function_lines - MEDIAN_SLACK_LINES:
        hints.append(f"median_function_lines to {sizes.median_lines + 1:g}")
    return f"the code is better than tests/tidy/ratchet.json asks: set {' and '.join(hints)}" if hints else ""


def test_no_function_or_file_is_larger_than_the_ratchet_allows(record_property: Callable[[str, object], None]) -> None:
    """Code does not grow out of a reader's head unnoticed."""
    ratchet = msgspec.json.decode(Path(__file__).with_name("ratchet.json").read_bytes(), type=Ratchet)
    sizes = measure_checkout()
    assert offences(sizes, ratchet) == []
    if hint := advice(sizes, ratchet):
        record_property("advice", hint)


STRICT = Ratchet([], [], 0.9, 8)


def test_growth_is_reported_and_so_is_an_exception_that_nothing_needs() -> None:
    """The check barks at each of the four ways to get worse, and at a stale exception."""
    sizes = Sizes([FunctionSize("a.py:f", 71), FunctionSize("a.py:g", 29)], {"a.py": 801})
    assert len(offences(sizes, STRICT)) == 4
    assert offences(Sizes([], {}), Ratchet(["a.py:f"], [], 0.9, 8)) == [
        "a.py:f is not over 70 lines any more: take it out of ratchet.json"
    ]


def test_code_much_better_than_the_ratchet_gives_advice() -> None:
    """The ratchet is turned on when the code allows it."""
    sizes = Sizes([FunctionSize("a.py:f", 3)], {"a.py": 3})
    assert "share_of_functions_under_30_lines to 0.97 and median_function_lines to 4" in advice(sizes, STRICT)
    assert advice(Sizes([FunctionSize("a.py:f", 8)] * 19 + [FunctionSize("a.py:g", 40)], {}), STRICT) == ""


def test_the_length_of_a_function_leaves_out_decorators_docstring_and_promises() -> None:
    """A length counts what a reader has to hold in mind, in nested functions and methods too."""
    text = '''
class C:
    @property
    def method(self):
        """Two
        lines."""
        def inner():
            return 1
        return inner()

    def promise(self): ...
'''
    assert list(functions_in("a.py", text)) == [
        FunctionSize("a.py:C.method", 4),
        FunctionSize("a.py:C.method.inner", 2),
    ]
    assert measure({"a.py": text}).files == {"a.py": 11}
    assert measure({"a.py": text}).median_lines == 3
