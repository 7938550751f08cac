"""What is odd about a segment though it makes sense: names and values that nobody has seen. Likely they are misspelt;
but they may also come tomorrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple

import msgspec

from courtesy.segment import tree
from courtesy.segment.parsing import Mention, NameKind, Parsed
from courtesy.segment.tokens import Kind, tokens_of
from courtesy.segment.tree import ANYTHING, Event, Field, Segment, Whose
from courtesy.segment.values import lower

WORDS = {
    NameKind.EVENT: "event",
    NameKind.TRAIT: "trait",
    NameKind.PROPERTY: "property",
    NameKind.SEGMENT: "segment",
    NameKind.PURPOSE: "purpose",
    NameKind.CHANNEL: "channel",
    NameKind.TOPIC: "topic",
    NameKind.GROUP: "trait of a group",
    NameKind.SCORE: "score",
    NameKind.CONTEXT: "field of the context",
    NameKind.SOURCE: "field of the source",
}
OF_WHOSE = {
    Whose.PERSON: NameKind.TRAIT,
    Whose.GROUP: NameKind.GROUP,
    Whose.SCORE: NameKind.SCORE,
    Whose.CONTEXT: NameKind.CONTEXT,
    Whose.SOURCE: NameKind.SOURCE,
}
ONLY_WHEN_NEAR = frozenset({NameKind.PURPOSE, NameKind.CHANNEL, NameKind.TOPIC})
"""Of these the company has its own long before anybody has chosen: only what is close to a known one is remarked on."""


class About(NamedTuple):
    """What a name is looked for among: its kind, and for a property the event or array that it is of."""

    kind: NameKind
    of: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The names that really came, and the texts that a field had where those are few."""

    names: Mapping[About, Collection[str]] = field(default_factory=dict)
    values: Mapping[tuple[About, str], Collection[str]] = field(default_factory=dict)

    def known(self, about: About) -> Collection[str]:
        """All names of a kind; the properties of anything are those of every event."""
        if about == About(NameKind.PROPERTY, ANYTHING):
            return {name for each, names in self.names.items() if each.kind is NameKind.PROPERTY for name in names}
        return self.names.get(about, ())


class Remark(NamedTuple):
    """Something odd, what was probably meant (empty when nothing is close), and where it stands in the text."""

    message: str
    hint: str
    start: int
    end: int


def remarks(text: str, parsed: Parsed, seen: Seen) -> list[Remark]:
    """What is odd about the segment that a text says, from left to right."""
    of_names = [remark for each in parsed.mentions for remark in _of_name(each, seen)]
    return sorted([*of_names, *_of_values(text, parsed.segment, seen)], key=lambda each: each.start)


def _of_name(mention: Mention, seen: Seen) -> Iterator[Remark]:
    about = About(mention.kind, mention.of if mention.kind is NameKind.PROPERTY else "")
    known = seen.known(about)
    if mention.name in known or (mention.kind is NameKind.EVENT and mention.name == ANYTHING):
        return
    if mention.kind is NameKind.PROPERTY and mention.of != ANYTHING and not known:
        return  # Of an event that nobody has seen everything is unknown, and that is said of the event.
    hint = _nearest(mention.name, known)
    if hint or mention.kind not in ONLY_WHEN_NEAR:
        of = f" of {mention.of!r:.100}" if mention.kind is NameKind.PROPERTY else ""
        message = f"no {WORDS[mention.kind]} {mention.name!r:.100}{of} was seen lately"
        if mention.kind is NameKind.SEGMENT:
            message = f"there is no segment {mention.name!r:.100}"
        yield Remark(message, hint, mention.start, mention.end)


def _nearest(name: str, known: Collection[str]) -> str:
    """A hint with the closest known name, or nothing. Differences of case do not make names distant."""
    by_lower = {lower(each): each for each in sorted(known)}
    close = get_close_matches(lower(name), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[close[0]]!r}?" if close else ""


def _of_values(text: str, segment: Segment, seen: Seen) -> Iterator[Remark]:
    tokens = [each for each in tokens_of(text) if each.kind in (Kind.WORD, Kind.QUOTED)]
    for about, condition in compared(segment):
        known = seen.values.get((about, condition.path), ())
        if not known or not isinstance(condition.test, tree.Is):
            continue
        for value in condition.test.values:
            if not isinstance(value, str) or lower(value) in map(lower, known):
                continue
            where = next((each for each in tokens if each.text == value), None)
            if where is not None:
                message = f"no {WORDS[about.kind]} {condition.path!r:.100} was {value!r:.100} lately"
                yield Remark(message, _nearest(value, known), where.start, where.end)


def compared(segment: Segment) -> Iterator[tuple[About, Field]]:
    """All fields in a segment, those of filters too, with what they are of."""
    yield from _fields(segment.expression, None)


def _fields(node: object, of: str | None) -> Iterator[tuple[About, Field]]:
    match node:
        case Event(name, where):
            yield from _fields(where, name)
        case tree.Occurrence(_, event, _, has):
            yield from _fields(event, of)
            yield from _fields(has, event.name)
        case Field(path, test, whose):
            kind = NameKind.PROPERTY if of is not None and whose is Whose.PERSON else OF_WHOSE[whose]
            yield About(kind, of or "" if kind is NameKind.PROPERTY else ""), node
            yield from _fields(test, path)
        case tuple():
            for each in node:
                yield from _fields(each, of)
        case msgspec.Struct():
            for name in node.__struct_fields__:
                yield from _fields(getattr(node, name), of)
        case _:
            pass
