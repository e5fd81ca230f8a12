"""Gives events the address of what they are about, where a voice knows only the node's name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuid
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from console.model.events import Event
    from console.model.topology import SiteTopology


def addressed(events: Iterable[Event], topology: SiteTopology, node_row: Callable[[str], int]) -> tuple[Event, ...]:
    """Return the events with `site/NODE`, `site/NODE/gN` and `site/NODE/GPU-uuid` as full addresses.

    NODE may be any spelling that the site knows (`node_row` gives its row, -1 for none). A UUID that is not that
    node's leads to the node. Other paths stay as they are.
    """
    return tuple(_addressed(event, topology, node_row) for event in events)


def _addressed(event: Event, topology: SiteTopology, node_row: Callable[[str], int]) -> Event:
    site, _, rest = event.path.partition("/")
    node, _, gpu = rest.partition("/")
    if site != topology.site or not node or "/" in gpu or topology.resolve(event.path) is not None:
        return event
    row = node_row(node)
    if row < 0:
        return event
    if gpu.startswith("GPU-"):
        return replace(event, path=_of_uuid(gpu, topology, row))
    if gpu and not (gpu[:1] == "g" and gpu[1:].isdigit()):
        return event
    address = topology.path(Level.NODE, row)
    return replace(event, path=f"{address}/{gpu}" if gpu else address)


def _of_uuid(uuid: str, topology: SiteTopology, node: int) -> str:
    """Return the address of a node's GPU, the node's where it has no such GPU."""
    high, low = (np.array([word], dtype=np.uint64) for word in parse_uuid(uuid))
    row = int(topology.uuids.find(high, low)[0])
    if row >= 0 and topology.parent(Level.GPU, row, Level.NODE) == node:
        return topology.path(Level.GPU, row)
    return topology.path(Level.NODE, node)
