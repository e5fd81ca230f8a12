"""What is old enough to be forgotten: in small transactions, so that nobody who writes waits for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, literal, select, text

from console.state import schema
from console.state.address import POSTGRESQL, SQLITE
from console.state.faults import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement, Connection, Table

    from console.config.values import Retention
    from console.state.store import Store

DAY_S = 86_400.0
DEEDS_S = 30 * DAY_S  # a client that repeats a deed does so within minutes
MOST_INCIDENTS = 50_000
_FOR_EVER_S = 366 * DAY_S  # where space must be made nothing is for ever
_ROWS_AT_ONCE = 1_000
_PAGES_AT_ONCE = 2_000


def housekeep(
    store: Store,
    retention: Retention,
    *,
    now: float,
    fence: int | None = None,
    is_gone: Callable[[str, str], bool] = lambda site, subject: False,
) -> dict[str, int]:
    """Forget what is over for longer than the retention says; return how many rows of each table.

    What is open, in force, or about an object that is there stays. `is_gone` says of a site's name and a note's subject
    (`node:muc1/n0653`) whether there is surely no such object any more. Where the memory is larger than `most_bytes`,
    the times are halved until it is not, down to a day; then space is given back. Raises Fenced, StateError.
    """
    gone = _forget_old(store, fence, retention, now)
    gone["notes"] = _forget_notes(store, fence, retention, now, is_gone)
    while retention.most_bytes and used_bytes(store) > retention.most_bytes:
        shorter = _halved(retention)
        if shorter == retention:
            break
        retention = shorter
        for name, rows in _forget_old(store, fence, retention, now).items():
            gone[name] = gone.get(name, 0) + rows
    if retention.vacuum and any(gone.values()):
        vacuum(store)
    return {name: rows for name, rows in gone.items() if rows}


def _halved(retention: Retention) -> Retention:
    incidents_s = max(DAY_S, (retention.incidents_s or _FOR_EVER_S) / 2)
    journal_s = max(DAY_S, (retention.journal_s or _FOR_EVER_S) / 2)
    return replace(retention, incidents_s=incidents_s, journal_s=journal_s)


def _forget_old(store: Store, fence: int | None, retention: Retention, now: float) -> dict[str, int]:
    gone = {table.name: _forget(store, fence, table, where) for table, where in _old(retention, now)}
    gone["incidents"] = gone.get("incidents", 0) + _forget_beyond(store, fence, MOST_INCIDENTS)
    for table in (schema.changes, schema.acknowledgements):
        gone[table.name] = _forget(store, fence, table, table.c.incident.not_in(select(schema.incidents.c.id)))
    return gone


def _old(retention: Retention, now: float) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    incidents = schema.incidents
    if retention.incidents_s:
        old = incidents.c.resolved_at < now - retention.incidents_s
        yield incidents, (incidents.c.resolved_at > 0) & old
    if retention.notifications_s:
        yield schema.sent, schema.sent.c.at < now - retention.notifications_s
    if retention.journal_s:
        yield schema.journal, schema.journal.c.at < now - retention.journal_s
    yield schema.deeds, schema.deeds.c.at < now - DEEDS_S
    yield schema.locks, schema.locks.c.until_at < now - DAY_S


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
    """Forget those resolved incidents that were resolved first where there are too many."""
    table = schema.incidents
    with store.reading() as connection:
        resolved = select(table.c.resolved_at).where(table.c.resolved_at > 0).order_by(table.c.resolved_at.desc())
        last = connection.execute(resolved.offset(most).limit(1)).scalar()
    return _forget(store, fence, table, (table.c.resolved_at > 0) & (table.c.resolved_at <= last)) if last else 0


def _forget_notes(
    store: Store, fence: int | None, retention: Retention, now: float, is_gone: Callable[[str, str], bool]
) -> int:
    table = schema.notes
    if not retention.notes_s:
        return 0
    old = table.c.at < now - retention.notes_s
    on_incident = table.c.subject.like("incident:%")
    incidents = select(literal("incident:") + schema.incidents.c.id)
    forgotten = _forget(store, fence, table, old & on_incident & table.c.subject.not_in(incidents))
    with store.reading() as connection:
        noted = connection.execute(select(table.c.site, table.c.subject).distinct().where(old, ~on_incident)).all()
    for site, subject in noted:
        if is_gone(site, subject):
            forgotten += _forget(store, fence, table, old & (table.c.site == site) & (table.c.subject == subject))
    return forgotten


def used_bytes(store: Store) -> int:
    """Return what the rows take, without space that is free to be used again."""
    with store.reading() as connection:
        if store.address.kind == SQLITE:
            pages, free, size = (
                int(connection.execute(text(f"PRAGMA {name}")).scalar() or 0)
                for name in ("page_count", "freelist_count", "page_size")
            )
            return (pages - free) * size
        sizes = (f"SELECT sum(pg_column_size(t.*)) FROM {table.name} t" for table in schema.metadata.sorted_tables)
        return sum(int(connection.execute(text(each)).scalar() or 0) for each in sizes)


def vacuum(store: Store) -> None:
    """Give space back: SQLite's free pages to the disk in small steps, PostgreSQL's to its tables."""
    engine = store.another_engine()  # this one's connections are set up for transactions
    try:
        with told(store.address), engine.connect() as connection:
            _vacuum(store, connection.execution_options(isolation_level="AUTOCOMMIT"))
    finally:
        engine.dispose()


def _vacuum(store: Store, connection: Connection) -> None:
    if store.address.kind == POSTGRESQL:
        for table in schema.metadata.sorted_tables:
            connection.execute(text(f"VACUUM (ANALYZE) {table.name}"))
        return
    free = -1
    while (left := int(connection.execute(text("PRAGMA freelist_count")).scalar() or 0)) not in (0, free):
        # Not by SQLAlchemy, which does not fetch where no column is told: each fetch frees a page.
        connection.connection.cursor().execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        free = left
    connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).all()
