"""Ready mappings for well-known data sets, found by their name or by the columns of a file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.source.mapping import Mapping, Rule, parse_mapping


@lru_cache(maxsize=1)
def ready_mappings() -> dict[str, Mapping]:
    """All of them, by name."""
    folder = files("courtesy.source") / "mappings"
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".json")), key=lambda each: each.name)
    return {entry.name.removesuffix(".json"): parse_mapping(entry.read_bytes(), entry.name) for entry in entries}


def ready_mapping(name: str) -> Mapping:
    """The mapping of that name. Raises CourtesyError(NOT_FOUND) with the nearest name."""
    known = ready_mappings()
    if name not in known:
        message = f"expected a ready mapping ({', '.join(known)}), got {name!r}"
        raise CourtesyError(Code.NOT_FOUND, message, hint=nearest(name, known))
    return known[name]


def ready_rule(columns: Iterable[str]) -> tuple[str, Rule] | None:
    """The mapping's name and the rule for a file with exactly these columns; None when there is none."""
    present = set(columns)
    for name, mapping in ready_mappings().items():
        for rule in mapping.rules:
            if set(rule.columns) == present:
                return name, rule
    return None
