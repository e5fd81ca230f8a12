"""Addresses and keys of objects: what a row's id stands for, and where a marked object is now."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuid
from console.model.levels import SITE_LEVELS, Level

if TYPE_CHECKING:
    from console.model.snapshot import Frame, Snapshot

CHILDREN_LIMIT = 2000
NODE_DEPTH = SITE_LEVELS.index(Level.NODE)


def resolve(frame: Frame, address: str) -> tuple[str, Level, int] | None:
    """Return (site, level, row) of an address, None where nothing has it."""
    site = frame.site(address.partition("/")[0])
    found = site.topology.resolve(address) if site is not None else None
    return None if site is None or found is None else (site.site, *found)


def can_ask_why(row_id: str) -> bool:
    """Whether `why` has an answer for a row's id: a job, an incident, or an address below a site."""
    return row_id.startswith(("job:", "incident:")) or ("/" in row_id and ":" not in row_id)


def keeps_logs(row_id: str) -> bool:
    """Whether somebody may have logs of a row's id: a job, a node or a GPU."""
    return row_id.startswith("job:") or (row_id.count("/") >= NODE_DEPTH and ":" not in row_id)


@lru_cache(maxsize=1)  # asked with each key, and changed by snapshots alone
def has_incident(snapshot: Snapshot, row_id: str) -> bool:
    """Whether somebody can take on what a row stands for: an open incident, or an object that one is at."""
    if not row_id or not snapshot.incidents:
        return False
    from console.core.incident_rows import ids_of_row

    return bool(ids_of_row(snapshot, row_id))


def key_of(frame: Frame, address: str) -> str:
    """Return the identity of what is at an address, empty where there is nothing."""
    found = resolve(frame, address)
    site = frame.site(found[0]) if found else None
    return "" if found is None or site is None else site.topology.key(found[1], found[2])


def address_of(frame: Frame, key: str) -> str:
    """Return where the object of a key is now, empty where it is gone."""
    for site in frame.sites:
        topology = site.topology
        prefix, _, rest = key.partition(":")
        if prefix == topology.site and rest:
            return _of_node_name(frame, topology.site, rest)
        if key.startswith("GPU-"):
            high, low = (np.array([word], dtype=np.uint64) for word in parse_uuid(key))
            row = int(topology.uuids.find(high, low)[0])
            if row >= 0:
                return topology.path(Level.GPU, row)
    return key if resolve(frame, key) else ""


def _of_node_name(frame: Frame, site: str, rest: str) -> str:
    """Return the address of `NODE` or `NODE/gN` of a site."""
    found = frame.site(site)
    name, _, gpu = rest.partition("/")
    row = found.topology.node_row(name) if found else None
    if found is None or row is None:
        return ""
    path = found.topology.path(Level.NODE, row)
    return f"{path}/{gpu}" if gpu and resolve(frame, f"{path}/{gpu}") else "" if gpu else path


def children(frame: Frame, address: str) -> list[str]:
    """Return the addresses directly below one (of the fleet: its sites), at most CHILDREN_LIMIT."""
    if not address:
        return [site.site for site in frame.sites]
    found = resolve(frame, address)
    site = frame.site(found[0]) if found else None
    if found is None or site is None or found[1] is Level.GPU:
        return []
    _, level, row = found
    span = site.topology.span(level, row, level.child)
    rows = range(span.start, min(span.stop, span.start + CHILDREN_LIMIT))
    return [f"{address}/{site.topology.name(level.child, each)}" for each in rows]


def find(frame: Frame, name: str) -> list[str]:
    """Return the addresses that a name may mean: an address, a node's name or alias at any site, a GPU's UUID."""
    if resolve(frame, name):
        return [name]
    if name.startswith("GPU-"):
        address = address_of(frame, name)
        return [address] if address else []
    rows = [(site.topology, site.topology.node_row(name)) for site in frame.sites]
    return [topology.path(Level.NODE, row) for topology, row in rows if row is not None]
