"""Carries rows from one topology of a site to the next by key, so that what belongs to an object stays with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.model.topology import SiteTopology

    Rows = NDArray[np.int32]

SLOTS = 256
_LEVELS = {level.value: level for level in Level}


def row_map(old: SiteTopology, new: SiteTopology, level: Level) -> Rows:
    """Return int32[new rows]: the old row of each new row by its key, -1 where it was not there before.

    A GPU is known by its UUID; one whose UUID either side does not know, by its slot in the node of that name. A node
    is known by its name, whatever rack it stands in; a rack by its hall and name.
    """
    if level in (Level.FLEET, Level.SITE):
        return np.zeros(1, dtype=np.int32)
    if level is Level.GPU:
        return _gpu_map(old, new)
    return match(level_names(old, level), level_names(new, level))


def named_map(old: SiteTopology, new: SiteTopology, level: str) -> Rows:
    """Return the row map of a site level or a domain kind; a domain is known by its name."""
    if level in _LEVELS:
        return row_map(old, new, _LEVELS[level])
    return match(level_names(old, level), level_names(new, level))


def row_count(topology: SiteTopology, level: str) -> int:
    """Return the number of rows at a site level or of a domain kind."""
    known = _LEVELS.get(level)
    return len(level_names(topology, level)) if known is None else topology.count(known)


def level_names(topology: SiteTopology, level: str) -> Sequence[str]:
    """Return the rows' names at a site level above the GPU or of a domain kind; racks as `hall/rack`."""
    if level == Level.RACK:
        halls = topology.parents(Level.RACK, Level.HALL).tolist()
        return [f"{topology.halls[hall]}/{rack}" for hall, rack in zip(halls, topology.racks, strict=True)]
    rows = {Level.SITE.value: (topology.site,), Level.HALL.value: topology.halls, Level.NODE.value: topology.nodes}
    domain = topology.domains.get(level)
    return rows.get(level, domain.names if domain else ())


def is_identity(rows: NDArray[np.integer[Any]], old_length: int) -> bool:
    """Whether a row map changes nothing."""
    return len(rows) == old_length and bool((rows == np.arange(len(rows), dtype=rows.dtype)).all())


def match(old: Sequence[str], new: Sequence[str]) -> Rows:
    """Return int32[new]: where each name was before, -1 for a new one."""
    if old is new or old == new:
        return np.arange(len(new), dtype=np.int32)
    rows = {name: row for row, name in enumerate(old)}
    return np.fromiter((rows.get(name, -1) for name in new), dtype=np.int32, count=len(new))


def _gpu_map(old: SiteTopology, new: SiteTopology) -> Rows:
    slot_rows = _slot_map(old, new)
    by_uuid = _uuid_map(old, new, slot_rows)
    new_unknown = (new.uuid_high == 0) & (new.uuid_low == 0)
    at = np.maximum(slot_rows, 0)
    if not old.gpus:
        return slot_rows
    old_unknown = (old.uuid_high[at] == 0) & (old.uuid_low[at] == 0)
    # A slot tells who is in it only while no two different UUIDs deny that; nobody is at two places.
    by_slot = (by_uuid < 0) & (slot_rows >= 0) & (new_unknown | old_unknown)
    taken = np.zeros(old.gpus, dtype=bool)
    taken[by_uuid[by_uuid >= 0]] = True
    by_slot &= ~taken[at]
    return np.where(by_slot, slot_rows, by_uuid)


def _uuid_map(old: SiteTopology, new: SiteTopology, slot_rows: Rows) -> Rows:
    at = np.maximum(slot_rows, 0)
    if not old.gpus:
        return np.full(new.gpus, -1, dtype=np.int32)
    known = (new.uuid_high != 0) | (new.uuid_low != 0)
    stayed = known & (slot_rows >= 0) & (old.uuid_high[at] == new.uuid_high) & (old.uuid_low[at] == new.uuid_low)
    rows = np.where(stayed, slot_rows, -1).astype(np.int32)
    moved = np.flatnonzero(known & ~stayed)
    if len(moved):
        rows[moved] = old.uuids.find(new.uuid_high[moved], new.uuid_low[moved])
    return rows


def _slot_map(old: SiteTopology, new: SiteTopology) -> Rows:
    """Return the old GPU row with the same node name and slot as each new one, -1 where there is none."""
    node_rows = row_map(old, new, Level.NODE)
    owner = node_rows[new.parents(Level.GPU, Level.NODE)].astype(np.int64)
    return find_slots(old, owner, new.gpu_slot)


def find_slots(topology: SiteTopology, nodes: NDArray[np.int64], slots: NDArray[np.generic]) -> Rows:
    """Return the GPU row of each (node row, slot), -1 where the node or the slot is not there (or is negative)."""
    if not topology.gpus:
        return np.full(len(nodes), -1, dtype=np.int32)
    own = topology.parents(Level.GPU, Level.NODE).astype(np.int64) * SLOTS + topology.gpu_slot
    wanted = nodes * SLOTS + slots.astype(np.int64)
    at = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    good = (own[at] == wanted) & (nodes >= 0) & (slots.astype(np.int64) >= 0) & (slots.astype(np.int64) < SLOTS)
    return np.where(good, at, -1).astype(np.int32)
