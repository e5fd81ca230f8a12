"""The themes of some folders, read from their files or as the user's cache has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from console.config.kept import Kept
from console.config.theme_values import Theme, TokenStyle
from console.model.errors import ConfigError, ConfigErrors

__all__ = ["Theme", "TokenStyle", "kept_themes", "load_theme", "load_themes"]


def load_theme(path: Path) -> Theme:
    """Return the theme in a file, named after the file; raises ConfigErrors with every fault."""
    from console.config.theme_file import read_theme

    return read_theme(path)


def load_themes(folders: Iterable[Path], kept: Kept | None = None) -> tuple[Mapping[str, Theme], list[ConfigError]]:
    """Return the themes of some folders by name, and what is wrong with the others; a later folder's theme wins.

    What `kept` still has is not read.
    """
    themes: dict[str, Theme] = {}
    errors: list[ConfigError] = []
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            try:
                theme = kept.read(path, load_theme) if kept else load_theme(path)
            except ConfigErrors as faults:
                errors += faults.errors
            else:
                themes[theme.name] = theme
    if kept:
        kept.save()
    return themes, errors


def kept_themes(store: Path) -> Kept:
    """Return the cache of themes in a file."""
    return Kept(store, asdict, _made)


def _made(plain: dict[str, Any]) -> Theme:
    styles = {token: TokenStyle(**style) for token, style in plain["styles"].items()}
    return Theme(**{**plain, "styles": styles, "heat": tuple(plain["heat"]), "plot": tuple(plain["plot"])})
