"""Care for a memory: what it holds, how large it is, and a copy of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from sqlalchemy import func, inspect, select, text

from console.model.errors import StateError
from console.model.values import dataclass
from console.state import schema
from console.state.address import POSTGRESQL, SQLITE
from console.state.faults import told
from console.state.migrations import NEWEST

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from console.state.store import Store

_PAGES_AT_ONCE = 2_000
_ADVICE_FULL = "name a file in a folder that you may write, with enough space"


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table: its rows, its bytes (0 where the database does not tell), the times of its oldest and newest row."""

    name: str
    rows: int
    bytes: int = 0
    oldest_at: float = 0.0
    newest_at: float = 0.0


@dataclass(frozen=True, slots=True)
class StateInfo:
    """What a memory is: `kind` is `sqlite` or `postgresql`, `version` the database's own."""

    kind: str
    where: str
    version: str
    schema: int
    newest_schema: int
    bytes: int
    tables: tuple[TableInfo, ...] = ()


def info(store: Store) -> StateInfo:
    """Return what a memory holds; raises StateError."""
    with store.reading() as connection:
        tables = tuple(_table_info(connection, table) for table in _tables(connection))
        own = "SELECT sqlite_version()" if store.address.kind == SQLITE else "SHOW server_version"
        version = str(connection.execute(text(own)).scalar())
        size = _file_bytes(store) if store.address.kind == SQLITE else _database_bytes(connection)
    return StateInfo(store.address.kind, store.where, version, store.schema, NEWEST, size, tables)


def _tables(connection: Connection) -> list[Table]:
    """Return those of our tables that are there: in an older schema not all need be."""
    there = set(inspect(connection).get_table_names())
    return [table for table in schema.metadata.sorted_tables if table is not schema.meta and table.name in there]


def _table_info(connection: Connection, table: Table) -> TableInfo:
    at = table.c[schema.TIMES[table.name]]
    rows, oldest, newest = connection.execute(select(func.count(), func.min(at), func.max(at)).select_from(table)).one()
    size: int | None = 0
    if connection.dialect.name == POSTGRESQL:
        size = connection.execute(
            text("SELECT pg_total_relation_size(to_regclass(:name))"), {"name": table.name}
        ).scalar()
    return TableInfo(table.name, rows, int(size or 0), oldest or 0.0, newest or 0.0)


def _file_bytes(store: Store) -> int:
    path = store.address.path
    assert path is not None  # every SQLite address has one
    files = [path, path.with_name(f"{path.name}-wal")]
    return sum(each.stat().st_size for each in files if each.exists())


def _database_bytes(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar() or 0)


def backup(store: Store, path: Path) -> int:
    """Copy a SQLite memory to a file while it is in use; return its bytes. Raises StateError.

    The copy is whole at one moment, appears when it is complete, and only its owner may read it.
    """
    source = store.address.path
    if source is None:
        raise StateError(f"state {store.where}: only a SQLite memory is copied as a file; export it, or use pg_dump")
    partial = path.with_name(f"{path.name}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with told(store.address), closing(sqlite3.connect(source)) as ours, closing(sqlite3.connect(partial)) as copy:
            ours.backup(copy, pages=_PAGES_AT_ONCE)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a companion
        partial.replace(path)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}; {_ADVICE_FULL}") from None
    finally:
        with suppress(OSError):
            partial.unlink()
    return path.stat().st_size


def dump_command(store: Store, path: Path) -> str:
    """Return the command with which PostgreSQL's own tool makes a backup; it holds no password."""
    import shlex

    return f"pg_dump --format=custom --file={shlex.quote(str(path))} {shlex.quote(store.where)}"
