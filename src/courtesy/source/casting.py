"""Casting of columns: text and numbers of a file into the values that a mapping asks for, each distinct value once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from courtesy.event.accept import text_of
from courtesy.event.action_words import to_action, to_network
from courtesy.event.casting import Unread, dates, to_boolean, to_number, to_object
from courtesy.source.mapping import Cast, Value

MEMO_MAX = 50_000
"""Distinct values of one column that are remembered; over it, all are forgotten. About 10 MB a column."""


class Memo(dict[Any, Any]):
    """A function of hashable values, which remembers its results. Call it with a whole column."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self._function = function
        self.has_failed = False

    def __missing__(self, value: Any) -> Any:
        result = None if value is None else self._function(value)
        if isinstance(result, Unread):
            self.has_failed = True
        self[value] = result
        return result

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """The result for each value, None for None."""
        if len(self) > MEMO_MAX:
            self.clear()
        try:
            return [self[value] for value in values]
        except TypeError:  # a list or an object, which can't be a key
            return [self.__missing_unhashable(value) for value in values]

    def __missing_unhashable(self, value: Any) -> Any:
        if isinstance(value, list | dict):
            result = self._function(value)
            self.has_failed = self.has_failed or isinstance(result, Unread)
            return result
        return self[value]


_CASTS: dict[Cast, Callable[[Any], Any]] = {
    Cast.TEXT: text_of,
    Cast.BOOLEAN: to_boolean,
    Cast.JSON: to_object,
    Cast.CONSENT: to_action,
    Cast.NETWORK: to_network,
}


def cast_for(value: Value, decimal: str, timezone: str) -> Memo | None:
    """The cast that a mapping's value asks for; None when it stays as it is."""
    if value.cast is None:
        return None
    if value.cast is Cast.DATE:
        return Memo(dates(value.format, value.timezone or timezone))
    if value.cast is Cast.NUMBER:
        return Memo(partial(to_number, decimal=decimal))
    return Memo(_CASTS[value.cast])
