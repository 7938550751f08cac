"""Where in HTML each output of a template stands, and so what it must be made safe for.

Escaping alone does not do: a link that begins with `javascript:`, a value without quotes, a script. A small automaton
follows the text through tags and attributes, as the template packages of Go do; branches must end where they began.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from courtesy.content.language.tokens import failed
from courtesy.content.language.tree import Body, Capture, For, Fragment, If, Output, Place, Set, Text


class Safety(Enum):
    """What an output must be made safe for, besides being escaped. PLAIN: nothing more. LINK: the beginning of a link.
    LINK_PATH and LINK_QUERY: a part of one. STYLE: a value within a style."""

    PLAIN = auto()
    LINK = auto()
    LINK_PATH = auto()
    LINK_QUERY = auto()
    STYLE = auto()


class _Where(Enum):
    TEXT = auto()
    TAG = auto()
    VALUE = auto()
    COMMENT = auto()
    SCRIPT = auto()
    STYLE = auto()


class Context(NamedTuple):
    """A state of the automaton. Within a value: its quote, its attribute, and what of it came already."""

    where: _Where
    quote: str = ""
    attribute: str = ""
    value: str = ""
    element: str = ""


START = Context(_Where.TEXT)
LINKS = frozenset(
    {"href", "src", "action", "background", "cite", "poster", "formaction", "xlink:href", "data", "longdesc"}
)
_TAG_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*(?:=\s*(["']?))?""")
_VALUE_KEPT = 100


def safeties(body: Body) -> dict[Place, Safety]:
    """The safety that each output needs, by its place.

    Raises CourtesyError(INVALID) for outputs where no escaping makes anything safe: in scripts, in handlers of events,
    as names of tags or attributes, in values without quotes; and for branches that end in different places of HTML.
    """
    found: dict[Place, Safety] = {}
    _through(body, START, found)
    return found


def _through(body: Body, context: Context, found: dict[Place, Safety]) -> Context:
    for node in body:
        match node:
            case Text(at, text):
                context = _after_text(text, context, at)
            case Output(at):
                found[at] = _safety(context, at)
                context = context._replace(value=(context.value + "x")[:_VALUE_KEPT])
            case If(at, branches, otherwise):
                ends = [_through(each, context, found) for _, each in branches]
                context = _joined([*ends, _through(otherwise, context, found)], at)
            case For(at, _, _, _, inside, otherwise):
                ends = [_through(each, context, found) for each in (inside, otherwise)]
                context = _joined([context, *ends], at)
            case Capture(at, _, inside):
                _joined([START, _through(inside, START, found)], at)
            case Fragment(_, _, inside):
                context = _through(inside, context, found)
            case Set():
                pass
    return context


def _joined(ends: list[Context], at: Place) -> Context:
    """The context after branches. What came of a value may differ; that the link has begun counts."""
    if len({each._replace(value="", element="") for each in ends}) > 1:
        message = "the ways through this end in different places of HTML, one of them within a tag or value"
        raise failed(at, message, "begin and end tags and values on the same side")
    return max(ends, key=lambda each: ("?" in each.value or "#" in each.value, len(each.value)))


def _safety(context: Context, at: Place) -> Safety:
    match context.where:
        case _Where.TEXT | _Where.COMMENT:
            return Safety.PLAIN
        case _Where.STYLE:
            return Safety.STYLE
        case _Where.SCRIPT:
            raise failed(at, "nothing is written into scripts", "mail programs run none")
        case _Where.TAG:
            raise failed(at, "a tag or the name of an attribute can't be written", "put it into a value in quotes")
        case _Where.VALUE:
            return _safety_of_value(context, at)


def _safety_of_value(context: Context, at: Place) -> Safety:
    if not context.quote:
        raise failed(at, f"the value of {context.attribute!r} needs quotes", f'write {context.attribute}="…"')
    if context.attribute.startswith("on"):
        raise failed(at, f"nothing is written into {context.attribute!r}", "mail programs run no scripts")
    if context.attribute == "style":
        return Safety.STYLE
    if context.attribute not in LINKS:
        return Safety.PLAIN
    if not context.value.strip():
        return Safety.LINK
    return Safety.LINK_QUERY if "?" in context.value or "#" in context.value else Safety.LINK_PATH


def _after_text(text: str, context: Context, at: Place) -> Context:
    position = 0
    while position < len(text):
        match context.where:
            case _Where.TEXT:
                position, context = _in_text(text, position)
            case _Where.TAG:
                position, context = _in_tag(text, position, context)
            case _Where.VALUE:
                position, context = _in_value(text, position, context, at)
            case _Where.COMMENT:
                position, context = _until(text, position, "-->", context)
            case _Where.SCRIPT | _Where.STYLE:
                position, context = _until(text, position, f"</{context.element}", context)
    return context


def _in_text(text: str, position: int) -> tuple[int, Context]:
    begin = text.find("<", position)
    if begin < 0:
        return len(text), START
    if text.startswith("<!--", begin):
        return begin + 4, Context(_Where.COMMENT)
    name = _TAG_NAME.match(text, begin)
    if name is None:
        return begin + 1, Context(_Where.TAG) if begin + 1 == len(text) else START
    element = "" if name[0].startswith("</") else name[1].lower()
    return name.end(), Context(_Where.TAG, element=element)


def _in_tag(text: str, position: int, context: Context) -> tuple[int, Context]:
    if text[position] == ">":
        if context.element in ("script", "style"):
            where = _Where.SCRIPT if context.element == "script" else _Where.STYLE
            return position + 1, Context(where, element=context.element)
        return position + 1, START
    found = _ATTRIBUTE.match(text, position)
    if found is None:
        return position + 1, context
    name = found[1].lower()
    if found[2] is None:
        return found.end(), context
    return found.end(), Context(_Where.VALUE, found[2], name, element=context.element)


def _in_value(text: str, position: int, context: Context, at: Place) -> tuple[int, Context]:
    ending = re.compile(re.escape(context.quote)) if context.quote else re.compile(r"[\s>]")
    end = ending.search(text, position)
    stop = len(text) if end is None else end.start()
    value = (context.value + text[position:stop])[:_VALUE_KEPT]
    query = "?" if "?" in text[position:stop] or "#" in text[position:stop] else ""
    if end is None:
        return stop, context._replace(value=value if query in value else value + query)
    after = stop + 1 if context.quote else stop
    return after, Context(_Where.TAG, element=context.element)


def _until(text: str, position: int, ending: str, context: Context) -> tuple[int, Context]:
    end = text.lower().find(ending, position)
    if end < 0:
        return len(text), context
    if ending == "-->":
        return end + len(ending), START
    return end + len(ending), Context(_Where.TAG)
