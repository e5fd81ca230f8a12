"""A theme of known colours, and lines of drawn views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.config.themes import Theme, TokenStyle
from console.ui.draw.canvas import Canvas
from console.ui.palette import Palette

if TYPE_CHECKING:
    from console.model.views import View

STYLES = {
    "state.critical": TokenStyle(color="#ff0000", bold=True),
    "cursor": TokenStyle(background="#334455"),
    "cursor.dim": TokenStyle(background="#222222"),
    "mark": TokenStyle(color="#ffff00"),
    "border": TokenStyle(color="#444444"),
    "text.dim": TokenStyle(color="#888888"),
}


def palette(colors: Any = "true", *, name: str = "test", foreground: str = "#d0d0d0") -> Palette:
    """Return a palette of a small theme."""
    heat = tuple(f"#{25 * i:02x}40{255 - 25 * i:02x}" for i in range(10))
    plot = ("#00ff00", "#00ffff", "#ff00ff", "#ffff00", "#8080ff", "#ff8080")
    theme = Theme(name, name, True, "#101010", foreground, "#181818", "#00aaff", STYLES, heat, "#505050", plot)
    return Palette(theme, colors)


def lines(view: View, width: int, height: int) -> list[str]:
    """Return a drawn view as text."""
    canvas = Canvas(view, width, height)
    shown = palette()
    focus = canvas.usual_focus()
    return ["".join(s.text for s in canvas.line(y, shown, frozenset(), focus)) for y in range(height)]
