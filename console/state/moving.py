"""Puts a backup of any form into a memory: JSON lines, or a SQLite file; also how one moves to PostgreSQL."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from console.model.errors import RefusedError, StateError
from console.state.address import POSTGRESQL, parse_address, sqlite_url
from console.state.faults import told
from console.state.leadership import living_leaders
from console.state.portable import export, restore
from console.state.store import copy_file, open_store

if TYPE_CHECKING:
    from console.state.store import Store

_SQLITE_MAGIC = b"SQLite format 3\0"


def restore_any(store: Store, path: Path, *, replace: bool = False) -> int:
    """Put what a file holds into a memory, all or nothing; return how many rows.

    Raises RefusedError where the memory is not empty (unless `replace`) or where somebody leads, else as `restore`.
    """
    if store.address.kind == POSTGRESQL and (leaders := living_leaders(store)):
        raise RefusedError(f"state {store.where}: {', '.join(leaders)} leads there; stop every `gigadeck serve` first")
    try:
        with path.open("rb") as file:
            is_sqlite = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}; name a file that `gigadeck state backup` wrote") from None
    return _restore_sqlite(store, path, replace) if is_sqlite else restore(store, path, replace=replace)


def _restore_sqlite(store: Store, path: Path, replace: bool) -> int:
    """Work on a copy, which is brought up to date: the backup stays as it is."""
    with tempfile.TemporaryDirectory(prefix="gigadeck") as folder:
        copy, lines = Path(folder) / "copy.db", Path(folder) / "copy.jsonl"
        with told(parse_address(sqlite_url(copy))):
            copy_file(path, copy)
        with closing(open_store(sqlite_url(copy), realm="")) as source:
            export(source, lines, at=0.0)
        return restore(store, lines, replace=replace)
