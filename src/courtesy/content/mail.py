"""A mail compiled from its blocks, when it is published: to HTML for every mail program, and to text that says the
same.

Blocks become MJML, that becomes HTML of tables, styles are inlined, and blanks taken out; template tags go through all
that as marks. Rendering for a person is then nothing but rendering two templates.
"""

from __future__ import annotations

import html as markup
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import css_inline
import mrml
import msgspec
from babel import Locale

from courtesy.base.errors import Code, CourtesyError
from courtesy.content import blocks as of
from courtesy.content.blocks import Block, Mail, Theme
from courtesy.content.localized import locale_of
from courtesy.content.marks import Marks
from courtesy.content.rich_text import as_html, as_html_line, as_text

FRAGMENT_DEPTH_MAX = 5
RULE = "-" * 40


class FragmentText(msgspec.Struct, frozen=True):
    """The blocks of a fragment, and the locale that they are in; empty for the same in all."""

    blocks: tuple[Block, ...]
    locale: str = ""


FragmentBlocks = Callable[[str], FragmentText | None]
"""The blocks of a fragment by its name, in the best locale there is for the mail; None when there is no such
fragment."""


class Compiled(msgspec.Struct, frozen=True):
    """The templates of a mail. `fragments`: the locale of each that is used in it."""

    subject: str
    preheader: str
    html: str
    text: str
    locale: str
    fragments: dict[str, str] = {}


LABELS: dict[str, tuple[str, str, str]] = {
    "cs": ("Odhlásit odběr", "Nastavení", "Zobrazit v prohlížeči"),
    "da": ("Afmeld", "Indstillinger", "Vis i browser"),
    "de": ("Abmelden", "Einstellungen", "Im Browser ansehen"),
    "en": ("Unsubscribe", "Preferences", "View in browser"),
    "es": ("Darse de baja", "Preferencias", "Ver en el navegador"),
    "fi": ("Peru tilaus", "Asetukset", "Näytä selaimessa"),
    "fr": ("Se désabonner", "Préférences", "Voir dans le navigateur"),
    "it": ("Annulla iscrizione", "Preferenze", "Apri nel browser"),
    "nb": ("Meld deg av", "Innstillinger", "Vis i nettleser"),
    "nl": ("Afmelden", "Voorkeuren", "Bekijk in browser"),
    "pl": ("Wypisz się", "Ustawienia", "Zobacz w przeglądarce"),
    "pt": ("Cancelar inscrição", "Preferências", "Ver no navegador"),
    "sv": ("Avregistrera", "Inställningar", "Visa i webbläsaren"),
}
"""Unsubscribe, preferences, web version by language; English for others."""


def compile_mail(mail: Mail, locale: str, fragments: FragmentBlocks | None = None) -> Compiled:
    """The templates of a mail in a locale. Raises CourtesyError(INVALID) with a JSON pointer for a fragment that there
    is none of, or that holds itself."""
    known = locale_of(locale)
    expander = _Expander(fragments)
    blocks = expander.expand(mail.blocks, "/blocks", ())
    of.check_nesting(blocks, "/blocks")
    page = _Html(mail.theme, known, locale)
    html = page.whole(mail, blocks)
    text = _Text(known, locale).whole(blocks)
    return Compiled(mail.subject, mail.preheader, html, text, locale, expander.locales)


@dataclass(slots=True)
class _Expander:
    """Puts the blocks of fragments into the places where they are used."""

    fragments: FragmentBlocks | None
    locales: dict[str, str] = field(default_factory=dict)

    def expand(self, blocks: tuple[Block, ...], place: str, within: tuple[str, ...]) -> tuple[Block, ...]:
        found: list[Block] = []
        for n, block in enumerate(blocks):
            at = place if within else f"{place}/{n}"  # a fault within a fragment is told where it is used
            if isinstance(block, of.FragmentUse):
                found += self._fragment(block.name, at, within)
            else:
                found.append(self._below(block, at, within))
        return tuple(found)

    def _below(self, block: Block, at: str, within: tuple[str, ...]) -> Block:
        changed: dict[str, Any] = {}
        match block:
            case of.Condition():
                changed["branches"] = tuple(
                    msgspec.structs.replace(each, blocks=self.expand(each.blocks, f"{at}/branches/{n}/blocks", within))
                    for n, each in enumerate(block.branches)
                )
            case of.Columns():
                changed["columns"] = tuple(
                    msgspec.structs.replace(each, blocks=self.expand(each.blocks, f"{at}/columns/{n}/blocks", within))
                    for n, each in enumerate(block.columns)
                )
            case of.Loop() | of.Placement() | of.Section():
                changed["blocks"] = self.expand(block.blocks, f"{at}/blocks", within)
            case _:
                return block
        if not isinstance(block, of.Columns | of.Section):
            changed["otherwise"] = self.expand(block.otherwise, f"{at}/otherwise", within)
        return msgspec.structs.replace(block, **changed)

    def _fragment(self, name: str, at: str, within: tuple[str, ...]) -> tuple[Block, ...]:
        if name in within or len(within) >= FRAGMENT_DEPTH_MAX:
            message = f"fragments are nested too deep: {' → '.join((*within, name))}"
            raise CourtesyError(Code.INVALID, message, place=at)
        found = None if self.fragments is None else self.fragments(name)
        if found is None:
            raise CourtesyError(Code.INVALID, f"there is no fragment {name!r}", place=at)
        self.locales[name] = found.locale
        return self.expand(found.blocks, at, (*within, name))


def offer_blocks(name: str) -> tuple[Block, ...]:
    """How an offer is shown at a placement unless the mail says otherwise."""
    offer = f"placements.{name}"
    image = of.Image(
        src=f"{{{{ {offer}.image }}}}",
        alt=f"{{{{ {offer}.image_alt | default({offer}.title) }}}}",
        link=f"{{{{ {offer}.url }}}}",
    )
    return (
        _when(f"{offer}.image", image),
        of.Heading(text=f"{{{{ {offer}.title }}}}", level=2),
        _when(f"{offer}.text", of.Text(text=f"{{{{ {offer}.text }}}}")),
        of.Button(text=f"{{{{ {offer}.button | default({offer}.title) }}}}", link=f"{{{{ {offer}.url }}}}"),
    )


def _when(condition: str, block: Block) -> Block:
    return of.Condition(branches=(of.Branch(when=condition, blocks=(block,)),))


def statements(block: of.Condition | of.Loop | of.Placement) -> list[tuple[str, tuple[Block, ...]]]:
    """A block that decides as template statements, each with the blocks that follow it; the last ends it."""
    match block:
        case of.Condition():
            opened = [
                (f"{{% {'elif' if n else 'if'} {each.when} %}}", each.blocks) for n, each in enumerate(block.branches)
            ]
            ending = "{% endif %}"
        case of.Loop():
            limit = "" if block.limit is None else f"[:{block.limit}]"
            opened = [(f"{{% for {block.each} in ({block.of}){limit} %}}", block.blocks)]
            ending = "{% endfor %}"
        case of.Placement():
            blocks = block.blocks or offer_blocks(block.name)
            opened = [(f"{{% if placements.{block.name} %}}", blocks)]
            ending = "{% endif %}"
    otherwise = [("{% else %}", block.otherwise)] if block.otherwise else []
    return [*opened, *otherwise, (ending, ())]


def footer_links(block: of.Footer, language: str) -> list[tuple[str, str]]:
    """Labels and addresses of a footer."""
    unsubscribe, preferences, web = LABELS.get(language, LABELS["en"])
    links = [
        (block.unsubscribe or unsubscribe, "{{ message.unsubscribe_url }}"),
        (block.preferences or preferences, "{{ message.preferences_url }}"),
    ]
    return [*links, (web, "{{ message.web_url }}")] if block.web_version else links


# -- HTML


class _Html:
    """Writes a mail as MJML, and makes HTML of it."""

    def __init__(self, theme: Theme, known: Locale, locale: str) -> None:
        self._theme = theme
        self._language = known.language
        self._locale = locale.replace("_", "-")
        self._direction = "rtl" if known.character_order == "right-to-left" else "ltr"
        self._marks = Marks()

    def whole(self, mail: Mail, blocks: tuple[Block, ...]) -> str:
        body = self._rows(blocks)
        source = (
            f'<mjml lang="{self._locale}" dir="{self._direction}"><mj-head>{self._head(mail)}</mj-head>'
            f'<mj-body background-color="{self._theme.background}" width="{self._theme.width}px" css-class="page">'
            f"{body}</mj-body></mjml>"
        )
        options = mrml.ParserOptions(include_loader=mrml.noop_loader())
        try:
            made = mrml.to_html(source, options, mrml.RenderOptions()).content
        except OSError as problem:
            raise AssertionError(f"the MJML that was written can't be read: {problem}") from problem
        inliner = css_inline.CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)
        return self._marks.back(_minified(_labelled(inliner.inline(made), self._marks.attribute(mail.subject))))

    def _head(self, mail: Mail) -> str:
        theme = self._theme
        preheader = self._line(mail.preheader)
        return (
            f"<mj-title>{self._line(mail.subject)}</mj-title>"
            + (f"<mj-preview>{preheader}</mj-preview>" if preheader else "")
            + f'<mj-attributes><mj-all font-family="{theme.font}"/>'
            f'<mj-text color="{theme.colour}" font-size="{theme.size}px" line-height="1.5"/>'
            f'<mj-section background-color="{theme.surface}" padding="0"/>'
            f'<mj-button background-color="{theme.button}" color="{theme.button_colour}" font-size="{theme.size}px"'
            ' inner-padding="12px 24px" border-radius="4px"/></mj-attributes>'
            '<mj-raw><meta name="color-scheme" content="light dark"/>'
            '<meta name="supported-color-schemes" content="light dark"/>'
            '<meta name="x-apple-disable-message-reformatting" content="yes"/></mj-raw>'
            f"<mj-style>{self._dark()}</mj-style>"
            f'<mj-style inline="inline">.said a {{ color: {theme.link}; }} .said p {{ margin: 0 0 12px; }}'
            " .said ul, .said ol { margin: 0 0 12px; padding: 0 0 0 24px; }"
            " .said h1, .said h2, .said h3 { margin: 0; line-height: 1.25; }</mj-style>"
        )

    def _dark(self) -> str:
        theme = self._theme
        return (
            ":root { color-scheme: light dark; supported-color-schemes: light dark; }"
            " @media (prefers-color-scheme: dark) {"
            f" body, .page {{ background-color: {theme.dark_background} !important; }}"
            f" .plain, .plain table {{ background-color: {theme.dark_surface} !important; }}"
            f" .plain .said div {{ color: {theme.dark_colour} !important; }}"
            f" .plain .said a {{ color: {theme.dark_link} !important; }}"
            f" .plain .press td, .plain .press a {{ background-color: {theme.dark_button} !important;"
            f" color: {theme.dark_button_colour} !important; }} }}"
        )

    def _line(self, text: str) -> str:
        """One line of text, its tags marked."""
        return markup.escape(self._marks.mask(text), quote=False)

    def _tag(self, text: str) -> str:
        """A statement between blocks. A comment is the only thing that stays where it is within a table."""
        return f"<mj-raw><!--{self._marks.mark(text)}--></mj-raw>"

    def _rows(self, blocks: tuple[Block, ...]) -> str:
        """Blocks as wide as the mail; others are gathered into sections."""
        rows: list[str] = []
        narrow: list[Block] = []
        for block in blocks:
            if not of.is_wide(block):
                narrow.append(block)
                continue
            rows += [self._gathered(narrow), self._row(block)]
            narrow = []
        return "".join([*rows, self._gathered(narrow)])

    def _gathered(self, blocks: list[Block]) -> str:
        return self._row(of.Section(blocks=tuple(blocks))) if blocks else ""

    def _row(self, block: Block) -> str:
        match block:
            case of.Section():
                column = f"<mj-column>{self._items(block.blocks)}</mj-column>"
                return f"<mj-section{self._surface(block)}>{column}</mj-section>"
            case of.Columns(columns=columns):
                inside = "".join(
                    f"<mj-column{_given('width', each.width, '%')}>{self._items(each.blocks)}</mj-column>"
                    for each in columns
                )
                columns_or_group = f"<mj-group>{inside}</mj-group>" if block.keep else inside
                return f"<mj-section{self._surface(block)}>{columns_or_group}</mj-section>"
            case of.Condition() | of.Loop() | of.Placement():
                return "".join(self._tag(tag) + self._rows(inside) for tag, inside in statements(block))
            case _:
                raise AssertionError(f"{type(block).__name__} is not as wide as the mail")

    def _surface(self, block: of.Section | of.Columns) -> str:
        """What is coloured by hand keeps its colour in the dark."""
        plain = "" if block.background else ' css-class="plain"'
        return f"{plain}{_given('background-color', block.background)}{_given('padding', block.padding, 'px 0')}"

    def _items(self, blocks: tuple[Block, ...]) -> str:
        return "".join(map(self._item, blocks))

    def _item(self, block: Block) -> str:  # one case for each kind of block
        match block:
            case of.Text():
                given = (
                    _given("align", block.align) + _given("color", block.colour) + _given("font-size", block.size, "px")
                )
                return f'<mj-text css-class="said"{given}>{as_html(block.text, self._marks)}</mj-text>'
            case of.Heading():
                size = {1: 28, 2: 22, 3: 18}[block.level]
                given = _given("align", block.align) + _given("color", block.colour)
                line = as_html_line(block.text, self._marks)
                inside = f'<h{block.level} style="font-size:{size}px">{line}</h{block.level}>'
                return f'<mj-text css-class="said" font-size="{size}px"{given}>{inside}</mj-text>'
            case of.Image():
                return self._image(block)
            case of.Button():
                # As with surfaces: what is coloured by hand keeps its colours, both of them, in the dark.
                plain = "" if block.background or block.colour else ' css-class="press"'
                given = plain + _given("background-color", block.background) + _given("color", block.colour)
                href = self._marks.attribute(block.link)
                line = as_html_line(block.text, self._marks)
                return f'<mj-button href="{href}"{given}{_given("align", block.align)}>{line}</mj-button>'
            case of.Divider(colour=colour):
                return f'<mj-divider border-width="1px" border-color="{colour or "#d0d0d0"}"/>'
            case of.Spacer(height=height):
                return f'<mj-spacer height="{height}px"/>'
            case of.Social():
                return self._social(block)
            case of.Raw(html=html):
                return f'<mj-text css-class="said">{self._marks.mark(html)}</mj-text>'
            case of.Footer():
                return self._footer(block)
            case of.Condition() | of.Loop() | of.Placement():
                return "".join(self._tag(tag) + self._items(inside) for tag, inside in statements(block))
            case _:
                raise AssertionError(f"{type(block).__name__} can't stand in a column")

    def _image(self, block: of.Image) -> str:
        alt = "" if block.decorative else self._marks.attribute(block.alt)
        link = f' href="{self._marks.attribute(block.link)}"' if block.link else ""
        given = _given("width", block.width, "px") + _given("align", block.align)
        return f'<mj-image src="{self._marks.attribute(block.src)}" alt="{alt}"{link}{given}/>'

    def _social(self, block: of.Social) -> str:
        links = " &#160; ".join(self._social_link(each) for each in block.links)
        return f'<mj-text css-class="said" align="{block.align or "center"}">{links}</mj-text>'

    def _social_link(self, each: of.SocialLink) -> str:
        name, href = self._marks.attribute(each.name), self._marks.attribute(each.link)
        inside = name
        if each.icon:
            icon = self._marks.attribute(each.icon)
            inside = f'<img src="{icon}" alt="{name}" width="24" height="24" style="display:inline-block"/>'
        return f'<a href="{href}">{inside}</a>'

    def _footer(self, block: of.Footer) -> str:
        links = footer_links(block, self._language)
        shown = " · ".join(
            f'<a href="{self._marks.attribute(address)}">{self._marks.attribute(label)}</a>' for label, address in links
        )
        said = as_html(block.text, self._marks) if block.text else ""
        return f'<mj-text css-class="said" font-size="13px" align="center">{said}<p>{shown}</p></mj-text>'


def _given(name: str, value: object, unit: str = "") -> str:
    return "" if value is None else f' {name}="{value}{unit}"'


def _labelled(html: str, label: str) -> str:
    """HTML whose article is named by the subject: what MJML makes of that name is spelt for programmers."""
    return re.sub(
        r'aria-label="[^"]*" aria-roledescription',
        lambda _: f'aria-label="{label}" aria-roledescription',
        html,
        count=1,
    )


_PRESERVED = re.compile(r"(<!--\[if.*?<!\[endif\]-->|<pre\b.*?</pre>|<style\b.*?</style>)", re.DOTALL)
_BETWEEN = re.compile(r">\s+(?=</?(?:table|tbody|tr|td|div|html|head|body|meta|style|title)\b)")
_STYLE = re.compile(r'style="([^"]*)"')


def _minified(html: str) -> str:
    """HTML without the blanks that nobody sees. Between words one stays; in styles none after colons."""
    parts = _PRESERVED.split(html)
    return "".join(_squeezed_style(part) if n % 2 else _squeezed(part) for n, part in enumerate(parts))


def _squeezed(html: str) -> str:
    html = _STYLE.sub(lambda found: f'style="{_style(found[1])}"', html)
    return _BETWEEN.sub(">", re.sub(r"\s+", " ", html))


def _style(text: str) -> str:
    return re.sub(r"\s*([:;,])\s*", r"\1", text).rstrip(";")


def _squeezed_style(part: str) -> str:
    return re.sub(r"\s+", " ", part) if part.startswith(("<style", "<!--")) else part


# -- text


class _Text:
    """Writes a mail as plain text, block by block, in the same order and with the same decisions."""

    def __init__(self, known: Locale, locale: str) -> None:
        self._language = known.language
        self._locale = locale

    def whole(self, blocks: tuple[Block, ...]) -> str:
        return self._all(blocks).strip("\n") + "\n"

    def _all(self, blocks: tuple[Block, ...]) -> str:
        return "".join(map(self._one, blocks))

    def _one(self, block: Block) -> str:  # one case for each kind of block
        match block:
            case of.Text(text=text):
                return _paragraph(as_text(text))
            case of.Heading(text=text):
                line = as_text(" ".join(text.split("\n")))
                return _paragraph(line)
            case of.Image():
                return _paragraph(_image_text(block))
            case of.Button(text=text, link=link):
                return _paragraph(f"{as_text(text)}: {link}")
            case of.Divider():
                return _paragraph(RULE)
            case of.Social(links=links):
                return _paragraph("\n".join(f"{each.name}: {each.link}" for each in links))
            case of.Raw(text=text):
                return _paragraph(text)
            case of.Footer():
                said = [as_text(block.text)] if block.text else []
                shown = [f"{label}: {address}" for label, address in footer_links(block, self._language)]
                return _paragraph("\n".join(["-- ", *said, *shown]))
            case of.Section(blocks=blocks):
                return self._all(blocks)
            case of.Columns(columns=columns):
                return "".join(self._all(each.blocks) for each in columns)
            case of.Condition() | of.Loop() | of.Placement():
                return "".join(tag + self._all(inside) for tag, inside in statements(block))
            case _:
                return ""


def tidied(text: str) -> str:
    """Rendered text without the empty lines of what was left out, and with one end."""
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text).strip() + "\n"


def _paragraph(text: str) -> str:
    return f"{text}\n\n" if text.strip() else ""


def _image_text(block: of.Image) -> str:
    if block.decorative or not block.alt:
        return block.link or ""
    return f"{block.alt}: {block.link}" if block.link else block.alt
