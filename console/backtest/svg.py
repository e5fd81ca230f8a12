"""A few shapes of SVG: enough for plots of shares; text from outside is escaped."""

from __future__ import annotations

import re
from html import escape

from console.model.values import dataclass

INK, FAINT, PAPER = "#1f2933", "#cbd2d9", "#ffffff"
# Told apart by people of every colour vision (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def colour(number: int) -> str:
    """Return a colour for the n-th of something."""
    return COLOURS[number % len(COLOURS)]


def text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, bold: bool = False) -> str:
    """Return words at a place, anchored at their start, middle or end."""
    weight = ' font-weight="bold"' if bold else ""
    said = escape(_NOT_XML.sub("?", words))
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{INK}"{weight}>{said}</text>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = INK, *, dashed: bool = False) -> str:
    """Return a thin line."""
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{dashes}/>'


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    """Return a filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" fill="{fill}"/>'


def dot(x: float, y: float, radius: float, fill: str) -> str:
    """Return a filled circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" fill-opacity="0.85"/>'


@dataclass(frozen=True, slots=True)
class Square:
    """A square plot of shares, 0 to 1 on both axes; `x`, `y` is its upper left corner."""

    x: float
    y: float
    side: float

    def at(self, across: float, up: float) -> tuple[float, float]:
        """Return the place of a point."""
        return self.x + across * self.side, self.y + (1 - up) * self.side

    def frame(self, across: str, up: str) -> list[str]:
        """Return axes with their names, a grid of fifths and the diagonal."""
        shapes = [line(*self.at(0, 0), *self.at(1, 1), FAINT, dashed=True)]
        for i in range(6):
            share = i / 5
            shapes += [
                line(*self.at(share, 0), *self.at(share, 1), FAINT),
                line(*self.at(0, share), *self.at(1, share), FAINT),
            ]
            (x, y), (left, middle) = self.at(share, 0), self.at(0, share)
            shapes += [
                text(x, y + 16, f"{share:g}", anchor="middle"),
                text(left - 6, middle + 4, f"{share:g}", anchor="end"),
            ]
        x, y = self.at(0.5, 0)
        return [*shapes, text(x, y + 34, across, anchor="middle"), text(self.x, self.y - 8, up)]


def document(width: float, height: float, shapes: list[str]) -> str:
    """Return a whole SVG file."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="sans-serif">'
    )
    return "\n".join([head, box(0, 0, width, height, PAPER), *shapes, "</svg>"]) + "\n"
