"""The GPUs and nodes that a folder's rows are about: numbered as they come, then ordered into topologies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.inventory import build_topology
from console.model.errors import ConfigError
from console.model.inventory import NodeSpec
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.backtest.chunks import Chunk
    from console.backtest.problems import Problems
    from console.core.layout import Layout
    from console.model.topology import SiteTopology

KEY_COLUMNS = ("site", "node", "gpu")
MOST_SLOT = 255
MOST_KEYS = 4_000_000
NO_GPU = -1


@dataclass(frozen=True, eq=False)
class Rows:
    """Where each number leads: int32[keys] site in `topologies`, node row and GPU row (-1: the node alone)."""

    topologies: tuple[SiteTopology, ...]
    site: NDArray[np.int32]
    node: NDArray[np.int32]
    gpu: NDArray[np.int32]
    of: Mapping[tuple[str, str, int], int]


class Keys:
    """Numbers each (site, node, GPU index) at its first sight; -1 is the node itself."""

    def __init__(self) -> None:
        self._by_text: dict[tuple[str, str, str], int] = {}
        self._numbers: dict[tuple[str, str, int], int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def numbered(self, chunk: Chunk, problems: Problems) -> NDArray[np.int32]:
        """Return int32[rows], -1 for a row that names nothing sound (noted); raises ConfigError for too many."""
        site, node, gpu = (chunk.texts(name) for name in KEY_COLUMNS)
        given = list(zip(site, node, gpu, strict=True))
        for text in dict.fromkeys(given):
            if text not in self._by_text:
                number = self._number(text)
                if isinstance(number, str):
                    line = chunk.lines[given.index(text)]
                    column, _, said = number.partition(":")
                    problems.add(line, column, said)
                else:
                    self._by_text[text] = number
        if len(self._numbers) > MOST_KEYS:
            raise ConfigError(problems.file, 0, "node", f"over {MOST_KEYS:,} GPUs and nodes: are these names of nodes?")
        return np.array([self._by_text.get(text, -1) for text in given], dtype=np.int32)

    def _number(self, text: tuple[str, str, str]) -> int | str:
        site, node, slot = (*clean_names(text[0], text[1]), gpu_slot(text[2]))
        if not site:
            return "site:the name of a site is needed here"
        if not node:
            return "node:the name of a node is needed here"
        if slot is None:
            return f"gpu:{text[2][:40]!r} is no index of a GPU in its node (0 to {MOST_SLOT}; empty: the node itself)"
        return self._numbers.setdefault((site, node, slot), len(self._numbers))

    def rows(self, layout: Layout | None = None) -> Rows:
        """Return the topologies of all sites (in the order of their names) and where each number leads.

        Raises ConfigErrors for names that lead to one node. Racks and halls are those that `layout` reads out of names.
        """
        found: dict[str, dict[str, set[int]]] = {}
        for site, node, slot in self._numbers:
            found.setdefault(site, {}).setdefault(node, set()).add(slot)
        sites = sorted(found)
        topologies = [_topology(site, found[site], layout) for site in sites]
        where = {site: i for i, site in enumerate(sites)}
        places = [_place(topologies[where[key[0]]], key) for key in self._numbers]
        site_rows = np.array([where[key[0]] for key in self._numbers], dtype=np.int32)
        flat = np.array(places, dtype=np.int32).reshape(-1, 2)
        return Rows(tuple(topologies), site_rows, flat[:, 0], flat[:, 1], self._numbers)


def clean_names(site: str, node: str) -> tuple[str, str]:
    """Return the names as they can be parts of an address (`/` becomes `_`); empty ones stay empty."""
    return site.strip().replace("/", "_"), node.strip().replace("/", "_")


def gpu_slot(text: str) -> int | None:
    """Return the index that a text tells, -1 for an empty one (the node itself), None for anything else."""
    text = text.strip()
    if not text:
        return NO_GPU
    whole = text[:-2] if text.endswith(".0") else text
    return int(whole) if whole.isascii() and whole.isdigit() and int(whole) <= MOST_SLOT else None


def _topology(site: str, nodes: Mapping[str, set[int]], layout: Layout | None) -> SiteTopology:
    specs = []
    for name, slots in nodes.items():
        hall, rack, _ = layout.place(name) if layout is not None else ("", "", "")
        specs.append(NodeSpec(name, hall, rack, max(slots) + 1))
    topology = build_topology(site, specs, declared=True)
    return _only(topology, [nodes[name] for name in topology.nodes])


def _only(topology: SiteTopology, slots: Sequence[set[int]]) -> SiteTopology:
    """Return a topology without the GPUs that nobody speaks of: a node may count its own from 1."""
    node_of = topology.parents(Level.GPU, Level.NODE).tolist()
    spoken = (slot in slots[node] for node, slot in zip(node_of, topology.gpu_slot.tolist(), strict=True))
    kept = np.fromiter(spoken, dtype=bool, count=topology.gpus)
    ends = np.append(0, np.cumsum(kept)).astype(np.int32)
    return replace(
        topology,
        node_gpus=ends[topology.node_gpus],
        gpu_slot=topology.gpu_slot[kept],
        uuid_high=topology.uuid_high[kept],
        uuid_low=topology.uuid_low[kept],
        model_code=None if topology.model_code is None else topology.model_code[kept],
    )


def _place(topology: SiteTopology, key: tuple[str, str, int]) -> tuple[int, int]:
    _, node, slot = key
    row = topology.node_row(node)
    assert row is not None
    if slot == NO_GPU:
        return row, -1
    span = topology.span(Level.NODE, row, Level.GPU)
    return row, span.start + int(np.searchsorted(topology.gpu_slot[span], slot))
