"""What a note is about: objects by keys that survive a move, so that a note follows its GPU to another slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
