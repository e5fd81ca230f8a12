"""The domains of an emulated site beside its tree: NVLink, CDU, power feed, power shelf, leaf switch, driver."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from console.emulator.firmware import strays
from console.model.levels import Level
from console.model.topology import Domain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.emulator.blocks import Block
    from console.model.topology import SiteTopology

FEED_RACKS = 60
DRIVERS = ("570.133.20", "570.172.08", "580.65.06", "570.86.15")
_DRIVER_OF_RACK = np.array([0] * 14 + [1] * 2, dtype=np.uint8)
_CANARY_RACKS = 4


def domains_of(topology: SiteTopology, blocks: Sequence[Block], zone_racks: NDArray[np.int32]) -> dict[str, Domain]:
    """Return every kind of domain that the site's hardware has."""
    domains = [_feeds(topology), _leaves(topology, blocks), _drivers(topology)]
    liquid = [block for block in blocks if block.platform.liquid]
    if liquid:
        domains += [_nvlinks(topology, liquid), _cdus(topology, liquid, zone_racks), _shelves(topology, liquid)]
    return {domain.kind: domain for domain in domains}


def liquid_zones(blocks: Sequence[Block]) -> NDArray[np.int32]:
    """Return the rows of the zones that a CDU cools, in the order of the `cdu` domains."""
    zones = [np.arange(b.zones.start, b.zones.stop, dtype=np.int32) for b in blocks if b.platform.liquid]
    return np.concatenate(zones) if zones else np.zeros(0, dtype=np.int32)


def shelf_racks(blocks: Sequence[Block]) -> NDArray[np.int32]:
    """Return the rack row of each power shelf, in the order of the `shelf` domains."""
    racks = [
        np.repeat(np.arange(b.racks.start, b.racks.stop, dtype=np.int32), b.platform.rack_shelves)
        for b in blocks
        if b.platform.liquid
    ]
    return np.concatenate(racks) if racks else np.zeros(0, dtype=np.int32)


def _runs(kind: str, names: tuple[str, ...], node_starts: NDArray[np.int32]) -> Domain:
    """Return domains that hold runs of nodes lying side by side."""
    members = np.arange(node_starts[0], node_starts[-1], dtype=np.int32)
    return Domain(kind, names, Level.NODE, members, (node_starts - node_starts[0]).astype(np.int32))


def _rack_names(topology: SiteTopology, racks: slice) -> list[str]:
    hall_of = topology.parents(Level.RACK, Level.HALL)[racks]
    return [f"{topology.halls[hall]}-{rack}" for hall, rack in zip(hall_of, topology.racks[racks], strict=True)]


def _nvlinks(topology: SiteTopology, liquid: Sequence[Block]) -> Domain:
    racks = slice(liquid[0].racks.start, liquid[-1].racks.stop)
    starts = topology.rack_nodes[racks.start : racks.stop + 1]
    return _runs("nvlink", tuple(_rack_names(topology, racks)), starts)


def _cdus(topology: SiteTopology, liquid: Sequence[Block], zone_racks: NDArray[np.int32]) -> Domain:
    zones = slice(liquid[0].zones.start, liquid[-1].zones.stop)
    starts = topology.rack_nodes[zone_racks[zones.start : zones.stop + 1]]
    return _runs("cdu", tuple(f"c{cdu + 1}" for cdu in range(zones.stop - zones.start)), starts)


def _shelves(topology: SiteTopology, liquid: Sequence[Block]) -> Domain:
    """Every shelf of a rack feeds the same bus bar, so that each holds all nodes of its rack."""
    shelves = liquid[0].platform.rack_shelves
    racks = slice(liquid[0].racks.start, liquid[-1].racks.stop)
    names = [f"{rack}-s{shelf}" for rack in _rack_names(topology, racks) for shelf in range(1, shelves + 1)]
    starts = topology.rack_nodes[racks.start : racks.stop + 1]
    sizes = np.repeat(np.diff(starts), shelves)
    ends = sizes.cumsum(dtype=np.int32)
    members = np.arange(ends[-1], dtype=np.int32)
    members += np.repeat(np.repeat(starts[:-1], shelves) - (ends - sizes), sizes)
    return Domain("shelf", tuple(names), Level.NODE, members, np.concatenate([[0], ends]).astype(np.int32))


def _feeds(topology: SiteTopology) -> Domain:
    """Two feeds for every rack; the B feeds are staggered, so that no two share all of their racks."""
    names: list[str] = []
    spans: list[tuple[int, int]] = []
    for hall, name in enumerate(topology.halls):
        first, last = int(topology.hall_racks[hall]), int(topology.hall_racks[hall + 1])
        for side, shift in (("a", 0), ("b", FEED_RACKS // 2)):
            edges = [first, *range(first + (shift or FEED_RACKS), last, FEED_RACKS), last]
            names += [f"{name}-{side}{feed + 1}" for feed in range(len(edges) - 1)]
            spans += [(int(topology.rack_nodes[low]), int(topology.rack_nodes[high])) for low, high in pairwise(edges)]
    starts = np.cumsum([0, *(high - low for low, high in spans)], dtype=np.int32)
    members = np.concatenate([np.arange(low, high, dtype=np.int32) for low, high in spans])
    return Domain("feed", tuple(names), Level.NODE, members, starts)


def _leaves(topology: SiteTopology, blocks: Sequence[Block]) -> Domain:
    """Rail-optimised: the GPUs of one slot in a group of nodes share a leaf switch."""
    names: list[str] = []
    leaf_of = np.empty(topology.gpus, dtype=np.int32)
    node_of = topology.parents(Level.GPU, Level.NODE)
    for block in blocks:
        rails, group_nodes = block.platform.node_gpus, block.platform.leaf_nodes
        first_leaf, first_group = len(names), len(names) // 4 + 1
        group = (node_of[block.gpus] - block.nodes.start) // group_nodes
        leaf_of[block.gpus] = group * rails + topology.gpu_slot[block.gpus] + first_leaf
        groups = -(-(block.nodes.stop - block.nodes.start) // group_nodes)
        names += [f"l{first_group + g}-{rail}" for g in range(groups) for rail in range(rails)]
    return _grouped("leaf", names, Level.GPU, leaf_of)


def _drivers(topology: SiteTopology) -> Domain:
    """Most racks run one driver, some the one before; a few canaries the next one; strays one of long ago."""
    racks = np.arange(len(topology.racks))
    code = _DRIVER_OF_RACK[racks % len(_DRIVER_OF_RACK)]
    code[:_CANARY_RACKS] = 2
    code[0] = 0
    of_node = code[topology.parents(Level.NODE, Level.RACK)]
    of_node[strays(len(of_node))] = 3
    return _grouped("driver", DRIVERS, Level.NODE, of_node)


def _grouped(kind: str, names: Sequence[str], unit: Level, code: NDArray[np.integer[Any]]) -> Domain:
    """Return domains whose members lie apart: those with any member, their members in order."""
    small = code.astype(np.uint16) if len(names) <= 65_535 else code  # NumPy sorts 16 bits by radix
    members = np.argsort(small, kind="stable").astype(np.int32)
    sizes = np.bincount(code, minlength=len(names))
    used = np.flatnonzero(sizes)
    starts = np.concatenate([[0], sizes[used]]).cumsum(dtype=np.int32)
    return Domain(kind, tuple(names[row] for row in used.tolist()), unit, members, starts)
