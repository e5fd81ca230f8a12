"""Who leads: one of those that share a realm, with a lease by the database's clock and a fence number that only grows.

In PostgreSQL an advisory lock on a connection of its own names the leader; a lock whose holder has not renewed its
lease (a paused process, a dead host) is taken away by ending that backend. In SQLite whoever holds the lock file leads.
Everything that a leader writes carries its fence, so that one that wakes up late is refused (`Store.begin`).
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from console.model.errors import Fenced, StateError
from console.model.values import dataclass
from console.state.address import POSTGRESQL
from console.state.faults import told
from console.state.migrations import refuse_newer, version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

    from console.state.store import Store

RENEW_S = 2.0
LEASE_S = 8.0
ANSWER_S = 4.0  # and waits at most a fifth of this for a lock
_ENDING_S = 1.5
_POLL_S = 0.05
_CLASS = 0x67696764  # 'gigd': our advisory locks, by realm
_CLAIMS = 0x67696763
_NOW = {
    "postgresql": "extract(epoch FROM clock_timestamp())::float8",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
_HELD = """
SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :class AND l.objid = :object AND l.objsubid = 2
AND a.datname = current_database() AND a.state_change < clock_timestamp() - make_interval(secs => :lease)
"""
_TAKE_OFFICE = """
INSERT INTO realms (realm, holder, address, sites, instance, fence, since, renewed_at)
VALUES (:realm, :holder, :address, :sites, :instance, 1, {now}, {now})
ON CONFLICT (realm) DO UPDATE SET holder = excluded.holder, address = excluded.address, sites = excluded.sites,
instance = excluded.instance, fence = realms.fence + 1, since = excluded.since, renewed_at = excluded.renewed_at
RETURNING fence
"""


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads a realm, where it is reached; `age_s` is how old its lease is by the database's clock."""

    holder: str
    address: str
    fence: int
    renewed_at: float
    age_s: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether its lease still runs."""
        return self.age_s <= LEASE_S


def living_leaders(store: Store) -> tuple[str, ...]:
    """Return who leads any realm of a database now, in order of name; raises StateError."""
    if not store.schema:
        return ()
    now = _NOW[store.address.kind]
    with store.reading() as connection:
        found = connection.execute(
            text(f"SELECT holder FROM realms WHERE holder <> '' AND {now} - renewed_at <= :lease"), {"lease": LEASE_S}
        )
        return tuple(sorted(found.scalars()))


class Leadership:
    """One candidate; owned by one thread. Only `lease_left_s` may be asked from others."""

    def __init__(
        self,
        store: Store,
        realm: str,
        holder: str,
        address: str,
        *,
        sites: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if realm != store.realm:
            raise ValueError(f"the store was opened for {store.realm!r}")
        self._store = store
        self._who = {"realm": realm, "holder": holder, "address": address, "sites": "\n".join(sites)}
        self._monotonic = monotonic
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._fence: int | None = None
        self._renewed = float("-inf")

    @property
    def fence(self) -> int | None:
        """Our fence while we believe that we lead; the database's own word counts, at each `begin`."""
        return self._fence

    def lease_left_s(self) -> float:
        """Return for how long we may go on as the leader without hearing from the database; below 0: not any more."""
        return LEASE_S - (self._monotonic() - self._renewed) if self._fence is not None else -LEASE_S

    def try_lead(self) -> int | None:
        """Return our fence if we lead now, None if somebody else does; asked every second by whoever follows.

        Whoever leads brings older tables up to date. Raises StateError (the database, or another realm that leads one
        of our sites) and NewerSchema.
        """
        if self._fence is not None:
            with suppress(Fenced):
                self.renew()
                return self._fence
        with self._asking() as connection:
            refuse_newer(self._store.address, version(connection))
            if self._postgresql and not self._locked(connection):
                return None
            asked = self._monotonic()
            self._take_office(connection)
            self._renewed = asked
            if self._store.behind:
                self._store.migrate(self._engine)
            return self._fence

    def renew(self) -> None:
        """Make the lease last; due every RENEW_S. Raises Fenced where somebody else leads, StateError otherwise."""
        if self._fence is None:
            raise Fenced(f"state {self._store.where}: {self._who['holder']} does not lead {self._who['realm']}")
        asked = self._monotonic()
        with self._asking() as connection:
            statement = f"UPDATE realms SET renewed_at = {self._now} WHERE realm = :realm AND fence = :fence"
            renewed = connection.execute(text(statement), {"realm": self._who["realm"], "fence": self._fence}).rowcount
        if not renewed:
            self._let_go()
            raise Fenced(f"state {self._store.where}: somebody else leads {self._who['realm']} now")
        self._renewed = asked

    def leader(self) -> Leader | None:
        """Return who leads or was the last to (`alive` tells), None where nobody ever did or the last one resigned."""
        statement = f"SELECT holder, address, fence, renewed_at, {self._now} - renewed_at AS age_s FROM realms"
        with self._asking() as connection:
            found = connection.execute(text(f"{statement} WHERE realm = :realm"), {"realm": self._who["realm"]}).first()
        return Leader(*found) if found is not None and found.holder else None

    def resign(self) -> None:
        """Let somebody else lead at once, and let go of the connection; never raises."""
        with suppress(StateError):
            if self._fence is not None:
                self._leave_office()
        self._let_go()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _leave_office(self) -> None:
        with self._asking() as connection:
            connection.execute(
                text(
                    "UPDATE realms SET holder = '', address = '', instance = '', renewed_at = 0 "
                    "WHERE realm = :realm AND fence = :fence"
                ),
                {"realm": self._who["realm"], "fence": self._fence},
            )

    @property
    def _postgresql(self) -> bool:
        return self._store.address.kind == POSTGRESQL

    @property
    def _now(self) -> str:
        return _NOW[self._store.address.kind]

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        """Yield our connection, each statement a transaction; one that broke is let go of, and the office with it."""
        with told(self._store.address):
            connection = self._connected()
            try:
                yield connection
            finally:
                if connection.invalidated or connection.closed:
                    self._let_go()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._engine = self._engine or self._store.another_engine(ANSWER_S)
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection = connection
        return self._connection

    def _let_go(self) -> None:
        """Close the connection, which lets go of the advisory lock."""
        self._fence = None
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.invalidate()
            with suppress(Exception):
                connection.close()

    def _locked(self, connection: Connection) -> bool:
        """Return whether we hold the advisory lock now; one whose holder is silent is taken away from it."""
        if self._try_lock(connection):
            return True
        leader = self.leader()
        if leader is not None and leader.alive:
            return False
        keys = {**self._keys, "lease": LEASE_S}
        silent = [row.pid for row in connection.execute(text(_HELD), keys)]
        for pid in silent:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        until = self._monotonic() + _ENDING_S
        while silent and self._monotonic() < until:
            if self._try_lock(connection):
                return True
            time.sleep(_POLL_S)
        return False

    def _try_lock(self, connection: Connection) -> bool:
        return bool(connection.execute(text("SELECT pg_try_advisory_lock(:class, :object)"), self._keys).scalar())

    @property
    def _keys(self) -> dict[str, Any]:
        digest = hashlib.blake2b(self._who["realm"].encode(), digest_size=4).digest()
        return {"class": _CLASS, "object": int.from_bytes(digest, "big") & 0x7FFFFFFF}

    def _take_office(self, connection: Connection) -> None:
        """Write down that we lead, with the next fence; what the last leader has in the middle of writing is ended."""
        if self._postgresql:
            connection.execute(text("SELECT pg_advisory_lock(:class, 0)"), {"class": _CLAIMS})
        try:
            self._require_our_sites(connection)
            if self._postgresql:
                self._end_writers(connection)
            values = {**self._who, "instance": self._store.instance}
            self._fence = connection.execute(text(_TAKE_OFFICE.format(now=self._now)), values).scalar_one()
        except BaseException:
            self._let_go()
            raise
        if self._postgresql:
            connection.execute(text("SELECT pg_advisory_unlock(:class, 0)"), {"class": _CLAIMS})

    def _require_our_sites(self, connection: Connection) -> None:
        """Raise StateError where a leader of another realm has one of our sites."""
        statement = (
            f"SELECT realm, holder, sites FROM realms WHERE realm <> :realm AND {self._now} - renewed_at <= :lease"
        )
        values = {"realm": self._who["realm"], "lease": LEASE_S}
        ours = set(filter(None, self._who["sites"].split("\n")))
        for row in connection.execute(text(statement), values).all():
            shared = sorted(ours & set(row.sites.split("\n")))
            if shared:
                raise StateError(
                    f"state {self._store.where}: {row.holder} ({row.realm}) leads {', '.join(shared)} already; "
                    "one `gigadeck serve` leads a site: give both the same sites, or this one others"
                )

    def _end_writers(self, connection: Connection) -> None:
        """End what the last leader has connected: a paused one may hold its fence in the middle of a transaction."""
        last = connection.execute(
            text("SELECT instance FROM realms WHERE realm = :realm"), {"realm": self._who["realm"]}
        ).scalar()
        if last and last != self._store.instance:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name "
                    "AND datname = current_database() AND pid <> pg_backend_pid()"
                ),
                {"name": f"gigadeck {last}"},
            )
