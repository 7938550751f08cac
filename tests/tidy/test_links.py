"""Every link in the documents leads somewhere, down to the heading. Addresses on the web are not asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tests.tidy.checkout import place, text_files

_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


def links(text: str) -> list[str]:
    """The targets of all links and images of a document, those inside code left out."""
    return [inline or reference for inline, reference in _LINK.findall(_CODE.sub("", text))]


def anchors(text: str) -> set[str]:
    """The names that links can point at: those of headings, as the common forges make them, and explicit ones."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    seen: dict[str, int] = {}
    names = set(_ANCHOR.findall(prose))
    for heading in _HEADING.findall(prose):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return names


def broken(document: Path) -> Iterator[str]:
    """The links of a document that lead nowhere."""
    for target in links(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        path = (document.parent / name) if name else document
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            yield target


def test_links_in_the_documents_lead_somewhere() -> None:
    """A reader who follows a link arrives."""
    documents = [path for path in text_files() if path.suffix == ".md"]
    assert documents
    assert [f"{place(path)}: {target}" for path in documents for target in broken(path)] == []


def test_broken_links_and_anchors_are_found(tmp_path: Path) -> None:
    """The check barks at files and headings that are not there, and reads no links in code."""
    (tmp_path / "other.md").write_text("# One `two`: three\n\n## Again\n\n## Again\n")
    document = tmp_path / "document.md"
    document.write_text(
        "[a](other.md) [b](other.md#one-two-three) [c](other.md#again-1) [w](https://example.com/x) `[i](code.md)`\n"
        "[d](gone.md) [e](other.md#gone) ![f](gone.png)\n\n[g]: gone-too.md\n\n```\n[h](code.md)\n```\n"
    )
    assert list(broken(document)) == ["gone.md", "other.md#gone", "gone.png", "gone-too.md"]
