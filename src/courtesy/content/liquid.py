"""Liquid, as Braze, Customer.io and Shopify write it, translated into our templates.

What Liquid means is kept where the two differ: only nil and false are false there, `and` and `or` are read from the
right, and names that are assigned outlive the block. Whatever has no counterpart is left out and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from courtesy.content.language.tokens import Source
from courtesy.content.scope import SCOPE
from courtesy.content.translation import STRFTIME, Notes, Translated, free_name, quoted, trimmed


class Dialect(StrEnum):
    """Whose Liquid it is, which decides what names mean."""

    BRAZE = "braze"
    CUSTOMER_IO = "customer_io"
    SHOPIFY = "shopify"


NAMES: Mapping[Dialect, Mapping[str, str]] = {
    Dialect.BRAZE: {
        "custom_attribute": "person.traits",
        "event_properties": "event.properties",
        "context": "event.properties",
        "canvas_entry_properties": "event.properties",
        "api_trigger_properties": "event.properties",
        "first_name": "person.traits.first_name",
        "last_name": "person.traits.last_name",
        "email_address": "person.traits.email",
        "city": "person.traits.city",
        "country": "person.traits.country",
        "language": "person.traits.language",
        "user_id": "person.identifiers.user_id",
        "unsubscribe_url": "message.unsubscribe_url",
        "set_user_to_unsubscribed_url": "message.unsubscribe_url",
        "preference_center_url": "message.preferences_url",
    },
    Dialect.CUSTOMER_IO: {
        "customer": "person.traits",
        "event": "event.properties",
        "trigger": "event.properties",
        "unsubscribe_url": "message.unsubscribe_url",
        "view_in_browser_url": "message.web_url",
        "manage_subscription_preferences_url": "message.preferences_url",
    },
    Dialect.SHOPIFY: {
        "customer": "person.traits",
        "order": "event.properties",
        "checkout": "event.properties",
        "unsubscribe_url": "message.unsubscribe_url",
    },
}
"""What stands here for the names of a dialect."""

_TAG = re.compile(r"\{\{-?(?P<output>(?:\$\{[^{}]*\}|.)*?)-?\}\}|\{%-?(?P<statement>.*?)-?%\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<range>\()|(?P<sign>==|!=|<>|<=|>=|<|>|[|:,.\[\])=])
    |(?P<braze>\$\{[^{}]*\})|(?P<name>[A-Za-z_][\w-]*\??))""",
    re.VERBOSE,
)
_LOOP = {"index": "index", "index0": "index0", "rindex": "revindex", "rindex0": "revindex0", "first": "first",
         "last": "last", "length": "length"}  # fmt: skip
_SIGNS = ("==", "!=", "<>", "<=", ">=", "<", ">", "contains")


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Unknown(Exception):
    """Something of a tag that has no counterpart, and why. Never leaves this module."""


def from_liquid(text: str, dialect: Dialect, names: Mapping[str, str] | None = None) -> Translated:
    """A Liquid template as one of ours. `names`: what else names mean: `{"product": "event.properties.product"}`."""
    return _Translator(Source(text), {**NAMES[dialect], **(names or {})}).translate()


@dataclass(slots=True)
class _Open:
    """A statement that is not closed yet. `value`: what a case compares; `shown`: whether it has a branch by now."""

    word: str
    value: str = ""
    shown: bool = False


@dataclass(slots=True)
class _Translator:
    source: Source
    names: Mapping[str, str]
    notes: Notes = field(init=False)
    own: dict[str, str] = field(default_factory=dict)
    opened: list[_Open] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.notes = Notes(self.source)

    def translate(self) -> Translated:
        parts: list[str] = []
        text, start = self.source.text, 0
        while found := _TAG.search(text, start):
            parts.append(self._text(text[start : found.start()]))
            start = found.end()
            word = (found["statement"] or "").strip().split(" ")[0].strip()
            if word in ("raw", "comment"):
                inside, start = self._verbatim(word, found.end())
                parts.append(inside)
            else:
                parts.append(self._tag(found))
        parts.append(self._text(text[start:]))
        for each in self.opened:
            self.notes.left_out(len(text), each.word, "is never closed")
        return Translated("".join(parts), self.notes.findings)

    def _text(self, text: str) -> str:
        """Text between tags; in a case, before its first branch, nothing is shown."""
        if self.opened and self.opened[-1].word == "case" and not self.opened[-1].shown:
            return ""
        return re.sub(r"\{[{%#]", lambda found: f"{{{{ '{found[0]}' }}}}", text)

    def _verbatim(self, word: str, begin: int) -> tuple[str, int]:
        end = re.compile(rf"\{{%-?\s*end{word}\s*-?%\}}").search(self.source.text, begin)
        if end is None:
            return self.notes.left_out(begin, word, "is never closed"), len(self.source.text)
        inside = self.source.text[begin : end.start()]
        return (f"{{% raw %}}{inside}{{% endraw %}}" if word == "raw" else ""), end.end()

    def _tag(self, found: re.Match[str]) -> str:
        """One tag; `-` at its ends is kept."""
        before, after = ("-" if found[0][at] == "-" else "" for at in (2, -3))
        inside = found["output"] if found["output"] is not None else found["statement"]
        try:
            if found["output"] is not None:
                return trimmed(self._output(inside, found.start()), before, after)
            return trimmed(self._statement(inside.strip(), found.start()), before, after)
        except _Unknown as why:
            return self.notes.left_out(found.start(), found[0], str(why))

    def _output(self, inside: str, at: int) -> str:
        block = re.fullmatch(r"\s*content_blocks\.\$\{([^{}]+)\}.*", inside, re.DOTALL)
        if block:
            return f"{{% include {quoted(block[1].split('|')[0].strip())} %}}"
        return f"{{{{ {self._filtered(_Reader(inside, at))} }}}}"

    # -- statements

    def _statement(self, inside: str, at: int) -> str:
        word, _, rest = inside.partition(" ")
        rest = rest.strip()
        reader = _Reader(rest, at)
        if word in ("if", "unless", "case", "for", "capture"):
            self.opened.append(_Open(word))
        match word:
            case "if":
                return f"{{% if {self._condition(reader)} %}}"
            case "unless":
                return f"{{% if not {self._condition(reader)} %}}"
            case "elsif":
                return f"{{% elif {self._condition(reader)} %}}"
            case "else":
                return self._else()
            case "endif" | "endunless" | "endcase" | "endfor" | "endcapture":
                return self._end(word)
            case "case":
                self.opened[-1].value = self._value(reader)
                return ""
            case "when":
                return self._when(reader)
            case "for":
                return self._for(reader)
            case "assign":
                return self._assign(rest, reader, at)
            case "capture":
                return f"{{% set {self._named(rest.strip(chr(34) + chr(39)), at)} %}}"
            case "include" | "render":
                return self._include(rest)
            case "echo":
                return f"{{{{ {self._filtered(reader)} }}}}"
            case "abort_message":
                raise _Unknown("a message is not stopped from within: say in the campaign who gets it")
            case "connected_content":
                raise _Unknown("nothing is fetched while a message is written: use a catalogue")
            case _:
                raise _Unknown(f"there is nothing like {word!r} here")

    def _else(self) -> str:
        if self.opened and self.opened[-1].word == "case" and not self.opened[-1].shown:
            self.opened[-1].shown = True
            return "{% if true %}"
        return "{% else %}"

    def _end(self, word: str) -> str:
        if not self.opened:
            raise _Unknown("there is nothing that it could close")
        closed = self.opened.pop()
        if closed.word == "case" and not closed.shown:
            return ""
        return {"for": "{% endfor %}", "capture": "{% endset %}"}.get(closed.word, "{% endif %}")

    def _when(self, reader: _Reader) -> str:
        case = next((each for each in reversed(self.opened) if each.word == "case"), None)
        if case is None:
            raise _Unknown("there is no case that it could belong to")
        values = [self._value(reader)]
        while reader.took(",") or reader.took("or"):
            values.append(self._value(reader))
        test = " or ".join(f"{case.value} == {each}" for each in values)
        word = "elif" if case.shown else "if"
        case.shown = True
        return f"{{% {word} {test} %}}"

    def _for(self, reader: _Reader) -> str:
        name = reader.expect("name")
        reader.expect_text("in")
        of = self._value(reader)
        limit = offset = ""
        reverse = False
        while not reader.ended():
            if reader.took("reversed"):
                reverse = True
            elif reader.took("limit"):
                reader.took(":")
                limit = self._value(reader)
            elif reader.took("offset"):
                reader.took(":")
                offset = self._value(reader)
            else:
                raise _Unknown(f"{reader.next.text!r} is not known in a loop")
        if limit or offset:
            last = f"{offset} + {limit}" if offset and limit else limit
            of = f"({of})[{offset}:{last}]"
        return f"{{% for {self._named(name, reader.at)} in {of}{' | reverse' if reverse else ''} %}}"

    def _assign(self, rest: str, reader: _Reader, at: int) -> str:
        name = reader.expect("name")
        reader.expect_text("=")
        value = self._filtered(reader)
        if any(each.word == "for" for each in self.opened):
            self.notes.differs(at, f"assign {rest}", "what is assigned in a loop ends with its turn here")
        return f"{{% set {self._named(name, at)} = {value} %}}"

    def _include(self, rest: str) -> str:
        named = re.match(r"""["']([^"']+)["']\s*$""", rest)
        if named is None:
            raise _Unknown("a fragment is named by text alone, and gets no values")
        return f"{{% include {quoted(named[1])} %}}"

    def _named(self, name: str, at: int) -> str:
        """A name that the template gives, which may not be one that has its meaning here."""
        given = free_name(re.sub(r"\W", "_", name))
        if given != name:
            self.notes.differs(at, name, f"is called {given!r} here")
        self.own[name] = given
        return given

    # -- expressions

    def _condition(self, reader: _Reader) -> str:
        """Conditions are read from the right: `a and b or c` is `a and (b or c)`."""
        left = self._comparison(reader)
        for sign in ("and", "or"):
            if reader.took(sign):
                return f"({left} {sign} {self._condition(reader)})"
        reader.end()
        return left

    def _comparison(self, reader: _Reader) -> str:
        left = self._value(reader)
        sign = next((each for each in _SIGNS if reader.took(each)), None)
        if sign is None:
            return left if left in ("true", "false") else f"({left} is defined and {left} is not false)"
        special = next((each for each in ("blank", "empty", "nil", "null") if reader.took(each)), None)
        if special is not None:
            test = "undefined" if special in ("nil", "null") else "empty"
            return f"{left} is {'' if sign == '==' else 'not '}{test}"
        right = self._value(reader)
        if sign == "contains":
            return f"{left} is containing({right})"
        return f"{left} {'!=' if sign == '<>' else sign} {right}"

    def _filtered(self, reader: _Reader) -> str:
        value = self._value(reader)
        while reader.took("|"):
            name = reader.expect("name")
            given: list[str] = []
            if reader.took(":"):
                given.append(self._argument(reader))
                while reader.took(","):
                    given.append(self._argument(reader))
            value = _filter(value, name, given)
        reader.end()
        return value

    def _argument(self, reader: _Reader) -> str:
        if reader.next.kind == "name" and reader.after().text == ":":
            raise _Unknown("filters with names for their values are not known")
        return self._value(reader)

    def _value(self, reader: _Reader) -> str:
        token = reader.take()
        match token.kind:
            case "text":
                return quoted(token.text[1:-1])
            case "number":
                return token.text
            case "range":
                return self._range(reader)
            case "braze":
                return self._path([token.text[2:-1].strip()], reader)
            case "name" if token.text in ("true", "false"):
                return token.text
            case "name" if token.text in ("nil", "null", "blank", "empty"):
                return "none" if token.text in ("nil", "null") else "''"
            case "name":
                return self._path([token.text], reader)
            case _:
                raise _Unknown(f"a value was expected, not {token.text!r}" if token.text else "a value was expected")

    def _range(self, reader: _Reader) -> str:
        inside = re.compile(r"\s*(-?\w+(?:\.\w+)*?)\s*\.\.\s*(-?\w+(?:\.\w+)*?)\s*\)").match(
            reader.text, reader.position
        )
        if inside is None:
            raise _Unknown("parentheses are known of ranges alone")
        reader.position = inside.end()
        first, last = (self._value(_Reader(inside[n], reader.at)) for n in (1, 2))
        return f"range({first}, {last} + 1)"

    def _path(self, names: list[str], reader: _Reader) -> str:
        """A path with what a name means here; `size`, `first` and `last` at its end are filters."""
        parts = names
        ends = ""
        while True:
            if reader.took("."):
                token = reader.take()
                name = token.text[2:-1].strip() if token.kind == "braze" else token.text
                if name in ("size", "first", "last") and parts != ["forloop"]:
                    ends += f" | {'length' if name == 'size' else name}"
                else:
                    ends += "" if not ends else _part(name)
                    parts = parts if ends else [*parts, name]
            elif reader.took("["):
                key = self._value(reader)
                reader.expect_text("]")
                parts = [*parts, f"[{key}]"]
            else:
                break
        return self._meant(parts, reader.at) + ends if not ends else f"({self._meant(parts, reader.at)}{ends})"

    def _meant(self, parts: list[str], at: int) -> str:
        root, *rest = parts
        if root == "forloop":
            if not rest or rest[0] not in _LOOP:
                raise _Unknown(f"loops know nothing of {'.'.join(rest)!r}")
            return f"loop.{_LOOP[rest[0]]}"
        if root in self.own:
            meant = self.own[root]
        elif root in self.names:
            meant = self.names[root]
        else:
            meant = re.sub(r"\W", "_", root).lstrip("_") or "name"
            if meant not in SCOPE:
                hint = f"say what it means: {root!r} → 'event.properties.{root}'"
                self.notes.differs(at, root, "is no name that is known here", hint)
        return meant + "".join(each if each.startswith("[") else _part(each) for each in rest)


def _part(name: str) -> str:
    return f".{name}" if re.fullmatch(r"[A-Za-z]\w*", name) else f"[{quoted(name)}]"


@dataclass(slots=True)
class _Reader:
    """The tokens of one tag. `at`: where the tag stands in the template."""

    text: str
    at: int
    position: int = 0

    @property
    def next(self) -> _Token:
        found = _TOKEN.match(self.text, self.position)
        if found is None:
            rest = self.text[self.position :].strip()
            return _Token("odd" if rest else "end", rest[:20], len(self.text))
        return _Token(str(found.lastgroup), found[str(found.lastgroup)], found.end())

    def after(self) -> _Token:
        """The token after the next."""
        return _Reader(self.text, self.at, self.next.at).next

    def take(self) -> _Token:
        """Takes the next token."""
        token = self.next
        self.position = token.at
        return token

    def took(self, text: str) -> bool:
        """Takes a word or sign if it comes next."""
        token = self.next
        if token.text == text and token.kind in ("name", "sign"):
            self.position = token.at
            return True
        return False

    def expect(self, kind: str) -> str:
        """Takes a token of a kind, which must come next."""
        token = self.take()
        if token.kind != kind:
            raise _Unknown(f"a {kind} was expected, not {token.text!r}")
        return token.text

    def expect_text(self, text: str) -> None:
        """Takes a word or sign, which must come next."""
        if not self.took(text):
            raise _Unknown(f"{text!r} was expected, not {self.next.text!r}")

    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self.next.kind == "end"

    def end(self) -> None:
        """Nothing may come any more."""
        if not self.ended():
            raise _Unknown(f"{self.next.text!r} is not understood")


# -- filters

_SAME = {
    "upcase": "upper", "downcase": "lower", "strip": "trim", "size": "length", "first": "first", "last": "last",
    "split": "split", "append": "append", "prepend": "prepend", "replace": "replace", "abs": "abs", "sort": "sort",
    "reverse": "reverse", "uniq": "unique", "map": "map", "where": "where", "sum": "sum", "strip_html": "plain",
    "newline_to_br": "line_breaks", "number_with_delimiter": "number", "round": "round", "title": "title",
}  # fmt: skip
_SIGN_OF = {"plus": "+", "minus": "-", "times": "*", "modulo": "%"}
_BETWEEN: Mapping[str, Callable[[str, list[str]], str]] = {
    "escape": lambda of, _: of,
    "escape_once": lambda of, _: of,
    "capitalize": lambda of, _: f"({of} | lower | capitalize)",
    "default": lambda of, given: f"({of} | default({given[0]}, true))",
    "remove": lambda of, given: f"({of} | replace({given[0]}, ''))",
    "strip_newlines": lambda of, _: f"({of} | replace('\\n', ''))",
    "join": lambda of, given: f"({of} | join({given[0] if given else quoted(' ')}))",
    "url_encode": lambda of, _: f"({of} | url_encode | replace('%20', '+'))",
    "floor": lambda of, _: f"(({of} // 1) | round)",
    "ceil": lambda of, _: f"(-(-{of} // 1) | round)",
    "concat": lambda of, given: f"({of} + {given[0]})",
    "divided_by": lambda of, given: f"({of} {'//' if given[0].lstrip('-').isdigit() else '/'} {given[0]})",
    "truncate": lambda of, given: (
        f"({of} | truncate({given[0] if given else 50}, {given[1] if given[1:] else quoted('...')}, false))"
    ),
    "slice": lambda of, given: f"{of}[{given[0]}:{given[0]} + {given[1] if given[1:] else 1}]",
    "money": lambda of, _: f"(({of} / 100) | money)",
    "money_with_currency": lambda of, _: f"(({of} / 100) | money)",
}


def _filter(of: str, name: str, given: list[str]) -> str:
    """A value changed by a filter, as ours write it."""
    try:
        if name in _SAME:
            values = f"({', '.join(given)})" if given else ""
            return f"({of} | {_SAME[name]}{values})"
        if name in _SIGN_OF:
            return f"({of} {_SIGN_OF[name]} {given[0]})"
        if name == "date":
            return f"({_date(of, given[0])})"
        if name in _BETWEEN:
            return _BETWEEN[name](of, given)
    except IndexError:
        raise _Unknown(f"the filter {name!r} needs a value") from None
    raise _Unknown(f"there is no filter like {name!r}")


def _date(of: str, form: str) -> str:
    if not form.startswith("'"):
        raise _Unknown("the form of a date must be text")
    written = "".join(_pattern(form[1:-1]))
    value = "now" if of in ("'now'", "'today'") else of
    return f"{value} | datetime({quoted(written)})"


def _pattern(form: str) -> Iterator[str]:
    """A form of strftime as a pattern of CLDR."""
    for part in re.findall(r"%[-^#]?[A-Za-z%]|[^%]+|%", form):
        if part.startswith("%") and len(part) > 1:
            if part not in STRFTIME:
                raise _Unknown(f"{part} of a date is not known")
            yield STRFTIME[part]
        else:
            yield re.sub(r"[A-Za-z]+", lambda word: f"'{word[0]}'", part)
