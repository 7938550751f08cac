"""What is loaded before anything is asked for: each command, and each process of a server, waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LARGE = ("duckdb", "granian", "litestar", "numpy", "opentelemetry.sdk", "pyarrow", "pyiceberg", "pyvips", "sqlalchemy")


def loaded(module: str, *names: str) -> list[str]:
    """Which of `names` a new interpreter has loaded once it has imported `module`."""
    code = f"import sys, {module}; print(*(name for name in {names!r} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("module", ["courtesy.cli", "courtesy.runtime.process"])
def test_large_libraries_are_loaded_by_who_uses_them(module: str) -> None:
    """Neither a command nor a process of a server waits for what reads Parquet, pictures, the lake or serves HTTP."""
    assert loaded(module, *LARGE) == []


def test_what_is_loaded_is_seen() -> None:
    """The check above is awake: who reads Parquet does load Arrow and NumPy."""
    assert loaded("courtesy.source.parquet_rows", "numpy", "pyarrow", "duckdb") == ["numpy", "pyarrow"]
