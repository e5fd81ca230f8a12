"""One transaction: everything that is put through a Writer is kept together, or nothing of it.

Each of its calls may be repeated with the same values and changes nothing then, so that a transaction whose end nobody
knows (the database went away in mid-commit) is simply done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, or_, select, update

from console.state import schema
from console.state.rows import acknowledgement_row, change_row, incident_row, plain, row_of
from console.state.statements import ROWS_AT_ONCE
from console.state.works import Works

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

    from console.model.incidents import Deed, Incident, Note, SharedView
    from console.state.values import Baseline, Sent


class Writer(Works):
    """What may be written within `Store.begin`; plans, locks and counters come from `Works`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._outcomes: dict[str, str | None] = {}
        self._deeds: dict[str, dict[str, Any]] = {}

    def put_incidents(self, incidents: Iterable[Incident]) -> None:
        """Keep incidents as they are now, who has taken each on, and the step of its life that it has just made."""
        # In one order everywhere, so that two who write the same ones at once wait for each other, not in a circle.
        given = sorted(incidents, key=lambda each: each.id)
        if not given:
            return
        last = list({each.id: each for each in given}.values())
        self._put(schema.incidents, list(map(incident_row, last)))
        self._add(schema.changes, list(map(change_row, given)))
        self._acknowledge(list(map(acknowledgement_row, last)))

    def _acknowledge(self, rows: Sequence[dict[str, Any]]) -> None:
        table = schema.acknowledgements
        columns = [column.name for column in table.columns if column.name != "withdrawn_at"]
        self._put(
            table,
            [{name: row[name] for name in columns} | {"withdrawn_at": 0.0} for row in rows if row["at"] >= 0],
        )
        withdraw = (
            update(table)
            .where(table.c.incident == bindparam("an_incident"), table.c.withdrawn_at == 0)
            .where(or_(table.c.at != bindparam("its_at"), table.c.author != bindparam("its_author")))
            .values(withdrawn_at=bindparam("now"))
        )
        self._many(
            withdraw,
            [
                {
                    "an_incident": row["incident"],
                    "its_at": row["at"],
                    "its_author": row["author"],
                    "now": row["changed_at"],
                }
                for row in rows
            ],
        )

    def add_note(self, note: Note) -> None:
        """Keep a note; one of the same id is replaced."""
        self._put(schema.notes, [row_of(note)])

    def drop_note(self, note_id: str) -> bool:
        """Forget a note; return whether there was one."""
        return self._deleted(schema.notes, id=note_id)

    def put_view(self, site: str, view: SharedView) -> None:
        """Keep a view of a site by its name; the one that had this name is replaced."""
        self._put(schema.views, [{**row_of(view), "site": plain(site)}])

    def drop_view(self, site: str, name: str) -> bool:
        """Forget a view of a site; return whether there was one."""
        return self._deleted(schema.views, site=site, name=name)

    def put_baselines(self, baselines: Iterable[Baseline]) -> None:
        """Keep columns of detectors' memory, each in place of what was kept before."""
        rows = [row_of(each) for each in baselines]
        for row in rows:
            row["field"] = row.pop("column")
        self._put(schema.baselines, rows)

    def expect(self, deeds: Iterable[Deed]) -> None:
        """Look up at once which of some deeds were done before, so that `done` need not ask for each."""
        table = schema.deeds
        ids = list({plain(deed.id) for deed in deeds} - self._outcomes.keys())
        self._outcomes |= dict.fromkeys(ids)
        for start in range(0, len(ids), ROWS_AT_ONCE):
            query = select(table.c.id, table.c.outcome).where(table.c.id.in_(ids[start : start + ROWS_AT_ONCE]))
            self._outcomes |= {row.id: row.outcome for row in self.connection.execute(query)}

    def done(self, deed: Deed) -> str | None:
        """Return what came of a deed that was done before; None where it has not been done."""
        if plain(deed.id) not in self._outcomes:
            self.expect([deed])
        return self._outcomes[plain(deed.id)]

    def remember(self, deed: Deed, outcome: str) -> None:
        """Keep that a deed was done and what came of it; what was kept of the same id before stays."""
        row = {**row_of(deed), "outcome": plain(outcome)}
        del row["text"]
        self._deeds.setdefault(row["id"], row)
        if self._outcomes.get(row["id"]) is None:
            self._outcomes[row["id"]] = row["outcome"]

    def flush(self) -> None:
        """Send what waits to be sent in one go; `Store.begin` does it before it commits."""
        self._add(schema.deeds, list(self._deeds.values()))
        self._deeds.clear()

    def sent(self, notification: Sent) -> bool:
        """Keep that a notification goes out; return whether it is the first: where not, it must not go out again."""
        return self._is_new(schema.sent, row_of(notification))

    def _deleted(self, table: Table, **keys: str) -> bool:
        where = [table.c[name] == plain(value) for name, value in keys.items()]
        return self.connection.execute(delete(table).where(*where)).rowcount > 0
