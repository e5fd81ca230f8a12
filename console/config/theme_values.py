"""What a theme is: one style for every semantic token."""

from __future__ import annotations

from collections.abc import Mapping

from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class TokenStyle:
    """How one token looks; an empty colour is what lies below."""

    color: str = ""
    background: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


@dataclass(frozen=True, eq=False)
class Theme:
    """One theme: `styles` has an entry for every token; colours are `#rrggbb`.

    An empty colour in a style is what lies below it (the cell's own, the screen's). `heat` is ten colours from the
    lowest level to the highest, `plot` six colours of lines.
    """

    name: str
    title: str
    dark: bool
    background: str
    foreground: str
    surface: str
    accent: str
    styles: Mapping[str, TokenStyle]
    heat: tuple[str, ...]
    heat_missing: str
    plot: tuple[str, ...]
