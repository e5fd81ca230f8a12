"""What people and memories say of a subject: its incidents with their life, and the notes on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.core.note_subjects import key_of_row
from console.model.events import AlertState
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.core.why.subject import WhySubject
    from console.model.incidents import Incident
    from console.model.snapshot import Snapshot

MOST_INCIDENTS = 10
MOST_NOTES = 10
MOST_PATHS = 1000


def facts_remembered(snapshot: Snapshot, subject: WhySubject) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of the incidents that name the subject or one of its nodes, and of the notes on these."""
    if not snapshot.incidents and not snapshot.notes:
        return
    paths = _paths(subject)
    mine = [each for each in snapshot.incidents if each.site == subject.frame.site and _names(each, paths)]
    for incident in mine[:MOST_INCIDENTS]:
        yield f"incident {incident.id}", f"{incident.sign.text}; {_life(incident)}"
    keys = {key for path in (subject.id, *paths) if (key := key_of_row(snapshot.frame, path)) is not None}
    keys |= {(each.site, f"incident:{each.id}") for each in mine}
    notes = [note for note in snapshot.notes if (note.site, note.subject) in keys]
    for note in notes[:MOST_NOTES]:
        yield "note", f"{note.author} at {_at(note.at)} on {note.subject}: {note.text}"


def _paths(subject: WhySubject) -> frozenset[str]:
    """Return the addresses of a subject's nodes, or of its one GPU and the node of that."""
    topology = subject.frame.topology
    nodes = [topology.path(Level.NODE, row) for row in subject.nodes[:MOST_PATHS].tolist()]
    return frozenset((*nodes, topology.path(Level.GPU, subject.gpu)) if subject.gpu >= 0 else nodes)


def _names(incident: Incident, paths: frozenset[str]) -> bool:
    """Whether an incident names one of some nodes or GPUs, or a GPU of one of these nodes."""
    named = {incident.sign.path, *incident.sign.paths}
    return not paths.isdisjoint(named | {path.rpartition("/")[0] for path in named})


def _life(incident: Incident) -> str:
    taken = incident.acknowledgement
    state = f"{incident.state.value} since {_at(incident.opened_at)}"
    if incident.state is AlertState.RESOLVED:
        state = f"resolved at {_at(incident.resolved_at)}"
    who = f"; acknowledged by {taken.author}{f': {taken.note}' if taken.note else ''}" if taken else ""
    return f"{state}{who}"


def _at(at: float) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (OverflowError, OSError, ValueError):
        return str(at)
