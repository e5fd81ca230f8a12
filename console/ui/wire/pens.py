"""Pens: how a cell looks apart from its glyph, each with a number, and the shortest way from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.color import ColorSystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from rich.color import Color
    from rich.style import Style

# ECMA-48 select graphic rendition: the name Rich gives an attribute, its code, and the code that ends it.
ATTRIBUTES = (
    ("bold", 1, 22),
    ("dim", 2, 22),
    ("italic", 3, 23),
    ("underline", 4, 24),
    ("blink", 5, 25),
    ("blink2", 6, 25),
    ("reverse", 7, 27),
    ("conceal", 8, 28),
    ("strike", 9, 29),
    ("underline2", 21, 24),
    ("frame", 51, 54),
    ("encircle", 52, 54),
    ("overline", 53, 55),
)
# What can be seen on a blank cell; of the rest only the background matters there.
SEEN_ON_BLANK = frozenset({4, 7, 9, 21, 51, 52, 53})
PLAIN = 0
RESET = "\x1b[m"
LINK_END = "\x1b]8;;\x1b\\"
BY_IDENTITY = 8192
STEPS = 16384


class Pen(NamedTuple):
    """Colours as SGR parameters (empty: the terminal's own), codes of attributes, and a link's address."""

    color: str = ""
    background: str = ""
    attributes: frozenset[int] = frozenset()
    link: str = ""

    @property
    def on_blank(self) -> Pen:
        """What of it can be seen on a blank cell."""
        if self.link or self.attributes & SEEN_ON_BLANK:
            return self
        return Pen(background=self.background)


class Pens:
    """The pens met so far; a pen's number never changes, 0 is the plain one."""

    def __init__(self, colors: ColorSystem = ColorSystem.TRUECOLOR, *, ends: bool = True) -> None:
        """`ends` tells whether the terminal knows the codes that end one attribute (a VT100 does not)."""
        self._colors = colors
        self._ends = ends
        self._numbers: dict[Pen, int] = {}
        self._by_identity: dict[int, int] = {}
        self._held: list[Style | None] = []
        self._steps: dict[tuple[int, int], str] = {}
        self.pens: list[Pen] = []
        self.on_blank: list[int] = []
        self._on_blank = np.zeros(0, np.uint64)
        self._number(Pen())

    def numbers(self, styles: Sequence[Style | None]) -> list[int]:
        """Return the number of each style's pen."""
        get = self._by_identity.get
        found = [get(id(style), -1) for style in styles]
        if -1 in found:
            return [self._met(style) for style in styles]
        return found

    def _met(self, style: Style | None) -> int:
        known = self._by_identity.get(id(style))
        if known is not None:
            return known
        found = PLAIN if style is None else self._number(self._pen(style))
        if len(self._by_identity) >= BY_IDENTITY:
            self._by_identity.clear()
            self._held.clear()
        self._by_identity[id(style)] = found
        self._held.append(style)  # as long as it lives no other style has its id
        return found

    def _number(self, pen: Pen) -> int:
        found = self._numbers.get(pen)
        if found is None:
            found = self._numbers[pen] = len(self.pens)
            self.pens.append(pen)
            self.on_blank.append(found)
            self.on_blank[found] = self._number(pen.on_blank)
        return found

    def _pen(self, style: Style) -> Pen:
        attributes = frozenset(code for name, code, _ in ATTRIBUTES if getattr(style, name))
        link = style.link or ""
        return Pen(
            self._codes(style.color, foreground=True),
            self._codes(style.bgcolor, foreground=False),
            attributes,
            link if link.isprintable() else "",
        )

    def _codes(self, color: Color | None, *, foreground: bool) -> str:
        if color is None or color.is_default:
            return ""
        return ";".join(color.downgrade(self._colors).get_ansi_codes(foreground))

    def forget(self) -> None:
        """Give all numbers back."""
        self._numbers.clear()
        self._by_identity.clear()
        self._held.clear()
        self._steps.clear()
        self.pens.clear()
        self.on_blank.clear()
        self._on_blank = np.zeros(0, np.uint64)
        self._number(Pen())

    def on_blanks(self) -> NDArray[np.uint64]:
        """Return for each pen the number of what is seen of it on a blank cell."""
        if len(self._on_blank) != len(self.on_blank):  # it only grows, and `forget` empties it
            self._on_blank = np.array(self.on_blank, np.uint64)
        return self._on_blank

    def step(self, old: int, new: int) -> str:
        """Return the shortest sequence that turns one pen into another."""
        found = self._steps.get((old, new))
        if found is None:
            if len(self._steps) >= STEPS:
                self._steps.clear()
            found = self._steps[old, new] = self._shortest(self.pens[old], self.pens[new])
        return found

    def _shortest(self, old: Pen, new: Pen) -> str:
        ways = [_afresh(new)]
        if self._ends or (old.attributes <= new.attributes and not (old.color or old.background)):
            ways.append(_changes(old, new))
        link = ""
        if old.link != new.link:
            link = f"\x1b]8;id={self._numbers[new]};{new.link}\x1b\\" if new.link else LINK_END
        best = min(ways, key=len)
        return link + (best if _look(old) != _look(new) else "")


def _look(pen: Pen) -> tuple[str, str, frozenset[int]]:
    return pen.color, pen.background, pen.attributes


def _sgr(codes: Iterable[str | int]) -> str:
    return f"\x1b[{';'.join(map(str, codes))}m"


def _afresh(pen: Pen) -> str:
    codes = [str(code) for _, code, _ in ATTRIBUTES if code in pen.attributes]
    codes += [part for part in (pen.color, pen.background) if part]
    return _sgr(["0", *codes]) if codes else RESET


def _changes(old: Pen, new: Pen) -> str:
    codes: list[str | int] = []
    gone = old.attributes - new.attributes
    ended = dict.fromkeys(end for _, code, end in ATTRIBUTES if code in gone)
    codes += ended
    # What ends bold ends dim too, and so on: such a one is begun again.
    codes += [
        code for _, code, end in ATTRIBUTES if code in new.attributes and (code not in old.attributes or end in ended)
    ]
    if old.color != new.color:
        codes.append(new.color or 39)
    if old.background != new.background:
        codes.append(new.background or 49)
    return _sgr(codes)
