"""What a database says, as a user reads it: where, what, what to do; no secret, no statement, no parameter."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from console.model.errors import StateError
from console.state.address import parse_address
from console.state.faults import state_error, told

POSTGRESQL = parse_address("postgresql://gigadeck:geheim@db.example/state")
SQLITE = parse_address("sqlite:////var/lib/gigadeck/state.db")


class SaidError(Exception):
    def __init__(self, words: str, sqlstate: str | None = None) -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


def wrapped(original: Exception) -> DBAPIError:
    return OperationalError("INSERT INTO notes VALUES (?)", {"text": "a private note"}, original)


@pytest.mark.parametrize(
    ("code", "words", "advice"),
    [
        ("53100", "could not extend file: No space left on device", "free some space on the database's disk"),
        ("53300", "too many connections for role", "raise max_connections"),
        ("25006", "cannot execute INSERT in a read-only transaction", "name the primary"),
        ("42501", "permission denied for table notes", "grant this role the rights"),
        ("42P01", 'relation "notes" does not exist', "gigadeck state migrate"),
        ("57P01", "terminating connection due to administrator command", "by itself when it is back"),
        ("57014", "canceling statement due to statement timeout", "it took too long"),
        ("55P03", "canceling statement due to lock timeout", "somebody holds a lock"),
        ("40P01", "deadlock detected", "safe to do it again"),
        ("28P01", "password authentication failed", "pg_hba.conf"),
        (None, 'FATAL:  password authentication failed for user "gigadeck"', "pg_hba.conf"),
        (None, 'FATAL:  database "state" does not exist', "createdb"),
        (None, "FATAL:  the database system is starting up", "by itself when it is back"),
        (None, "FATAL:  sorry, too many clients already", "raise max_connections"),
        (None, "connection refused", "is it running"),
        (None, "consuming input failed: server closed the connection unexpectedly", "is it running"),
    ],
)
def test_what_postgresql_says_comes_with_what_to_do(code: str | None, words: str, advice: str) -> None:
    message = str(state_error(POSTGRESQL, wrapped(SaidError(f"{words}\nDETAIL: (a private note)", code))))
    assert message.startswith(f"state postgresql://gigadeck@db.example/state: {words}; ")
    assert advice in message
    assert "private" not in message
    assert "INSERT INTO" not in message


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("attempt to write a readonly database", "give this user the right"),
        ("database or disk is full", "free some space"),
        ("unable to open database file", "make the folder"),
        ("database is locked", "another process writes it"),
        ("database disk image is malformed", "gigadeck state restore"),
        ("disk I/O error", "look at the disk"),
        ("no such table: notes", "gigadeck state migrate"),
        ("something new", "look at the file"),
    ],
)
def test_what_sqlite_says_comes_with_what_to_do(words: str, advice: str) -> None:
    for error in (wrapped(sqlite3.OperationalError(words)), sqlite3.OperationalError(words)):
        message = str(state_error(SQLITE, error))
        assert message.startswith(f"state sqlite:////var/lib/gigadeck/state.db: {words}; ")
        assert advice in message


def test_a_driver_that_repeats_the_password_is_cut_short() -> None:
    error = wrapped(SaidError("invalid connection string: password=geheim host=db"))
    assert "geheim" not in str(state_error(POSTGRESQL, error))


def test_the_driver_s_own_error_is_not_shown_with_ours() -> None:
    with pytest.raises(StateError) as caught, told(POSTGRESQL):
        raise wrapped(SaidError("geheim"))
    assert caught.value.__suppress_context__
