"""Which glyphs the terminal can show, and the plain letters that stand for the others."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import LineFilter

from console.ui.draw.runs import fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.color import Color

Glyphs = Literal["unicode", "ascii"]

# Terminals whose character set or font lacks bars, braille and arrows, whatever the locale says.
PLAIN_TERMINALS = ("linux", "vt100", "vt102", "vt220", "vt52", "cons25", "ansi", "dumb")
# CPython coerces the C locale to this one (PEP 538), and sets its UTF-8 mode alone when the locale was C (PEP 540).
COERCED = ("C.UTF-8", "C.utf8", "UTF-8")

BARS = dict(zip("▁▂▃▄▅▆▇█", ".:-=+*#%", strict=True))
SIGNS = dict(zip("▸›●◆·—…×°µ✖▲✓◌↑↓←→⏎", ">>*@_-~x'ux!+o^v<><", strict=True))
BOXES = {**dict.fromkeys("─━═", "-"), **dict.fromkeys("│┃║┤├", "|"), **dict.fromkeys("┼┌┐└┘╭╮╰╯┬┴", "+")}
# The dots of a braille cell, by the half in which they stand.
BRAILLE, DOTS = 0x2800, 256
UPPER, LOWER = 0b00011011, 0b11100100


def glyphs_of_terminal(environ: Mapping[str, str] | None = None, *, utf8_mode: bool | None = None) -> Glyphs:
    """Return what the environment says the terminal can show; where it says nothing of characters, Unicode."""
    env = os.environ if environ is None else environ
    if env.get("TERM", "") in PLAIN_TERMINALS:
        return "ascii"
    mode = bool(sys.flags.utf8_mode) if utf8_mode is None else utf8_mode
    locale = _locale(env, utf8_mode=mode)
    return "ascii" if locale and "utf8" not in locale.lower().replace("-", "") else "unicode"


def _locale(env: Mapping[str, str], *, utf8_mode: bool) -> str:
    """Return the locale that the user chose for characters, empty for none."""
    kind = env.get("LC_CTYPE", "")
    coerced = utf8_mode and kind in COERCED and not env.get("LC_ALL") and not env.get("PYTHONUTF8")
    return env.get("LC_ALL") or ("" if coerced else kind) or env.get("LANG", "")


def _braille(bits: int) -> str:
    if not bits:
        return " "
    if bits & UPPER and bits & LOWER:
        return ":"
    return "'" if bits & UPPER else "."


class _Letters(dict[int, str]):
    """What stands for each character; one that has no letter is a question mark for each of its cells."""

    def __missing__(self, code: int) -> str:
        found = self[code] = chr(code) if code < 0x80 else "?" * cell_len(chr(code))
        return found


_LETTERS = _Letters(
    {ord(glyph): letter for glyph, letter in {**BARS, **SIGNS, **BOXES}.items()}
    | {BRAILLE + bits: _braille(bits) for bits in range(DOTS)}
)


def plain_text(text: str) -> str:
    """Return text in ASCII that takes as many cells."""
    if text.isascii():
        return text
    plain = text.translate(_LETTERS)
    cells = cell_len(text)
    return plain if len(plain) == cells else fit(plain, cells)


class PlainLetters(LineFilter):
    """Turns whatever a widget drew into ASCII, its borders included."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same cells in plain letters."""
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [Segment(plain_text(segment.text), segment.style, segment.control) for segment in segments]
