"""Turns semantic tokens into styles of a theme, in as many colours as the terminal has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.color import Color, ColorSystem
from rich.style import Style

from console.model.tokens import heat_token

if TYPE_CHECKING:
    from console.config.themes import Theme

Colors = Literal["true", "256", "16", "none"]
_SYSTEMS = {"256": ColorSystem.EIGHT_BIT, "16": ColorSystem.STANDARD}
# Without colours the heat map's bars carry the value; the cursor must still be seen.
_CURSORS = frozenset(("cursor",))


class Palette:
    """The styles of one theme; unknown tokens look like text."""

    def __init__(self, theme: Theme, colors: Colors = "true") -> None:
        self.theme = theme
        self.colors = colors
        self._styles: dict[tuple[str, str], Style] = {}
        self.base = self._make(theme.foreground, theme.background)
        self.heat = tuple(self.style(heat_token(level)) for level in range(256))

    def style(self, token: str, over: str = "") -> Style:
        """Return the style of a token, with that of `over` (a cursor) laid on it; always the same object."""
        found = self._styles.get((token, over))
        if found is None:
            found = self._combined(token, over)
            self._styles[token, over] = found
        return found

    def _combined(self, token: str, over: str) -> Style:
        if not over:
            return self.base + self._own(token)
        return self.style(token) + self._own(over)

    def _own(self, token: str) -> Style:
        """Return what the theme says of a token, without the ground it stands on."""
        theme = self.theme
        told = theme.styles.get(token)
        color, background = _ramp(theme, token), ""
        if told is not None:
            color, background = told.color or color, told.background
        attributes = {
            name: True for name in ("bold", "dim", "italic", "underline", "reverse") if told and getattr(told, name)
        }
        if self.colors == "none" and token in _CURSORS:
            attributes["reverse"] = True
        return self._make(color, background) + Style(**attributes)  # type: ignore[arg-type]  # flags alone

    def _make(self, color: str | None, background: str | None) -> Style:
        if self.colors == "none":
            return Style()
        fore, back = self._color(color), self._color(background)
        if fore is not None and back is not None and fore == back:
            fore = Color.default()
        return Style(color=fore, bgcolor=back)

    def _color(self, name: str | None) -> Color | None:
        if not name:
            return None
        if self.colors == "16" and name == self.theme.background:
            return Color.default()
        color = Color.parse(name)
        return color.downgrade(_SYSTEMS[self.colors]) if self.colors in _SYSTEMS else color


def _ramp(theme: Theme, token: str) -> str:
    """Return the colour of a heat level or plot line from the theme's ramps, empty for other tokens."""
    kind, _, number = token.partition(".")
    if token == "heat.missing":
        return theme.heat_missing
    if kind == "heat" and number.isdecimal() and theme.heat:
        return theme.heat[min(int(number) * len(theme.heat) // 10, len(theme.heat) - 1)]
    if kind == "plot" and number.isdecimal() and theme.plot:
        return theme.plot[(int(number) - 1) % len(theme.plot)]
    return ""
