"""Turns tokens into the parts of an expression, by recursive descent with a bound on its depth."""

from __future__ import annotations

from console.core.expr.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Junction,
    Literal,
    Membership,
    Name,
    Negative,
    Not,
    Part,
)
from console.core.expr.tokens import KEYWORDS, Token, tokens_of
from console.model.errors import ExpressionError

FUNCTIONS = ("any", "all", "count", "missing", "age")
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "=~", "!~"})
DEPTH_LIMIT = 40
TERMS_LIMIT = 100


def parse(text: str) -> Part:
    """Return the parts of an expression; raises ExpressionError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Part:
        if self._now.kind == "end":
            raise self._error(self._now, 'the expression is empty; a condition looks like site == "muc1"')
        part = self._any_of()
        if self._now.kind != "end":
            raise self._error(self._now, self._surplus())
        return part

    def _surplus(self) -> str:
        if self._now.text in COMPARISONS:
            return "one comparison at a time: write a < b and b < c"
        return f"{self._now.text!r} was not expected here; conditions are joined by and, or"

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _error(self, token: Token, message: str) -> ExpressionError:
        return ExpressionError(self._text, token.column, message)

    def _take(self, *texts: str) -> Token | None:
        token = self._now
        if token.kind in ("name", "sign") and token.text in texts:
            self._at += 1
            return token
        return None

    def _need(self, text: str, after: str) -> Token:
        token = self._take(text)
        if token is None:
            raise self._error(self._now, f"a {text} is missing {after}")
        return token

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._error(token, f"nested deeper than {DEPTH_LIMIT} levels")

    def _any_of(self) -> Part:
        parts, column = [self._all_of()], self._now.column
        while self._take("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else Junction("or", tuple(parts), column)

    def _all_of(self) -> Part:
        parts, column = [self._negation()], self._now.column
        while self._take("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else Junction("and", tuple(parts), column)

    def _negation(self) -> Part:
        token = self._take("not")
        if token is None:
            return self._comparison()
        self._deeper(token)
        value = self._negation()
        self._depth -= 1
        return Not(value, token.column)

    def _comparison(self) -> Part:
        left, token = self._sum(), self._now
        if token.kind == "sign" and token.text in COMPARISONS:
            self._at += 1
            return Comparison(token.text, left, self._sum(), token.column)
        negated = token.text == "not" and token.kind == "name"
        if negated:
            self._at += 1
            if self._now.text != "in":
                raise self._error(self._now, "only `in` may follow `not` here")
        if self._take("in"):
            return Membership(left, self._choices(), negated, token.column)
        return left

    def _choices(self) -> tuple[Literal, ...]:
        self._need("[", 'after in: write in [1, 2] or in ["a", "b"]')
        choices: list[Literal] = []
        while not (choices and self._take("]")):
            if choices:
                self._need(",", "between the choices")
            choices.append(self._choice())
        return tuple(choices)

    def _choice(self) -> Literal:
        minus, token = self._take("-"), self._now
        if token.kind == "number":
            self._at += 1
            return Literal(-token.value if minus else token.value, token.column)
        if token.kind == "text" and not minus:
            self._at += 1
            return Literal(token.text, token.column)
        raise self._error(token, "a list holds numbers, or texts in quotes")

    def _sum(self) -> Part:
        left = self._product()
        for _ in range(TERMS_LIMIT):
            token = self._take("+", "-")
            if token is None:
                return left
            left = Arithmetic(token.text, left, self._product(), token.column)
        raise self._error(self._now, f"more than {TERMS_LIMIT} terms in one sum")

    def _product(self) -> Part:
        left = self._factor()
        for _ in range(TERMS_LIMIT):
            token = self._take("*", "/")
            if token is None:
                return left
            left = Arithmetic(token.text, left, self._factor(), token.column)
        raise self._error(self._now, f"more than {TERMS_LIMIT} factors in one product")

    def _factor(self) -> Part:
        token = self._now
        if self._take("-"):
            self._deeper(token)
            value = self._factor()
            self._depth -= 1
            return Negative(value, token.column)
        if token.kind in ("number", "text"):
            self._at += 1
            return Literal(token.value if token.kind == "number" else token.text, token.column)
        if self._take("("):
            return self._enclosed(token)
        if token.kind == "name" and token.text not in KEYWORDS:
            return self._name()
        what = "the end" if token.kind == "end" else repr(token.text)
        raise self._error(token, f"a field, a number, a text in quotes or a ( is missing before {what}")

    def _enclosed(self, opening: Token) -> Part:
        self._deeper(opening)
        part = self._any_of()
        self._need(")", f"for the ( at column {opening.column}")
        self._depth -= 1
        return part

    def _name(self) -> Part:
        token = self._now
        self._at += 1
        opening = self._take("(")
        if opening is not None:
            if token.text not in FUNCTIONS:
                raise self._error(token, f"no function {token.text}; there are {', '.join(FUNCTIONS)}")
            return Call(token.text, self._enclosed(opening), token.column)
        if not self._take("."):
            return Name("", token.text, token.column)
        field = self._now
        if field.kind != "name" or field.text in KEYWORDS:
            raise self._error(field, f"a field is missing after {token.text}.")
        self._at += 1
        return Name(token.text, field.text, token.column)
