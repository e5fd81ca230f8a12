"""A memory as JSON lines, the same for both databases: to be kept as a backup, or carried from one to the other.

The first line is `{"gigadeck": "state", "schema": N, ...}`; then, for each table, a line with its columns and one for
each row; the last line counts the rows, so that a file that was cut off is known as such.
"""

from __future__ import annotations

import base64
import gzip
import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import msgspec
from sqlalchemy import MetaData, Table, func, inspect, select, text

from console.model.errors import NewerSchema, RefusedError, StateError
from console.state import schema
from console.state.migrations import NEWEST, STEPS, apply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from console.state.store import Store

_ROWS_AT_ONCE = 500
_MOST_LINE_BYTES = 256_000_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def export(store: Store, path: Path, *, at: float) -> int:
    """Write the whole memory to a file (compressed where its name ends in .gz); return how many rows.

    The file appears when it is whole, and only its owner may read it. Raises StateError.
    """
    if store.behind:
        raise StateError(f"state {store.where}: its schema is {store.schema}; run `gigadeck state migrate` first")
    partial = path.with_name(f"{path.name}.partial")
    rows = 0
    try:
        with _written(partial, packed=path.suffix == ".gz") as file, store.reading() as connection:
            _line(file, {"gigadeck": "state", "schema": NEWEST, "at": at, "from": store.where})
            for table in schema.metadata.sorted_tables:
                if table is not schema.meta:
                    rows += _export_table(connection, table, file)
            _line(file, {"end": True, "rows": rows})
        partial.replace(path)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}; name a file in a folder that you may write") from None
    finally:
        with suppress(OSError):
            partial.unlink()
    return rows


def _export_table(connection: Connection, table: Table, file: IO[bytes]) -> int:
    names = [str(column.name) for column in table.columns]
    _line(file, {"table": str(table.name), "columns": names})
    rows = 0
    query = select(table).order_by(*table.primary_key.columns)
    for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        _line(file, [{"b64": base64.b64encode(each).decode()} if isinstance(each, bytes) else each for each in row])
        rows += 1
    return rows


def restore(store: Store, path: Path, *, replace: bool = False) -> int:
    """Put what a file holds in place of an empty memory's nothing; return how many rows. All or nothing.

    With `replace` what there is goes. Files of older schemas are brought up to date on the way. Raises RefusedError
    where the memory holds something, NewerSchema, StateError for a damaged file.
    """
    with _read(path) as file:
        head = _head(file, path)
        with store.writing() as connection:
            if not replace and not is_empty(connection):
                raise RefusedError(f"state {store.where}: it is not empty; with --replace what it holds is gone")
            fences = _fences(connection)
            _empty(connection)
            for step in STEPS[:head]:
                apply(connection, step)
            rows = _import_rows(connection, file, path)
            for step in STEPS[head:]:
                apply(connection, step)
            _let_nobody_lead(connection, fences)
    store.schema = NEWEST
    return rows


def _fences(connection: Connection) -> dict[str, int]:
    """Return the last fence of each realm before everything goes."""
    if "realms" not in inspect(connection).get_table_names():
        return {}
    return {row.realm: row.fence for row in connection.execute(text("SELECT realm, fence FROM realms"))}


def _let_nobody_lead(connection: Connection, fences: dict[str, int]) -> None:
    """Make the next fence of each realm larger than any that was ever given out, here or where the file comes from."""
    known = fences | {name: max(fences.get(name, 0), fence) for name, fence in _fences(connection).items()}
    connection.execute(schema.realms.delete())
    for realm, fence in known.items():
        connection.execute(schema.realms.insert(), {"realm": realm, "fence": fence})


def is_empty(connection: Connection) -> bool:
    """Return whether nothing is kept yet; who leads does not count."""
    there = set(inspect(connection).get_table_names())
    tables = [table for table in schema.metadata.sorted_tables if table.name in there]
    return not any(
        connection.execute(select(func.count()).select_from(table)).scalar()
        for table in tables
        if table not in (schema.meta, schema.realms)
    )


def _empty(connection: Connection) -> None:
    there = set(inspect(connection).get_table_names())
    for table in schema.metadata.sorted_tables:
        if table.name in there:
            connection.execute(text(f"DROP TABLE {table.name}"))


def _head(file: IO[bytes], path: Path) -> int:
    """Return the schema of the file's rows."""
    head = _decoded(file.readline(100_000), path)
    if not isinstance(head, dict) or head.get("gigadeck") != "state" or not isinstance(head.get("schema"), int):
        raise StateError(f"{path}: this is no backup of gigadeck's state")
    number: int = head["schema"]
    if number > NEWEST:
        raise NewerSchema(f"{path}: a newer gigadeck wrote it (schema {number}, this one knows {NEWEST})")
    return number


def _import_rows(connection: Connection, file: IO[bytes], path: Path) -> int:
    rows, ended = 0, False
    table: Table | None = None
    names: list[str] = []
    waiting: list[dict[str, Any]] = []
    while line := file.readline(_MOST_LINE_BYTES):
        read = _decoded(line, path)
        if isinstance(read, list) and table is not None and len(read) == len(names):
            waiting.append(dict(zip(names, map(_value, read), strict=True)))
            rows += 1
        if waiting and table is not None and (isinstance(read, dict) or len(waiting) >= _ROWS_AT_ONCE):
            connection.execute(table.insert(), waiting)
            waiting = []
        if isinstance(read, dict) and "table" in read:
            table, names = _known(connection, read, path), read["columns"]
        elif isinstance(read, dict):
            ended = bool(read.get("end")) and read.get("rows") == rows
    if not ended:
        raise StateError(f"{path}: it was cut off or changed; nothing was restored")
    return rows


def _known(connection: Connection, line: dict[str, Any], path: Path) -> Table:
    """Return a table as it is in the database now, which has the columns that the file names."""
    name, names = line["table"], line.get("columns")
    if name in schema.metadata.tables and isinstance(names, list):
        table = Table(name, MetaData(), autoload_with=connection)
        if set(names) <= set(table.columns.keys()):
            return table
    raise StateError(f"{path}: it tells of a table that gigadeck does not know: {str(name)[:60]}; nothing was restored")


def _value(each: Any) -> Any:
    return base64.b64decode(each["b64"]) if isinstance(each, dict) else each


def _line(file: IO[bytes], value: object) -> None:
    file.write(_encode(value) + b"\n")


def _decoded(line: bytes, path: Path) -> Any:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StateError(f"{path}: this is no backup of gigadeck's state, or it is damaged") from None


@contextmanager
def _written(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as plain:
        if packed:
            with gzip.GzipFile(fileobj=plain, mode="wb", mtime=0) as file:
                yield file  # type: ignore[misc]  # a GzipFile reads and writes as IO[bytes] does
        else:
            yield plain
        plain.flush()
        os.fsync(plain.fileno())


@contextmanager
def _read(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=plain) as file:
                    yield file  # type: ignore[misc]  # as above
            else:
                yield plain
    except (OSError, EOFError) as error:
        words = getattr(error, "strerror", None) or "it was cut off"
        raise StateError(f"{path}: {words}; name a file that `gigadeck state backup` wrote") from None
