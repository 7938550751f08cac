"""What no file of the checkout may say, and what each must: marks, places, addresses, blanks, docstrings, names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.tidy.checkout import ROOT, lines_matching, place, places_matching, python_files, text_files

# Each pattern is spelt so that it does not match itself.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b")
SOMEONES_FOLDER = re.compile(r"(?<![\w.}*-])/(home|root|work|Users)/|/tmp/[p]robe")
REGISTRY = re.compile(
    r"py[p]i\.(org|python)|python[h]osted|npm[j]s\.(com|org)|yarn[p]kg\.com|crates\.[i]o|deb\.[d]ebian|proxy\.[g]olang"
)
TRAILING_BLANK = re.compile(r"[ \t\r]+$")

HIDES_A_NOUN = {"common", "helper", "helpers", "manager", "misc", "service", "services", "util", "utils"}


def test_nothing_is_left_unfinished() -> None:
    """What is to be done is an issue, with its reason, not a mark that nobody reads."""
    assert places_matching(UNFINISHED, text_files()) == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    """The checkout works wherever it lies."""
    assert places_matching(SOMEONES_FOLDER, text_files()) == []


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the choice of the machine that installs them."""
    assert places_matching(REGISTRY, text_files()) == []


def test_lines_end_without_blanks_and_files_with_a_newline() -> None:
    """Differences between versions show what somebody meant to change."""
    assert places_matching(TRAILING_BLANK, text_files()) == []
    assert [place(path) for path in text_files() if not _ends_well(path.read_text(encoding="utf-8"))] == []


def _ends_well(text: str) -> bool:
    return text == "" or (text.endswith("\n") and not text.endswith("\n\n"))


def test_every_python_file_starts_by_saying_what_it_is_for() -> None:
    """A reader learns from the first line whether to read on."""
    files = {path: path.read_text(encoding="utf-8") for path in python_files()}
    assert [place(path) for path, text in files.items() if not ast.get_docstring(ast.parse(text))] == []


def test_every_script_starts_by_saying_what_it_is_for() -> None:
    """The first lines of a script, and of a page of SQL, are a comment."""
    scripts = [path for path in text_files() if path.parent in (ROOT / "scripts", ROOT / ".ci")]
    statements = [path for path in text_files() if path.suffix == ".sql"]
    assert scripts
    assert [place(path) for path in scripts if not _says(path, r"#!/usr/bin/env \w+\n# \w")] == []
    assert [place(path) for path in statements if not _says(path, r"-- \S")] == []


def _says(path: Path, start: str) -> bool:
    return re.match(start, path.read_text(encoding="utf-8")) is not None


def test_modules_are_named_for_what_they_hold() -> None:
    """A name such as `utils` hides a noun of the domain that is missing."""
    assert [place(path) for path in python_files() if names_nothing(path)] == []


def names_nothing(path: Path) -> bool:
    """Whether the file or its folder has a word in its name that could stand on anything."""
    words = f"{path.stem}_{path.parent.name}".split("_")
    return not HIDES_A_NOUN.isdisjoint(words)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (UNFINISHED, "# TO" + "DO: later"),
        (SOMEONES_FOLDER, "open('/ho" + "me/ann/data.csv')"),
        (SOMEONES_FOLDER, "cd /wo" + "rk/main"),
        (REGISTRY, "https://files.python" + "hosted.org/packages"),
        (REGISTRY, "registry.npm" + "js.org"),
        (TRAILING_BLANK, "text "),
    ],
)
def test_each_pattern_finds_what_it_forbids(pattern: re.Pattern[str], text: str) -> None:
    """The checks above bark."""
    assert list(lines_matching(pattern, f"fine\n{text}\nfine")) != []


@pytest.mark.parametrize(
    "text", ["https://shop.example/home/garden", "frame/work/", "mktemp XXXXXX", "the work/ folder"]
)
def test_patterns_leave_innocent_text_alone(text: str) -> None:
    """The checks above do not bark at what only looks alike."""
    assert [pattern for pattern in (UNFINISHED, SOMEONES_FOLDER, REGISTRY) if pattern.search(text)] == []


def test_a_module_name_that_names_nothing_is_found() -> None:
    """The check on names barks, at files and at folders, and at whole words only."""
    assert [names_nothing(Path(name)) for name in ("src/http_utils.py", "helpers/a.py", "src/commonplace.py")] == [
        True,
        True,
        False,
    ]
