"""Draws a view as an SVG picture of a terminal, without running the console."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.terminal_theme import TerminalTheme

from console.present.safe import clean
from console.present.verify import drawable
from console.ui.draw.canvas import Canvas

if TYPE_CHECKING:
    from console.model.views import View
    from console.ui.palette import Palette

# The sixteen colours of xterm, for palettes that use the terminal's own.
_XTERM = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip


def svg_of(view: View, palette: Palette, width: int, height: int, title: str) -> str:
    """Return the picture of a view in `width` x `height` cells as SVG text."""
    canvas = Canvas(drawable(view), width, height)
    focus = canvas.usual_focus()
    console = Console(
        file=io.StringIO(), width=width, height=height, record=True, force_terminal=True, color_system="truecolor"
    )
    for y in range(height):
        line = canvas.line(y, palette, frozenset(), focus)
        console.print(Segments([*line, Segment.line()]), end="", no_wrap=True, overflow="ignore")
    return console.export_svg(title=clean(title, 120), theme=_terminal(palette), unique_id="gigadeck")


def _terminal(palette: Palette) -> TerminalTheme:
    theme = palette.theme
    back, fore = Color.parse(theme.background).get_truecolor(), Color.parse(theme.foreground).get_truecolor()
    ground, ink = (back.red, back.green, back.blue), (fore.red, fore.green, fore.blue)
    return TerminalTheme(ground, ink, list(_XTERM[:8]), list(_XTERM[8:]))
