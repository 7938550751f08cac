"""Definitions with every revision."""

from __future__ import annotations

from typing import NamedTuple

from courtesy.engine.contract import Definition, Revision


class Entry(NamedTuple):
    """One line of the history: a change of a definition, made under a version of the catalogue."""

    version: int
    kind: str
    name: str
    change: Revision


class Definitions:
    """What the company defined."""

    def __init__(self) -> None:
        self.version = 0
        self.history: list[Entry] = []
        self._in_force: dict[tuple[str, str], Definition] = {}
        self._last_number = 0
        self._last_revision: dict[tuple[str, str], int] = {}

    def in_force(self) -> list[Definition]:
        """All definitions, by number."""
        return sorted(self._in_force.values(), key=lambda each: each.number)

    def define(self, kind: str, name: str, body: bytes | None, by: str, now_ms: int) -> Definition | None:
        """Define, redefine or remove; None when removed, or when there was nothing to remove."""
        known = self._in_force.get((kind, name))
        if known is None and body is None:
            return None
        number = self._last_number + 1 if known is None else known.number
        revision = self._last_revision.get((kind, name), 0) + 1
        self.version += 1
        self._last_number = max(self._last_number, number)
        self._last_revision[kind, name] = revision
        content = None if body is None else bytes(body)
        self.history.append(Entry(self.version, kind, name, Revision(number, revision, content, now_ms, by)))
        if content is None:
            del self._in_force[kind, name]
            return None
        definition = Definition(kind, name, number, revision, content, now_ms, by)
        self._in_force[kind, name] = definition
        return definition

    def history_of(self, kind: str, name: str) -> list[Revision]:
        """Every change of a definition, oldest first."""
        return [each.change for each in self.history if (each.kind, each.name) == (kind, name)]
