"""What maintenance writes: plans and their steps, locks, guard counters, the journal's index."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text

from console.state import schema
from console.state.address import POSTGRESQL
from console.state.rows import plain, row_of
from console.state.statements import Statements, adding, inserting
from console.state.values import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.state.values import JournalEntry, PlanRecord, StepRecord

_JOURNAL = 0x67696A6F  # 'gijo'


class Works(Statements):
    """The part of a Writer that maintenance needs."""

    def put_plan(self, plan: PlanRecord) -> None:
        """Keep a plan as it is now."""
        self._put(schema.plans, [row_of(plan)])

    def put_steps(self, steps: Iterable[StepRecord]) -> None:
        """Keep steps of plans as they are now."""
        self._put(schema.steps, [row_of(each) for each in steps])

    def take_lock(self, lock: Lock) -> Lock | None:
        """Take a lock, or keep one longer that its holder has; return the lock of whoever has it instead.

        One whose time ran out before `lock.taken_at` is anybody's.
        """
        table, row = schema.locks, row_of(lock)
        insert = inserting(table, self.connection.dialect.name)
        ours = insert.excluded
        statement = insert.on_conflict_do_update(
            index_elements=[table.c.site, table.c.name],
            set_={"holder": ours.holder, "taken_at": ours.taken_at, "until_at": ours.until_at, "reason": ours.reason},
            where=(table.c.until_at <= ours.taken_at) | (table.c.holder == ours.holder),
        ).returning(table.c.name)
        if self.connection.execute(statement, row).first() is not None:
            return None
        other = self.connection.execute(
            select(table).where(table.c.site == row["site"], table.c.name == row["name"])
        ).mappings()
        return Lock(**other.one())

    def drop_lock(self, site: str, name: str, holder: str) -> bool:
        """Let go of a lock; return whether this holder had it."""
        table = schema.locks
        where = (table.c.site == plain(site), table.c.name == plain(name), table.c.holder == plain(holder))
        return self.connection.execute(delete(table).where(*where)).rowcount > 0

    def count(self, site: str, guard: str, domain: str, by: int, at: float) -> int:
        """Add to a guard's counter (never below 0); return what it is now. The caller remembers the deed with it."""
        table = schema.guard_counters
        keys = {"site": plain(site), "guard": plain(guard), "domain": plain(domain)}
        self.connection.execute(adding(table, self.connection.dialect.name), {**keys, "value": 0, "changed_at": at})
        where = [table.c[name] == value for name, value in keys.items()]
        now = self.connection.execute(select(table.c.value).where(*where).with_for_update()).scalar_one()
        value: int = max(0, now + by)
        self.connection.execute(table.update().where(*where).values(value=value, changed_at=at))
        return value

    def index_journal(self, entries: Sequence[JournalEntry]) -> list[int]:
        """Keep where entries of the journal lie; return their numbers, the next ones of each site where 0 is given."""
        self._number_alone({entry.site for entry in entries})
        next_of: dict[str, int] = {}
        rows: list[dict[str, Any]] = []
        for entry in entries:
            row = row_of(entry)
            row["position"] = row.pop("offset")
            if not row["seq"]:
                row["seq"] = next_of.get(row["site"]) or self._next_seq(row["site"])
            next_of[row["site"]] = max(row["seq"] + 1, next_of.get(row["site"], 0))
            rows.append(row)
        self._put(schema.journal, rows)
        return [row["seq"] for row in rows]

    def _number_alone(self, sites: set[str]) -> None:
        """Have others that number entries of these sites wait until we have committed; SQLite has one writer anyway."""
        if self.connection.dialect.name == POSTGRESQL:
            for site in sorted(sites):
                digest = hashlib.blake2b(plain(site).encode(), digest_size=4).digest()
                keys = {"class": _JOURNAL, "site": int.from_bytes(digest, "big") & 0x7FFFFFFF}
                self.connection.execute(text("SELECT pg_advisory_xact_lock(:class, :site)"), keys)

    def _next_seq(self, site: str) -> int:
        table = schema.journal
        last = self.connection.execute(select(func.max(table.c.seq)).where(table.c.site == site)).scalar()
        return int(last or 0) + 1
