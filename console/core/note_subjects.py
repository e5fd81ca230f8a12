"""What a note is about: objects by keys that survive a move, so that a note follows its GPU to another slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuid
from console.model.levels import Level

if TYPE_CHECKING:
    from console.model.incidents import Note
    from console.model.snapshot import Frame, SiteFrame, Snapshot


def key_of_row(frame: Frame, row_id: str) -> tuple[str, str] | None:
    """Return the site and the key of a row's id (an address, `job:SITE/ID`), None for what nobody writes notes on."""
    kind, colon, name = row_id.partition(":")
    if colon and kind in ("job", "incident"):
        site = name.rpartition("-")[0] if kind == "incident" else name.partition("/")[0]
        return (site, row_id) if frame.site(site) is not None else None
    place = frame.site(row_id.partition("/")[0])
    if place is None or place.topology.resolve(row_id) is None:
        return None
    return place.site, key_at(place, row_id)


def notes_on(snapshot: Snapshot, row_id: str) -> tuple[Note, ...]:
    """Return the notes on the object of a row, in the snapshot's order."""
    found = key_of_row(snapshot.frame, row_id)
    return tuple(note for note in snapshot.notes if (note.site, note.subject) == found)


def key_at(frame: SiteFrame, path: str) -> str:
    """Return the key of what is at an address of a site."""
    topology = frame.topology
    level, row = topology.resolve(path) or (Level.SITE, 0)
    if level is Level.GPU:
        node = topology.nodes[topology.parent(Level.GPU, row, Level.NODE)]
        return f"gpu:{topology.uuid(row) or f'{frame.site}/{node}/{topology.name(Level.GPU, row)}'}"
    return f"node:{frame.site}/{topology.nodes[row]}" if level is Level.NODE else f"{level.value}:{path}"


def is_gone(frame: Frame, site: str, key: str) -> bool:
    """Return whether a site surely has no object of a key now; one that is silent or not known may have anything.

    Incidents are not looked for: whoever remembers them knows.
    """
    place = frame.site(site)
    kind, _, name = key.partition(":")
    if place is None or place.stale or not place.data_at or kind == "incident":
        return False
    if kind == "job":
        numbers = {job.id for job in place.jobs.rows}
        return bool(numbers) and name.partition("/")[2].partition("@")[0] not in numbers
    if kind == "node":
        return place.topology.node_row(name.partition("/")[2]) is None
    return not _has_gpu(place, name) if kind == "gpu" else place.topology.resolve(name) is None


def _has_gpu(place: SiteFrame, name: str) -> bool:
    topology = place.topology
    if "/" not in name:
        high, low = (np.array([word], dtype=np.uint64) for word in parse_uuid(name))
        return bool(topology.uuids.find(high, low)[0] >= 0)
    _, node, slot = name.split("/", 2)
    row = topology.node_row(node)
    return row is not None and topology.resolve(f"{topology.path(Level.NODE, row)}/{slot}") is not None
