"""A segment as text: `read(write(segment))` is the same segment."""

from __future__ import annotations

from datetime import date

from courtesy.segment import tree
from courtesy.segment.tree import (
    SCORES,
    All,
    Any,
    Change,
    Compare,
    Consent,
    Did,
    Duration,
    Elements,
    Event,
    Expression,
    Field,
    Filter,
    InSegment,
    Is,
    Measure,
    Not,
    Occurrence,
    Param,
    Period,
    Preference,
    Present,
    Quantity,
    Range,
    Rank,
    Reads,
    Segment,
    Sequence,
    Step,
    Test,
    Value,
    Whose,
    Window,
)
from courtesy.segment.words import FUNCTIONS, MATCHES, quoted, written_event, written_path, written_value

_FUNCTION_WORDS = dict(FUNCTIONS.values())


def write(segment: Segment) -> str:
    """The text form of a segment, in one line."""
    body = _expression(segment.expression)
    if segment.each is None:
        return body
    event = "" if segment.each.event is None else f" of {written_event(segment.each.event)}"
    return f"for each {written_path(segment.each.path)}{event}: {body}"


def _expression(node: Expression | Filter) -> str:
    match node:
        case All(of):
            return " and ".join(map(_inner, of))
        case Any(of):
            return " or ".join(map(_inner, of))
        case Not(of):
            return _negated(of)
        case Field():
            return _field(node, negated=False)
        case _:
            return _condition(node)


def _inner(node: Expression | Filter) -> str:
    """As a part of something larger: in parentheses if it joins several."""
    return f"({_expression(node)})" if isinstance(node, All | Any) else _expression(node)


def _negated(node: Expression | Filter) -> str:
    if isinstance(node, Field) and isinstance(node.test, Is | Present | Reads):
        return _field(node, negated=True)
    return f"not {_inner(node)}"


def _condition(node: Expression) -> str:
    match node:
        case Did():
            return _did(node)
        case tree.Amount(measure, test):
            return f"{_measure(measure)} {_test(test)}"
        case Occurrence():
            return _occurrence(node)
        case Sequence(first, steps, window):
            return " then ".join([f"did {_event(first, _window(window))}", *map(_step, steps)])
        case Change(event, trend, percent, span):
            how = f"at least {_number(percent)} % {trend.value} often"
            return f"did {_event(event)} {how} in the last {_duration(span)} than before"
        case Consent(stance, purpose, channel, topic):
            return f"{stance.value} {_scope(purpose, channel, topic)}"
        case Preference(purpose, test, channel, topic):
            return f"wishes {_scope(purpose, channel, topic)} {_test(test)}"
        case InSegment(name):
            return f"in segment {quoted(name)}"
        case Rank():
            return _rank(node)
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition")


def _did(node: Did) -> str:
    if (node.least, node.most) == (0, 0):
        return f"did not {_event(node.event, _window(node.window))}"
    return f"did {_event(node.event, _times(node.least, node.most), _window(node.window))}"


def _times(least: int, most: int | None) -> str:
    if most is None:
        return "" if least == 1 else f"at least {least} times"
    if least == most:
        return f"exactly {least} times"
    return f"at most {most} times" if least == 0 else f"between {least} and {most} times"


def _event(event: Event, *between: str) -> str:
    where = "" if event.where is None else f"where {_where(event.where)}"
    return " ".join(filter(None, [written_event(event.name), *between, where]))


def _where(node: Filter) -> str:
    return _expression(node) if isinstance(node, Field) else f"({_expression(node)})"


def _measure(node: Measure) -> str:
    where = "" if node.event.where is None else f"where ({_expression(node.event.where)})"
    of = f"{_FUNCTION_WORDS[node.function]} {written_path(node.path)} of {written_event(node.event.name)}"
    return " ".join(filter(None, [of, _window(node.window), where]))


def _occurrence(node: Occurrence) -> str:
    when = "" if node.when is None else f"was {_test(node.when).removeprefix('is ')}"
    has = "" if node.has is None else f"has ({_expression(node.has)})"
    where = "" if node.event.where is None else f"where ({_expression(node.event.where)})"
    return " ".join(filter(None, [node.which.value, written_event(node.event.name), where, when, has]))


def _step(step: Step) -> str:
    where = "" if step.event.where is None else f"where {_where(step.event.where)}"
    after = "" if step.after is None else f"at least {_duration(step.after)} later"
    within = "" if step.within is None else f"within {_duration(step.within)}"
    without = f"without {', '.join(map(_event, step.without))}" if step.without else ""
    name = ("not " if step.absent else "") + written_event(step.event.name)
    return " ".join(filter(None, [name, where, after, within, without]))


def _scope(purpose: str, channel: str, topic: str) -> str:
    over = "" if channel == "*" else f" over {written_value(channel)}"
    about = "" if topic == "*" else f" about {written_value(topic)}"
    return f"{written_value(purpose)}{over}{about}"


def _rank(node: Rank) -> str:
    share = f"{node.count}" if node.share is None else f"{_number(node.share)} %"
    by = _ranked(node.by) if isinstance(node.by, str) else _measure(node.by)
    return f"in the {'bottom' if node.bottom else 'top'} {share} by {by}"


def _ranked(path: str) -> str:
    score = path.removeprefix(f"{SCORES}.")
    return written_path(path) if score in ("", path) else f"{Whose.SCORE.value} {written_path(score)}"


def _field(node: Field, *, negated: bool) -> str:
    whose = "" if node.whose is Whose.PERSON else f"{node.whose.value} "
    path = f"{whose}{written_path(node.path)}"
    if isinstance(node.test, Elements):
        return _elements(path, node.test)
    return f"{path} {_test(node.test, negated=negated)}"


def _elements(path: str, test: Elements) -> str:
    many = test.quantity in (Quantity.ALL, Quantity.AT_LEAST)
    quantity = f"at least {test.count}" if test.quantity is Quantity.AT_LEAST else test.quantity.value
    return f"{quantity} of {path} {'have' if many else 'has'} ({_expression(test.filter)})"


def _test(test: Test, *, negated: bool = False) -> str:
    match test:
        case Present():
            return "is absent" if negated else "is present"
        case Is(values):
            is_ = "is not" if negated else "is"
            listed = ", ".join(map(_value, values))
            return f"{is_} {listed}" if len(values) == 1 else f"{is_} one of {listed}"
        case Reads(how, text):
            return f"{MATCHES[how][negated]} {_value(text)}"
        case Compare(sign, number):
            return f"{sign.value} {_number(number)}"
        case Range(low, high):
            return f"is between {_number(low)} and {_number(high)}"
        case _:
            return _instant_test(test)


def _instant_test(test: Test) -> str:
    match test:
        case tree.Within(window):
            return f"is {_window(window)}"
        case tree.Coming(span):
            return f"is in the next {_duration(span)}"
        case tree.Ago(span):
            return f"is more than {_duration(span)} ago"
        case tree.Ahead(span):
            return f"is more than {_duration(span)} from now"
        case tree.Anniversary(first, last):
            return f"comes round {_days_ahead(first, last)}"
        case tree.Near(lat, lon, km):
            return f"is within {_number(km)} km of {_number(lat)}, {_number(lon)}"
        case _:
            raise AssertionError(f"{type(test).__name__} is written elsewhere")


def _days_ahead(first: int, last: int) -> str:
    if (first, last) == (0, 0):
        return "today"
    if first == last:
        return f"in {first} days"
    return f"in the next {last} days" if first == 0 else f"in {first} to {last} days"


def _window(window: Window | None) -> str:
    match window:
        case None:
            return ""
        case tree.Sliding(span):
            return f"in the last {_duration(span)}"
        case tree.Current(period):
            return "today" if period is Period.DAY else f"this {period.value}"
        case tree.Previous(period):
            return "yesterday" if period is Period.DAY else f"in the previous {period.value}"
        case tree.Days(first, last):
            return _days(first, last)


def _days(first: date | None, last: date | None) -> str:
    if first is not None and last is not None:
        return f"on {first}" if first == last else f"between {first} and {last}"
    assert first is not None or last is not None, "checked: a span of days has a beginning or an end"
    return f"since {first}" if last is None else f"until {last}"


def _duration(span: Duration) -> str:
    return f"{span.count} {span.unit.value}{'' if span.count == 1 else 's'}"


def _number(number: float) -> str:
    whole = int(number)
    return str(whole) if whole == number else repr(number)


def _value(value: Value) -> str:
    match value:
        case Param():
            return "that"
        case bool():
            return "true" if value else "false"
        case str():
            return written_value(value)
        case _:
            return _number(value)
