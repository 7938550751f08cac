"""Names of columns and values in one spelling, and finding columns by them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


def word_of(column: str) -> str:
    """A column's name in one spelling: `InvoiceDate`, `invoice date` and `INVOICE_DATE` are all `invoice_date`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", column)
    return parted.strip("_").lower() or column


@dataclass
class Columns:
    """The columns of a sample: their names in one spelling, their values without empty ones, and which are used."""

    words: Mapping[str, str]
    samples: Mapping[str, Sequence[Any]]
    used: set[str] = field(default_factory=set)

    def first(self, names: Iterable[str], fits: Callable[[str], bool]) -> str | None:
        """The column whose name comes first among `names` and that fits; it counts as used."""
        for name in names:
            for column, word in self.words.items():
                if word == name and column not in self.used and fits(column):
                    self.used.add(column)
                    return column
        return None

    def has_values(self, column: str) -> bool:
        """Whether a column has any."""
        return bool(self.samples[column])
