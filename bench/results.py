"""`bench/results.json`: every figure under a fixed name, with its unit, its size and the commit it was measured on."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `n` is how many events, requests or people it rests on."""

    name: str
    value: float
    unit: str
    n: int
    note: str = ""


def commit() -> str:
    """The commit of the checkout, with `+` when it has changes."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    dirty = subprocess.run(
        ["git", "status", "--porcelain", "--", "src"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (head.stdout.strip() or "unknown") + ("+" if dirty else "")


def write(figures: list[Figure]) -> None:
    """Put the figures into the file beside those of other benchmarks."""
    known = json.loads(PATH.read_text()) if PATH.exists() else {}
    for figure in figures:
        known[figure.name] = {
            "value": round(figure.value, 4),
            "unit": figure.unit,
            "n": figure.n,
            "commit": commit(),
            "note": figure.note,
        }
    PATH.write_text(json.dumps(dict(sorted(known.items())), indent=2, ensure_ascii=False) + "\n")
