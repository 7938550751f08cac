"""What documents name exists: settings, metrics, commands, options, paths of the API, causes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from courtesy.delivery.message import SKIP_DOCS
from courtesy.event.cause import Cause
from courtesy.http.app import OPERATIONS
from courtesy.identity.resolve import RefusalReason
from courtesy.person.asking import ANSWERED, ASKED, DECLINED
from courtesy.person.step import STARTING
from courtesy.runtime.settings import Settings
from courtesy.standard.value import Reason
from tests.docs.commands import commands
from tests.docs.reference import FOLDER
from tests.tidy.checkout import ROOT, place, text_files

DOCUMENTS = [path for path in text_files() if path.suffix == ".md" and FOLDER not in path.parents]

_SETTING = re.compile(r"\bCOURTESY_[A-Z_]+\b")
_METRIC = re.compile(r"\bcourtesy_[a-z_]+\b")
_COMMAND = re.compile(r"(?:^|`|\$\(|/)courtesy ((?:[a-z]+(?:-[a-z]+)* ?)+)((?:[^`\n#$]|\$(?!\())*)", re.MULTILINE)
_PATH = re.compile(
    r"(?:\b(?:GET|POST|PUT|DELETE) |127\.0\.0\.1:8080|`)(/(?:v1/[^\s`\"'|)\\]*|[a-z]+z|metrics|openapi\.json))"
)
_EVENT = re.compile(r"[`*]([A-Z][a-z]+(?: [A-Z][a-z]+)+)[`*]")
_WEBHOOK = re.compile(r"\[webhooks?\]\(|webhooks and the lake see")
TOLD_AS_THEIRS = {ASKED, ANSWERED, DECLINED}
"""Events that Courtesy tells as those of the person, like what they did on a page: they start whatever they name."""
_REASON = re.compile(r"\"(?:cause|reason)\": ?\"([a-z_]+)\"")


def _found(pattern: re.Pattern[str], text: str) -> set[str]:
    return set(pattern.findall(text))


def unknown_settings(text: str) -> set[str]:
    """Variables that no setting has."""
    return _found(_SETTING, text) - {f"COURTESY_{name.upper()}" for name in Settings.__struct_fields__}


def unknown_metrics(text: str) -> set[str]:
    """Names that look like metrics and are none."""
    known = (FOLDER / "metrics.md").read_text(encoding="utf-8")
    return {name for name in _found(_METRIC, text) if f"`{re.sub('_(bucket|sum|count)$', '', name)}`" not in known}


def unknown_commands(text: str) -> set[str]:
    """Commands and options that do not exist."""
    known = {command.name.removeprefix("courtesy "): command for command in commands()}
    wrong = set()
    for words, rest in _COMMAND.findall(text):
        name = next((each for each in known if f"{words.strip()} ".startswith(f"{each} ")), None)
        if name is None and not any(each.startswith(words.strip() + " ") for each in known):
            wrong.add(f"courtesy {words.strip()}")
        if name is None:
            continue
        options = set(re.findall(r"(?<=\s)--[a-z-]+", " " + words + rest))
        wrong |= {f"courtesy {name} {option}" for option in options - set(known[name].names) - {"--help"}}
    return wrong


def unknown_paths(text: str) -> set[str]:
    """Paths that the API does not answer."""
    known = [re.compile(re.sub(r"\{\w+\}", "[^/]+", operation.path)) for operation in OPERATIONS]
    paths = {re.sub(r"[?.,;:]+$|\?.*", "", path) for path in _found(_PATH, text)}
    begins = {path for path in paths if any(each.path.startswith(path.rstrip("/") + "/") for each in OPERATIONS)}
    return {path for path in paths - begins if not any(pattern.fullmatch(path) for pattern in known)}


def unknown_reasons(text: str) -> set[str]:
    """Causes and reasons in shown answers that no answer can have."""
    return _found(_REASON, text) - {*Cause, *RefusalReason, *Reason, "alias"}


def silent_events(text: str) -> set[str]:
    """Events of which a document says, in the same block or the one before, that webhooks hear of them, and do not."""
    blocks = re.split(r"\n{2,}", text)
    promised = [before + "\n" + block for before, block in pairwise(["", *blocks]) if _WEBHOOK.search(block)]
    return {name for each in promised for name in _EVENT.findall(each)} - STARTING - TOLD_AS_THEIRS


CHECKS = (unknown_settings, unknown_metrics, unknown_commands, unknown_paths, unknown_reasons, silent_events)


def _ids(paths: Iterable[Path]) -> list[str]:
    return [place(path) for path in paths]


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids(DOCUMENTS))
def test_what_a_document_names_exists(document: Path) -> None:
    """A reader who types what a document names gets no "unknown"."""
    text = document.read_text(encoding="utf-8")
    assert [(check.__name__, sorted(found)) for check in CHECKS if (found := check(text))] == []


def test_the_checks_bark() -> None:
    """A name that does not exist is found, in each of the ways in which documents write names."""
    assert unknown_settings("`COURTESY_PORT` and COURTESY_PROT") == {"COURTESY_PROT"}
    assert unknown_metrics("rate(courtesy_events_total[5m]) courtesy_evnts_total courtesy_fold_seconds_bucket") == {
        "courtesy_evnts_total"
    }
    assert unknown_commands("`courtesy serv`\ncourtesy serve --prot 1\nexport K=$(courtesy keys create --name a)") == {
        "courtesy serv",
        "courtesy serve --prot",
    }
    assert unknown_paths("`GET /v1/peple/a/b` curl http://127.0.0.1:8080/v1/batch `/healthz`, `POST /v1/events`") == {
        "/v1/peple/a/b"
    }
    assert silent_events("`Offer Expired` and *Offer Expird*:\na [webhook](w.md) hears") == {"Offer Expird"}
    assert silent_events("| *Item Retold* |\n\nstarts [webhooks](w.md)\n\nas `Nothing Else`") == {"Item Retold"}
    assert unknown_reasons('{"cause": "no_identifer"} {"reason": "other_person"}') == {"no_identifer"}


def test_every_document_is_linked_from_the_index() -> None:
    """A page that nobody can find is not there."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    decisions = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    pages = [path for path in text_files() if path.suffix == ".md" and ROOT / "docs" in path.parents]
    assert [place(path) for path in pages if path.name not in index + decisions + "README.md"] == []


def test_the_page_on_sending_says_what_each_reason_means() -> None:
    """In the words of the closed list, each of them and no other."""
    text = (ROOT / "docs/how-to/sending.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text.partition("## Why a message is skipped")[2], re.MULTILINE))
    assert told == {str(skip): said for skip, said in SKIP_DOCS.items()}
