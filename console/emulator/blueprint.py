"""Lays out one site: halls, racks, nodes and GPUs as a topology, and the zones that share coolant or air."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.blocks import Block
from console.emulator.domains import domains_of
from console.emulator.naming import NodeAliases, Numbered, numbered, uuid_columns
from console.model.topology import SiteTopology
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.emulator.fleet import Section, SitePlan
    from console.emulator.hardware import Platform

NAME_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Blueprint:
    """One site as built. Starts are int32[n + 1] offsets of racks, `zone_hall` int32[zones] is each zone's hall."""

    plan: SitePlan
    topology: SiteTopology
    blocks: tuple[Block, ...]
    zone_racks: NDArray[np.int32]
    zone_hall: NDArray[np.int32]

    @property
    def zone_gpus(self) -> NDArray[np.int32]:
        """First GPU of each zone, and the end."""
        topology = self.topology
        starts: NDArray[np.int32] = topology.node_gpus[topology.rack_nodes[self.zone_racks]]
        return starts


@dataclass(frozen=True, eq=False)
class _Counts:
    """How much of everything one section holds; arrays are counts in the next finer unit."""

    platform: Platform
    hall_racks: NDArray[np.int32]
    rack_nodes: NDArray[np.int32]
    node_gpus: NDArray[np.int32]
    zone_racks: NDArray[np.int32]
    zone_hall: NDArray[np.int32]


def build_site(plan: SitePlan, seed: int) -> Blueprint:
    """Return a site; the same for the same plan and seed."""
    return with_domains(bare_site(plan, seed))


def bare_site(plan: SitePlan, seed: int) -> Blueprint:
    """Return a site without its domains."""
    counts = [_count(section) for section in plan.sections]
    hall_racks = _starts([each.hall_racks for each in counts])
    rack_nodes = _starts([each.rack_nodes for each in counts])
    node_gpus = _starts([each.node_gpus for each in counts])
    zone_racks = _starts([each.zone_racks for each in counts])
    blocks = _blocks(counts)
    halls = len(hall_racks) - 1
    zone_hall = np.concatenate(
        [each.zone_hall + block.halls.start for each, block in zip(counts, blocks, strict=True)]
    ).astype(np.int32)
    nodes, gpus = len(node_gpus) - 1, int(node_gpus[-1])
    high, low = uuid_columns(seed, plan.index, gpus)
    width = max(NAME_DIGITS, len(str(nodes)))
    topology = SiteTopology(
        site=plan.name,
        version=1,
        halls=tuple(f"h{hall + 1}" for hall in range(halls)),
        racks=tuple(name for count in np.diff(hall_racks) for name in numbered("r", 1, int(count), 3)),
        nodes=numbered("n", 1, nodes, width),
        hall_racks=hall_racks,
        rack_nodes=rack_nodes,
        node_gpus=node_gpus,
        gpu_slot=(np.arange(gpus, dtype=np.int32) - np.repeat(node_gpus[:-1], np.diff(node_gpus))).astype(np.uint8),
        uuid_high=high,
        uuid_low=low,
        models=tuple(each.platform.model for each in counts),
        model_code=np.repeat(
            np.arange(len(counts), dtype=np.uint8), [block.gpus.stop - block.gpus.start for block in blocks]
        ),
        aliases=NodeAliases(plan.name, nodes, width),
        serials=Numbered(f"SN{plan.index:02d}", 1, nodes, 7),
        bmcs=Numbered(f"{plan.name}-bmc-", 1, nodes, width),
        geo=plan.locale.geo,
        declared=True,
    )
    return Blueprint(plan, topology, blocks, zone_racks, zone_hall)


def with_domains(bare: Blueprint) -> Blueprint:
    """Return a site with every domain that its hardware has."""
    domains = domains_of(bare.topology, bare.blocks, bare.zone_racks)
    return replace(bare, topology=replace(bare.topology, domains=domains))


def _count(section: Section) -> _Counts:
    platform = section.platform
    nodes = -(-section.gpus // platform.node_gpus)
    racks = -(-nodes // platform.rack_nodes)
    hall_racks = _even(racks, -(-racks // platform.hall_racks))
    zones = -(-hall_racks // platform.zone_racks)
    zone_racks = np.concatenate([_even(int(r), int(z)) for r, z in zip(hall_racks, zones, strict=True)])
    return _Counts(
        platform=platform,
        hall_racks=hall_racks,
        rack_nodes=_filled(nodes, racks, platform.rack_nodes),
        node_gpus=_filled(section.gpus, nodes, platform.node_gpus),
        zone_racks=zone_racks,
        zone_hall=np.repeat(np.arange(len(zones)), zones),
    )


def _filled(total: int, parts: int, size: int) -> NDArray[np.int32]:
    """Return `parts` full counts, the last one with what is left."""
    counts = np.full(parts, size, dtype=np.int32)
    counts[-1] = total - size * (parts - 1)
    return counts


def _even(total: int, parts: int) -> NDArray[np.int32]:
    counts = np.full(parts, total // parts, dtype=np.int32)
    counts[: total % parts] += 1
    return counts


def _starts(counts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([[0], *counts]).cumsum(dtype=np.int32)


def _blocks(counts: list[_Counts]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    at = [0, 0, 0, 0, 0]
    for each in counts:
        sizes = (
            len(each.hall_racks),
            len(each.rack_nodes),
            len(each.node_gpus),
            int(each.node_gpus.sum()),
            len(each.zone_racks),
        )
        spans = [slice(start, start + size) for start, size in zip(at, sizes, strict=True)]
        blocks.append(Block(each.platform, *spans))
        at = [span.stop for span in spans]
    return tuple(blocks)
