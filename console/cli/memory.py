"""Which memory a command works on: the one it names, else the fleet's, else this user's own of that fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.cli.options import Choice
    from console.state.store import Store


def open_memory(choice: Choice, url: str, *, read_only: bool = False) -> Store:
    """Open a memory for care; raises StateError, UsageError for the demo, and what reading a fleet file raises."""
    from console.state.store import open_store

    url, base = memory_url(choice, url)
    return open_store(url, realm="", base=base, read_only=read_only)


def memory_url(choice: Choice, url: str) -> tuple[str, Path]:
    """Return the database's URL and the folder at which a relative path in it starts."""
    if url:
        return url, Path()
    from console.config.places import memory_path
    from console.wiring import demo_of, find_fleet

    if choice.fleet and demo_of(choice.fleet) is not None:
        from console.model.errors import UsageError

        raise UsageError("the demo's memory ends with it; name a database with --state, or a fleet with --fleet")
    from console.config.fleet import load_fleet
    from console.state.address import sqlite_url

    path = find_fleet(choice.fleet)
    config = load_fleet(path)
    return config.state or sqlite_url(memory_path(config.fleet)), path.parent
