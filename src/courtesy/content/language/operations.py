"""What templates do with values, in Python: arithmetic, slices, loops, tests, calls. None raises on bad data.

The engine calls these by names that begin with an underscore, which templates can't write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from courtesy.content.filters import LIST_MAX, bounded, number_of, safe_url, style_part, url_part
from courtesy.content.surroundings import Surroundings

OUTPUT_CHARS_MAX = 1_000_000
TURNS_MAX = 1_000
"""Of one loop; what a list has more is left out, and reported."""


class TooLarge(Exception):
    """A rendering that would become longer than `OUTPUT_CHARS_MAX`. Never leaves this package."""


@dataclass(slots=True)
class Rendering(Surroundings):
    """The surroundings of one rendering, with its functions, the defaults by spot, and how much was written."""

    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    defaults: Mapping[int, Any] = field(default_factory=dict)
    chars: int = 0

    def count(self, chars: int) -> None:
        """Raises TooLarge when there is more than may be."""
        self.chars += chars
        if self.chars > OUTPUT_CHARS_MAX:
            raise TooLarge


def missing(spot: int, around: Rendering) -> Any:
    """The default of what is missing, or nothing."""
    around.report(spot, "is missing")
    return around.defaults.get(spot, "")


def missing_list(spot: int, around: Rendering) -> Any:
    """The default of a list that is missing, or an empty one."""
    around.report(spot, "is missing")
    return around.defaults.get(spot, [])


def there(value: Any, spot: int, around: Rendering) -> Any:
    """What was found under a computed name; reported when it is nothing."""
    return missing(spot, around) if value is None else value


def item(value: Any, key: Any) -> Any:
    """What an object has under a name, or a list at a number; nothing for anything else."""
    if isinstance(value, Mapping):
        return value.get(key) if isinstance(key, str | int) else None
    if isinstance(value, list | tuple | str) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return None


def listed(value: Any, width: int, around: Rendering, spot: int) -> list[Any]:
    """The elements that a loop goes through; of an object its names, or pairs where the loop has two names."""
    match value:
        case list() | tuple():
            items = list(value[:LIST_MAX])
        case Mapping():
            items = list(value) if width == 1 else [[name, each] for name, each in value.items()]
        case None | "":
            items = []
        case _:
            around.report(spot, f"a loop expected a list, found {value!r:.60}")
            items = []
    if len(items) > TURNS_MAX:
        around.report(spot, f"a loop has at most {TURNS_MAX:,} turns; the list has {len(items):,}")
    if width == 1:
        return items[:TURNS_MAX]
    return [each for each in items[:TURNS_MAX] if isinstance(each, list | tuple) and len(each) == width]


def turn(chars: int, around: Rendering) -> str:
    """Counts what one turn of a loop writes at least."""
    around.count(chars)
    return ""


def counted(value: Any, around: Rendering) -> Any:
    """The value, its length counted."""
    if isinstance(value, str):
        around.count(len(value))
    elif isinstance(value, list | tuple | Mapping):
        around.count(len(repr(value)))
    return value


def kept(value: Any, around: Rendering, spot: int) -> Any:
    """A value to which a name is set: text and lists of bounded length, so that doubling ends."""
    if isinstance(value, str):
        return value if len(value) <= OUTPUT_CHARS_MAX // 10 else bounded(str(value), around, spot)
    return value[:LIST_MAX] if isinstance(value, list | tuple) else value


def sliced(value: Any, first: Any, last: Any, around: Rendering, spot: int) -> Any:
    """A part of a list or text."""
    if not isinstance(value, list | tuple | str):
        around.report(spot, "only lists and texts have parts")
        return []
    begin, end = (each if isinstance(each, int) and not isinstance(each, bool) else None for each in (first, last))
    return value[begin:end]


def default(value: Any, otherwise: Any, empty: bool) -> Any:
    """The value, or something else where there is none; `empty`: also where it is empty, zero or false."""
    return otherwise if value is None or value == "" or (empty and not value) else value


def within(value: Any, whole: Any) -> bool:
    """Whether something is in a list, the names of an object, or a text."""
    if isinstance(whole, str):
        return isinstance(value, str) and value in whole
    if isinstance(whole, Mapping):
        return isinstance(value, str) and value in whole
    return isinstance(whole, list | tuple) and value in whole


def called(name: str, around: Rendering, spot: int, *values: Any) -> Any:
    """What a function of the scope answers; nothing, and a report, when there is none or it can't answer."""
    function = around.functions.get(name)
    if function is None:
        around.report(spot, "is not there")
        return ""
    try:
        answer = function(*values)
    except (LookupError, TypeError, ValueError):
        around.report(spot, f"could not be answered for {', '.join(map(repr, values)):.80}")
        return ""
    if answer is None:
        around.report(spot, f"found nothing for {', '.join(map(repr, values)):.80}")
    return "" if answer is None else answer


def numbers_from(*ends: Any) -> list[int]:
    """What `range` gives: at most `TURNS_MAX` numbers."""
    first, last = (0, ends[0]) if len(ends) == 1 else ends[:2]
    whole = [int(number_of(each) or 0) for each in (first, last)]
    return list(range(whole[0], min(whole[1], whole[0] + TURNS_MAX)))


# -- arithmetic


def _arithmetic(name: str, of: Callable[[float, float], float | int]) -> Callable[[Any, Any, Rendering, int], Any]:
    def operation(left: Any, right: Any, around: Rendering, spot: int) -> Any:
        first, second = number_of(left), number_of(right)
        if first is None or second is None:
            if left not in (None, "") and right not in (None, ""):
                around.report(spot, f"can't {name} {left!r:.40} and {right!r:.40}")
            return ""
        try:
            result = of(first, second)
        except (ZeroDivisionError, OverflowError):
            around.report(spot, f"can't {name} {first} and {second}")
            return ""
        return "" if number_of(result) is None else result

    return operation


def plus(left: Any, right: Any, around: Rendering, spot: int) -> Any:
    """The sum of numbers, or two texts or lists one after the other."""
    if isinstance(left, str) and isinstance(right, str):
        return bounded(left + right, around, spot)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return [*left, *right][:LIST_MAX]
    return _add(left, right, around, spot)


_add = _arithmetic("add", lambda left, right: left + right)


# -- tests


def is_so(name: str, value: Any, *given: Any) -> bool:
    """Whether a value is as a test of ours says; false for values of which it makes no sense."""
    other = given[0] if given else None
    match name:
        case "empty":
            return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)
        case "even":
            return _rest_of(value, 2) == 0
        case "odd":
            return _rest_of(value, 2) == 1
        case "divisible_by":
            return _rest_of(value, other) == 0
        case "containing":
            return within(other, value)
        case "starting_with":
            return isinstance(value, str) and isinstance(other, str) and value.startswith(other)
        case "ending_with":
            return isinstance(value, str) and isinstance(other, str) and value.endswith(other)
        case _:
            raise AssertionError(f"there is no test {name!r}")


def _rest_of(value: Any, divisor: Any) -> float | None:
    number, by = number_of(value), number_of(divisor)
    return None if number is None or not by else number % by


OPERATIONS: dict[str, Callable[..., Any]] = {
    "_missing": missing,
    "_missing_list": missing_list,
    "_there": there,
    "_item": item,
    "_list": listed,
    "_turn": turn,
    "_counted": counted,
    "_kept": kept,
    "_slice": sliced,
    "_default": default,
    "_within": within,
    "_call": called,
    "_is": is_so,
    "_plus": plus,
    "_minus": _arithmetic("subtract", lambda left, right: left - right),
    "_times": _arithmetic("multiply", lambda left, right: left * right),
    "_over": _arithmetic("divide", lambda left, right: left / right),
    "_whole_over": _arithmetic("divide", lambda left, right: left // right),
    "_rest": _arithmetic("divide", lambda left, right: left % right),
}
SAFETY_FILTERS: dict[str, Callable[..., Any]] = {"_link": safe_url, "_link_path": url_part, "_style": style_part}
