"""The tables that ship with this package, each read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def lines_of(name: str) -> tuple[str, ...]:
    """The lines of a table, without empty ones and comments (`#`)."""
    text = (files("courtesy.standard") / "data" / name).read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


@cache
def words_of(name: str) -> frozenset[str]:
    """All words of a table."""
    return frozenset(word for line in lines_of(name) for word in line.split())


@cache
def names_by_language(name: str) -> dict[str, dict[str, str]]:
    """A table of names: language, to comparable name, to value; languages in the order of the table."""
    rows = (line.split("\t") for line in lines_of(name))
    return {language: dict(pair.rsplit("=", 1) for pair in pairs) for language, *pairs in rows}
