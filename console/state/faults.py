"""What databases say when they fail, turned into one clear StateError: where, what, and what to do."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from console.model.errors import StateError
from console.state.address import SQLITE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.state.address import Address

_SQLITE_ADVICE = (
    ("readonly", "give this user the right to write the file and its folder"),
    ("disk is full", "free some space, or move the file; `gigadeck state info` tells what takes how much"),
    ("full", "free some space, or move the file; `gigadeck state info` tells what takes how much"),
    ("unable to open", "make the folder and give this user the right to write in it"),
    ("locked", "another process writes it; end that one, or wait"),
    ("malformed", "restore a backup with `gigadeck state restore`"),
    ("not a database", "restore a backup with `gigadeck state restore`, or name another file"),
    ("disk i/o", "look at the disk; a memory must not lie on a network share"),
    ("no such table", "run `gigadeck state migrate`"),
)
_POSTGRESQL_ADVICE = (
    ("25006", "it is read-only (a standby, or default_transaction_read_only); name the primary"),
    ("42501", "grant this role the rights to write the tables of gigadeck"),
    ("531", "free some space on the database's disk"),
    ("533", "raise max_connections there, or end some connections"),
    ("3F", "let this role use the schema, or name another one: ?options=-csearch_path%3DNAME"),
    ("28", "look at the user and its password ($PGPASSFILE, ~/.pgpass) and at pg_hba.conf"),
    ("3D", "make the database: createdb -O USER NAME"),
    ("57P", "it stops or restarts; writing goes on by itself when it is back"),
    ("57014", "it took too long; look for locks and at the disk there"),
    ("55P03", "somebody holds a lock there; look at pg_stat_activity"),
    ("40", "two transactions met; it is safe to do it again"),
    ("42P01", "run `gigadeck state migrate`"),
    ("08", "is it running, and can this host reach it?"),
)
# A connection that is refused has no code.
_REFUSED = (
    ("authentication failed", "28"),
    ("pg_hba.conf", "28"),
    ("no password supplied", "28"),
    ("does not exist", "3D"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
    ("too many", "533"),
    ("connection slots", "533"),
)
_UNREACHABLE = "is it running, and can this host reach it? writing goes on by itself when it is back"


@contextmanager
def told(address: Address) -> Iterator[None]:
    """Turn what the database raises into StateError without parameters, statements or secrets."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise state_error(address, error) from None


def state_error(address: Address, error: Exception) -> StateError:
    """Return the error that a user sees of a database's own."""
    original = (error.orig or error) if isinstance(error, DBAPIError) else error
    lines = str(original).strip().splitlines() or [type(original).__name__]
    words = address.clean(lines[0] if isinstance(error, (DBAPIError, sqlite3.Error)) else type(error).__name__)
    return StateError(f"state {address.where}: {words}; {advice(address, original, words)}")


def advice(address: Address, original: BaseException, words: str) -> str:
    """Return what to do about a database's words."""
    if address.kind == SQLITE:
        lower = words.lower()
        return next((text for part, text in _SQLITE_ADVICE if part in lower), "look at the file and its disk")
    code = str(getattr(original, "sqlstate", None) or next((code for part, code in _REFUSED if part in words), ""))
    found = [text for part, text in _POSTGRESQL_ADVICE if code.startswith(part)] if code else []
    return found[0] if found else _UNREACHABLE
