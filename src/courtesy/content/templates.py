"""Templates: compiled once, rendered many times, by an engine that can neither hang, nor explode, nor raise to people.

A part of Jinja, see docs/how-to/templates.md. Names that a template does not know are errors when it is compiled; what
a person lacks renders its default, or nothing, and is reported with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, NamedTuple

from minijinja import Environment, TemplateError

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.content.filters import ALIASES, FILTERS
from courtesy.content.language.contexts import safeties
from courtesy.content.language.operations import (
    OPERATIONS,
    OUTPUT_CHARS_MAX,
    SAFETY_FILTERS,
    Rendering,
    TooLarge,
    numbers_from,
)
from courtesy.content.language.parsing import Fragments, parse
from courtesy.content.language.tokens import failed
from courtesy.content.language.tree import Arguments, Body, Call, Filter, Place, Test, path_of, walk
from courtesy.content.language.writing import BLOCK, COMMENT, VALUE, Writer, Written
from courtesy.content.names import check_names
from courtesy.content.scope import FUNCTIONS, SCOPE, TESTS, Scope
from courtesy.content.surroundings import Report

FUEL = 300_000
"""Instructions of the engine for one rendering. A mail of 18 KB with eight products takes about a thousand."""

GLOBALS = ("range", "dict", "debug", "namespace", "cycler", "joiner", "lipsum", "now")
LANGUAGE_FILTERS = {"default": (0, 2), "safe": (0, 0)}
"""Filters that are part of the language, with how many values they take."""


class Missed(NamedTuple):
    """Something that was not as the template expects: what it is about as it is written there, and where."""

    about: str
    problem: str
    place: Place

    def __str__(self) -> str:
        return f"{self.place}: {self.about} {self.problem}".strip()


class Rendered(NamedTuple):
    """The text, and what was missing or odd on the way, each place once."""

    text: str
    missed: list[Missed]


@dataclass(frozen=True, slots=True)
class Language:
    """What templates of a kind may speak of: names besides `SCOPE`, fragments, and defaults for paths that a person may
    lack: `{"person.traits.first_name": "friend"}`."""

    names: frozenset[str] = frozenset()
    fragments: Fragments | None = None
    defaults: Mapping[str, Any] | None = None


class Template:
    """A compiled template. Renders alike each time, from any one thread at a time."""

    def __init__(self, body: Body, *, html: bool, name: str, defaults: Mapping[str, Any]) -> None:
        self.body = body
        self.html = html
        self.name = name
        self._defaults = defaults
        self._safe = safeties(body) if html else {}
        self._engine, self._written = self._built(metered=False)
        self._by_spot = self._defaults_of(self._written)
        self._metered: tuple[Environment, Written] | None = None

    def render(self, scope: Scope) -> Rendered:
        """The text for one person. Raises CourtesyError(TOO_LARGE) when it runs too long or becomes too long."""
        return self._rendered(scope, self._engine, self._written, self._by_spot)

    def render_metered(self, scope: Scope) -> Rendered:
        """As `render`, while counting all that is written: for templates that are tried out for the first time."""
        if self._metered is None:
            self._metered = self._built(metered=True)
        engine, written = self._metered
        return self._rendered(scope, engine, written, self._defaults_of(written))

    def _defaults_of(self, written: Written) -> dict[int, Any]:
        places = enumerate(written.places)
        return {spot: self._defaults[about] for spot, (_, about) in places if about in self._defaults}

    def _built(self, *, metered: bool) -> tuple[Environment, Written]:
        written = Writer(self._safe, ALIASES, metered).write(self.body)
        engine = _engine(html=self.html)
        try:
            engine.add_template("template", written.source)
        except TemplateError as problem:
            raise AssertionError(f"the engine can't read what was written for it: {problem}") from problem
        return engine, written

    def _rendered(self, scope: Scope, engine: Environment, written: Written, defaults: Mapping[int, Any]) -> Rendered:
        around = Rendering(
            scope.locale, scope.zone, scope.now_ms, scope.currency,
            functions={"range": numbers_from, **scope.functions}, defaults=defaults,
        )  # fmt: skip
        try:
            text = engine.render_template("template", _around=around, **scope.values())
        except TooLarge:
            raise self._too_large(f"the text would have more than {OUTPUT_CHARS_MAX:,} characters") from None
        except TemplateError as problem:
            if problem.kind == "OutOfFuel":
                raise self._too_large("the template takes too many steps") from None
            raise AssertionError(f"the engine failed where nothing may fail: {problem}") from problem
        if len(text) > OUTPUT_CHARS_MAX:
            raise self._too_large(f"the text would have more than {OUTPUT_CHARS_MAX:,} characters")
        return Rendered(text, [_missed(each, written) for each in around.reports])

    def _too_large(self, message: str) -> CourtesyError:
        return CourtesyError(Code.TOO_LARGE, message, hint="shorten its loops", place=self.name)


def compile_template(source: str, *, html: bool, language: Language | None = None, name: str = "") -> Template:
    """A template, ready to be rendered. `html`: outputs are escaped and made safe for where they stand.

    Raises CourtesyError(INVALID) with line and column for what can't be read, for names, filters, tests and functions
    that there are none of, and for outputs that nothing could make safe; TOO_LARGE for one that is too long.
    """
    language = language or Language()
    body = parse(source, language.fragments, name)
    check_words(body)
    check_names(body, language.names | SCOPE.keys())
    return Template(body, html=html, name=name, defaults=language.defaults or {})


def _engine(*, html: bool) -> Environment:
    engine = Environment(
        debug=False, fuel=FUEL, undefined_behavior="chainable", keep_trailing_newline=True, pycompat=False,
        auto_escape_callback=lambda _name: html,
    )  # fmt: skip
    engine.block_start_string, engine.block_end_string = BLOCK
    engine.variable_start_string, engine.variable_end_string = VALUE
    engine.comment_start_string, engine.comment_end_string = COMMENT
    for name in GLOBALS:
        engine.remove_global(name)
    for name, operation in OPERATIONS.items():
        engine.add_global(name, operation)
    for name, declared in FILTERS.items():
        engine.add_filter(name, declared.function)
    for name, function in SAFETY_FILTERS.items():
        engine.add_filter(name, function)
    return engine


def _missed(report: Report, written: Written) -> Missed:
    place, about = written.places[report.spot]
    return Missed(about, report.problem, place)


# -- filters, tests and functions


def check_words(body: Body) -> None:
    """Raises CourtesyError(INVALID) for a filter, test or function that there is none of, or given the wrong values."""
    for node in walk(body):
        match node:
            case Filter():
                _check_filter(node)
            case Test(at, _, name, arguments):
                if name not in TESTS:
                    raise failed(at, f"there is no test {name!r}", nearest(name, TESTS))
                wanted = int(name in ("divisible_by", "containing", "starting_with", "ending_with"))
                _check_count(at, name, arguments, wanted, wanted)
            case Call(at, name, arguments):
                declared = FUNCTIONS.get(name)
                if declared is None:
                    raise failed(at, f"there is no function {name!r}", nearest(name, FUNCTIONS))
                _check_count(at, name, arguments, declared.least, declared.most)
            case _:
                pass


def _check_count(at: Place, name: str, arguments: Arguments, least: int, most: int) -> None:
    if arguments.named or not least <= len(arguments.placed) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise failed(at, f"{name!r} takes {wanted} value{'' if wanted == '1' else 's'} without a name")


def _check_filter(node: Filter) -> None:
    if node.name in LANGUAGE_FILTERS:
        _check_count(node.at, node.name, node.arguments, *LANGUAGE_FILTERS[node.name])
        if node.name == "safe":
            _check_safe(node)
        return
    declared = FILTERS.get(ALIASES.get(node.name, node.name))
    if declared is None:
        raise failed(node.at, f"there is no filter {node.name!r}", nearest(node.name, [*FILTERS, *LANGUAGE_FILTERS]))
    _check_given(node, declared.function)


def _check_given(node: Filter, function: Callable[..., Any]) -> None:
    if node.name == "plural":
        _check_plural(node)
        return
    parameters = list(signature(function).parameters.values())[3:]
    named = {name for name, _ in node.arguments.named}
    known = [each.name for each in parameters]
    if stray := sorted(named - set(known)):
        raise failed(node.at, f"the filter {node.name!r} has no {stray[0]!r}", nearest(stray[0], known))
    given = len(node.arguments.placed)
    wanted = [each.name for each in parameters if each.default is Parameter.empty]
    if given > len(known) or any(each in named for each in known[:given]):
        raise failed(
            node.at, f"the filter {node.name!r} takes at most {len(known)} values: {', '.join(known) or 'none'}"
        )
    if lacking := [each for each in wanted[given:] if each not in named]:
        raise failed(node.at, f"the filter {node.name!r} needs {lacking[0]!r}")


def _check_plural(node: Filter) -> None:
    categories = ("zero", "one", "two", "few", "many", "other")
    named = [name for name, _ in node.arguments.named]
    for name in named:
        if name not in categories:
            raise failed(node.at, f"the filter 'plural' has no {name!r}", nearest(name, categories))
    if node.arguments.placed or "other" not in named:
        raise failed(node.at, "the filter 'plural' needs the forms by name", "plural(one='# item', other='# items')")


def _check_safe(node: Filter) -> None:
    """What people said of themselves is never HTML of our own."""
    for each in walk(node.of):
        path = path_of(each)  # type: ignore[arg-type]
        if path is not None and path[0] in ("person", "event"):
            raise failed(node.at, f"{path[0]!r} is never safe: whoever sends events could write into the mail")
