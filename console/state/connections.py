"""Engines for SQLite and PostgreSQL, set up so that what was committed stays and no wait is without an end."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from console.model.errors import StateError
from console.state.address import SQLITE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from console.state.address import Address

BUSY_S = 5.0
CONNECT_S = 4
ANSWER_S = 20.0
IDLE_IN_TRANSACTION_S = 10.0
KEPT_WAL_BYTES = 64_000_000
READS = "gigadeck_reads"


def engine_for(address: Address, *, name: str, read_only: bool = False, answer_s: float = ANSWER_S) -> Engine:
    """Return an engine; nothing is connected yet. `name` is what PostgreSQL shows of us.

    A PostgreSQL that has not answered within `answer_s` is given up. Raises StateError where the driver is missing.
    """
    return _sqlite(address, read_only) if address.kind == SQLITE else _postgresql(address, name, answer_s)


def _sqlite(address: Address, read_only: bool) -> Engine:
    path = address.path
    assert path is not None  # every SQLite address has one
    mode = "rw" if read_only else "rwc"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, read_only)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=2, hide_parameters=True
    )
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare(connection: sqlite3.Connection, read_only: bool) -> None:
    """Set a connection up; `synchronous=FULL` writes each commit through to the disk: it outlives a power cut."""
    if read_only:
        connection.execute("PRAGMA query_only=ON")
        return
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # heeded while the file is new
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={KEPT_WAL_BYTES}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a writing transaction as one at once: two that read first and write later would end in a deadlock."""
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN" if options.get(READS, False) else "BEGIN IMMEDIATE")


def _postgresql(address: Address, name: str, answer_s: float) -> Engine:
    try:
        from console.state.bounded import connect
    except ImportError:
        raise StateError(
            f"state {address.where}: PostgreSQL needs psycopg; install it with pip install 'gigadeck[postgresql]'"
        ) from None
    try:
        url = make_url(address.url)
    except ArgumentError:
        raise StateError(f"state {address.where}: this is no database URL") from None
    engine = create_engine(
        url,
        connect_args=_postgresql_arguments(name, dict(url.query), answer_s),
        pool_size=1,
        max_overflow=2,
        pool_pre_ping=True,
        pool_timeout=CONNECT_S,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _write_through)
    event.listen(engine, "do_connect", lambda _, __, arguments, named: connect(answer_s, arguments, named))
    return engine


def _write_through(connection: Any, _: object) -> None:
    """Have a commit wait for the disk where the server is set up not to: what was acknowledged must not be lost."""
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()


def _postgresql_arguments(name: str, given: dict[str, Any], answer_s: float) -> dict[str, Any]:
    """Return time-outs, and keep-alives that notice a dead host; what the URL itself says goes before ours."""
    limits = {
        "statement_timeout": 0.75 * answer_s,  # so that a slow statement ends with the server's own words
        "lock_timeout": 0.2 * answer_s,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_S,
    }
    ours = {
        "connect_timeout": CONNECT_S,
        "application_name": name,
        "keepalives_idle": 3,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 8000,
        "options": " ".join(f"-c {key}={int(seconds * 1000)}" for key, seconds in limits.items()),
    }
    if "options" in given:
        ours["options"] = f"{ours['options']} {given['options']}"
    return {key: value for key, value in ours.items() if key not in given or key in ("options", "application_name")}
