"""Reading the text form of a segment: a parser by descent, one method for each kind of phrase."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple, NoReturn

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.segment import tree
from courtesy.segment.moment import EXACT_MS
from courtesy.segment.tokens import Kind, Token, place_of, tokens_of
from courtesy.segment.tree import (
    NAME_CHARS_MAX,
    All,
    Any,
    Compare,
    Did,
    Duration,
    Elements,
    Event,
    Expression,
    Field,
    Filter,
    Is,
    Match,
    Measure,
    Not,
    Param,
    Period,
    Present,
    Quantity,
    Range,
    Reads,
    Segment,
    Sequence,
    Sign,
    Step,
    Test,
    Unit,
    Value,
    Whose,
    Window,
)
from courtesy.segment.words import BEGINNINGS, FUNCTIONS, KEYWORDS, PERIODS, STANCES, UNITS

DEPTH_MAX = 50
"""Of parentheses in parentheses."""

NUMBER_MAX = 2**53
"""Up to here whole numbers are the same everywhere, as broken ones too."""

GOING_ON = ("and", "or", "where", "then", "in", "within", "without", "today", "yesterday", "since", "until", "ago")
"""What may have been meant by a word after a condition."""

DAYS_WORDS = ("since", "until", "between", "on", "before", "after")
OF_PERSONS, OF_EVENTS = (Whose.GROUP, Whose.SCORE), (Whose.CONTEXT, Whose.SOURCE)
SIGNS = {sign.value: sign for sign in Sign}


class NameKind(StrEnum):
    """What a name in a segment names."""

    EVENT = "event"
    TRAIT = "trait"
    PROPERTY = "property"
    SEGMENT = "segment"
    PURPOSE = "purpose"
    CHANNEL = "channel"
    TOPIC = "topic"
    GROUP = "group"
    SCORE = "score"
    CONTEXT = "context"
    SOURCE = "source"


class Mention(NamedTuple):
    """A name, and where it stands in the text. `of`: the event whose property it is."""

    kind: NameKind
    name: str
    start: int
    end: int
    of: str = ""


class Parsed(NamedTuple):
    """A segment, and the names in its text from left to right."""

    segment: Segment
    mentions: tuple[Mention, ...]


def parse(text: str) -> Parsed:
    """The segment that a text says. Raises CourtesyError(INVALID), with the place, what was expected and what came."""
    return _Parser(text).whole()


class _Parser:
    """One pass over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0
        self._depth = 0
        self._mentions: list[Mention] = []
        self._event = ""
        """The event or array whose fields are being read; empty for the person's own."""
        self._others: tuple[Whose, ...] = OF_PERSONS
        """Whose fields can be read beside those."""

    def whole(self) -> Parsed:
        each = self._each() if self._is("for") else None
        expression = self._any(self._condition)
        if self._now.kind is not Kind.END:
            self._fail(*GOING_ON, what='"and", "or" or the end')
        return Parsed(Segment(1, expression, each), tuple(self._mentions))

    # -- tokens

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    @property
    def _after(self) -> Token:
        """What comes after that."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def _next(self) -> Token:
        token = self._now
        self._at += token.kind is not Kind.END
        return token

    def _is(self, *words: str) -> bool:
        """Whether these words or signs come now, one after the other."""
        tokens = self._tokens[self._at : self._at + len(words)]
        return len(tokens) == len(words) and all(
            token.kind in (Kind.WORD, Kind.SIGN) and token.text == word
            for token, word in zip(tokens, words, strict=True)
        )

    def _take(self, *words: str) -> bool:
        """Go beyond these words if they come now."""
        found = self._is(*words)
        self._at += len(words) * found
        return found

    def _expect(self, *words: str) -> None:
        for word in words:
            if not self._take(word):
                self._fail(word)

    def _choose(self, words: Iterable[str], what: str = "") -> str:
        """One of some words."""
        known = list(words)
        token = self._now
        if token.kind is Kind.WORD and token.text in known:
            return self._next().text
        self._fail(*known, what=what)

    def _fail(self, *expected: str, what: str = "") -> NoReturn:
        token = self._now
        got = f'"{token.text}"' if token.kind is Kind.QUOTED else token.text or "the end"
        hint = nearest(token.text.casefold(), expected) if token.kind is Kind.WORD else ""
        *others, last = dict.fromkeys(expected or [what])
        wanted = what or (f"{', '.join(others)} or {last}" if others else last)
        raise CourtesyError(
            Code.INVALID, f"expected {wanted}, got {got}", hint=hint, place=place_of(self._text, token.start)
        )

    def _bad(self, token: Token, message: str, hint: str = "") -> NoReturn:
        raise CourtesyError(Code.INVALID, message, hint=hint, place=place_of(self._text, token.start))

    # -- names and values

    def _path(self, kind: NameKind | None = None) -> str:
        """The path of a field. Unless told, it is the person's own outside of an event, and a property within."""
        token = self._now
        begins = token.kind is Kind.WORD and token.text in BEGINNINGS
        if token.kind not in (Kind.WORD, Kind.QUOTED) or begins:
            self._fail(what="a condition" if self._event == "" else "a property")
        self._next()
        found = kind or (NameKind.PROPERTY if self._event else NameKind.TRAIT)
        self._mention(found, token, self._event)
        return self._checked(token)

    def _mention(self, kind: NameKind, token: Token, of: str = "") -> None:
        self._mentions.append(Mention(kind, token.text, token.start, token.end, of))

    def _checked(self, token: Token) -> str:
        if not 1 <= len(token.text) <= NAME_CHARS_MAX:
            self._bad(token, f"expected a name of 1 to {NAME_CHARS_MAX} characters, got {len(token.text)}")
        return token.text

    def _name(self, kind: NameKind, what: str) -> str:
        """A name that is no path: in quotes, or one word that means nothing else."""
        token = self._now
        is_keyword = token.kind is Kind.WORD and token.text in KEYWORDS
        if token.kind not in (Kind.WORD, Kind.QUOTED) or is_keyword:
            self._fail(what=what)
        self._next()
        self._mention(kind, token)
        return self._checked(token)

    def _value(self) -> Value:
        token = self._now
        if token.kind is Kind.NUMBER:
            return self._number()
        if token.kind in (Kind.QUOTED, Kind.DAY):
            return self._next().text
        if token.kind is Kind.WORD:
            word = token.text
            if word in ("true", "false"):
                self._next()
                return word == "true"
            if word == "that":
                return self._param()
            if word not in KEYWORDS:
                return self._next().text
            self._fail(what='a value (put it between "quotes")')
        self._fail(what="a value")

    def _param(self) -> Param:
        token = self._next()
        if self._tokens[0].text != "for":
            self._bad(token, '"that" is only for segments that begin with "for each"', 'put it between "quotes"')
        return Param()

    def _number(self) -> float | int:
        token = self._now
        if token.kind is not Kind.NUMBER:
            self._fail(what="a number")
        self._next()
        number = int(token.text) if token.text.lstrip("-").isdecimal() else float(token.text)
        if abs(number) > NUMBER_MAX:
            self._bad(token, f"expected a number up to {NUMBER_MAX:,}, got {token.text:.40}")
        return number

    def _whole(self, what: str, least: int = 1, most: int = 1_000_000) -> int:
        token = self._now
        number = self._number() if token.kind is Kind.NUMBER else self._fail(what=what)
        if not isinstance(number, int) or not least <= number <= most:
            self._bad(token, f"expected {what} from {least:,} to {most:,}, got {token.text}")
        return number

    def _between(self, what: str, least: float, most: float) -> float | int:
        """A number within bounds, both included."""
        token = self._now
        number = self._number()
        if not least <= number <= most:
            self._bad(token, f"expected {what} from {least:g} to {most:g}, got {token.text}")
        return number

    def _day(self) -> date:
        token = self._now
        if token.kind is not Kind.DAY:
            self._fail(what="a day such as 2026-05-31")
        return date.fromisoformat(self._next().text)

    def _duration(self) -> Duration:
        count = self._whole("a number")
        return Duration(count, self._unit())

    def _exact_duration(self) -> Duration:
        token = self._now
        span = self._duration()
        if span.unit not in EXACT_MS:
            self._bad(token, f"expected minutes, hours, days or weeks, got {span.unit}s", "a month is some 30 days")
        return span

    def _unit(self) -> Unit:
        return UNITS[self._choose(UNITS, "minutes, hours, days, weeks, months or years")]

    # -- joining

    def _any(self, one: Callable[[], Expression]) -> Expression:
        parts = [self._all(one)]
        while self._take("or"):
            parts.append(self._all(one))
        return parts[0] if len(parts) == 1 else Any(self._few(parts))

    def _all(self, one: Callable[[], Expression]) -> Expression:
        parts = [self._one(one)]
        while self._take("and"):
            parts.append(self._one(one))
        return parts[0] if len(parts) == 1 else All(self._few(parts))

    def _few(self, parts: list[Expression]) -> tuple[Expression, ...]:
        if len(parts) > 100:
            self._bad(self._now, f"expected at most 100 conditions joined by one word, got {len(parts)}")
        return tuple(parts)

    def _one(self, one: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self._bad(self._now, f"expected at most {DEPTH_MAX} levels of parentheses")
        try:
            if self._take("not"):
                return Not(self._one(one))
            if self._take("("):
                inner = self._any(one)
                self._expect(")")
                return inner
            return one()
        finally:
            self._depth -= 1

    # -- conditions of a person

    def _each(self) -> tree.Each:
        self._expect("for", "each")
        place = len(self._mentions)
        path = self._path(NameKind.TRAIT)
        event = self._event_name() if self._take("of") else None
        if event is not None:
            self._mentions[place] = self._mentions[place]._replace(kind=NameKind.PROPERTY, of=event)
        self._expect(":")
        return tree.Each(path, event)

    def _condition(self) -> Expression:
        word = self._now.text if self._now.kind is Kind.WORD else ""
        if word == "did":
            return self._did()
        if word == "in":
            return self._in()
        if word in ("first", "last"):
            return self._occurrence()
        if word in FUNCTIONS:
            measure = self._measure()
            return tree.Amount(measure, self._amount())
        if word in STANCES:
            stance = STANCES[self._choose(STANCES)]
            return tree.Consent(stance, *self._scope())
        if word == "wishes":
            return self._preference()
        return self._field()

    def _did(self) -> Expression:
        self._expect("did")
        absent = self._take("not")
        event = self._event_name()
        times: tuple[int, int | None] | None = (0, 0) if absent else None
        window: Window | None = None
        where: Filter | None = None
        while True:
            if where is None and self._take("where"):
                where = self._where(event)
            elif times is None and window is None and self._is_change():
                return self._change(Event(event, where))
            elif times is None and (found := self._times()) is not None:
                times = found
            elif window is None and (opened := self._window()) is not None:
                window = opened
            else:
                break
        if self._is("then") and not absent and times is None:
            return Sequence(Event(event, where), self._steps(), window)
        return Did(Event(event, where), *(times or (1, None)), window)

    def _times(self) -> tuple[int, int | None] | None:
        """How often; None when that is not what comes."""
        if self._is("between") and self._after.kind is Kind.NUMBER:
            self._expect("between")
            least = self._whole("a number", 0)
            self._expect("and")
            most = self._whole("a number", least)
        elif self._take("exactly"):
            least = most = self._whole("a number", 0)
        elif self._take("at", "most"):
            least, most = 0, self._whole("a number", 0)
        elif self._take("at", "least"):
            least = self._whole("a number", 0)
            self._choose(("times", "time"))
            return least, None
        else:
            return None
        self._choose(("times", "time"))
        return least, most

    def _is_change(self) -> bool:
        tokens = self._tokens[self._at : self._at + 4]
        return self._is("at", "least") and len(tokens) == 4 and tokens[3].text == "%"

    def _change(self, event: Event) -> tree.Change:
        self._expect("at", "least")
        percent = self._share("a share", 10_000)
        self._expect("%")
        trend = tree.Trend(self._choose(("more", "less")))
        self._expect("often", "in", "the", "last")
        span = self._exact_duration()
        self._expect("than", "before")
        return tree.Change(event, trend, percent, span)

    def _share(self, what: str, most: float) -> float:
        token = self._now
        number = float(self._between(what, 0, most))
        if number == 0:
            self._bad(token, f"expected {what} above 0")
        return number

    def _steps(self) -> tuple[Step, ...]:
        steps = []
        while self._is("then"):
            token = self._next()
            steps.append(self._step())
            if len(steps) > 10:
                self._bad(token, "expected at most 10 steps after the first")
        return tuple(steps)

    def _step(self) -> Step:
        absent = self._take("not")
        event = self._event_with_filter()
        after = within = None
        without: list[Event] = []
        while True:
            if after is None and self._take("at", "least"):
                after = self._exact_duration()
                self._expect("later")
            elif within is None and self._take("within"):
                within = self._exact_duration()
            elif not without and self._take("without"):
                without.append(self._event_with_filter())
                while self._take(","):
                    without.append(self._event_with_filter())
            elif absent and within is None:
                self._fail("within", what='"within" and how long it is waited for')
            else:
                return Step(event, within, after, tuple(without), absent)

    def _event_name(self) -> str:
        return tree.ANYTHING if self._take("anything") else self._name(NameKind.EVENT, "the name of an event")

    def _event_with_filter(self) -> Event:
        name = self._event_name()
        return Event(name, self._where(name) if self._take("where") else None)

    def _where(self, event: str, others: tuple[Whose, ...] = OF_EVENTS) -> Filter:
        """One condition on an event, or on an element (which has no `others`), or several in parentheses."""
        outer = self._event, self._others
        self._event, self._others = event, others
        try:
            if self._take("("):
                found = self._any(self._field)
                self._expect(")")
            else:
                found = self._one(self._field)
        finally:
            self._event, self._others = outer
        return tree.filter_of(found)

    def _occurrence(self) -> tree.Occurrence:
        which = tree.Which(self._choose(("first", "last")))
        event = self._event_with_filter()
        when = None
        if self._take("was"):
            when = self._was()
        if self._take("has"):
            self._expect("(")
            self._at -= 1
            return tree.Occurrence(which, event, when, self._where(event.name))
        if when is None:
            self._fail("was", "has")
        return tree.Occurrence(which, event, when)

    def _was(self) -> tree.Within | tree.Ago:
        if self._take("more", "than"):
            span = self._duration()
            self._expect("ago")
            return tree.Ago(span)
        window = self._window()
        if window is None:
            self._fail(what="when it was, such as: in the last 30 days")
        return tree.Within(window)

    def _measure(self) -> Measure:
        word = self._choose(FUNCTIONS)
        function, _ = FUNCTIONS[word]
        if word == "number":
            self._expect("of", "different")
        else:
            self._take("of")
        place = len(self._mentions)
        path = self._path(NameKind.PROPERTY)
        self._expect("of")
        event = self._event_name()
        self._mentions[place] = self._mentions[place]._replace(of=event)
        window: Window | None = None
        where: Filter | None = None
        while True:
            if where is None and self._take("where"):
                where = self._where(event)
            elif window is None and (opened := self._window()) is not None:
                window = opened
            else:
                return Measure(function, path, Event(event, where), window)

    def _amount(self) -> Compare | Range:
        if self._now.text in SIGNS:
            return self._compare()
        self._expect("is")
        if self._take("more", "than"):
            return Compare(Sign.MORE, self._number())
        if self._take("less", "than"):
            return Compare(Sign.LESS, self._number())
        self._expect("between")
        return self._range()

    def _compare(self) -> Compare:
        return Compare(SIGNS[self._next().text], self._number())

    def _range(self) -> Range:
        low = self._number()
        self._expect("and")
        token = self._now
        high = self._number()
        if high < low:
            self._bad(token, f"expected a number from {low} on, got {high}")
        return Range(low, high)

    def _scope(self) -> tuple[str, str, str]:
        purpose = self._name(NameKind.PURPOSE, "a purpose")
        channel = self._name(NameKind.CHANNEL, "a channel") if self._take("over") else "*"
        topic = self._name(NameKind.TOPIC, "a topic") if self._take("about") else "*"
        return purpose, channel, topic

    def _preference(self) -> tree.Preference:
        self._expect("wishes")
        purpose, channel, topic = self._scope()
        token = self._now
        negated, test = self._test()
        if negated or not isinstance(test, Present | Is | Compare | Range):
            self._bad(token, "a wish is compared with a value, or is present", 'put "not" before "wishes"')
        return tree.Preference(purpose, test, channel, topic)

    def _in(self) -> Expression:
        self._expect("in")
        if self._take("segment"):
            return tree.InSegment(self._name(NameKind.SEGMENT, "the name of a segment"))
        if not self._take("the"):
            self._fail("segment", "the")
        bottom = self._choose(("top", "bottom")) == "bottom"
        share: float | None = None
        count: int | None = None
        if self._after.text == "%":
            share = self._share("a share", 100)
            self._expect("%")
        else:
            count = self._whole("a number of people, or a share such as 10 %")
        self._expect("by")
        begins = self._now.kind is Kind.WORD and self._now.text in FUNCTIONS
        return tree.Rank(self._measure() if begins else self._ranked(), share, count, bottom)

    def _ranked(self) -> str:
        """The trait by which people rank; scores lie among the traits."""
        if self._take(Whose.SCORE.value):
            return f"{tree.SCORES}.{self._path(NameKind.SCORE)}"
        return self._path(NameKind.TRAIT)

    # -- fields

    def _field(self) -> Expression:
        if (quantity := self._quantity()) is not None:
            return self._elements(*quantity)
        whose = self._whose()
        path = self._path(None if whose is Whose.PERSON else NameKind(whose.value))
        negated, test = self._test()
        field = Field(path, test, whose)
        return Not(field) if negated else field

    def _whose(self) -> Whose:
        for whose in self._others:
            if self._take(whose.value):
                return whose
        return Whose.PERSON

    def _quantity(self) -> tuple[Quantity, int] | None:
        for quantity in (Quantity.ANY, Quantity.ALL, Quantity.NONE):
            if self._take(quantity.value, "of"):
                return quantity, 1
        if self._take("at", "least"):
            count = self._whole("a number")
            self._expect("of")
            return Quantity.AT_LEAST, count
        return None

    def _elements(self, quantity: Quantity, count: int) -> Field:
        whose = self._whose()
        path = self._path(None if whose is Whose.PERSON else NameKind(whose.value))
        self._choose(("has", "have"))
        self._expect("(")
        self._at -= 1
        return Field(path, Elements(quantity, self._where(path, ()), count), whose)

    def _test(self) -> tuple[bool, Test]:
        """What is asked of a value, and whether it is not to hold."""
        if self._now.text in SIGNS and self._now.kind is Kind.SIGN:
            return False, self._compare()
        if self._take("="):
            return False, Is((self._value(),))
        if self._take("comes", "round"):
            return False, self._anniversary()
        if self._is("does") or self._now.text in ("contains", "starts", "ends", "looks"):
            return self._reads()
        if not self._take("is"):
            self._fail("is", "contains", "starts", "ends", "looks", "does", "comes", "<", ">")
        return self._is_test()

    def _reads(self) -> tuple[bool, Test]:
        negated = self._take("does", "not")
        word = self._choose(("contain", "contains", "start", "starts", "end", "ends", "look", "looks"))
        match = {"c": Match.CONTAINS, "s": Match.STARTS, "e": Match.ENDS, "l": Match.LIKE}[word[0]]
        if match is Match.LIKE:
            self._expect("like")
        elif match is not Match.CONTAINS:
            self._expect("with")
        token = self._now
        value = self._value()
        if isinstance(value, Param):
            return negated, Reads(match, value)
        return negated, Reads(match, token.text)

    def _is_test(self) -> tuple[bool, Test]:
        if self._take("absent"):
            return True, Present()
        negated = self._take("not")
        if self._take("present"):
            return negated, Present()
        if self._take("one", "of"):
            return negated, Is(self._values())
        test = self._number_test() or self._place_test() or self._instant_test()
        return negated, test or Is((self._value(),))

    def _values(self) -> tuple[Value, ...]:
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if len(values) > 1_000:
            self._bad(self._now, f"expected at most 1,000 values, got {len(values):,}")
        return tuple(values)

    def _number_test(self) -> Test | None:
        if self._is("between") and self._after.kind is Kind.NUMBER:
            self._expect("between")
            return self._range()
        if not (self._is("more", "than") or self._is("less", "than")):
            return None
        token = self._next()
        self._expect("than")
        if self._after.kind is Kind.WORD and self._after.text in UNITS:
            return self._distance(token)
        return Compare(Sign.MORE if token.text == "more" else Sign.LESS, self._number())

    def _distance(self, token: Token) -> Test:
        """More than so long ago or ahead."""
        if token.text == "less":
            self._bad(token, "expected more than so long ago", 'less than 30 days ago is "in the last 30 days"')
        span = self._duration()
        if self._take("ago"):
            return tree.Ago(span)
        if not self._take("from", "now"):
            self._fail("ago", "from")
        return tree.Ahead(span)

    def _place_test(self) -> Test | None:
        if not self._take("within"):
            return None
        km = float(self._between("a number of kilometres", 0, 20_100))
        self._expect("km", "of")
        lat = float(self._between("a latitude", -90, 90))
        self._expect(",")
        return tree.Near(lat, float(self._between("a longitude", -180, 180)), km)

    def _instant_test(self) -> Test | None:
        if self._take("in", "the", "next"):
            return tree.Coming(self._duration())
        window = self._window()
        return None if window is None else tree.Within(window)

    def _anniversary(self) -> tree.Anniversary:
        if self._take("today"):
            return tree.Anniversary()
        self._expect("in")
        if self._take("the", "next"):
            last = self._whole("a number of days", 1, 365)
            self._choose(("days", "day"))
            return tree.Anniversary(0, last)
        first = last = self._whole("a number of days", 0, 365)
        if self._take("to"):
            last = self._whole("a number of days", first, 365)
        self._choose(("days", "day"))
        return tree.Anniversary(first, last)

    # -- windows

    def _window(self) -> Window | None:
        """When; None when that is not what comes."""
        if self._take("today"):
            return tree.Current(Period.DAY)
        if self._take("yesterday"):
            return tree.Previous(Period.DAY)
        if self._is("this") or self._is("in", "this"):
            self._take("in")
            self._expect("this")
            return tree.Current(PERIODS[self._choose(PERIODS)])
        if self._take("in", "the", "last"):
            return tree.Sliding(self._duration())
        if self._take("in", "the", "previous"):
            return tree.Previous(PERIODS[self._choose(PERIODS)])
        return self._days()

    def _days(self) -> Window | None:
        if self._is("between") and self._after.kind is not Kind.DAY:
            return None
        if self._take("on", "or"):
            return tree.Days(*self._bound(self._choose(("before", "after")), included=True))
        if self._now.kind is not Kind.WORD or self._now.text not in DAYS_WORDS:
            return None
        word = self._next().text
        if word == "between":
            first = self._day()
            self._expect("and")
            token = self._now
            last = self._day()
            if last < first:
                self._bad(token, f"expected a day from {first} on, got {last}")
            return tree.Days(first, last)
        if word == "on":
            day = self._day()
            return tree.Days(day, day)
        return tree.Days(*self._bound(word, included=word in ("since", "until")))

    def _bound(self, word: str, *, included: bool) -> tuple[date | None, date | None]:
        token = self._now
        day = self._day()
        moved = 0 if included else 1 if word == "after" else -1
        try:
            day += timedelta(moved)
        except OverflowError:
            self._bad(token, f"there is no day {word} {day}")
        return (day, None) if word in ("since", "after") else (None, day)
