"""Puts nodes into natural order of hall, rack and name, as flat arrays with offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from console.core.naming import local_names, natural_keys, natural_sorted
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints = NDArray[np.int32]
SLOT_LIMIT = 256


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The tree in order; `order[i]` is the input position of the node that stands at row i."""

    halls: tuple[str, ...]
    racks: tuple[str, ...]
    nodes: tuple[str, ...]
    hall_racks: Ints
    rack_nodes: Ints
    node_gpus: Ints
    gpu_slot: NDArray[np.uint8]
    order: Ints

    def rows(self) -> Ints:
        """Return the row of each node by its input position."""
        rows = np.empty(len(self.order), dtype=np.int32)
        rows[self.order] = np.arange(len(self.order), dtype=np.int32)
        return rows


def arrange(names: Sequence[str], halls: Sequence[str], racks: Sequence[str], gpus: Sequence[int]) -> Arrangement:
    """Return the tree of these nodes; a rack is known by its hall and name. GPU slots count from 0 in each node."""
    nodes, hall_of, rack_of = local_names(names), local_names(halls), local_names(racks)
    hall_rank, rack_rank = _ranks(hall_of), _ranks(rack_of)
    at = np.empty((len(nodes), 2), dtype=np.int64)
    at[:, 0] = [*map(hall_rank.__getitem__, hall_of)]
    at[:, 1] = [*map(rack_rank.__getitem__, rack_of)]
    order = np.lexsort((_places(nodes), at[:, 1], at[:, 0]))
    place = at[order]
    new_hall, new_rack = _changes(place[:, :1]), _changes(place)
    counts = np.array(gpus, dtype=np.int32)[order]
    node_gpus = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    slots = np.arange(node_gpus[-1], dtype=np.int64) - np.repeat(node_gpus[:-1], counts)
    return Arrangement(
        halls=tuple(hall_of[order[i]] for i in new_hall),
        racks=tuple(rack_of[order[i]] for i in new_rack),
        nodes=tuple(map(nodes.__getitem__, order.tolist())),
        hall_racks=np.append(np.searchsorted(new_rack, new_hall), len(new_rack)).astype(np.int32),
        rack_nodes=np.append(new_rack, len(nodes)).astype(np.int32),
        node_gpus=node_gpus,
        gpu_slot=slots.astype(np.uint8),
        order=order.astype(np.int32),
    )


def _places(names: list[str]) -> NDArray[np.int64]:
    """Return the place of each name in natural order."""
    places = np.empty(len(names), dtype=np.int64)
    places[sorted(range(len(names)), key=natural_keys(names).__getitem__)] = np.arange(len(names))
    return places


def _ranks(names: list[str]) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(natural_sorted(set(names)))}


def _changes(place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows at which a new hall (or rack) begins."""
    if not len(place):
        return np.zeros(0, dtype=np.int64)
    return np.append(0, np.flatnonzero((place[1:] != place[:-1]).any(axis=1)) + 1)
