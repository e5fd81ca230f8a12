"""Small topologies and readings for tests of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.inventory import NodeSpec
from console.model.levels import Level
from console.model.reading import ColumnPart, GpuKeys, NamedKeys
from console.model.snapshot import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.metrics import MetricTable
    from console.model.reading import Keys, Part
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

NOW = 1_800_000_000.0


def uuid(number: int) -> str:
    """Return the UUID of a numbered GPU."""
    return f"GPU-{number:08x}-0000-0000-0000-{number:012x}"


def node(name: str, place: str = "h1/r1", gpus: int = 2, uuids: Sequence[int] = (), **more: Any) -> NodeSpec:
    """Return a node at `hall/rack` whose GPUs have these numbers."""
    hall, rack = place.split("/")
    return NodeSpec(name, hall, rack, gpus, gpu_uuids=tuple(uuid(each) for each in uuids), **more)


def small_site(
    site: str = "muc1", *, halls: int = 2, racks: int = 2, nodes: int = 3, gpus: int = 4, declared: bool = True
) -> SiteTopology:
    """Return a site of even halls, racks, nodes and GPUs, with UUIDs 1.. and one CDU for every two racks."""
    specs = []
    for rack in range(halls * racks):
        for _ in range(nodes):
            number = len(specs)
            first = number * gpus + 1
            specs.append(
                node(
                    f"n{number + 1:04}",
                    f"h{rack // racks + 1}/r{rack + 1:03}",
                    gpus,
                    range(first, first + gpus),
                    domains={"cdu": (f"c{rack // 2 + 1}",)},
                )
            )
    return build_topology(site, specs, declared=declared)


def gpu_keys(topology: SiteTopology, rows: Sequence[int] | None = None, *, with_uuid: bool = True) -> GpuKeys:
    """Return the keys of some GPU rows as a voice would spell them."""
    chosen = np.arange(topology.gpus) if rows is None else np.asarray(rows, dtype=np.int64)
    owners = topology.parents(Level.GPU, Level.NODE)[chosen]
    zero = np.zeros(len(chosen), dtype=np.uint64)
    return GpuKeys(
        tuple(topology.nodes[owner] for owner in owners),
        topology.gpu_slot[chosen].astype(np.int16),
        topology.uuid_high[chosen] if with_uuid else zero,
        topology.uuid_low[chosen] if with_uuid else zero,
    )


def keys_of(said: Sequence[tuple[str, int, int]]) -> GpuKeys:
    """Return keys of (node, slot, number of the UUID or 0)."""
    from console.model.identity import parse_uuids

    high, low = parse_uuids([uuid(number) if number else "" for _, _, number in said])
    return GpuKeys(tuple(name for name, _, _ in said), np.array([s for _, s, _ in said], dtype=np.int16), high, low)


def column(metric: str, keys: Keys, values: Any, at: float = NOW, *, full: bool = True) -> ColumnPart:
    """Return a part whose values were all sampled at one time."""
    return ColumnPart(metric, keys, np.asarray(values, dtype=np.float32), same_time(at, len(values)), full)


def named(level: str, *names: str) -> NamedKeys:
    """Return keys of named rows."""
    return NamedKeys(level, names)


def merger(topology: SiteTopology, metrics: MetricTable = BUILTIN) -> SiteMerger:
    """Return a merger of one site."""
    return SiteMerger(topology, metrics)


def tell(
    to: SiteMerger, *parts: Part, source: str = "prom", at: float = NOW, stale_after_s: float = 30.0
) -> SiteMerger:
    """Merge parts that arrive at one time; return the merger."""
    for part in parts:
        to.apply(part, source=source, stale_after_s=stale_after_s, received_at=at)
    return to


def fleet_frame(*sites: SiteFrame, at: float = NOW) -> Frame:
    """Return a frame of these sites."""
    return Frame(at, "europe", BUILTIN, sites)


def by_key(topology: SiteTopology, values: Any, level: Level = Level.GPU) -> dict[str, float]:
    """Return values by the key of their row."""
    return {topology.key(level, row): float(value) for row, value in enumerate(values)}
