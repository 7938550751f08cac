"""Templates of other systems as ours, and what of them could not be translated."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from courtesy.base.errors import CourtesyError
from courtesy.content.findings import Check, error
from courtesy.content.handlebars import from_handlebars
from courtesy.content.liquid import Dialect, from_liquid
from courtesy.content.templates import compile_template
from courtesy.content.translation import Translated

TEXT_CHARS_MAX = 200_000


class Original(StrEnum):
    """The language of a template that comes from elsewhere."""

    LIQUID = "liquid"
    HANDLEBARS = "handlebars"


def translated(
    text: str, original: Original, dialect: Dialect = Dialect.BRAZE, names: Mapping[str, str] | None = None
) -> Translated:
    """A template as one of ours. `dialect`: whose Liquid it is. `names`: what else names mean here:
    `{"product": "event.properties.product"}`.

    What comes out can be read, or there is a finding that says where in it is why not.
    """
    done = from_liquid(text, dialect, names) if original is Original.LIQUID else from_handlebars(text, names)
    try:
        compile_template(done.source, html=False)
    except CourtesyError as problem:
        place = f"translated, {problem.place}" if problem.place else "translated"
        return Translated(done.source, [*done.findings, error(Check.TEMPLATE, problem.message, place, problem.hint)])
    return done
