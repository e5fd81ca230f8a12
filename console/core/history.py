"""What was: short memories of nodes and wider, and of the GPUs that somebody watches; by key, whatever moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.remap import is_identity, row_map
from console.core.ring import Ring
from console.core.rollup import level_values, tree_level
from console.core.watched import WatchedGpus
from console.model.levels import SITE_LEVELS, Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.model.columns import Times, Values
    from console.model.metrics import Metric, MetricTable, RollUp
    from console.model.snapshot import Frame, SiteFrame
    from console.model.topology import SiteTopology

NARROW_FIELDS = ("temp_c_max", "gpu_power_w_sum", "sm_active_ratio", "util_pct")
MOST_WATCHED_SITES = 4
# What float16 counts watts in: racks of up to 4 MW fit, and half a watt is told of a node that draws a kilowatt.
HALF_UNITS = {"gpu_power_w_sum": 64.0}


@dataclass(frozen=True, slots=True)
class _Depth:
    samples: int
    longest_step_s: float
    half: bool = False


DEPTHS = {
    Level.NODE: _Depth(60, 60.0, half=True),
    Level.RACK: _Depth(90, 60.0, half=True),
    Level.HALL: _Depth(720, 120.0),
    Level.SITE: _Depth(720, 120.0),
}


class HistoryRings:
    """The history of a fleet, owned by one thread; `get` gives copies.

    Kept at the time of the data: nodes 60 samples over up to an hour of temp_c_max, gpu_power_w_sum, sm_active_ratio
    and util_pct; racks 90 of the same; halls and sites 720 samples over up to a day of every aggregate that the metric
    table knows; at most 256 watched GPUs a site (the four sites watched last) 240 samples over up to an hour of every
    metric. Nodes and racks are float16: true to 1 part in 2048 (0.03 K at 80 degrees, 4 W at 10 kW, power up to
    4 MW); all else is float32. Cost (`memory_bytes`): 480 bytes a node, 720 a rack, 2,880 a field of a hall or site:
    so 60 MB of nodes and 23 MB of racks for 1,000,000 GPUs in nodes of 8 and racks of 32, and 5.4 MB a watched site.
    """

    def __init__(self, metrics: MetricTable) -> None:
        self._metrics = metrics
        self._fields = {level: _fields(metrics, level) for level in DEPTHS}
        self._sites: dict[str, _SiteRings] = {}
        self._watched: dict[str, WatchedGpus] = {}

    @property
    def memory_bytes(self) -> int:
        """Bytes that the rings take."""
        rings = [ring for site in self._sites.values() for ring in site.rings.values()]
        return sum(ring.memory_bytes for ring in rings) + sum(each.memory_bytes for each in self._watched.values())

    def append(self, frame: Frame) -> None:
        """Take a sample of every site that has newer data than before; a site that turns stale leaves a gap."""
        for gone in self._sites.keys() - {site.site for site in frame.sites}:
            del self._sites[gone]
            self._watched.pop(gone, None)
        for site in frame.sites:
            rings = self._fitted(site.topology)
            if site.stale:
                rings.gap(frame.at)
                continue
            if site.data_at <= rings.data_at:
                continue
            rings.data_at, rings.blind = site.data_at, False
            for level, ring in rings.rings.items():
                if ring.wants(site.data_at):
                    ring.begin(site.data_at)
                    self._sample(ring, site, level, frame.at)
            if site.site in self._watched:
                self._watched[site.site].append(site, frame.at)

    def watch(self, path: str) -> None:
        """Keep the history of the GPUs at and beside a GPU, or under a node or rack; of wider places nothing."""
        rings = self._sites.get(path.partition("/")[0])
        found = rings.topology.resolve(path) if rings is not None else None
        if rings is None or found is None:
            return
        level, row = found
        if level is Level.GPU:
            level, row = Level.NODE, rings.topology.parent(level, row, Level.NODE)
        if level not in (Level.NODE, Level.RACK):
            return
        name = rings.topology.site
        watched = self._watched.pop(name, None) or WatchedGpus(self._metrics, rings.topology)
        self._watched[name] = watched
        while len(self._watched) > MOST_WATCHED_SITES:
            del self._watched[next(iter(self._watched))]
        watched.watch(rings.topology.span(level, row, Level.GPU))

    def get(self, path: str, field: str, span_s: float) -> tuple[Times, Values]:
        """Return float64 times and float32 values (NaN: missing) of one field over the last `span_s` seconds.

        Above the GPU a field is the name of an aggregate, at a GPU that of a metric; what is not kept is empty.
        """
        rings = self._sites.get(path.partition("/")[0])
        found = rings.topology.resolve(path) if rings is not None else None
        if rings is None or found is None:
            return _nothing()
        level, row = found
        if level is Level.GPU:
            watched = self._watched.get(rings.topology.site)
            return watched.get(row, field, span_s) if watched is not None else _nothing()
        names = [name for name, _, _ in self._fields[level]]
        if field not in names or level not in rings.rings:
            return _nothing()
        return rings.rings[level].series(names.index(field), row, span_s)

    def _fitted(self, topology: SiteTopology) -> _SiteRings:
        rings = self._sites.get(topology.site)
        if rings is None:
            made = {level: self._ring(level, topology.count(level)) for level in DEPTHS}
            rings = self._sites[topology.site] = _SiteRings(topology, made)
        elif rings.topology is not topology:
            rings.follow(topology)
            if topology.site in self._watched:
                self._watched[topology.site].follow(topology)
        return rings

    def _ring(self, level: Level, rows: int) -> Ring:
        depth, names = DEPTHS[level], [name for name, _, _ in self._fields[level]]
        units = [HALF_UNITS.get(name, 1.0) for name in names] if depth.half else None
        return Ring(depth.samples, depth.longest_step_s, len(names), rows, units)

    def _sample(self, ring: Ring, site: SiteFrame, level: Level, now: float) -> None:
        for field, (_, metric, how) in enumerate(self._fields[level]):
            values = level_values(site, metric, how, level, now)
            if values is not None:
                ring.put(field, values)


class _SiteRings:
    """The rings of one site by level."""

    def __init__(self, topology: SiteTopology, rings: dict[Level, Ring]) -> None:
        self.topology = topology
        self.rings = rings
        self.data_at = 0.0
        self.blind = False

    def follow(self, topology: SiteTopology) -> None:
        """Move every row to where its key is in a new topology."""
        for level, ring in self.rings.items():
            rows = row_map(self.topology, topology, level)
            if not is_identity(rows, self.topology.count(level)):
                self.rings[level] = ring.remapped(rows)
        self.topology = topology

    def gap(self, at: float) -> None:
        """Leave one sample without values, so that a line does not lead over the time without data."""
        if self.blind or not self.data_at:
            return
        self.blind = True
        for ring in self.rings.values():
            if at > ring.last_at:
                ring.begin(at)


def _fields(metrics: MetricTable, level: Level) -> tuple[tuple[str, Metric, RollUp], ...]:
    """Return the fields kept at a level, with what they are made of."""
    found = []
    for metric in metrics.values():
        own = tree_level(metric.level)
        fits = level is Level.SITE if own is None else SITE_LEVELS.index(own) >= SITE_LEVELS.index(level)
        for name, how in metric.aggregates.items():
            if fits and (level in (Level.SITE, Level.HALL) or name in NARROW_FIELDS):
                found.append((name, metric, how))
    return tuple(found)


def _nothing() -> tuple[Times, Values]:
    return np.zeros(0, dtype=np.float64), np.zeros(0, dtype=np.float32)
