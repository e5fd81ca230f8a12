"""Cuts the text of an expression into tokens, each with its column."""

from __future__ import annotations

import re

from console.model.errors import ExpressionError
from console.model.values import dataclass

TEXT_LIMIT = 65_536
SUFFIXES = {
    "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 1024.0, "Mi": 1024.0**2, "Gi": 1024.0**3, "Ti": 1024.0**4,
    "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip
KEYWORDS = frozenset({"and", "or", "not", "in"})
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?P<suffix>[A-Za-z]*))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<sign>==|!=|<=|>=|=~|!~|[<>+\-*/()\[\],.])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_INSTEAD = {"=": "==", "&": "and", "|": "or", "!": "not", "{": "[", "}": "]"}


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `kind` is number, name, text, sign or end, `column` counts from 1."""

    kind: str
    text: str
    column: int
    value: float = 0.0


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of an expression, an `end` last; raises ExpressionError."""
    if len(text) > TEXT_LIMIT:
        raise ExpressionError(text[:80], 1, f"an expression may have {TEXT_LIMIT:,} characters at most")
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(text, at + 1, _complaint(text[at]))
        if match.lastgroup != "space":
            found.append(_token(text, match, at + 1))
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]


def _complaint(char: str) -> str:
    if char in "\"'":
        return f"the text that begins here has no closing {char}"
    hint = f"; write {_INSTEAD[char]}" if char in _INSTEAD else ""
    return f"{char!r} means nothing here{hint}"


def _token(text: str, match: re.Match[str], column: int) -> Token:
    written = match.group()
    if match.group("number") is not None:
        return Token("number", written, column, _number(text, match, column))
    if match.group("text") is not None:
        return Token("text", re.sub(r"""\\(["'\\])""", r"\1", written[1:-1]), column)
    return Token("name" if match.group("name") is not None else "sign", written, column)


def _number(text: str, match: re.Match[str], column: int) -> float:
    suffix = match.group("suffix")
    digits = match.group("number").removesuffix(suffix)
    if suffix not in SUFFIXES:
        known = ", ".join(each for each in SUFFIXES if each)
        raise ExpressionError(text, column + len(digits), f"no number ends in {suffix}; there are {known}")
    value = float(digits) * SUFFIXES[suffix]
    if value == float("inf"):
        raise ExpressionError(text, column, "this number is too large")
    return value
