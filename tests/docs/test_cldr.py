"""The tables that ship with `courtesy.standard` say what CLDR says."""

from __future__ import annotations

import subprocess
import sys

from tests.tidy.checkout import ROOT


def test_tables_of_names_are_those_of_cldr() -> None:
    """After Babel was updated: `python -m tests.docs.cldr --write`. Made in a process of its own, for what Babel says
    of a language changes with what it was asked of others before."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.cldr"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
