"""A site's topology: ordered flat arrays, so that a node's GPUs, a rack's nodes and a hall's racks lie side by side."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from console.model.columns import distinct
from console.model.identity import UuidIndex, format_uuid
from console.model.levels import SITE_LEVELS, Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Offsets = NDArray[np.int32]
# So few nodes are looked through; the table of all nodes, 130 bytes each, is made for larger racks and for aliases.
SMALL_RACK = 1000


@dataclass(frozen=True, eq=False)
class Domain:
    """One kind of domain (CDU, NVLink domain, feed, rail, ...): many to many with nodes or GPUs.

    `members[starts[i]:starts[i + 1]]` are the node (or GPU, as `unit` says) rows of domain `names[i]`.
    """

    kind: str
    names: tuple[str, ...]
    unit: Level
    members: NDArray[np.int32]
    starts: Offsets

    def of(self, unit_row: int) -> tuple[str, ...]:
        """Return the names of the domains that hold one node (or GPU)."""
        where = np.flatnonzero(self.members == unit_row)
        return tuple(self.names[i] for i in distinct(np.searchsorted(self.starts, where, side="right") - 1))


@dataclass(frozen=True)
class Geo:
    """Where a site stands: ISO 3166 country, degrees, and an IANA time zone."""

    country: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    timezone: str = "UTC"


@dataclass(frozen=True, eq=False)
class SiteTopology:
    """One site, declared or discovered. Rows are in natural order of hall, rack, node and GPU index.

    Shapes: `hall_racks` int32[halls + 1], `rack_nodes` int32[racks + 1], `node_gpus` int32[nodes + 1] are start
    offsets into the next finer level; `gpu_slot` uint8[gpus] is the GPU's index in its node; `uuid_high`/`uuid_low`
    uint64[gpus] are 0 where the UUID is not known yet; `model_code` uint8[gpus] points into `models`.
    `aliases` maps every known spelling of a node to its row. `version` grows with each change of this site.
    """

    site: str
    version: int
    halls: tuple[str, ...]
    racks: tuple[str, ...]
    nodes: tuple[str, ...]
    hall_racks: Offsets
    rack_nodes: Offsets
    node_gpus: Offsets
    gpu_slot: NDArray[np.uint8]
    uuid_high: NDArray[np.uint64]
    uuid_low: NDArray[np.uint64]
    models: tuple[str, ...] = ("",)
    model_code: NDArray[np.uint8] | None = None
    domains: Mapping[str, Domain] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    serials: Sequence[str] = ()
    bmcs: Sequence[str] = ()
    geo: Geo = Geo()
    declared: bool = False

    @property
    def gpus(self) -> int:
        """Number of GPU slots that are expected."""
        return len(self.gpu_slot)

    def count(self, level: Level) -> int:
        """Return the number of rows at `level`."""
        sizes = {Level.HALL: len(self.halls), Level.RACK: len(self.racks), Level.NODE: len(self.nodes)}
        return self.gpus if level is Level.GPU else sizes.get(level, 1)

    @cached_property
    def _starts(self) -> dict[tuple[Level, Level], Offsets]:
        one = {
            Level.SITE: np.array([0, len(self.halls)], dtype=np.int32),
            Level.HALL: self.hall_racks,
            Level.RACK: self.rack_nodes,
            Level.NODE: self.node_gpus,
        }
        table: dict[tuple[Level, Level], Offsets] = {}
        for i, upper in enumerate(SITE_LEVELS[:-1]):
            offsets = one[upper]
            table[upper, SITE_LEVELS[i + 1]] = offsets
            for lower in SITE_LEVELS[i + 1 : -1]:
                offsets = one[lower][offsets]
                table[upper, lower.child] = offsets
        return table

    def starts(self, upper: Level, lower: Level) -> Offsets:
        """Return int32[count(upper) + 1]: where each upper row's lower rows begin."""
        if upper is lower:
            return np.arange(self.count(upper) + 1, dtype=np.int32)
        return self._starts[upper, lower]

    def span(self, level: Level, row: int, lower: Level) -> slice:
        """Return the contiguous rows of `lower` below one row of `level`."""
        if level is Level.FLEET:
            return slice(0, self.count(lower))
        offsets = self.starts(level, lower)
        return slice(int(offsets[row]), int(offsets[row + 1]))

    def parents(self, lower: Level, upper: Level) -> NDArray[np.int32]:
        """Return int32[count(lower)]: the `upper` row above each `lower` row."""
        return self._parents(lower, upper)

    @cached_property
    def _parent_cache(self) -> dict[tuple[Level, Level], NDArray[np.int32]]:
        return {}

    def _parents(self, lower: Level, upper: Level) -> NDArray[np.int32]:
        cached = self._parent_cache.get((lower, upper))
        if cached is None:
            offsets = self.starts(upper, lower)
            cached = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
            self._parent_cache[lower, upper] = cached
        return cached

    def parent(self, level: Level, row: int, upper: Level) -> int:
        """Return the `upper` row above one row."""
        return row if level is upper else int(np.searchsorted(self.starts(upper, level), row, side="right")) - 1

    def name(self, level: Level, row: int) -> str:
        """Return the local name of a row: `n0653`, `g3`."""
        names = {Level.HALL: self.halls, Level.RACK: self.racks, Level.NODE: self.nodes}
        if level is Level.GPU:
            return f"g{int(self.gpu_slot[row])}"
        return names[level][row] if level in names else self.site

    def path(self, level: Level, row: int) -> str:
        """Return the address of a row, such as `muc1/h2/r017/n0653/g3`."""
        if level in (Level.SITE, Level.FLEET):
            return self.site
        wider = SITE_LEVELS[1 : SITE_LEVELS.index(level) + 1]
        return "/".join([self.site, *(self.name(each, self.parent(level, row, each)) for each in wider)])

    def resolve(self, path: str) -> tuple[Level, int] | None:
        """Return the level and row at an address, or None."""
        parts = path.split("/")
        if parts[0] != self.site or len(parts) > len(SITE_LEVELS):
            return None
        level, row = Level.SITE, 0
        for part in parts[1:]:
            below = self.span(level, row, level.child)
            level = level.child
            found = self._find_child(level, part, below)
            if found is None:
                return None
            row = found
        return level, row

    def _find_child(self, level: Level, name: str, within: slice) -> int | None:
        if level is Level.NODE:
            if within.stop - within.start <= SMALL_RACK and name in self.nodes[within]:
                return self.nodes.index(name, within.start, within.stop)
            row = self.node_row(name)
            return row if row is not None and within.start <= row < within.stop else None
        return next((row for row in range(within.start, within.stop) if self.name(level, row) == name), None)

    @cached_property
    def _node_rows(self) -> dict[str, int]:
        return dict(zip(self.nodes, range(len(self.nodes)), strict=True))

    def node_row(self, name: str) -> int | None:
        """Return the row of a node by its name or any alias."""
        row = self._node_rows.get(name)
        return row if row is not None else self.aliases.get(name)

    @cached_property
    def uuids(self) -> UuidIndex:
        """The GPUs of this site by UUID."""
        return UuidIndex.build(self.uuid_high, self.uuid_low)

    def uuid(self, gpu_row: int) -> str:
        """Return a GPU's UUID, empty if unknown."""
        return format_uuid(int(self.uuid_high[gpu_row]), int(self.uuid_low[gpu_row]))

    def gpu_model(self, gpu_row: int) -> str:
        """Return a GPU's model name, empty if unknown."""
        return self.models[int(self.model_code[gpu_row])] if self.model_code is not None else ""

    def key(self, level: Level, row: int) -> str:
        """Return the identity of a row, which survives a move: a GPU's UUID, a node's site and name, else the path."""
        if level is Level.GPU:
            return (
                self.uuid(row)
                or f"{self.site}:{self.nodes[self.parent(level, row, Level.NODE)]}/{self.name(level, row)}"
            )
        return f"{self.site}:{self.nodes[row]}" if level is Level.NODE else self.path(level, row)
