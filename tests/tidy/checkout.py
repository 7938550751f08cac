"""The files of this checkout, as far as people write them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Made by tools, or fetched; all of it is in .gitignore.
_NOT_OURS = {"__pycache__", "node_modules", "build", "dist"}
_TEXT_SUFFIXES = {
    "", ".cfg", ".css", ".html", ".ini", ".js", ".json", ".lock", ".md", ".mjs", ".py", ".sh", ".sql", ".toml",
    ".ts", ".tsx", ".txt", ".typed", ".yaml", ".yml",
}  # fmt: skip
LOCK_FILES = ("requirements.lock", "requirements-test.lock", "requirements-node.lock", "package-lock.json")


@cache
def text_files() -> tuple[Path, ...]:
    """All files that people write and read, data files left out, sorted."""
    return tuple(sorted(_walk()))


def _walk() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        at_root = Path(folder) == ROOT
        folders[:] = [name for name in folders if _ours(name, at_root)]
        for name in names:
            path = Path(folder, name)
            # In a worktree of git `.git` is a file, which says where the rest is.
            if path.suffix in _TEXT_SUFFIXES and name != ".git" and not path.is_symlink():
                yield path


def _ours(folder: str, at_root: bool) -> bool:
    if folder.startswith("."):
        return folder == ".ci"
    return folder not in _NOT_OURS and not folder.endswith(".egg-info") and not (at_root and folder == "data")


def python_files() -> list[Path]:
    """All Python files, sorted."""
    return [path for path in text_files() if path.suffix == ".py"]


def place(path: Path, line: int | None = None) -> str:
    """How an offence names where it is: `src/courtesy/base/ids.py:12`."""
    name = path.relative_to(ROOT).as_posix()
    return name if line is None else f"{name}:{line}"


def lines_matching(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """The number and the match of each line of `text` in which `pattern` is found."""
    for number, line in enumerate(text.split("\n"), start=1):
        if found := pattern.search(line):
            yield number, found.group()


def places_matching(pattern: re.Pattern[str], files: list[Path] | tuple[Path, ...]) -> list[str]:
    """Place and text of each line of `files` in which `pattern` is found."""
    return [
        f"{place(path, number)}: {found!r}"
        for path in files
        for number, found in lines_matching(pattern, path.read_text(encoding="utf-8"))
    ]


@cache
def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
