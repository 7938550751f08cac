"""The expressions within a tag, read by precedence: `if else`, or, and, not, comparisons, `~`, `+ -`, `* / // %`,
`-`."""

from __future__ import annotations

from collections.abc import Sequence

from courtesy.content.language.tokens import Kind, Token, failed
from courtesy.content.language.tree import (
    Arguments,
    Attribute,
    Binary,
    Call,
    Choice,
    Expression,
    Filter,
    Index,
    ListOf,
    Literal,
    Name,
    Slice,
    Test,
    Unary,
)

DEPTH_MAX = 20
PARTS_MAX = 200
"""Operators, filters, names and values in one tag."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True"), True),
    **dict.fromkeys(("false", "False"), False),
    **dict.fromkeys(("none", "None"), None),
}
WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "for", "set", "recursive", *_CONSTANTS})
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_LEVELS = (("~",), ("+", "-"), ("*", "/", "//", "%"))
"""Arithmetic, from what binds least. In Jinja `~` binds more than `+` on numbers; parentheses make either plain."""


class ExpressionParser:
    """Reads the tokens of one tag from left to right. Each method raises CourtesyError(INVALID) with its place."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._parts = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def sees(self, word: str) -> bool:
        """Whether a word or sign comes next."""
        return self._next.text == word and self._next.kind in (Kind.NAME, Kind.SIGN)

    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._next.kind is Kind.END

    def took(self, word: str) -> bool:
        """Takes a word or sign if it comes next, and says whether it did."""
        if self.sees(word):
            self._at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        """Takes a word or sign, which must come next."""
        if not self.took(word):
            raise self._unexpected(repr(word))

    def end(self, wanted: str = "the end of the tag") -> None:
        """Nothing may come any more."""
        if not self.ended():
            raise self._unexpected(wanted)

    def _unexpected(self, wanted: str) -> Exception:
        found = "the end of the tag" if self.ended() else repr(self._next.text)
        return failed(self._next.at, f"expected {wanted}, found {found}")

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _part(self, token: Token) -> None:
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise failed(token.at, f"a tag has at most {PARTS_MAX} parts", "set names to parts of it before")

    def new_name(self) -> str:
        """A name that the template gives."""
        token = self._next
        name = self._name("a name")
        if name in WORDS:
            raise failed(token.at, f"{name!r} is a word of the language", "choose another name")
        return name

    def _name(self, wanted: str) -> str:
        if self._next.kind is not Kind.NAME:
            raise self._unexpected(wanted)
        token = self._take()
        if token.text.startswith("_"):
            raise failed(token.at, "names do not begin with an underscore")
        return token.text

    def expression(self) -> Expression:
        """A whole expression, `then if condition else otherwise` too."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise failed(self._next.at, f"parentheses, brackets and signs are nested at most {DEPTH_MAX} deep")
        value = self.operand()
        while self.sees("if"):
            at = self._take().at
            condition = self.operand()
            otherwise = self.expression() if self.took("else") else None
            value = Choice(at, condition, value, otherwise)
        self._depth -= 1
        return value

    def operand(self) -> Expression:
        """An expression without `if else`, as it stands in a loop or as a condition."""
        left = self._and()
        while self.sees("or"):
            token = self._take()
            self._part(token)
            left = Binary(token.at, "or", left, self._and())
        return left

    def _and(self) -> Expression:
        left = self._not()
        while self.sees("and"):
            token = self._take()
            self._part(token)
            left = Binary(token.at, "and", left, self._not())
        return left

    def _not(self) -> Expression:
        if not self.sees("not"):
            return self._comparison()
        token = self._deeper()
        value = Unary(token.at, "not", self._not())
        self._depth -= 1
        return value

    def _deeper(self) -> Token:
        token = self._take()
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise failed(token.at, f"parentheses, brackets and signs are nested at most {DEPTH_MAX} deep")
        return token

    def _comparison(self) -> Expression:
        left = self._arithmetic(0)
        while True:
            token = self._next
            sign = self._comparing()
            if sign is None:
                return left
            self._part(token)
            left = Binary(token.at, sign, left, self._arithmetic(0))

    def _comparing(self) -> str | None:
        for sign in (*_COMPARISONS, "in"):
            if self.took(sign):
                return sign
        if self.sees("not") and self._tokens[self._at + 1].text == "in":
            self._at += 2
            return "not in"
        return None

    def _arithmetic(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._signed()
        left = self._arithmetic(level + 1)
        while self._next.kind is Kind.SIGN and self._next.text in _LEVELS[level]:
            token = self._take()
            self._part(token)
            left = Binary(token.at, token.text, left, self._arithmetic(level + 1))
        return left

    def _signed(self) -> Expression:
        if not (self._next.kind is Kind.SIGN and self._next.text in "-+"):
            return self._changed(self._with_parts(self._value()))
        return self._changed(self._negated())

    def _negated(self) -> Expression:
        """A signed value: filters that follow it change all of it, so `-3 | abs` is 3."""
        if not (self._next.kind is Kind.SIGN and self._next.text in "-+"):
            return self._with_parts(self._value())
        token = self._deeper()
        value = self._negated()
        self._depth -= 1
        return value if token.text == "+" else Unary(token.at, "-", value)

    def _with_parts(self, value: Expression) -> Expression:
        while True:
            token = self._next
            self._part(token)
            if self.took("."):
                value = self._attribute(token, value)
            elif self.took("["):
                value = self._index(token, value)
            else:
                return value

    def _changed(self, value: Expression) -> Expression:
        """With the filters and tests that follow, and parts of what they give."""
        while True:
            value = self._with_parts(value)
            token = self._next
            if self.took("|"):
                value = Filter(self._next.at, value, self._name("the name of a filter"), self._arguments())
            elif self.took("is"):
                value = self._test(value)
            elif self.sees("("):
                raise failed(token.at, "only functions and filters are called", "write `value | filter`")
            else:
                return value

    def _attribute(self, token: Token, value: Expression) -> Expression:
        if self._next.kind is Kind.NUMBER and self._next.text.isdigit():
            number = self._take()
            return Index(token.at, value, Literal(number.at, int(number.text)))
        at = self._next.at
        return Attribute(at, value, self._name("a name after the point"))

    def _index(self, token: Token, value: Expression) -> Expression:
        first = None if self.sees(":") else self.expression()
        if not self.took(":"):
            self.expect("]")
            assert first is not None
            return Index(token.at, value, first)
        last = None if self.sees("]") else self.expression()
        self.expect("]")
        return Slice(token.at, value, first, last)

    def _test(self, value: Expression) -> Expression:
        negated = self.took("not")
        at = self._next.at
        name = self._name("the name of a test")
        if self.sees("("):
            return Test(at, value, name, self._arguments(), negated)
        if self._next.kind in (Kind.NUMBER, Kind.TEXT):
            return Test(at, value, name, Arguments((self._value(),)), negated)
        return Test(at, value, name, Arguments(), negated)

    def _arguments(self) -> Arguments:
        """What stands in parentheses, if any come next."""
        placed: list[Expression] = []
        named: list[tuple[str, Expression]] = []
        if not self.took("("):
            return Arguments()
        while not self.sees(")"):
            if self._next.kind is Kind.NAME and self._tokens[self._at + 1].text == "=":
                name = self._name("a name")
                self.expect("=")
                named.append((name, self.expression()))
            elif named:
                raise failed(self._next.at, "values with a name come after those without")
            else:
                placed.append(self.expression())
            if not self.took(","):
                break
        self.expect(")")
        return Arguments(tuple(placed), tuple(named))

    def _value(self) -> Expression:
        token = self._next
        self._part(token)
        match token.kind:
            case Kind.TEXT:
                return self._texts()
            case Kind.NUMBER:
                return self._number()
            case Kind.NAME:
                return self._named()
            case Kind.SIGN if token.text == "(":
                self._take()
                inside = self.expression()
                self.expect(")")
                return inside
            case Kind.SIGN if token.text == "[":
                return self._list()
            case _:
                raise self._unexpected("a value")

    def _texts(self) -> Expression:
        token = self._take()
        return Literal(token.at, token.text)

    def _number(self) -> Expression:
        token = self._take()
        if len(token.text) > 18:
            raise failed(token.at, "a number has at most 18 digits")
        return Literal(token.at, float(token.text) if "." in token.text else int(token.text))

    def _named(self) -> Expression:
        token = self._next
        if token.text in _CONSTANTS:
            self._take()
            return Literal(token.at, _CONSTANTS[token.text])
        if token.text in WORDS:
            raise self._unexpected("a value")
        name = self._name("a value")
        return Call(token.at, name, self._arguments()) if self.sees("(") else Name(token.at, name)

    def _list(self) -> Expression:
        at = self._take().at
        items: list[Expression] = []
        while not self.sees("]"):
            items.append(self.expression())
            if not self.took(","):
                break
        self.expect("]")
        return ListOf(at, tuple(items))
