"""Turns a theme of ours into one of Textual's, with a value for everything that a stylesheet may ask for."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.theme import BUILTIN_THEMES
from textual.theme import Theme as TextualTheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.config.themes import Theme
    from console.ui.palette import Colors

PREFIX = "gigadeck-"
MONO_TERMINALS = ("dumb", "vt100", "vt102", "vt220")
WITHOUT_COLORS: tuple[Colors, ...] = ("16", "none")


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
    """Return Textual's theme of ours; with 16 colours or none it is Textual's own for the terminal's ground and ink."""
    if colors in WITHOUT_COLORS:
        ansi = BUILTIN_THEMES["ansi-dark" if theme.dark else "ansi-light"]
        own = {**ansi.variables, **variables()}
        return replace(ansi, name=f"{PREFIX}{theme.name}", variables=own)
    return TextualTheme(
        name=f"{PREFIX}{theme.name}",
        primary=theme.accent,
        secondary=theme.accent,
        accent=theme.accent,
        warning=_color(theme, "state.warning"),
        error=_color(theme, "state.critical"),
        success=_color(theme, "state.ok"),
        foreground=theme.foreground,
        background=theme.background,
        surface=theme.surface,
        panel=theme.surface,
        boost=theme.background,
        dark=theme.dark,
        variables=variables(theme),
    )


def variables(theme: Theme | None = None) -> dict[str, str]:
    """Return every variable of our own stylesheets; without a theme, values that any terminal can show."""
    return {"edge": "ansi_default" if theme is None else _color(theme, "border")}


def _color(theme: Theme, token: str) -> str:
    style = theme.styles.get(token)
    return style.color if style is not None and style.color else theme.foreground


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
