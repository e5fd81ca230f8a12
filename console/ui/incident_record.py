"""The incidents that a row stands for, as a sheet shows them above the record of the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.incident_evidence import evidence_of
from console.core.incident_rows import ids_of_row
from console.model.views import Span, Text
from console.present.incidents import incident_lines
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.incidents import Incident
    from console.model.snapshot import Snapshot
    from console.model.views import Line

MOST_SHOWN = 5


def incident_record(snapshot: Snapshot, incident: Incident) -> Text:
    """Return all that is known of one incident."""
    return Text(tuple(_lines(snapshot, [incident])), title=clean(f"incident:{incident.id}", 120))


def incidents_section(snapshot: Snapshot, row_id: str) -> Iterator[Line]:
    """Yield the incidents of a row (of its object), nothing where it has none."""
    ids = ids_of_row(snapshot, row_id)
    found = [each for each in snapshot.incidents if each.id in ids]
    yield from _lines(snapshot, found[:MOST_SHOWN])
    if len(found) > MOST_SHOWN:
        yield (Span(f"and {len(found) - MOST_SHOWN} more incidents: {', '.join(ids[MOST_SHOWN:])[:200]}", "text.dim"),)
    if found:
        yield ()


def _lines(snapshot: Snapshot, incidents: Sequence[Incident]) -> Iterator[Line]:
    for number, incident in enumerate(incidents):
        if number:
            yield ()
        yield from incident_lines(incident, evidence_of(snapshot, incident), snapshot.at)
