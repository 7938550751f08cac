"""A document read as a session: its marked code blocks, run one after the other as a reader would run them.

In a document, `<!-- run -->` before a code block marks it to be run: `bash` in one shell for the whole document,
`python` and `js` as programs of their own with that shell's environment. `<!-- shows -->` before the next block gives
what the block before it prints, with `…` for whatever differs from run to run. `<!-- save NAME -->` marks a block that
the reader is told to save under that name.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.tidy.checkout import ROOT

_BLOCK = re.compile(r"^(?:<!-- (run|shows|save \S+) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "\x1e"
_PROGRAMS = {"python": ("py", "python"), "js": ("mjs", "node")}
_END = "trap 'status=$?; kill $(jobs -p) 2>/dev/null || true; wait; exit $status' EXIT"
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Step:
    """A block that is run, or saved as `save`; what it is said to print, None when nothing is said; and its line."""

    language: str
    code: str
    line: int
    shows: str | None = None
    save: str | None = None


def steps(text: str) -> list[Step]:
    """The marked blocks of a document, in order."""
    found: list[Step] = []
    for match in _BLOCK.finditer(text):
        mark, language, code = match.groups()
        line = text.count("\n", 0, match.start(3)) + 1
        if mark == "shows":
            found.append(replace(found.pop(), shows=code))
        elif mark:
            found.append(Step(language, code, line, save=mark.partition(" ")[2] or None))
    return found


def settle(folder: Path) -> None:
    """Make `folder` a place like a reader's: `courtesy` and `python` are found, and the npm packages."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    courtesy = programs / "courtesy"
    courtesy.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from courtesy.cli import main; main()" "$@"\n')
    courtesy.chmod(0o755)
    for name in ("python", "python3"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        program.chmod(0o755)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")


def script(some: list[Step], folder: Path) -> str:
    """One shell script of all steps, with a mark after the output of each. Programs are written to `folder`."""
    parts = ["set -e", _END]
    for number, step in enumerate(some):
        parts += [_command(step, number, folder), f"printf '{_MARK}'"]
    return "\n".join(parts)


def _command(step: Step, number: int, folder: Path) -> str:
    if step.save is not None:
        (folder / step.save).write_text(step.code)
        return ":"
    if step.language == "bash":
        return step.code
    suffix, program = _PROGRAMS[step.language]
    (folder / f"step-{number}.{suffix}").write_text(step.code)
    return f"{program} step-{number}.{suffix}"


def run(some: list[Step], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run the steps in `folder`; what each printed. Raises AssertionError that names the step that failed."""
    given = {**os.environ, **environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    (folder / "session.sh").write_text(script(some, folder))
    with (folder / "said.txt").open("w") as said, (folder / "complained.txt").open("w") as complained:
        done = subprocess.run(
            ["bash", "session.sh"],
            cwd=folder,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
            timeout=LIMIT_S,
            check=False,
        )
    outputs = (folder / "said.txt").read_text().split(_MARK)
    if done.returncode:
        failed = some[len(outputs) - 1]
        raise AssertionError(
            f"the block at line {failed.line} ended with {done.returncode}:\n"
            f"{outputs[-1]}\n{(folder / 'complained.txt').read_text()}"
        )
    return outputs[:-1]


def disagreements(some: list[Step], outputs: list[str]) -> list[str]:
    """Where a step printed something else than the document shows."""
    return [
        f"line {step.line} shows:\n{step.shows}\nbut prints:\n{output}"
        for step, output in zip(some, outputs, strict=True)
        if step.shows is not None and not agrees(step.shows, output)
    ]


def agrees(shown: str, printed: str) -> bool:
    """Whether `printed` is what the document shows, blanks aside; `…` stands for anything."""
    parts = [re.escape("".join(part.split())) for part in shown.split("…")]
    return re.fullmatch(".*".join(parts), "".join(printed.split()), re.DOTALL) is not None
