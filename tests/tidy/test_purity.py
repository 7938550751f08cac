"""The packages below the engine ask no clock and no dice: time and chance are handed to them.

The import contract of pyproject.toml forbids modules; this test forbids calls, also of modules that may be imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.checkout import ROOT, place, project

CLOCK_OR_CHANCE = re.compile(
    r"time\.\w+|datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today|random\.(?!Random$)\w+"
    r"|secrets\.\w+|os\.\w+|urllib\.request\.\w+|uuid\.uuid[14]|open|input|print"
)
# The one clock; it is an argument wherever time is needed. And a script of its own, which nothing else imports.
ALLOWED = {"src/courtesy/base/time.py: time.time_ns", "src/courtesy/consent/verifier.py: print"}


def pure_packages() -> list[str]:
    """The packages below `engine` in the layers that import-linter checks, planned ones too."""
    layers = _contract("layers")["layers"]
    below = layers[layers.index("engine") + 1 :]
    return [name.strip(" ()") for layer in below for name in layer.split("|")]


def _contract(contract_id: str) -> dict[str, list[str]]:
    (found,) = [
        contract for contract in project()["tool"]["importlinter"]["contracts"] if contract["id"] == contract_id
    ]
    return dict(found)


def impure_calls(text: str) -> Iterator[str]:
    """The dotted names of calls in a source that ask a clock, chance or the world."""
    tree = ast.parse(text)
    origins = dict(_imported_names(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _dotted(node.func, origins)) and CLOCK_OR_CHANCE.fullmatch(name):
            yield name


def _imported_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Local name and origin of what is imported: `from datetime import date as d` gives `d`, `datetime.date`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.expr, origins: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return origins.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (head := _dotted(node.value, origins)):
        return f"{head}.{node.attr}"
    return ""


def _sources() -> list[Path]:
    return sorted(path for name in pure_packages() for path in (ROOT / "src/courtesy" / name).rglob("*.py"))


def test_pure_packages_ask_no_clock_and_no_dice() -> None:
    """The same inputs give the same state, live, in replay and in simulation."""
    found = {f"{place(path)}: {name}" for path in _sources() for name in impure_calls(path.read_text(encoding="utf-8"))}
    assert found == ALLOWED


def test_the_import_contract_covers_every_pure_package() -> None:
    """A new package below the engine is bound by the contract of purity from its first day."""
    present = {
        f"courtesy.{name}" for name in pure_packages() if (ROOT / "src/courtesy" / name / "__init__.py").exists()
    }
    assert set(_contract("pure")["source_modules"]) == present


def test_impure_calls_are_found_under_any_name() -> None:
    """The check barks, and leaves a seeded Random and methods of the like name alone."""
    text = """
import time as t
import uuid
from datetime import datetime
from random import Random, choice
t.monotonic(); uuid.uuid4(); datetime.now(); choice([1]); open("f")
Random(1).choice([1]); clock.time(); datetime.fromisoformat("2026-01-01"); uuid.UUID(int=1)
"""
    assert list(impure_calls(text)) == [
        "time.monotonic",
        "uuid.uuid4",
        "datetime.datetime.now",
        "random.choice",
        "open",
    ]
