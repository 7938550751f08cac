"""What we depend on: locked, from no particular place, and under licences that a company can live with."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

import pytest

from tests.tidy.checkout import LOCK_FILES, ROOT, project

REQUIREMENT_LOCKS = [name for name in LOCK_FILES if name.startswith("requirements")]
COPYLEFT = re.compile(r"(?<!L)\bA?GPL|Affero|(?<!Lesser )General Public", re.IGNORECASE)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _npm_packages() -> dict[str, dict[str, Any]]:
    packages: dict[str, dict[str, Any]] = json.loads(_text("package-lock.json"))["packages"]
    return {name: package for name, package in packages.items() if name}


def requirements(text: str) -> dict[tuple[str, str], list[str]]:
    """Name with marker, and hashes, of each entry of a requirements file, which may hold nothing else.

    Raises ValueError for an entry without an exact version.
    """
    found = {}
    for entry in text.replace("\\\n", " ").splitlines():
        head, *hashes = entry.split("--hash=")
        match = re.fullmatch(r"([a-z0-9-]+)==([\w.!+]+)( ; .+)?", head.strip())
        if match is None:
            raise ValueError(f"expected name==version with an optional marker, found {head!r}")
        found[f"{match[1]}{match[3] or ''}", match[2]] = [digest.strip() for digest in hashes]
    return found


@pytest.mark.parametrize("name", REQUIREMENT_LOCKS)
def test_each_requirement_is_exact_and_hashed(name: str) -> None:
    """What is installed tomorrow is, byte for byte, what was tested today."""
    locked = requirements(_text(name))
    assert locked
    assert [
        key for key, hashes in locked.items() if not hashes or not all(h.startswith("sha256:") for h in hashes)
    ] == []


@pytest.mark.parametrize("name", LOCK_FILES)
def test_lock_files_hold_no_addresses(name: str) -> None:
    """Packages come from whichever registry the machine is set up for."""
    assert re.findall(r".*(?:https?:|://|--index|--find-links|\"resolved\").*", _text(name)) == []


def test_each_npm_package_is_exact_and_hashed() -> None:
    """The clients under test are the versions that are named, with a digest each."""
    wanted = json.loads(_text("package.json"))["devDependencies"]
    locked = _npm_packages()
    assert [name for name, package in locked.items() if not package["integrity"].startswith("sha512-")] == []
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_tests_run_on_the_versions_that_users_run() -> None:
    """The lock for tests is the lock for users, and more."""
    assert requirements(_text("requirements.lock")).items() <= requirements(_text("requirements-test.lock")).items()


def test_every_declared_dependency_is_locked() -> None:
    """A dependency that was added without `make lock` is noticed here and not on a user's machine."""
    locked = {name.split(" ; ")[0] for name, _ in requirements(_text("requirements-test.lock"))}
    declared = [*project()["project"]["dependencies"], *project()["dependency-groups"]["test"]]
    assert [line for line in declared if re.split(r"[^\w-]", line)[0] not in locked] == []


def licence(installed: Distribution) -> str:
    """What a package says of its licence: the expression, or else the classifiers, or else the first line of text."""
    expression = _field(installed, "License-Expression")
    classifiers = [text for text in _field(installed, "Classifier") if text.startswith("License ::")]
    return "; ".join(expression or classifiers or _field(installed, "License")).split("\n")[0]


def _field(installed: Distribution, name: str) -> list[str]:
    return installed.metadata.get_all(name) or []


def binds_us(terms: str) -> bool:
    """Whether the terms leave no choice but GPL or AGPL; LGPL is fine for a package that is used as it is."""
    return all(COPYLEFT.search(choice) is not None for choice in re.split(r" OR |; ", terms))


def test_no_dependency_would_bind_us_by_its_licence() -> None:
    """Courtesy stays Apache-2.0 for those who build on it."""
    terms = {name: licence(package) for name, package in _installed().items()}
    terms |= {name: str(package["license"]) for name, package in _npm_packages().items()}
    assert {name: text for name, text in terms.items() if binds_us(text)} == {}


def _installed() -> dict[str, Distribution]:
    found = {}
    for name, _ in requirements(_text("requirements-test.lock")):
        try:
            found[name] = distribution(name.split(" ; ")[0])
        except PackageNotFoundError:
            assert " ; " in name, f"{name} is locked for every platform, but not installed: make venv-test"
    return found


def test_binding_licences_are_told_from_harmless_ones() -> None:
    """The check barks at GPL and AGPL however they are written, and not at LGPL or at a choice."""
    binding = ["GPL-3.0-or-later", "AGPL-3.0", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"]
    harmless = ["LGPL-3.0-only", "MIT OR GPL-2.0", "Apache-2.0", "GNU Lesser General Public License v3 (LGPLv3)", ""]
    assert [binds_us(text) for text in binding + harmless] == [True] * 3 + [False] * 5


def test_a_requirement_without_an_exact_version_is_refused() -> None:
    """The reader of lock files does not pass over what it does not understand."""
    with pytest.raises(ValueError, match="found 'duckdb>=1'"):
        requirements("duckdb>=1\n")
