"""The checks before a mail is published: over its blocks, over its templates with sample people, and over what is
rendered for those. A finding of an error keeps it from being published. None needs the network."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from courtesy.base.errors import CourtesyError
from courtesy.content import blocks as of
from courtesy.content.blocks import Block, Mail, Theme
from courtesy.content.contrast import contrast, least
from courtesy.content.findings import Check, Finding, Severity, error, gravest_first
from courtesy.content.links import Slot, leads_to, with_pixel
from courtesy.content.made_mail import MadeMail
from courtesy.content.mail import Compiled, FragmentBlocks
from courtesy.content.outline import outlined
from courtesy.content.rich_text import links_of
from courtesy.content.sampling import Expectations, check_names_of, check_rendered_mail
from courtesy.content.templates import Template, compile_template

SUBJECT_CHARS = 60
"""What most mail programs show of a subject; phones show some 40."""

PREHEADER_CHARS = (40, 140)
HEADING_PX = {1: 28, 2: 22, 3: 18}
FOOTER_PX = 13
UNSUBSCRIBE = "message.unsubscribe_url"
PLACEHOLDERS = re.compile(
    r"(?i)\b(lorem ipsum|TBD|T[O]DO|X[X]X|your (?:link|url|text) here|click here to edit)\b|https?://(?:www\.)?example\.(?:com|org|net)\b"
)
_ADDRESS = re.compile(r"https?://[^\s<>\"()]+")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def check_mail(made: MadeMail, wanted: Expectations) -> list[Finding]:
    """Every check of a mail of blocks in a locale, the errors first. Places are those of the mail: `/blocks/0/alt`."""
    found = [
        *check_head(made.mail),
        *check_blocks(made.mail, wanted, made.fragments),
        *check_accessibility(made.compiled),
        *check_slots(made.linked.slots, wanted.hosts),
        *check_templates(made, wanted),
    ]
    if wanted.marketing and UNSUBSCRIBE not in made.compiled.html:
        found.append(error(Check.UNSUBSCRIBE, "there is no link to unsubscribe", "/blocks", "add a footer"))
    return gravest_first(found)


def check_plain_mail(parts: Mapping[str, str], wanted: Expectations) -> list[Finding]:
    """Every check of a mail that has no HTML: of its `subject` and `text`."""
    found = list(check_head(Mail(subject=parts["subject"], blocks=(), preheader=" - ")))
    for address in _ADDRESS.findall(parts["text"]):
        found += check_address(address.rstrip(".,;:!?"), "/text", wanted.hosts)
    if wanted.marketing and UNSUBSCRIBE not in parts["text"]:
        hint = "write {{ message.unsubscribe_url }}"
        found.append(error(Check.UNSUBSCRIBE, "there is no link to unsubscribe", "/text", hint))
    return [*found, *check_parts(parts, (), wanted)]


# -- subject and preheader


def check_head(mail: Mail) -> Iterator[Finding]:
    """Subject and preheader; lengths without what tags will write."""
    subject, preheader = _TAG.sub("", mail.subject).strip(), _TAG.sub("", mail.preheader).strip()
    if not mail.subject.strip():
        yield Finding(Severity.ERROR, Check.SUBJECT, "the subject is missing", "/subject")
    elif len(subject) > SUBJECT_CHARS:
        message = f"the subject has {len(subject)} characters; about {SUBJECT_CHARS} are seen"
        yield Finding(Severity.WARNING, Check.SUBJECT, message, "/subject", "begin with what matters")
    letters = [char for char in subject if char.isalpha()]
    if len(letters) > 8 and all(char.isupper() for char in letters):
        yield Finding(Severity.WARNING, Check.SUBJECT, "the subject is in capitals, as spam is", "/subject")
    if not mail.preheader.strip():
        hint = "say in a line why to open it"
        yield Finding(
            Severity.ADVICE, Check.PREHEADER, "without a preheader the first words are shown", "/preheader", hint
        )
    elif len(preheader) > PREHEADER_CHARS[1]:
        message = f"the preheader has {len(preheader)} characters; about {PREHEADER_CHARS[1]} are seen"
        yield Finding(Severity.ADVICE, Check.PREHEADER, message, "/preheader")


# -- blocks


def check_blocks(mail: Mail, wanted: Expectations, fragments: FragmentBlocks | None = None) -> Iterator[Finding]:
    """What shows in the tree: alt texts, widths, contrast, links, placeholders, blocks that say nothing. What is wrong
    in a fragment is told where it is used."""
    yield from _of_dark(mail.theme)
    for place, block, surface in _on_surfaces(mail.blocks, "/blocks", mail.theme, fragments):
        yield from _of_block(block, place, mail.theme, wanted)
        yield from _of_contrast(block, place, mail.theme, surface)


def _on_surfaces(
    blocks: tuple[Block, ...], place: str, theme: Theme, fragments: FragmentBlocks | None, surface: str = ""
) -> Iterator[tuple[str, Block, str]]:
    """Every block with its pointer and the colour behind it."""
    for n, block in enumerate(blocks):
        behind = (block.background if isinstance(block, of.Section | of.Columns) else None) or surface or theme.surface
        yield f"{place}/{n}", block, behind
        for below, inside in of.children(block):
            yield from _on_surfaces(inside, f"{place}/{n}{below}", theme, fragments, behind)
        if isinstance(block, of.FragmentUse):
            found = None if fragments is None else fragments(block.name)
            inside = () if found is None else found.blocks
            yield from _on_surfaces(inside, f"{place}/{n}, fragment {block.name}: ", theme, fragments, behind)


def _of_block(block: Block, place: str, theme: Theme, wanted: Expectations) -> Iterator[Finding]:
    for name, address in addresses_of(block):
        yield from check_address(address, f"{place}/{name}", wanted.hosts)
    for name, text in texts_of(block):
        if found := PLACEHOLDERS.search(text):
            yield Finding(Severity.ERROR, Check.BLOCK, f"{found[0]!r} is a placeholder", f"{place}/{name}")
    match block:
        case of.Image():
            yield from _of_image(block, place, theme)
        case of.Heading(text=text) | of.Button(text=text) | of.Text(text=text) if not text.strip():
            yield Finding(Severity.WARNING, Check.BLOCK, "the block says nothing", place)
        case of.Placement(name=name):
            message = f"nothing is chosen for placements of a mail, so {name!r} would always be empty"
            hint = "give the message an offer, and write {{ offer.title }}; placements are for pages and tills"
            yield Finding(Severity.ERROR, Check.BLOCK, message, place, hint)
        case of.Raw(html=html, text=text) if html.strip() and not text.strip():
            yield Finding(Severity.WARNING, Check.TEXT_PART, "the block has no text for the text part", f"{place}/text")
            yield from _of_raw(html, place)
        case of.Raw(html=html):
            yield from _of_raw(html, place)
        case _:
            pass


def _of_raw(html: str, place: str) -> Iterator[Finding]:
    for tag in re.findall(r"<img\b[^>]*>", html, re.IGNORECASE):
        if not re.search(r"\balt\s*=", tag, re.IGNORECASE):
            yield Finding(Severity.ERROR, Check.ALT_TEXT, "a picture has no alt text", f"{place}/html", 'write alt="…"')
    if found := re.search(r"<(script|form|iframe|object|embed|video)\b", html, re.IGNORECASE):
        yield Finding(Severity.ERROR, Check.BLOCK, f"mail programs do not show <{found[1].lower()}>", f"{place}/html")


def _of_image(block: of.Image, place: str, theme: Theme) -> Iterator[Finding]:
    if not block.alt.strip() and not block.decorative:
        hint = "say what it shows, or that it is decorative"
        yield Finding(Severity.ERROR, Check.ALT_TEXT, "the picture has no alt text", f"{place}/alt", hint)
    if block.decorative and block.link:
        message = "a picture that is a link needs an alt text, which says where it leads"
        yield Finding(Severity.ERROR, Check.ALT_TEXT, message, f"{place}/alt")
    if re.search(r"\.(?:jpe?g|png|gif|webp)$", block.alt.strip(), re.IGNORECASE):
        yield Finding(Severity.WARNING, Check.ALT_TEXT, "the alt text is the name of a file", f"{place}/alt")
    if block.width is not None and block.width > theme.width:
        message = f"the picture is {block.width} pixels wide, the mail {theme.width}"
        yield Finding(Severity.WARNING, Check.IMAGE_SIZE, message, f"{place}/width")


def _of_contrast(block: Block, place: str, theme: Theme, surface: str) -> Iterator[Finding]:
    for what, colour, behind, size in _inks(block, theme, surface):
        yield from _of_ink(what, colour, behind, size, place)


def _of_dark(theme: Theme) -> Iterator[Finding]:
    """What is written in the dark, where no block has colours of its own."""
    for what, colour, behind in (
        ("text in the dark", theme.dark_colour, theme.dark_surface),
        ("a link in the dark", theme.dark_link, theme.dark_surface),
        ("a button in the dark", theme.dark_button_colour, theme.dark_button),
    ):
        yield from _of_ink(what, colour, behind, FOOTER_PX, "/theme")


def _of_ink(what: str, colour: str, behind: str, size: int, place: str) -> Iterator[Finding]:
    ratio, wanted = contrast(colour, behind), least(size)
    if ratio < wanted:
        message = f"{what} {colour} on {behind} has a contrast of {ratio:.1f}; {wanted:g} are wanted"
        yield Finding(Severity.ERROR, Check.CONTRAST, message, place, "choose a darker or lighter colour")


def _inks(block: Block, theme: Theme, surface: str) -> Iterator[tuple[str, str, str, int]]:
    """What is written in which colour on which, in which size."""
    match block:
        case of.Text(colour=colour, size=size, text=text):
            yield "text", colour or theme.colour, surface, size or theme.size
            if links_of(text):
                yield "a link", theme.link, surface, size or theme.size
        case of.Heading(colour=colour, level=level):
            yield "a heading", colour or theme.colour, surface, HEADING_PX[level]
        case of.Button(colour=colour, background=background):
            yield "a button", colour or theme.button_colour, background or theme.button, theme.size
        case of.Footer() | of.Social():
            yield "a link", theme.link, surface, FOOTER_PX
        case _:
            pass


def addresses_of(block: Block) -> Iterator[tuple[str, str]]:
    """Where a block leads, by the field that says so."""
    match block:
        case of.Text(text=text) | of.Footer(text=text):
            yield from (("text", each) for each in links_of(text))
        case of.Button(link=link):
            yield "link", link
        case of.Image(link=link, src=src):
            yield "src", src
            if link:
                yield "link", link
        case of.Social(links=links):
            yield from ((f"links/{n}/link", each.link) for n, each in enumerate(links))
        case of.Raw(html=html):
            pattern = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
            yield from (("html", markup.unescape(each[1] or each[2] or "")) for each in pattern.finditer(html))
        case _:
            pass


def texts_of(block: Block) -> Iterator[tuple[str, str]]:
    """What a block says, by field."""
    for name in ("text", "alt", "html"):
        value = getattr(block, name, None)
        if isinstance(value, str):
            yield name, value


def check_address(address: str, place: str, hosts: Collection[str]) -> Iterator[Finding]:
    """One address as it is written, tags and all. A host that a tag writes is not judged here."""
    plain = address.strip()
    if not plain or plain in ("#", "https://", "http://", "https:///"):
        yield Finding(Severity.ERROR, Check.LINK, "the link leads nowhere", place)
    elif plain.startswith(("{{", "mailto:", "tel:", "sms:")):
        return
    elif plain.lower().startswith("http://"):
        yield Finding(Severity.ERROR, Check.LINK, f"{plain:.100} is not https", place)
    elif not plain.lower().startswith("https://"):
        message = f"{plain:.100} is no whole address"
        yield Finding(Severity.ERROR, Check.LINK, message, place, "begin with https://")
    elif PLACEHOLDERS.search(plain):
        yield Finding(Severity.ERROR, Check.LINK, f"{plain:.100} is a placeholder", place)
    elif not _plausible(plain):
        yield Finding(Severity.ERROR, Check.LINK, f"{plain:.100} has no host that could be", place)
    elif hosts and not place.endswith("/src") and not leads_to(_TAG.sub("x", plain), hosts):
        message = f"{urlsplit(_TAG.sub('x', plain)).hostname} is none of the known domains"
        yield Finding(Severity.WARNING, Check.LINK, message, place, "let an administrator add it")


def _plausible(address: str) -> bool:
    try:
        host = urlsplit(_TAG.sub("x", address)).hostname or ""
    except ValueError:
        return False
    return bool(re.fullmatch(r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,}", host)) and " " not in _TAG.sub("", address)


def check_slots(slots: Sequence[Slot], hosts: Collection[str]) -> Iterator[Finding]:
    """Links that differ as a whole between people need known domains to which they may lead."""
    if not hosts and any(not each.pieces[0] for each in slots):
        message = "a link differs as a whole between people, and no domain is known to which it may lead"
        yield Finding(Severity.ERROR, Check.LINK, message, hint="add the domains of your pages")


# -- HTML


def check_accessibility(compiled: Compiled) -> Iterator[Finding]:
    """That a screen reader knows the language, and reads layout as layout."""
    opening = re.search(r"<html\b[^>]*>", compiled.html)
    for name in ("lang", "dir"):
        if opening is None or not re.search(rf'\b{name}="[^"]+"', opening[0]):
            yield Finding(Severity.ERROR, Check.LANGUAGE, f"the page does not say its {name!r}")
    for table in re.findall(r"<table\b[^>]*>", compiled.html):
        if 'role="presentation"' not in table:
            yield Finding(Severity.WARNING, Check.LANGUAGE, "a layout table is not marked as one")
            return


# -- templates


def check_templates(made: MadeMail, wanted: Expectations) -> Iterator[Finding]:
    """That the templates compile, that sample people have the names in them, and that all of it fits when rendered."""
    outline = outlined(made.mail, made.fragments)
    try:
        names = compile_template(outline.source, html=False, language=wanted.language)
    except CourtesyError as problem:
        yield error(code_of(problem), problem.message, outline.place_of(problem.place), problem.hint)
        return
    yield from check_names_of(names.body, wanted, outline.place)
    parts = {"subject": made.compiled.subject, "html": with_pixel(made.linked.html), "text": made.linked.text}
    templates = yield from _compiled(parts, ("html",), wanted)
    if len(templates) == len(parts):
        yield from check_rendered_mail(templates, wanted.tried)


def check_parts(parts: Mapping[str, str], html: Collection[str], wanted: Expectations) -> Iterator[Finding]:
    """That parts of a message which nobody wrote as blocks compile, and that sample people have the names in them."""
    templates = yield from _compiled(parts, html, wanted)
    for part, template in templates.items():
        yield from check_names_of(template.body, wanted, lambda at, part=part: f"/{part}, {at}")  # type: ignore[misc]
    if "subject" in templates and len(templates) == len(parts):
        yield from check_rendered_mail(templates, wanted.tried)


def _compiled(
    parts: Mapping[str, str], html: Collection[str], wanted: Expectations
) -> Generator[Finding, None, dict[str, Template]]:
    templates: dict[str, Template] = {}
    for part, source in parts.items():
        try:
            templates[part] = compile_template(source, html=part in html, language=wanted.language)
        except CourtesyError as problem:
            yield error(code_of(problem), problem.message, f"/{part}, {problem.place}", problem.hint)
    return templates


def code_of(problem: CourtesyError) -> Check:
    """What a template that can't be compiled is told under."""
    return Check.UNKNOWN_NAME if problem.message.startswith("there is no name") else Check.TEMPLATE
