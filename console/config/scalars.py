"""What plain YAML scalars mean (version 1.2), and how text of a file is shown in a message."""

from __future__ import annotations

import re

_CONSTANTS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_BASED = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def scalar(text: str) -> object:
    """Return what a plain scalar means in YAML 1.2's core schema: null, bool, int, float or text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0].isalpha():
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    return float(text) if _REAL.fullmatch(text) else text


def shown(text: object, limit: int = 60) -> str:
    """Return text of a file in a form that is fit for a message: printable, one line, not long."""
    plain = text if isinstance(text, str) else repr(text)
    if not plain.isprintable():
        plain = ascii(plain)[1:-1]
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
