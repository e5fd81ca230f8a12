"""Turns a theme of ours into one of Textual's, with a value for everything that a stylesheet may ask for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.theme import Theme as TextualTheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.config.themes import Theme
    from console.ui.palette import Colors

PREFIX = "gigadeck-"
MONO_TERMINALS = ("dumb", "vt100", "vt102", "vt220")
WITHOUT_COLORS: tuple[Colors, ...] = ("16", "none")
TERMINAL = "ansi_default"


def color_depth(environ: Mapping[str, str] | None = None) -> Colors:
    """Return how many colours the terminal has, as NO_COLOR, COLORTERM and TERM tell."""
    env = os.environ if environ is None else environ
    term = env.get("TERM", "")
    if env.get("NO_COLOR") or term in MONO_TERMINALS:
        return "none"
    if env.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "true"
    return "256" if "256" in term or term.endswith("-direct") else "16"


def textual_theme(theme: Theme, colors: Colors) -> TextualTheme:
    """Return Textual's theme of ours; with 16 colours or none it keeps the terminal's own ground and ink."""
    ansi = colors in WITHOUT_COLORS
    ink = TERMINAL if ansi else theme.foreground
    ground = TERMINAL if ansi else theme.background
    accent = TERMINAL if ansi else theme.accent
    return TextualTheme(
        name=f"{PREFIX}{theme.name}",
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=_color(theme, "state.warning", ink, ansi),
        error=_color(theme, "state.critical", ink, ansi),
        success=_color(theme, "state.ok", ink, ansi),
        foreground=ink,
        background=ground,
        surface=ground if ansi else theme.surface,
        panel=ground if ansi else theme.surface,
        boost=ground,
        dark=theme.dark,
        ansi=ansi,
        variables=variables(theme, ansi),
    )


def variables(theme: Theme | None = None, ansi: bool = True) -> dict[str, str]:
    """Return every variable of our own stylesheets; without a theme, values that any terminal can show."""
    if theme is None:
        return {"edge": TERMINAL}
    return {"edge": _color(theme, "border", TERMINAL if ansi else theme.foreground, ansi)}


def _color(theme: Theme, token: str, default: str, ansi: bool) -> str:
    style = theme.styles.get(token)
    return default if ansi or style is None or not style.color else style.color


def plain_theme() -> Theme:
    """Return a theme for when no theme file could be read: text alone, dark."""
    from console.config.themes import Theme as ThemeValue

    shades = tuple(f"#{level:02x}{level:02x}{level:02x}" for level in range(0x50, 0xF0, 0x10))
    return ThemeValue(
        name="plain",
        title="plain",
        dark=True,
        background="#000000",
        foreground="#e0e0e0",
        surface="#101010",
        accent="#e0e0e0",
        styles={},
        heat=shades,
        heat_missing="#505050",
        plot=shades[-6:],
    )
