"""Statements for both databases, made once: put a row in place of the one with its key, or add it if it is new."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

from console.state.address import POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table
    from sqlalchemy.sql import Executable

ROWS_AT_ONCE = 500


class Statements:
    """What a transaction can do with rows of any table."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _put(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Keep rows, each in place of the one with its key."""
        self._many(replacing(table, self.connection.dialect.name), rows)

    def _add(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Keep those rows whose key is new."""
        self._many(adding(table, self.connection.dialect.name), rows)

    def _is_new(self, table: Table, row: dict[str, Any]) -> bool:
        """Keep a row if its key is new; return whether it was."""
        statement = adding(table, self.connection.dialect.name).returning(next(iter(table.primary_key.columns)))
        return self.connection.execute(statement, row).first() is not None

    def _many(self, statement: Executable, rows: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            self.connection.execute(statement, list(rows[start : start + ROWS_AT_ONCE]))


@cache
def replacing(table: Table, dialect: str) -> Any:
    """Return an insert that takes the place of the row with the same key."""
    insert = inserting(table, dialect)
    rest = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=rest)


@cache
def adding(table: Table, dialect: str) -> Any:
    """Return an insert that does nothing where the key is taken."""
    return inserting(table, dialect).on_conflict_do_nothing(index_elements=list(table.primary_key.columns))


def inserting(table: Table, dialect: str) -> Any:
    """Return the dialect's insert, which can say what happens where the key is taken."""
    return (postgresql.insert if dialect == POSTGRESQL else sqlite.insert)(table)
