"""Reads one theme file: YAML with palette, base colours, styles and ramps, to a style for every semantic token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from cattrs import Converter
from cattrs.gen import override

from console.config.colours import COLOUR, contrast, ramp
from console.config.structure import Fault, described, gathered, new_converter, record, structured, unknown_key
from console.config.theme_defaults import derived
from console.config.theme_values import Theme, TokenStyle
from console.config.yaml_reader import Document, read_yaml
from console.model.errors import ConfigError, ConfigErrors
from console.model.tokens import HEAT, PLOT, TOKENS
from console.model.values import dataclass

MAX_THEME_BYTES = 256 * 1024
TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
GRAPHIC_CONTRAST = 3.0  # WCAG 2.2, 1.4.11
QUIET = frozenset({"text.dim", "key.label", "cursor.dim", "state.stale", "heat.missing", "plot.axis", *HEAT, *PLOT})
DECORATION = frozenset({"border"})
_PALETTE: ContextVar[Mapping[str, str]] = ContextVar("palette of the theme that is being read")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class _ThemeFile:
    """What a theme file may say."""

    dark: bool
    background: str
    foreground: str
    surface: str
    accent: str
    heat: tuple[str, ...]
    plot: tuple[str, ...]
    title: str = ""
    heat_missing: str = ""
    palette: Mapping[str, str] = field(default_factory=dict)
    styles: Mapping[str, TokenStyle] = field(default_factory=dict)


def read_theme(path: Path) -> Theme:
    """Return the theme in a file, named after the file; raises ConfigErrors with every fault."""
    document = read_yaml(path, MAX_THEME_BYTES)
    before = _PALETTE.set(_palette(document))
    try:
        said, errors = structured(_converter(), document, _ThemeFile)
    finally:
        _PALETTE.reset(before)
    if not _NAME.fullmatch(path.stem):
        errors.append(ConfigError(str(path), 0, "", "must be named of lower-case letters, digits and '-'"))
    if said is None or errors:
        raise ConfigErrors(errors)
    theme = _theme(path.stem, said)
    first = {error.key: error for error in reversed(list(_contrast_errors(theme, document)))}
    if first:
        raise ConfigErrors(sorted(first.values(), key=lambda error: error.line))
    return theme


def _theme(name: str, said: _ThemeFile) -> Theme:
    heat = ramp(said.heat, len(HEAT))
    plot = tuple(said.plot[index % len(said.plot)] for index in range(len(PLOT)))
    dim = said.styles.get("text.dim", TokenStyle()).color
    styles = derived(said.background, said.foreground, said.surface, said.accent, dim)
    styles.update(
        {token: TokenStyle(color=colour) for token, colour in zip((*HEAT, *PLOT), (*heat, *plot), strict=True)}
    )
    missing = said.heat_missing or styles["text.dim"].color
    styles["heat.missing"] = TokenStyle(color=missing)
    styles.update(said.styles)
    return Theme(
        name=name,
        title=said.title or name,
        dark=said.dark,
        background=said.background,
        foreground=said.foreground,
        surface=said.surface,
        accent=said.accent,
        styles=styles,
        heat=heat,
        heat_missing=missing,
        plot=plot,
    )


@cache
def _converter() -> Converter:
    one = override(struct_hook=_colour)
    converter = new_converter()
    record(converter, TokenStyle, color=one, background=one, check=_empty)

    def style(raw: Any, _: Any = None) -> TokenStyle:
        return converter.structure(raw, TokenStyle) if isinstance(raw, Mapping) else TokenStyle(color=_colour(raw))

    def styles(raw: Any, _: Any = None) -> dict[str, TokenStyle]:
        if not isinstance(raw, Mapping):
            raise Fault(f"expected tokens with styles, found {described(raw)}")
        return {str(token): each for token, each in gathered(raw.items(), style)}

    record(
        converter,
        _ThemeFile,
        check=_file_faults,
        background=one,
        foreground=one,
        surface=one,
        accent=one,
        heat_missing=one,
        heat=_colours(2, len(HEAT)),
        plot=_colours(1, len(PLOT)),
        palette=override(struct_hook=lambda raw, _: dict(raw) if isinstance(raw, Mapping) else {}),
        styles=override(struct_hook=styles),
    )
    return converter


def _colour(raw: Any, _: Any = None) -> str:
    palette = _PALETTE.get()
    if isinstance(raw, str) and COLOUR.fullmatch(raw):
        return raw.lower()
    if isinstance(raw, str) and raw in palette:
        return palette[raw]
    raise Fault(_no_colour(raw, palette))


def _colours(fewest: int, most: int) -> Any:
    def hook(raw: Any, _: Any = None) -> tuple[str, ...]:
        if not isinstance(raw, list) or not fewest <= len(raw) <= most:
            raise Fault(f"expected a list of {fewest} to {most} colours")
        return tuple(each for _, each in gathered(enumerate(raw), _colour))

    return override(struct_hook=hook)


def _palette(document: Document) -> Mapping[str, str]:
    """Return the good colours of a file's palette; `_file_faults` speaks of the others."""
    raw = document.data.get("palette") if isinstance(document.data, Mapping) else None
    pairs = raw.items() if isinstance(raw, Mapping) else ()
    return {name: value.lower() for name, value in pairs if isinstance(value, str) and COLOUR.fullmatch(value)}


def _no_colour(raw: Any, palette: Mapping[str, str]) -> str:
    if raw is None:
        return 'is empty; a colour stands in quotes ("#0e1116"), for a bare # begins a comment'
    if isinstance(raw, str) and not raw.startswith("#") and raw.isprintable():
        return unknown_key(raw, palette).message.replace("is not a known key", f'"{raw[:40]}" is not in the palette', 1)
    return f'expected a colour ("#rrggbb" or a name of the palette), found {described(raw)}'


def _empty(raw: Mapping[str, Any]) -> Iterable[Fault]:
    return [Fault(_no_colour(None, {}), key) for key, value in raw.items() if value is None]


def _file_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    yield from _empty({key: value for key, value in raw.items() if key not in ("palette", "styles")})
    palette, styles = raw.get("palette"), raw.get("styles")
    if palette is not None and not isinstance(palette, Mapping):
        yield Fault(f"expected names with colours, found {described(palette)}", "palette")
    for name, value in palette.items() if isinstance(palette, Mapping) else ():
        if not isinstance(value, str) or not COLOUR.fullmatch(value):
            yield Fault(_no_colour(value if value is None else f"#{value}".replace("##", "#"), {}), "palette", name)
    for token in styles if isinstance(styles, Mapping) else ():
        if token not in TOKENS:
            yield unknown_key(token, TOKENS).under("styles")
        elif token in HEAT or token in PLOT:
            yield Fault(f"comes from the ramp; set {token.partition('.')[0]}: instead", "styles", token)


def _contrast_errors(theme: Theme, document: Document) -> Iterable[ConfigError]:
    for token, style in theme.styles.items():
        ground = style.background or theme.background
        ratio = contrast(style.color or theme.foreground, ground)
        needed = 1.0 if token in DECORATION else GRAPHIC_CONTRAST if token in QUIET else TEXT_CONTRAST
        if ratio < needed:
            message = f"contrast of {style.color or theme.foreground} on {ground} is {ratio:.1f}, needs {needed}"
            yield document.error(_path_of(token, document), message)


def _path_of(token: str, document: Document) -> tuple[str | int, ...]:
    """Return where a file says the colour of a token: its style, a ramp, or the base colour it is derived from."""
    if token in (document.data.get("styles") or {}):
        return "styles", token
    group, _, number = token.partition(".")
    if number.isdecimal():
        stops, index = document.data[group], int(number) - (group == "plot")
        return (group, index) if len(stops) > index and (group == "plot" or len(stops) == len(HEAT)) else (group,)
    if token == "heat.missing":
        return ("heat_missing",)
    return ("accent",) if token in ("title", "key", "prompt", "mark", "link", "state.info") else ("foreground",)
