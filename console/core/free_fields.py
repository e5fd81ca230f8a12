"""Free capacity as fields of `status` rows: free GPUs, whole free blocks, seconds until draining nodes are empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.capacity import blocks, capacity
from console.core.segments import run_maxima, run_sums
from console.model.levels import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.snapshot import SiteFrame

    Floats = NDArray[np.float64]


def free_field(frame: SiteFrame, level: Level, name: str, now: float) -> Floats:
    """Return float64[count(level)] of `free_gpus`, `free_blocks` or `drain_s`; NaN where no scheduler tells.

    A block counts in the row that holds its first node.
    """
    if not capacity(frame, now).judged:
        return np.full(frame.topology.count(level), np.nan)
    nodes = node_field(frame, name, now)
    topology = frame.topology
    if level is Level.GPU:
        owner = topology.parents(Level.GPU, Level.NODE)
        share = np.maximum(np.diff(topology.node_gpus), 1)[owner]
        return nodes[owner] / share if name == "free_gpus" else nodes[owner]
    starts = topology.starts(level, Level.NODE)
    return run_maxima(nodes, starts) if name == "drain_s" else run_sums(nodes, starts).astype(np.float64)


def node_field(frame: SiteFrame, name: str, now: float) -> Floats:
    """Return float64[nodes] of one of these fields."""
    has = capacity(frame, now)
    if name == "free_gpus":
        return np.where(has.free, np.diff(frame.topology.node_gpus), 0).astype(np.float64)
    if name == "drain_s":
        drain_at = has.drain_at
        return np.where(np.isfinite(drain_at), np.maximum(drain_at - now, 0.0), np.nan)
    group = blocks(frame)
    sizes = np.diff(group.starts)
    whole = (group.total(has.free) == sizes) & (sizes > 0)
    found = np.zeros(len(frame.topology.nodes))
    np.add.at(found, group.members[group.starts[:-1][whole]], 1.0)
    return found
