"""Makes text from outside fit for a terminal: what a site sends is data, never a control sequence."""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"
_RAW_FACTOR = 8
_MARKS_IN_A_ROW = 2

# CSI, then OSC, DCS, SOS, PM and APC strings up to their end, then any other escape; 7-bit and C1 spellings.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc")
_SPACES = frozenset(("Zs", "Zl", "Zp"))


def clean(text: str, limit: int = 200) -> str:
    """Return `text` as one line of at most `limit` characters that prints as itself.

    Escape sequences, control, bidi and zero-width characters go; newlines and tabs become spaces, surrogates and
    unassigned characters U+FFFD; what is too long ends in an ellipsis.
    """
    if not (text.isascii() and text.isprintable()):
        text = _printable(_SEQUENCES.sub("", text[: limit * _RAW_FACTOR + 1]))
    return text if len(text) <= limit else text[: max(0, limit - 1)] + ELLIPSIS[:limit]


def _printable(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        shown = char if char.isascii() and char.isprintable() else _shown(char)
        marks = marks + 1 if shown and unicodedata.category(shown).startswith("M") else 0
        if marks <= _MARKS_IN_A_ROW and (kept or not marks):
            kept.append(shown)
    return "".join(kept)


def _shown(char: str) -> str:
    if char in "\n\r\t\v\f\x85":
        return " "
    category = unicodedata.category(char)
    if category in _SPACES:
        return " "
    if category in ("Cs", "Cn"):
        return "\ufffd"
    selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or "\u180b" <= char <= "\u180f"
    return "" if selector or category in ("Cc", "Cf") or char in _INVISIBLE else char
