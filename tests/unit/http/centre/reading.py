"""A page read as a browser does: its forms with their fields, its texts, and whether it is well made."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"input", "meta", "br", "img"}


@dataclass
class Form:
    """A form as it would be sent: the fields that stand in it now, and every box and radio button that it has."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: dict[str, bool] = field(default_factory=dict)
    radios: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)

    def sent(self, *, press: str, untick: tuple[str, ...] = (), **changed: str) -> dict[str, str]:
        """The fields after some were changed, a dot in a name written as two underscores, and a button was pressed."""
        values = {name: value for name, value in self.fields if name not in untick}
        for name, value in changed.items():
            values[name.replace("__", ".")] = value
        return {**values, press: self.buttons[press]}


class Page(HTMLParser):
    """A page. Raises AssertionError for elements that are not closed in order."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text = ""
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.attributes: dict[str, str | None] = {}
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.elements.append((tag, own))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "html":
            self.attributes = own
        elif tag == "a":
            self.links.append(own["href"] or "")
        elif tag == "form":
            self.forms.append(Form(own["action"] or ""))
        elif tag == "input":
            self._add_input({name: value or "" for name, value in attrs})
        elif tag == "button" and own.get("name"):
            self.forms[-1].buttons[own["name"] or ""] = own["value"] or ""

    def _add_input(self, own: dict[str, str]) -> None:
        form = self.forms[-1]
        if own["type"] == "checkbox":
            form.boxes[own["name"]] = "checked" in own
        elif own["type"] == "radio":
            form.radios.setdefault(own["name"], []).append(own["value"])
        if own["type"] == "hidden" or "checked" in own:
            form.fields.append((own["name"], own["value"]))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += f"{data} "
