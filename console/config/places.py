"""Every folder that gigadeck reads from or writes to, in one place."""

from __future__ import annotations

import os
from pathlib import Path

APP = "gigadeck"
_PACKAGE = Path(__file__).resolve().parent.parent


def config_dir() -> Path:
    """Return the user's configuration folder: `$GIGADECK_CONFIG_DIR`, else the platform's; it need not exist."""
    return _named_by("GIGADECK_CONFIG_DIR") or _platform("config")


def state_dir() -> Path:
    """Return the user's state folder (journal, store, logs): `$GIGADECK_STATE_DIR`, else the platform's."""
    return _named_by("GIGADECK_STATE_DIR") or _platform("state")


def cache_dir() -> Path:
    """Return the folder of what can be thrown away and made again: `$GIGADECK_CACHE_DIR`, else the platform's."""
    return _named_by("GIGADECK_CACHE_DIR") or _platform("cache")


def journal_path() -> Path:
    """Return the file in which what happens is written down, for this user."""
    return state_dir() / "journal.jsonl"


def memory_path(fleet: str) -> Path:
    """Return the SQLite file in which is remembered for this user (or service) where a fleet names no database."""
    name = "".join(char if char.isalnum() or char in "-_." else "-" for char in fleet).strip(".-")
    return state_dir() / f"{name[:80] or 'fleet'}.db"


def plugin_folders() -> list[Path]:
    """Return the folders that hold plugins, in order: built in, the user's, `$GIGADECK_PLUGINS` (a path list)."""
    return _folders("plugins", "GIGADECK_PLUGINS")


def theme_folders() -> list[Path]:
    """Return the folders that hold themes, in order: built in, the user's, `$GIGADECK_THEMES` (a path list)."""
    return _folders("themes", "GIGADECK_THEMES")


def example_fleet() -> Path:
    """Return the example fleet file that comes with the program."""
    return _built_in("fleet.example.yaml")


def _folders(kind: str, variable: str) -> list[Path]:
    named = [Path(part).expanduser() for part in os.environ.get(variable, "").split(os.pathsep) if part]
    return [_built_in(kind), config_dir() / kind, *named]


def _built_in(name: str) -> Path:
    """Return what a wheel carries inside the package, else what lies beside it in a checkout."""
    bundled = _PACKAGE / "_bundled" / name
    return bundled if bundled.exists() else _PACKAGE.parent / name


def _named_by(variable: str) -> Path | None:
    text = os.environ.get(variable, "")
    return Path(text).expanduser() if text else None


def _platform(kind: str) -> Path:
    from platformdirs import PlatformDirs

    return Path(getattr(PlatformDirs(APP, appauthor=False), f"user_{kind}_path"))
