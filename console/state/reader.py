"""What can be asked of the memory: everything that was kept, as values, in an order that does not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from console.state import schema
from console.state.rows import acknowledgement_of, change_of, incident_of, note_of, view_of
from console.state.values import (
    Baseline,
    GuardCounter,
    JournalEntry,
    Lock,
    PlanRecord,
    Remembered,
    Sent,
    StepRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Select

    from console.model.incidents import Incident, Note, SharedView
    from console.state.values import Change

MOST_INCIDENTS = 50_000
MOST_NOTES = 50_000
_ROWS_AT_ONCE = 500


class Reader:
    """Answers from one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def remembered(self, sites: Sequence[str], resolved_since: float = 0.0) -> Remembered:
        """Return all that a new leader needs of some sites."""
        return Remembered(
            self.incidents(sites, resolved_since), self.notes(sites), self.views(sites), self.baselines(sites)
        )

    def incidents(self, sites: Sequence[str], resolved_since: float = 0.0) -> tuple[Incident, ...]:
        """Return the open incidents of sites and those resolved at or after a time, by id; at most MOST_INCIDENTS."""
        table, taken = schema.incidents, schema.acknowledgements
        wanted = table.c.site.in_(sites) & or_(table.c.resolved_at == 0, table.c.resolved_at >= resolved_since)
        newest = select(table).where(wanted).order_by(table.c.resolved_at > 0, table.c.changed_at.desc())
        rows = self._rows(newest.limit(MOST_INCIDENTS))
        now = select(taken).join(table, table.c.id == taken.c.incident).where(wanted, taken.c.withdrawn_at == 0)
        by_incident = {row["incident"]: acknowledgement_of(row) for row in self._rows(now.order_by(taken.c.at))}
        return tuple(sorted((incident_of(row, by_incident.get(row["id"])) for row in rows), key=lambda each: each.id))

    def life(self, incident: str) -> tuple[Change, ...]:
        """Return what an incident has been, from the first to now."""
        table = schema.changes
        query = select(table).where(table.c.incident == incident).order_by(table.c.at, table.c.state, table.c.severity)
        return tuple(map(change_of, self._rows(query)))

    def notes(self, sites: Sequence[str]) -> tuple[Note, ...]:
        """Return the notes of sites, newest first; at most MOST_NOTES."""
        table = schema.notes
        query = select(table).where(table.c.site.in_(sites)).order_by(table.c.at.desc(), table.c.id)
        return tuple(map(note_of, self._rows(query.limit(MOST_NOTES))))

    def views(self, sites: Sequence[str]) -> dict[str, tuple[SharedView, ...]]:
        """Return the views of each of the sites by name."""
        table = schema.views
        found: dict[str, list[SharedView]] = {site: [] for site in sites}
        for row in self._rows(select(table).where(table.c.site.in_(sites))):
            found[row["site"]].append(view_of(row))
        return {site: tuple(sorted(views, key=lambda view: view.name)) for site, views in found.items()}

    def baselines(self, sites: Sequence[str]) -> tuple[Baseline, ...]:
        """Return the kept columns of detectors' memory of sites."""
        table = schema.baselines
        query = select(table).where(table.c.site.in_(sites)).order_by(table.c.site, table.c.detector, table.c.field)
        return tuple(
            Baseline(row["site"], row["detector"], row["field"], row["saved_at"], bytes(row["data"]))
            for row in self._rows(query)
        )

    def plans(self, sites: Sequence[str]) -> tuple[PlanRecord, ...]:
        """Return the plans of sites, oldest first."""
        table = schema.plans
        query = select(table).where(table.c.site.in_(sites)).order_by(table.c.created_at, table.c.id)
        return tuple(PlanRecord(**row) for row in self._rows(query))

    def steps(self, plan: str) -> tuple[StepRecord, ...]:
        """Return the steps of a plan in order."""
        table = schema.steps
        query = select(table).where(table.c.plan == plan).order_by(table.c.number)
        return tuple(StepRecord(**row) for row in self._rows(query))

    def locks(self, sites: Sequence[str]) -> tuple[Lock, ...]:
        """Return the locks of sites, those whose time ran out too."""
        table = schema.locks
        query = select(table).where(table.c.site.in_(sites)).order_by(table.c.site, table.c.name)
        return tuple(Lock(**row) for row in self._rows(query))

    def guard_counters(self, sites: Sequence[str]) -> tuple[GuardCounter, ...]:
        """Return the guards' counters of sites."""
        table = schema.guard_counters
        query = select(table).where(table.c.site.in_(sites)).order_by(table.c.site, table.c.guard, table.c.domain)
        return tuple(GuardCounter(**row) for row in self._rows(query))

    def journal(self, site: str, after: int = 0, limit: int = 1000) -> tuple[JournalEntry, ...]:
        """Return the entries of a site's journal after a number, in order."""
        table = schema.journal
        query = select(table).where(table.c.site == site, table.c.seq > after).order_by(table.c.seq).limit(limit)
        rows = [dict(row) for row in self._rows(query)]
        return tuple(JournalEntry(offset=row.pop("position"), **row) for row in rows)

    def sent(self, incident: str) -> tuple[Sent, ...]:
        """Return the notifications about an incident, oldest first."""
        table = schema.sent
        query = select(table).where(table.c.incident == incident).order_by(table.c.at, table.c.channel, table.c.what)
        return tuple(Sent(**row) for row in self._rows(query))

    def _rows(self, query: Select[Any]) -> Iterator[Any]:
        """Yield rows as mappings, fetched in slices: fetching all in one call would hold the interpreter lock."""
        for some in self._connection.execute(query).mappings().partitions(_ROWS_AT_ONCE):
            yield from some
