"""HTML as a type: text becomes markup only by being escaped, so that whatever a value holds, it is shown as text."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import sha256

from courtesy.runtime.export_page import text_of


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


def markup(value: object) -> Markup:
    """Markup as it is; lists one after the other; None and False as nothing; anything else as text."""
    if isinstance(value, Markup):
        return value
    if value is None or value is False:
        return Markup("")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return Markup("".join(markup(each) for each in value))
    return Markup(text_of(value))


EMPTY_ELEMENTS = frozenset({"input", "meta", "br", "img"})


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """An element. Of an attribute's name a last underscore is left out and others become hyphens; True stands for a
    bare attribute, None and False for none."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text_of(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in EMPTY_ELEMENTS:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{markup(content)}</{name}>")


STYLE = """
:root { color-scheme: light; --accent: %(colour)s }
* { box-sizing: border-box }
body { margin: 0; font: 1.0625rem/1.55 system-ui, "Noto Sans", sans-serif; color: #1b1b1f; background: #f4f5f7;
  overflow-wrap: anywhere }
header, main, footer { max-inline-size: 46rem; margin-inline: auto; padding-inline: 1rem }
header { padding-block: 1.25rem .25rem; display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: baseline;
  justify-content: space-between }
.brand { font-weight: 700; font-size: 1.25rem; color: var(--accent); margin: 0 }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 .9rem; padding: 0; margin: 0; font-size: .95rem }
nav a, footer a, nav strong { display: inline-block; padding-block: .35rem; min-inline-size: 1.5rem }
.brand img { display: block; max-block-size: 3.5rem; max-inline-size: 14rem }
a { color: var(--accent) }
h1 { font-size: 1.75rem; line-height: 1.25; margin-block: .75rem .25rem }
h2, legend { font-size: 1.125rem; font-weight: 650; margin: 0; padding: 0 }
section, fieldset, .card { background: #fff; border: 1px solid #d9dbe1; border-radius: .75rem; padding: 1rem 1.15rem;
  margin: 0 0 1rem; min-inline-size: 0 }
legend { float: inline-start; inline-size: 100%%; margin-block-end: .5rem }
legend + * { clear: both }
fieldset fieldset { border: 0; border-block-start: 1px solid #e7e8ec; border-radius: 0; padding: .75rem 0 0;
  margin: .5rem 0 0 }
fieldset fieldset legend { font-size: 1rem; font-weight: 600 }
fieldset.question { border: 0; padding: 0; margin: .5rem 0 }
summary { cursor: pointer; color: var(--accent); padding-block: .35rem } button + button { margin-inline-start: .75rem }
.choice { display: flex; gap: .7rem; align-items: flex-start; padding-block: .5rem; clear: both; cursor: pointer }
.row { display: flex; flex-wrap: wrap; gap: 0 1.5rem; clear: both }
input[type=checkbox], input[type=radio] { inline-size: 1.35rem; block-size: 1.35rem; margin: .1rem 0 0; flex: none;
  accent-color: var(--accent) }
button { font: inherit; font-weight: 600; padding: .7rem 1.25rem; border-radius: .6rem; border: 2px solid var(--accent);
  background: var(--accent); color: #fff; cursor: pointer; margin-block: .25rem }
button.plain { background: #fff; color: var(--accent) }
.buttons { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin-block: .25rem 1.75rem }
:focus-visible { outline: 3px solid #b3261e; outline-offset: 3px; border-radius: .2rem }
button.danger { background: #b3261e; border-color: #b3261e }
input.code { font: inherit; font-size: 1.5rem; letter-spacing: .25rem; inline-size: 100%%; max-inline-size: 14rem;
  padding: .5rem .75rem; border: 2px solid #6b6f76; border-radius: .6rem }
input.text { display: block; font: inherit; inline-size: 100%%; padding: .5rem .75rem; border: 2px solid #6b6f76;
  border-radius: .6rem }
.card > :first-child { margin-block-start: 0 } .card > :last-child { margin-block-end: 0 }
.ways { list-style: none; padding: 0; margin: .5rem 0 0 } .ways a { display: inline-block; padding-block: .35rem }
.warning { border-inline-start: .4rem solid #8a5a00; font-weight: 600 }
.status { border-inline-start: .4rem solid #1b6e3c; font-weight: 600 }
.hint, .from { color: #4d5057; font-size: .95rem; margin: .15rem 0 }
.mark { display: inline-block; font-size: .85rem; font-weight: 600; border: 1px solid #8a5a00; color: #6b4600;
  border-radius: 1rem; padding: 0 .6rem; margin-inline-start: .5rem }
dl { margin: .5rem 0 0 } dt { font-weight: 600; margin-block-start: .6rem } dd { margin: 0 }
ol { list-style: none; margin: .5rem 0 0; padding: 0 }
ol li { padding-block: .4rem; border-block-start: 1px solid #e7e8ec }
.guessed { margin-block-start: 1.25rem; padding-block-start: .75rem; border-block-start: 1px solid #e7e8ec }
footer { padding-block: .5rem 2.5rem; font-size: .95rem; color: #4d5057 }
@media (forced-colors: active) { button { border-color: ButtonText } }
"""


def style_of(colour: str) -> str:
    """The style of a page, in one colour."""
    return STYLE % {"colour": colour}


def policy_of(style: str, embedded_by: Iterable[str], images: str = "'none'") -> str:
    """The Content-Security-Policy of a page: its own style, forms to here, images of one kind or none, nothing else
    from anywhere."""
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    ancestors = " ".join(embedded_by) or "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src {images}; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )
