"""What the types of the tree can't say of a segment that somebody sends as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.segment import tree
from courtesy.segment.moment import EXACT_MS
from courtesy.segment.tree import Segment, Whose

DEPTH_MAX = 50
INEXACT = "expected minutes, hours, days or weeks, got months or years,"
OF_EVENTS = frozenset({Whose.PERSON, Whose.CONTEXT, Whose.SOURCE})
OF_PEOPLE = frozenset({Whose.PERSON, Whose.GROUP, Whose.SCORE})


def read_tree(content: bytes) -> Segment:
    """A segment from its JSON. Raises CourtesyError(INVALID), saying where and what was expected."""
    try:
        segment = msgspec.json.decode(content, type=Segment)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CourtesyError(Code.INVALID, f"expected a segment: {error}", place="expression") from None
    for wrong in wrong_with(segment):
        raise CourtesyError(Code.INVALID, wrong, place="expression")
    return segment


def wrong_with(segment: Segment) -> Iterator[str]:
    """What makes no sense in a segment."""
    yield from _wrong(segment.expression, 0, has_param=segment.each is not None)
    for each in tree.conditions(segment.expression):
        if isinstance(each, tree.Field) and each.whose not in OF_PEOPLE:
            yield f"a field of the {each.whose} is only for filters of events"


def _wrong(node: object, depth: int, *, has_param: bool) -> Iterator[str]:
    if depth > DEPTH_MAX:
        yield f"expected at most {DEPTH_MAX} levels of conditions within each other"
        return
    match node:
        case tree.Param() if not has_param:
            yield "a value of the type that is only for segments with `each`"
        case tree.Days(None, None):
            yield "expected a first or a last day"
        case tree.Days(first, last) if first is not None and last is not None and last < first:
            yield f"expected a last day from {first} on, got {last}"
        case tree.Range(low, high) if high < low:
            yield f"expected a number from {low} on as `high`, got {high}"
        case tree.Anniversary(first, last) if last < first:
            yield f"expected a number of days from {first} on as `last`, got {last}"
        case tree.Did(_, least, most) if most is not None and most < least:
            yield f"expected a number from {least} on as `most`, got {most}"
        case tree.Rank(_, share, count) if (share is None) == (count is None):
            yield "expected either `share` or `count` of a rank"
        case tree.Occurrence(_, _, None, None):
            yield "expected `when` or `has` of an occurrence"
        case tree.Step(_, None) if node.absent:
            yield "expected `within` of a step that is absent"
        case tree.Step() if any(span is not None and span.unit not in EXACT_MS for span in (node.within, node.after)):
            yield f"{INEXACT} of a step"
        case tree.Change() if node.span.unit not in EXACT_MS:
            yield f"{INEXACT} of a change"
        case tree.Event(_, where) if where is not None:
            yield from _wrong_filter(where)
        case tree.Elements():
            yield from _wrong_filter(node.filter, frozenset({Whose.PERSON}))
        case _:
            pass
    for child in _parts(node):
        yield from _wrong(child, depth + 1, has_param=has_param)


def _wrong_filter(node: tree.Filter, may_be: frozenset[Whose] = OF_EVENTS) -> Iterator[str]:
    for each in tree.conditions(node):
        if not isinstance(each, tree.Field):
            yield f"expected only fields in a filter, got a condition of the type {each.__struct_config__.tag}"
        elif each.whose not in may_be:
            yield f"a filter has no field of the {each.whose} here"


def _parts(node: object) -> Iterator[object]:
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, msgspec.Struct):
        yield from (getattr(node, name) for name in node.__struct_fields__)
