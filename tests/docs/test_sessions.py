"""The examples in the documents run, and print what is shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.server import Keys, Server, free_port, serving
from tests.docs.session import agrees, disagreements, run, settle, steps
from tests.fresh import fresh_store
from tests.tidy.checkout import ROOT

BY_ITSELF = "docs/tutorial.md"
"""Starts and kills its own server. The others find one, as their readers do."""

SERVED = (
    "README.md",
    "docs/how-to/send-events.md",
    "docs/how-to/import-files.md",
    "docs/how-to/read-people.md",
    "docs/how-to/webhooks.md",
    "docs/how-to/previews.md",
    "docs/how-to/identity.md",
    "docs/how-to/trust.md",
    "docs/how-to/schemas-and-quality.md",
    "docs/how-to/quarantine.md",
    "docs/how-to/lake.md",
    "docs/how-to/consent.md",
    "docs/how-to/standards.md",
    "docs/how-to/audit.md",
    "docs/how-to/recipients.md",
    "docs/how-to/forget.md",
    "docs/how-to/ledger.md",
    "docs/how-to/requests.md",
    "docs/how-to/preference-centre.md",
    "docs/how-to/questions.md",
    "docs/how-to/segments.md",
    "docs/how-to/segments-discovery.md",
    "docs/how-to/content.md",
    "docs/how-to/templates.md",
    "docs/how-to/offers.md",
    "docs/how-to/sending.md",
    "docs/how-to/web-sdk.md",
    "docs/how-to/catalogues.md",
    "docs/how-to/assets.md",
    "docs/how-to/operate.md",
)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's own folder, with a path so short that a socket has room below it."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture
def keys(folder: Path) -> Keys:
    """The keys of a new store in the folder `data` of the page's own folder."""
    return fresh_store(folder / "data")


@pytest.fixture
def server(folder: Path, keys: Keys) -> Iterator[Server]:
    """A server as an operator has it, with webhooks to this machine allowed; each page has its own."""
    with serving("--allow-private-webhooks", data=folder / "data", keys=keys) as running:
        yield running


def _text(document: str, *ports: tuple[str, int]) -> str:
    """The document with its ports moved to free ones."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for shown, port in ports:
        text = text.replace(shown, str(port))
    return text


@pytest.mark.parametrize("document", SERVED)
def test_the_examples_of_a_page_run_against_a_server(document: str, server: Server, keys: Keys, folder: Path) -> None:
    """Whoever pastes the examples, in their order, gets the answers that are shown."""
    settle(folder)
    named = {"WRITE_KEY": keys.write, "READ_KEY": keys.read, "ADMIN_KEY": keys.admin}
    some = steps(_text(document, ("8080", server.port), ("9090", free_port())))
    assert some
    assert disagreements(some, run(some, folder, named)) == []


def test_the_tutorial_runs_from_nothing(tmp_path: Path) -> None:
    """A newcomer gets through: serve, send, read, kill everything, and read again."""
    settle(tmp_path)
    some = steps(_text(BY_ITSELF, ("8080", free_port())))
    assert disagreements(some, run(some, tmp_path, {})) == []


def test_every_page_with_examples_is_run() -> None:
    """A marked block is in a page that the tests above know."""
    pages = [path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]]
    marked = {page for page in pages if steps(_text(page))}
    assert marked - {BY_ITSELF, *SERVED} == set()


def test_a_block_that_fails_is_named(tmp_path: Path) -> None:
    """The runner barks at a command that fails, with its line and what it said."""
    settle(tmp_path)
    some = steps(
        "<!-- run -->\n```bash\necho fine\n```\n\n<!-- run -->\n```python\nraise SystemExit('no such thing')\n```\n"
    )
    with pytest.raises(AssertionError, match=r"line 8 ended with 1[\s\S]*no such thing"):
        run(some, tmp_path, {})


def test_a_block_that_prints_something_else_is_shown(tmp_path: Path) -> None:
    """The runner barks when the output is not what the document shows, and keeps one shell for the whole document."""
    settle(tmp_path)
    first, second = "<!-- run -->\n```bash\nname=Ann\n```\n", "<!-- run -->\n```bash\necho $name\n```\n"
    some = steps(f"{first}{second}<!-- shows -->\n```text\nBea\n```\n")
    assert len(disagreements(some, run(some, tmp_path, {}))) == 1


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ('{"a": 1, …}', '{"a":1,"b":2}\n', True),
        ('{"a": "…"}', '{\n  "a": "x"\n}', True),
        ('{"a": "…"}', '{"a": 1}', False),
        ("one", "one\ntwo", False),
    ],
)
def test_what_is_shown_is_compared_without_blanks(shown: str, printed: str, same: bool) -> None:
    """Documents may break lines where they read best; nothing else is forgiven."""
    assert agrees(shown, printed) is same


def test_node_modules_are_there_for_the_examples() -> None:
    """The JavaScript examples need the npm packages, which `scripts/test-setup` installs."""
    assert (ROOT / "node_modules" / "@segment" / "analytics-node").is_dir()
    assert shutil.which("node")
