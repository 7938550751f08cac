"""Handlebars, as Iterable writes it, translated into our templates.

Blocks change there what a bare name means: within `{{#each products}}` it is of the product, and `../` leads out again.
Here every name says where it is from. Whatever has no counterpart is left out and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from courtesy.content.language.tokens import Source
from courtesy.content.translation import Notes, Translated, quoted, trimmed

ROOT = "person.traits"
"""What a bare name is of: Iterable merges the fields of the profile and of the event into one."""

NAMES: Mapping[str, str] = {
    "unsubscribeUrl": "message.unsubscribe_url",
    "hostedUnsubscribeUrl": "message.unsubscribe_url",
    "unsubscribeMessageTypeUrl": "message.unsubscribe_url",
    "viewInBrowserUrl": "message.web_url",
    "email": "person.traits.email",
    "now": "now",
}
"""Names that mean something else."""

_TAG = re.compile(
    r"\{\{!--.*?--\}\}|\{\{![^}]*\}\}|\{\{\{~?(?P<raw>[^{}]*?)~?\}\}\}|\{\{(?P<open>~?)(?P<inside>(?:\"[^\"]*\"|'[^']*'|[^{}\"'])*?)(?P<close>~?)\}\}",
    re.DOTALL,
)
_WORD = re.compile(r"""\s*(?:("[^"]*"|'[^']*')|(\()|(\))|([\w@./\[\]#-]+=)|([^\s()]+))""")

_FUNCTIONS: Mapping[str, Callable[[list[str]], str]] = {
    "defaultIfEmpty": lambda given: f"({given[0]} | default({given[1]}, true))",
    "capitalize": lambda given: f"({given[0]} | title)",
    "capitalizeFirst": lambda given: f"({given[0]} | capitalize)",
    "upper": lambda given: f"({given[0]} | upper)",
    "lower": lambda given: f"({given[0]} | lower)",
    "trim": lambda given: f"({given[0]} | trim)",
    "join": lambda given: f"({given[0]} | join({given[1] if given[1:] else quoted(', ')}))",
    "replace": lambda given: f"({given[0]} | replace({given[1]}, {given[2]}))",
    "abbreviate": lambda given: f"({given[0]} | truncate({given[1]}, '...'))",
    "substring": lambda given: f"{given[0]}[{given[1]}:{given[2] if given[2:] else ''}]",
    "urlEncode": lambda given: f"({given[0]} | url_encode)",
    "numberFormat": lambda given: f"({given[0]} | number)",
    "stripTags": lambda given: f"({given[0]} | plain)",
    "math": lambda given: f"({given[0]} {_operator(given[1])} {given[2]})",
    "lookup": lambda given: f"{given[0]}[{given[1]}]",
    "size": lambda given: f"({given[0]} | length)",
    "length": lambda given: f"({given[0]} | length)",
    "eq": lambda given: f"({given[0]} == {given[1]})",
    "neq": lambda given: f"({given[0]} != {given[1]})",
    "gt": lambda given: f"({given[0]} > {given[1]})",
    "gte": lambda given: f"({given[0]} >= {given[1]})",
    "lt": lambda given: f"({given[0]} < {given[1]})",
    "lte": lambda given: f"({given[0]} <= {given[1]})",
    "and": lambda given: f"({' and '.join(given)})",
    "or": lambda given: f"({' or '.join(given)})",
    "not": lambda given: f"(not {given[0]})",
    "ifEq": lambda given: f"({given[0]} == {given[1]})",
    "ifGt": lambda given: f"({given[0]} > {given[1]})",
    "ifGte": lambda given: f"({given[0]} >= {given[1]})",
    "ifLt": lambda given: f"({given[0]} < {given[1]})",
    "ifLte": lambda given: f"({given[0]} <= {given[1]})",
    "ifContainsStr": lambda given: f"({given[0]} is containing({given[1]}))",
    "ifMatchesStr": lambda given: f"({given[0]} == {given[1]})",
}
"""Functions of Iterable and what stands for them. Those that compare begin blocks too."""

BLOCKS = frozenset({"eq", "neq", "gt", "gte", "lt", "lte", "and", "or", "not"}) | {
    name for name in _FUNCTIONS if name.startswith("if")
}


class _Unknown(Exception):
    """Something that has no counterpart, and why. Never leaves this module."""


def _operator(sign: str) -> str:
    plain = sign.strip("'")
    if plain not in ("+", "-", "*", "/", "%"):
        raise _Unknown(f"there is no arithmetic {plain!r}")
    return plain


def from_handlebars(text: str, names: Mapping[str, str] | None = None, root: str = ROOT) -> Translated:
    """A Handlebars template as one of ours. `names`: what else names mean: `{"items": "event.items"}`."""
    return _Translator(Source(text), {**NAMES, **(names or {})}, root).translate()


@dataclass(slots=True)
class _Block:
    """A block that is not closed yet. `this`: what a bare name is of within it; empty for the root. `ending`: what
    closes it here. `called`: a name that the original gives to `this`."""

    word: str
    this: str
    ending: str
    changes: bool = False
    called: str = ""


@dataclass(slots=True)
class _Translator:
    source: Source
    names: Mapping[str, str]
    root: str
    notes: Notes = field(init=False)
    blocks: list[_Block] = field(default_factory=list)
    loops: int = 0

    def __post_init__(self) -> None:
        self.notes = Notes(self.source)

    def translate(self) -> Translated:
        parts: list[str] = []
        text, start = self.source.text, 0
        for found in _TAG.finditer(text):
            parts += [_plain(text[start : found.start()]), self._tag(found)]
            start = found.end()
        for each in self.blocks:
            self.notes.left_out(len(text), each.word, "is never closed")
        return Translated("".join([*parts, _plain(text[start:])]), self.notes.findings)

    def _tag(self, found: re.Match[str]) -> str:
        if found["raw"] is None and found["inside"] is None:
            return ""
        try:
            if found["raw"] is not None:
                self.notes.differs(found.start(), found[0], "is escaped here", "say | safe for content of your own")
                return f"{{{{ {self._said(found['raw'])} }}}}"
            return trimmed(self._written(found["inside"].strip()), found["open"], found["close"])
        except _Unknown as why:
            return self.notes.left_out(found.start(), found[0], str(why))

    def _written(self, inside: str) -> str:
        if inside.startswith("#"):
            return self._opened(inside[1:].strip())
        if inside.startswith("/"):
            return self._closed(inside[1:].strip())
        if inside in ("else", "^"):
            return "{% else %}"
        if inside.startswith("else "):
            word, _, rest = inside[5:].strip().partition(" ")
            return f"{{% elif {self._condition(word, rest)} %}}"
        if inside.startswith(">"):
            named = inside[1:].strip().strip("\"'")
            if " " in named:
                raise _Unknown("fragments get no values")
            return f"{{% include {quoted(named)} %}}"
        return f"{{{{ {self._said(inside)} }}}}"

    # -- blocks

    def _opened(self, inside: str) -> str:
        word, _, rest = inside.partition(" ")
        if word == "each":
            return self._each(rest.strip())
        if word == "with":
            return self._with(rest.strip())
        condition = self._condition(word, rest)
        self.blocks.append(_Block(word, self._this, "{% endif %}"))
        return f"{{% if {condition} %}}"

    def _condition(self, word: str, rest: str) -> str:
        if word == "if":
            return self._said(rest)
        if word == "unless":
            return f"not {self._said(rest)}"
        if word in BLOCKS:
            return _FUNCTIONS[word](self._given(rest))
        raise _Unknown(f"there is no block like {word!r}")

    def _each(self, rest: str) -> str:
        named = re.fullmatch(r"(.+?)\s+as\s+\|\s*(\w+)\s*(?:(\w+)\s*)?\|", rest)
        if named is not None and named[3]:
            raise _Unknown("a loop has one name here")
        self.loops += 1
        item = f"item_{self.loops}"
        of = self._said(named[1] if named else rest)
        self.blocks.append(_Block("each", item, "{% endfor %}", True, named[2] if named else ""))
        return f"{{% for {item} in {of} %}}"

    def _with(self, rest: str) -> str:
        path = self._said(rest)
        self.blocks.append(_Block("with", path, "{% endif %}", changes=True))
        return f"{{% if {path} %}}"

    def _closed(self, word: str) -> str:
        if not self.blocks or self.blocks[-1].word != word:
            raise _Unknown("there is nothing here that it could close")
        return self.blocks.pop().ending

    @property
    def _this(self) -> str:
        return self.blocks[-1].this if self.blocks else ""

    # -- expressions

    def _said(self, inside: str) -> str:
        """A value, or a function with its values."""
        name, *given = _words(inside) or [""]
        if name in _FUNCTIONS and given:
            return self._called(name, [self._value(each) for each in given])
        if given or not name:
            raise _Unknown(f"there is no function like {name!r}" if name else "there is nothing in it")
        return self._value(name)

    def _given(self, rest: str) -> list[str]:
        given = [self._value(each) for each in _words(rest)]
        if not given:
            raise _Unknown("a value is missing")
        return given

    def _called(self, name: str, given: list[str]) -> str:
        try:
            return _FUNCTIONS[name](given)
        except IndexError:
            raise _Unknown(f"the function {name!r} needs more values") from None

    def _value(self, word: str) -> str:
        if word.startswith(("'", '"')):
            return quoted(word[1:-1])
        if word.startswith("("):
            return self._said(word[1:-1])
        if re.fullmatch(r"-?\d+(\.\d+)?|true|false", word):
            return word
        if word in ("null", "undefined"):
            return "none"
        if word.startswith("@"):
            return self._data(word)
        return self._path(word)

    def _data(self, word: str) -> str:
        known = {"@index": "loop.index0", "@first": "loop.first", "@last": "loop.last"}
        if word in known:
            return known[word]
        if word.startswith("@root."):
            return self._of("", word[6:])
        raise _Unknown(f"there is nothing like {word}")

    def _path(self, word: str) -> str:
        """A path from what a bare name is of, `../` from what it was of outside."""
        changing = [each.this for each in self.blocks if each.changes]
        while word.startswith("../"):
            word = word[3:]
            changing = changing[:-1]
        this = changing[-1] if changing else ""
        if word in ("this", "."):
            return this or self.root
        return self._of(this, re.sub(r"^(this[./]|\./)", "", word))

    def _of(self, this: str, path: str) -> str:
        names = [each.strip("[]") for each in re.split(r"[./]", path) if each]
        if not names or not all(re.fullmatch(r"[\w -]+", each) for each in names):
            raise _Unknown(f"{path!r} is not understood")
        called = next((each for each in reversed(self.blocks) if each.called == names[0]), None)
        if called is not None:
            this = called.this
            names.pop(0)
        elif not this and names[0] in self.names:
            this = self.names[names.pop(0)]
        return (this or self.root) + "".join(map(_part, names))


def _words(text: str) -> list[str]:
    """Values of a tag: texts, names, and what stands in parentheses as a whole."""
    words: list[str] = []
    position, depth, begin = 0, 0, 0
    while found := _WORD.match(text, position):
        if found[4]:
            raise _Unknown("functions get no values by name here")
        position = found.end()
        if found[2]:
            begin = begin if depth else found.start(2)
            depth += 1
        elif found[3]:
            depth -= 1
            if depth == 0:
                words.append(text[begin:position])
        elif depth == 0:
            words.append(found[1] or found[5])
    return words


def _part(name: str) -> str:
    if name.isdigit():
        return f"[{name}]"
    return f".{name}" if re.fullmatch(r"[A-Za-z]\w*", name) else f"[{quoted(name)}]"


def _plain(text: str) -> str:
    """Text that our templates would take for a tag is written as text."""
    return re.sub(r"\{[{%#]", lambda found: f"{{{{ '{found[0]}' }}}}", text)
