"""Care for a memory: what it holds and how large it is, backups, and what is old enough to be forgotten."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text

from console.model.errors import StateError
from console.model.values import dataclass
from console.state import schema
from console.state.address import POSTGRESQL, SQLITE
from console.state.faults import told
from console.state.migrations import NEWEST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import ColumnElement, Connection, Table

    from console.state.store import Store

DAY_S = 86_400.0
_ROWS_AT_ONCE = 1_000
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


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long what is kept; 0 keeps it for ever. What is open, in force or on an object that is there stays."""

    incidents_s: float = 90 * DAY_S
    most_incidents: int = 50_000
    notes_s: float = 90 * DAY_S
    deeds_s: float = 30 * DAY_S
    notifications_s: float = 90 * DAY_S
    journal_s: float = 365 * DAY_S
    vacuum: bool = True


def info(store: Store) -> StateInfo:
    """Return what a memory holds; raises StateError."""
    with store.reading() as connection:
        tables = tuple(_table_info(connection, table) for table in _tables(store)) if store.schema else ()
        own = "SELECT sqlite_version()" if store.address.kind == SQLITE else "SHOW server_version"
        version = str(connection.execute(text(own)).scalar())
        size = _file_bytes(store) if store.address.kind == SQLITE else _database_bytes(connection)
    return StateInfo(store.address.kind, store.where, version, store.schema, NEWEST, size, tables)


def _tables(store: Store) -> list[Table]:
    return [table for table in schema.metadata.sorted_tables if table is not schema.meta and store.schema]


def _table_info(connection: Connection, table: Table) -> TableInfo:
    at = table.c[schema.TIMES[table.name]]
    rows, oldest, newest = connection.execute(select(func.count(), func.min(at), func.max(at)).select_from(table)).one()
    size = 0
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
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def dump_command(store: Store, path: Path) -> str:
    """Return the command with which PostgreSQL's own tool makes a backup; it holds no password."""
    import shlex

    return f"pg_dump --format=custom --file={shlex.quote(str(path))} {shlex.quote(store.where)}"


def housekeep(
    store: Store,
    retention: Retention,
    *,
    now: float,
    fence: int | None = None,
    subjects: Mapping[str, Collection[str]] | None = None,
) -> dict[str, int]:
    """Forget what is older than the retention says; return how many rows of each table.

    Goes in transactions of at most 1,000 rows, so that nobody waits for it. `subjects` are the objects there are, by
    site (`node:muc1/n0653`): notes on others go when they are old enough; notes of sites that are not named stay.
    Raises Fenced, StateError.
    """
    gone: dict[str, int] = {}
    for table, where in _old(retention, now):
        gone[table.name] = gone.get(table.name, 0) + _forget(store, fence, table, where)
    gone["incidents"] += _forget_beyond(store, fence, retention.most_incidents)
    gone["notes"] = _forget_notes(store, fence, retention, now, subjects or {})
    for table in (schema.changes, schema.acknowledgements):
        orphans = table.c.incident.not_in(select(schema.incidents.c.id))
        gone[table.name] = gone.get(table.name, 0) + _forget(store, fence, table, orphans)
    if retention.vacuum:
        vacuum(store)
    return {name: rows for name, rows in gone.items() if rows}


def _old(retention: Retention, now: float) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    incidents, locks = schema.incidents, schema.locks
    if retention.incidents_s:
        old = incidents.c.resolved_at < now - retention.incidents_s
        yield incidents, (incidents.c.resolved_at > 0) & old
    else:
        yield incidents, incidents.c.id.is_(None)
    by_time = (
        (schema.deeds, retention.deeds_s),
        (schema.sent, retention.notifications_s),
        (schema.journal, retention.journal_s),
    )
    for table, kept_s in by_time:
        if kept_s:
            yield table, table.c.at < now - kept_s
    yield locks, locks.c.until_at < now - DAY_S


def _forget(store: Store, fence: int | None, table: Table, where: ColumnElement[bool]) -> int:
    """Delete rows in small transactions; return how many."""
    keys = list(table.primary_key.columns)
    forgotten = 0
    while True:
        with store.begin(fence) as writer:
            rows = writer.connection.execute(select(*keys).where(where).limit(_ROWS_AT_ONCE)).all()
            for row in rows:
                same = [key == value for key, value in zip(keys, row, strict=True)]
                writer.connection.execute(delete(table).where(*same))
        forgotten += len(rows)
        if len(rows) < _ROWS_AT_ONCE:
            return forgotten


def _forget_beyond(store: Store, fence: int | None, most: int) -> int:
    """Forget the resolved incidents that were resolved first where there are too many."""
    table = schema.incidents
    if not most:
        return 0
    with store.reading() as connection:
        resolved = select(table.c.resolved_at).where(table.c.resolved_at > 0).order_by(table.c.resolved_at.desc())
        last: Any = connection.execute(resolved.offset(most).limit(1)).scalar()
    return _forget(store, fence, table, (table.c.resolved_at > 0) & (table.c.resolved_at <= last)) if last else 0


def _forget_notes(
    store: Store, fence: int | None, retention: Retention, now: float, subjects: Mapping[str, Collection[str]]
) -> int:
    table = schema.notes
    if not retention.notes_s:
        return 0
    old = table.c.at < now - retention.notes_s
    on_incident = table.c.subject.like("incident:%")
    incidents = select("incident:" + schema.incidents.c.id)
    forgotten = _forget(store, fence, table, old & on_incident & table.c.subject.not_in(incidents))
    for site, there in subjects.items():
        with store.reading() as connection:
            query = select(table.c.subject).distinct().where(old, table.c.site == site, ~on_incident)
            kept = [each for each in connection.execute(query).scalars() if each not in there]
        for start in range(0, len(kept), _ROWS_AT_ONCE):
            some = kept[start : start + _ROWS_AT_ONCE]
            forgotten += _forget(store, fence, table, old & (table.c.site == site) & table.c.subject.in_(some))
    return forgotten


def vacuum(store: Store) -> None:
    """Give space back: SQLite's free pages in small steps, PostgreSQL's as its own autovacuum would."""
    with told(store.address), store.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        if store.address.kind == POSTGRESQL:
            for table in _tables(store):
                connection.execute(text(f"VACUUM (ANALYZE) {table.name}"))
            return
        while int(connection.execute(text("PRAGMA freelist_count")).scalar() or 0):
            before = connection.execute(text("PRAGMA freelist_count")).scalar()
            connection.execute(text(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")).all()
            if connection.execute(text("PRAGMA freelist_count")).scalar() == before:
                return
