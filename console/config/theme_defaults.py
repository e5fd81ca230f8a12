"""The style of each token that a theme does not set, derived from its four base colours (see docs/themes.md)."""

from __future__ import annotations

from dataclasses import replace

from console.config.colours import contrast, mix
from console.config.theme_values import TokenStyle


def derived(background: str, foreground: str, surface: str, accent: str, quiet: str = "") -> dict[str, TokenStyle]:
    """Return a style for every token but the ramps; `quiet` is the colour of dim text, empty to derive it too."""
    quiet = quiet or _quiet(foreground, background)
    text, dim, strong = TokenStyle(foreground), TokenStyle(quiet), TokenStyle(foreground, bold=True)
    accented = TokenStyle(accent, bold=True)
    return {
        "text": text,
        "text.dim": dim,
        "text.strong": strong,
        "title": accented,
        "header": replace(strong, background=surface),
        "border": TokenStyle(mix(foreground, background, 0.7)),
        "key": accented,
        "key.label": dim,
        "prompt": accented,
        "cursor": TokenStyle(background=mix(background, accent, 0.25), bold=True),
        "cursor.dim": TokenStyle(background=surface),
        "mark": accented,
        "match": TokenStyle(underline=True, bold=True),
        "link": TokenStyle(accent, underline=True),
        "state.ok": text,
        "state.info": TokenStyle(accent),
        "state.unknown": TokenStyle(foreground, italic=True),
        "state.warning": strong,
        "state.critical": replace(strong, reverse=True),
        "state.stale": replace(dim, italic=True),
        "state.down": replace(strong, underline=True),
        "environment.production": replace(strong, reverse=True),
        "environment.staging": replace(strong, background=surface),
        "environment.lab": replace(text, background=surface),
        "plot.axis": dim,
    }


def _quiet(foreground: str, background: str) -> str:
    """Return the foreground moved to the background as far as it stays readable."""
    shares = (0.45, 0.4, 0.35, 0.3, 0.2, 0.1)
    mixed = (mix(foreground, background, share) for share in shares)
    return next((colour for colour in mixed if contrast(colour, background) >= 4.5), foreground)
