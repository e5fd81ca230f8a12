"""The memory itself: opened once, written by one thread, in transactions that a fence number guards."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import select

from console.model.errors import Fenced, StateError
from console.state import schema
from console.state.address import SQLITE, parse_address
from console.state.connections import ANSWER_S, READS, engine_for
from console.state.faults import told
from console.state.lock_file import LockFile
from console.state.migrations import NEWEST, migrate, refuse_newer, version
from console.state.reader import Reader
from console.state.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from console.state.address import Address
    from console.state.migrations import Step
    from console.state.values import Remembered


def open_store(url: str, *, realm: str, base: Path | None = None, read_only: bool = False, alone: bool = True) -> Store:
    """Open a memory; `realm` names those who elect one leader among them. A relative SQLite path starts at `base`.

    An empty database gets its tables. Older tables are brought up to date at once where we alone can write (SQLite),
    and by whoever leads in PostgreSQL (`Leadership.try_lead`) or by `gigadeck state migrate`. Raises NewerSchema, and
    StateError where there is no way in, or another process writes the same SQLite file. `read_only` takes no lock; nor
    does whoever need not be `alone`, for short writes of what no session writes (tokens) beside the one that holds it.
    """
    store = Store(parse_address(url, base), realm, read_only=read_only, alone=alone)
    try:
        store.open()
    except BaseException:
        store.close()
        raise
    return store


class Store:
    """An open memory. One thread owns it; a Leadership has a connection of its own and may live on another."""

    def __init__(self, address: Address, realm: str, *, read_only: bool = False, alone: bool = True) -> None:
        self.address = address
        self.realm = realm
        self.read_only = read_only
        self.alone = alone
        self.instance = secrets.token_hex(6)
        self.schema = 0
        self.migrated: tuple[Step, ...] = ()
        locked = address.path is not None and alone and not read_only
        self._lock = LockFile(address.path) if locked and address.path is not None else None
        self._engine: Engine | None = None

    @property
    def where(self) -> str:
        """The database in words that hold no secret."""
        return self.address.where

    @property
    def behind(self) -> bool:
        """Whether the tables are those of an older gigadeck, so that nothing can be read or written yet."""
        return self.schema < NEWEST

    def open(self) -> None:
        """Connect, look at the schema, make the tables of an empty database; raises as `open_store` does."""
        if self._lock is not None:
            self._lock.take()
        if self.address.path is not None and not self.read_only:
            self._make_private(self.address.path)
        self._engine = self.another_engine()
        self.schema = self.look()
        writes = not self.read_only and (self.schema == 0 or (self.alone and self.address.kind == SQLITE))
        if self.behind and writes:
            self.migrated = self.migrate()

    def _make_private(self, path: Path) -> None:
        """Make the file, if there is none, as one that only its owner may read.

        One that is there is not even opened: closing it would let go of every lock that another connection of this
        process holds on it (as POSIX has it), and then whoever leaves last takes the log of what was written with it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            words = error.strerror or str(error)
            raise StateError(f"state {self.where}: {words}; give this user the right to write the file") from None

    def another_engine(self, answer_s: float = ANSWER_S) -> Engine:
        """Return an engine of its own to the same database; whoever asks disposes of it."""
        name = f"gigadeck {self.instance}"
        return engine_for(self.address, name=name, read_only=self.read_only, answer_s=answer_s)

    def look(self) -> int:
        """Return the version of the schema as it is there now; raises NewerSchema."""
        with self.reading() as connection:
            found = version(connection)
        refuse_newer(self.address, found)
        return found

    def migrate(self, engine: Engine | None = None) -> tuple[Step, ...]:
        """Bring the tables up to date, by another engine where another thread asks; return what was done.

        A SQLite file that holds something is copied first, beside itself.
        """
        if self.schema and self.address.path is not None:
            with told(self.address):
                copy_file(
                    self.address.path, self.address.path.with_name(f"{self.address.path.name}.schema-{self.schema}")
                )
        with told(self.address):
            done = migrate(engine or self.engine, self.address)
        self.schema = NEWEST
        return done

    @property
    def engine(self) -> Engine:
        """The engine of the owner's thread; raises StateError after `close`."""
        if self._engine is None:
            raise StateError(f"state {self.where}: it is closed")
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection to read with, in one transaction; raises StateError."""
        with told(self.address), self.engine.connect() as connection:
            connection.execution_options(**{READS: True})
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection to write with, in one transaction; for what no leader guards. Raises StateError."""
        with told(self.address), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def begin(self, fence: int | None = None) -> Iterator[Writer]:
        """Yield a Writer for one transaction, which is kept when the block ends and undone when it raises.

        With `fence`, raises Fenced unless that is still the number of the realm's leader; the same transaction
        holds that fast, so that what a former leader wants to write is refused however late it comes. Raises StateError
        when it cannot be written; where the database went away in mid-commit, doing it again is safe.
        """
        self.require_writable()
        with self.writing() as connection:
            if fence is not None:
                self._require_fence(connection, fence)
            writer = Writer(connection)
            yield writer
            writer.flush()

    def require_writable(self) -> None:
        """Raise StateError with what to do unless this store can be written."""
        if self.read_only:
            raise StateError(f"state {self.where}: it was opened to be read only")
        if self.behind:
            self.schema = self.look()  # the leader may have brought it up to date
        if self.behind:
            raise StateError(
                f"state {self.where}: its schema is {self.schema}, this gigadeck needs {NEWEST}; "
                "run `gigadeck state migrate`, or start `gigadeck serve`, whose leader does it"
            )

    def _require_fence(self, connection: Connection, fence: int) -> None:
        table = schema.realms
        statement = select(table.c.fence, table.c.holder).where(table.c.realm == self.realm)
        row = connection.execute(statement.with_for_update(read=True)).first()
        if row is None or row.fence != fence:
            leader = f"{row.holder} leads {self.realm}" if row and row.holder else f"{self.realm} has another leader"
            raise Fenced(f"state {self.where}: {leader} now; nothing was written")

    def load(self, sites: Sequence[str], *, resolved_since: float = 0.0) -> Remembered:
        """Return what was kept of some sites: every open incident, and those resolved at or after a time."""
        with self.asking() as reader:
            return reader.remembered(sites, resolved_since)

    @contextmanager
    def asking(self) -> Iterator[Reader]:
        """Yield a Reader: all that it answers is of one moment. Raises StateError."""
        with self.reading() as connection:
            yield Reader(connection)

    def close(self) -> None:
        """Let go of the connections and of the lock; never raises."""
        if self._engine is not None:
            with suppress(Exception):
                self._engine.dispose()
            self._engine = None
        if self._lock is not None:
            self._lock.release()


def copy_file(path: Path, target: Path) -> None:
    """Copy a SQLite file whole, with what its log holds, while it is written; only its owner may read the copy."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
