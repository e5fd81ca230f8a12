"""Turns semantic tokens into styles of a theme, in as many colours as the terminal has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.color import Color, ColorSystem
from rich.style import Style

from console.model.tokens import heat_token

if TYPE_CHECKING:
    from console.config.themes import Theme

Colors = Literal["true", "256", "16", "none"]
# With sixteen colours a ramp would be red all over: these run from cold to hot in the names that every terminal has.
_HEAT_16 = ("blue", "blue", "cyan", "cyan", "green", "green", "green", "yellow", "yellow", "red")
# Of the sixteen, black and white are the terminal's own ground or ink, whichever it has: they are left to it.
_GROUND_OR_INK = (0, 7, 15)
_ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse")
# Told by their ground, which a terminal of few colours keeps as its own.
_REVERSED = ("cursor", "environment.production")


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
        told = self.theme.styles.get(token)
        color, background = _ramp(self.theme, token), ""
        if told is not None:
            color, background = told.color or color, told.background
        attributes = {name: True for name in _ATTRIBUTES if told and getattr(told, name)}
        if self.colors in ("16", "none") and token in _REVERSED:
            attributes["reverse"] = True
        return self._make(color, background) + Style(**attributes)  # type: ignore[arg-type]  # flags alone

    def _make(self, color: str, background: str) -> Style:
        """Return a style of two colours, as many as there are: with sixteen the ground is the terminal's own."""
        if self.colors == "none":
            return Style()
        if self.colors == "16":
            return Style(color=self._named(color))
        return Style(color=self._color(color), bgcolor=self._color(background))

    def _color(self, name: str) -> Color | None:
        if not name:
            return None
        color = Color.parse(name)
        return color.downgrade(ColorSystem.EIGHT_BIT) if self.colors == "256" else color

    def _named(self, name: str) -> Color | None:
        """Return the nearest of the sixteen, or for a heat level the one that stands for it."""
        theme = self.theme
        if not name or name in (theme.foreground, theme.background):
            return None
        if name in theme.heat and len({name[1:3], name[3:5], name[5:7]}) > 1:
            return Color.parse(_HEAT_16[theme.heat.index(name) * len(_HEAT_16) // len(theme.heat)])
        color = Color.parse(name).downgrade(ColorSystem.STANDARD)
        return None if color.number in _GROUND_OR_INK else color


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
