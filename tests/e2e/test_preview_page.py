"""The page of a preview in a real Chromium: anybody can use it, its switches work, and nothing in a mail gets out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from courtesy.runtime.preview_page import POLICY
from tests.e2e.browsing import browsing
from tests.e2e.walking import PHONE, walk
from tests.unit.http.test_previews import ANN, PREVIEWS, shop

TITLE = "Mine <script>document.title = 'out'</script>"
EVIL = (
    "<script>parent.document.title = 'out'; document.title = 'out'</script>"
    "<img src='x' onerror=\"top.document.title = 'out'\">"
    "<a href=\"javascript:top.document.title = 'out'\">go</a>"
    "<form action='https://evil.example'><button>send</button></form></iframe>"
    "<script>document.title = 'out'</script>"
)


async def made(tmp_path: Path, **ask: Any) -> Path:
    """The page of a preview, as a file."""
    async with shop() as world:
        body = {"content": "campaign/spring", "person": ANN, "sms_price": {"amount": 0.07, "currency": "EUR"}, **ask}
        answer = await world.change("POST", f"{PREVIEWS}?format=html", body)
        assert answer.status_code == 200, answer.text
        page = tmp_path / "preview.html"
        page.write_bytes(answer.content)
        return page


@pytest.mark.parametrize("javascript", [True, False])
async def test_anybody_can_use_it(tmp_path: Path, node_modules: Path, javascript: bool) -> None:
    """axe finds nothing, all of it is there without scripts, and nothing runs against its policy."""
    page = await made(tmp_path)
    steps: list[tuple[Any, ...]] = [("open", page.as_uri()), ("text",)]
    if javascript:
        steps.append(("axe",))
    seen = walk(
        node_modules, *steps, javascript=javascript, viewport=PHONE if javascript else {"width": 1_400, "height": 900}
    )
    assert "Would leave now to ann@shop.example over letters" in seen.answers[1]
    assert seen.answers[2:] == ([[]] if javascript else [])


@pytest.mark.usefixtures("node_modules")
async def test_its_switches_are_followed(tmp_path: Path) -> None:
    """Width, colours and pictures, by the style sheet alone."""
    page = await made(tmp_path)
    with browsing(tmp_path / "profile", "chromium") as browser:
        browser.do(goto=page.as_uri())
        shown = "getComputedStyle(document.querySelector('iframe.pictures-{}')).{}"
        assert browser.run(shown.format("on", "width")) == "640px"
        browser.run("document.querySelector('#width-narrow').click()")
        assert browser.run(shown.format("on", "width")) == "375px"
        browser.run("document.querySelector('#colours-dark').click()")
        assert browser.run(shown.format("on", "colorScheme")) == "dark"
        browser.run("document.querySelector('#pictures-off').click()")
        assert browser.run(shown.format("on", "display")) == "none"
        assert browser.run(shown.format("off", "display")) == "block"


@pytest.mark.usefixtures("node_modules")
async def test_nothing_in_a_mail_gets_out(tmp_path: Path) -> None:
    """No script of it runs, wherever it stands: in the mail, in a name, in a title. Without sandbox and policy it
    would."""
    fields = {
        "subject": {"default": "For {{ person.traits.first_name }}"},
        "blocks": {"default": [{"type": "raw", "html": EVIL, "text": EVIL}, {"type": "footer"}]},
        "text": {"default": EVIL},
    }
    person = {"traits": {"first_name": EVIL, "locale": EVIL}}
    page = await made(tmp_path, body={"fields": fields, "title": TITLE}, person=person)
    with browsing(tmp_path / "profile", "chromium") as browser:
        browser.do(goto=page.as_uri())
        browser.run("new Promise((done) => setTimeout(done, 300))")
        assert browser.run("document.title").startswith("Preview: Mine <script>")
        assert browser.run("document.querySelectorAll('iframe').length") == 2
        assert browser.run("document.querySelectorAll('iframe')[0].contentDocument") is None
        assert browser.run("document.querySelectorAll('script, form:not(.switches)').length") == 0
        open_page = tmp_path / "open.html"
        open_page.write_text(page.read_text().replace('sandbox=""', "").replace(POLICY, ""))
        browser.do(goto=open_page.as_uri())
        browser.run("new Promise((done) => setTimeout(done, 300))")
        assert browser.run("document.title") == "out"
