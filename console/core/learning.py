"""Joins a voice's keys to GPU rows, and learns from them: UUIDs, swaps, moves, new nodes of a discovered site."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.arrange import SLOT_LIMIT
from console.core.growth import NewNode, arranged, grow
from console.core.naming import NodeNames, local_name, without_port
from console.core.remap import find_slots

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from console.core.layout import Layout
    from console.model.reading import GpuKeys
    from console.model.topology import SiteTopology

    Rows = NDArray[np.int32]
    Longs = NDArray[np.int64]
    Flags = NDArray[np.bool_]

# So much is done at a time: a few milliseconds.
KEYS_A_STEP = 20_000
NAMES_A_STEP = 2_000


def learn(
    topology: SiteTopology, keys: GpuKeys, layout: Layout | None = None, *, firm: bool = False
) -> tuple[SiteTopology, Rows]:
    """Return the topology with what these keys teach, and int32[keys]: each key's GPU row, -1 where nothing joins.

    The same topology object comes back when nothing is new. A UUID fills a slot that had none; another UUID in a slot
    is a swap; a UUID in another slot has moved. A UUID or slot that this very reading also confirms as it was keeps
    its place, and the contradicting key does not join: two voices in one body must not make the site flap. Nodes and
    slots are added only where the site is not declared. `firm` lets keys fill gaps but move and replace nothing.
    """
    for learned in learn_steps(topology, keys, layout, firm=firm):
        if learned is not None:
            return learned
    raise AssertionError("learning ends with what was learned")


def learn_steps(
    topology: SiteTopology, keys: GpuKeys, layout: Layout | None = None, *, firm: bool = False
) -> Iterator[tuple[SiteTopology, Rows] | None]:
    """Yield None after each step of `learn`, and at last what it returns.

    100,000 GPUs that nobody knew take about 0.2 s, once; a step of them takes a fraction of that.
    """
    names = NodeNames(topology)
    yield None
    nodes = yield from _rows(names, keys.nodes)
    slots = _numbered(topology, keys, nodes)
    yield None
    if not topology.declared:
        grown = yield from _grown(topology, keys, names, nodes, slots, layout)
        if grown is not topology:
            names = NodeNames(grown)
            yield None
            topology, nodes = grown, (yield from _rows(names, keys.nodes))
    by_slot = find_slots(topology, nodes.astype(np.int64), slots)
    yield None
    by_uuid = topology.uuids.find(keys.uuid_high, keys.uuid_low)
    yield None
    rows = np.where(by_slot >= 0, by_slot, by_uuid)
    known = _known(keys)
    confirmed = known & (by_slot >= 0) & (by_slot == by_uuid)
    claims = np.flatnonzero(known & (by_slot >= 0) & (by_slot != by_uuid))
    if not len(claims):
        yield topology, rows
        return
    able = claims[_empty(topology, by_slot[claims]) & (by_uuid[claims] < 0)] if firm else claims
    winners = _winners(topology, keys, able, by_slot, by_uuid, by_slot[confirmed])
    yield None
    if len(winners):
        topology = _with_uuids(topology, keys, winners, by_slot, by_uuid)
        yield None
    at = by_slot[claims]
    held = (topology.uuid_high[at] == keys.uuid_high[claims]) & (topology.uuid_low[at] == keys.uuid_low[claims])
    rows[claims[~held]] = -1
    yield topology, rows


def _rows(names: NodeNames, spellings: Sequence[str]) -> Generator[None, None, Rows]:
    """Return the row of each spelling, a slice of them a step."""
    rows = np.empty(len(spellings), dtype=np.int32)
    for start in range(0, len(spellings), KEYS_A_STEP):
        rows[start : start + KEYS_A_STEP] = names.rows(spellings[start : start + KEYS_A_STEP])
        yield
    return rows


def _known(keys: GpuKeys) -> Flags:
    known: Flags = (keys.uuid_high != 0) | (keys.uuid_low != 0)
    return known


def _empty(topology: SiteTopology, rows: Rows) -> Flags:
    empty: Flags = (topology.uuid_high[rows] == 0) & (topology.uuid_low[rows] == 0)
    return empty


def _winners(
    topology: SiteTopology, keys: GpuKeys, claims: Longs, by_slot: Rows, by_uuid: Rows, confirmed: Rows
) -> Longs:
    """Return the claims that hold: neither the slot nor the UUID is confirmed elsewhere, and each is claimed first."""
    settled = np.zeros(topology.gpus + 1, dtype=bool)
    settled[confirmed] = True
    settled[-1] = False
    held = claims[~settled[by_slot[claims]] & ~settled[by_uuid[claims]]]
    held = held[np.sort(np.unique(by_slot[held], return_index=True)[1])]
    return held[_first_of_each(keys.uuid_high[held], keys.uuid_low[held])]


def _first_of_each(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Longs:
    """Return where each UUID comes first, ascending."""
    # To sort pairs as rows of one array takes ten times as long, with the interpreter's lock held.
    order = np.lexsort((low, high))
    again = (high[order][1:] == high[order][:-1]) & (low[order][1:] == low[order][:-1])
    return np.sort(order[np.append(True, ~again)[: len(order)]])


def _with_uuids(topology: SiteTopology, keys: GpuKeys, winners: Longs, by_slot: Rows, by_uuid: Rows) -> SiteTopology:
    high, low = topology.uuid_high.copy(), topology.uuid_low.copy()
    left = by_uuid[winners]
    left = left[left >= 0]
    high[left] = low[left] = 0
    high[by_slot[winners]] = keys.uuid_high[winners]
    low[by_slot[winners]] = keys.uuid_low[winners]
    models, codes = _with_models(topology, keys, winners, by_slot)
    return replace(
        topology, version=topology.version + 1, uuid_high=high, uuid_low=low, models=models, model_code=codes
    )


def _with_models(
    topology: SiteTopology, keys: GpuKeys, winners: Longs, by_slot: Rows
) -> tuple[tuple[str, ...], NDArray[np.uint8] | None]:
    if not keys.models:
        return topology.models, topology.model_code
    said = [keys.models[i] for i in winners.tolist()]
    models = tuple(dict.fromkeys([*topology.models, *said]))[:SLOT_LIMIT]
    code = {model: i for i, model in enumerate(models)}
    old = topology.model_code
    codes = np.zeros(topology.gpus, dtype=np.uint8) if old is None else old.copy()
    codes[by_slot[winners]] = [code.get(model, 0) for model in said]
    return models, codes


def _numbered(topology: SiteTopology, keys: GpuKeys, nodes: Rows) -> Longs:
    """Return the slots, with a number for each new UUID whose voice gives none: the node's first free one."""
    slots = keys.slots.astype(np.int64)
    nameless = (slots < 0) & _known(keys)
    if not nameless.any():
        return slots
    nameless &= topology.uuids.find(keys.uuid_high, keys.uuid_low) < 0
    unknown = (topology.uuid_high == 0) & (topology.uuid_low == 0)
    free: dict[str, list[int]] = {}
    seen: dict[tuple[int, int], int] = {}
    for i in np.flatnonzero(nameless).tolist():
        uuid = (int(keys.uuid_high[i]), int(keys.uuid_low[i]))
        if uuid not in seen:
            name = keys.nodes[i]
            if name not in free:
                free[name] = _free_slots(topology, int(nodes[i]), unknown)
            seen[uuid] = free[name].pop(0) if free[name] else -1
        slots[i] = seen[uuid]
    return slots


def _free_slots(topology: SiteTopology, node: int, unknown: Flags) -> list[int]:
    if node < 0:
        return list(range(SLOT_LIMIT))
    start, stop = int(topology.node_gpus[node]), int(topology.node_gpus[node + 1])
    free = (np.flatnonzero(unknown[start:stop])).tolist()
    return free if topology.declared else [*free, *range(stop - start, SLOT_LIMIT)]


def _grown(
    topology: SiteTopology, keys: GpuKeys, names: NodeNames, nodes: Rows, slots: Longs, layout: Layout | None
) -> Generator[None, None, SiteTopology]:
    """Return, after some steps, the topology with every node and slot that the keys tell of; the same if it has all."""
    elsewhere = topology.uuids.find(keys.uuid_high, keys.uuid_low) >= 0
    usable = (slots >= 0) & (slots < SLOT_LIMIT)
    unknown = np.flatnonzero((nodes < 0) & usable & ~elsewhere).tolist()
    said: dict[str, None] = {}
    for start in range(0, len(unknown), KEYS_A_STEP):
        said |= dict.fromkeys(map(keys.nodes.__getitem__, unknown[start : start + KEYS_A_STEP]))
        yield
    said.pop("", None)
    new, spellings = yield from _new_nodes(said, names, layout, len(topology.nodes))
    at = nodes.astype(np.int64)
    if spellings:
        spelled = {name: spellings.get(name, -1) for name in dict.fromkeys(keys.nodes)}
        told = np.fromiter(map(spelled.__getitem__, keys.nodes), dtype=np.int64, count=len(keys))
        at = np.where(nodes >= 0, at, told)
    counts = np.concatenate([np.diff(topology.node_gpus), np.zeros(len(new), dtype=np.int64)]).astype(np.int64)
    wanted = counts.copy()
    useful = usable & (at >= 0)
    np.maximum.at(wanted, at[useful], slots[useful] + 1)
    yield
    if not spellings and (wanted == counts).all():
        return topology
    tree = arranged(topology, new, wanted)
    yield
    return grow(topology, new, tree, spellings)


def _new_nodes(
    said: Iterable[str], names: NodeNames, layout: Layout | None, known: int
) -> Generator[None, None, tuple[list[NewNode], dict[str, int]]]:
    """Return, after some steps, the new nodes, and the position among known and new nodes of each spelling."""
    new: list[NewNode] = []
    positions: dict[str, int] = {}
    spellings: dict[str, int] = {}
    for spelling in said:
        bare = without_port(spelling)
        hall, rack, name = layout.place(bare) if layout else ("", "", bare)
        name = local_name(name)
        row = names.row(name)
        if row < 0 and name not in positions:
            positions[name] = known + len(new)
            new.append(NewNode(name, hall, rack))
        spellings[spelling] = row if row >= 0 else positions[name]
        if len(spellings) % NAMES_A_STEP == 0:
            yield
    return new, spellings
