"""Which nodes are free, and finding room for jobs: whole nodes in rack order, or single GPUs of shared nodes."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.free_runs import FreeRuns, Spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.emulator.blocks import Block


class Placement:
    """The nodes of a site as a scheduler sees them; `node_gpus` int32[nodes + 1] are the first GPUs of nodes."""

    def __init__(self, blocks: Sequence[Block], node_gpus: NDArray[np.int32]) -> None:
        self._blocks = blocks
        self._node_gpus = node_gpus
        self._free = [FreeRuns(block.nodes.start, block.nodes.stop) for block in blocks]
        self._first_nodes = [block.nodes.start for block in blocks]
        self._shared: dict[int, set[int]] = {}
        self._down: set[int] = set()
        self.gpus = int(node_gpus[-1])
        self.allocated = 0

    def take_nodes(self, gpus: int) -> Spans | None:
        """Return runs [first, last) of nodes that hold `gpus`, contiguous where there is room, and mark them used."""
        for block, free in self._roomiest():
            spans = free.take(-(-gpus // block.platform.node_gpus))
            if spans:
                self.allocated += self.gpus_of(spans)
                return spans
        return None

    def take_gpus(self, count: int) -> NDArray[np.intp] | None:
        """Return `count` GPU rows of one node that is shared with others."""
        node = next((node for node, free in self._shared.items() if len(free) >= count), None)
        if node is None:
            node = self._open_shared(count)
        if node is None:
            return None
        chosen = sorted(self._shared[node])[:count]
        self._shared[node].difference_update(chosen)
        self.allocated += count
        return np.array(chosen, dtype=np.intp)

    def give_nodes(self, spans: Spans) -> None:
        """Take runs of nodes back."""
        for first, last in spans:
            self._runs_of(first).give(first, last)
        self.allocated -= self.gpus_of(spans)

    def give_gpus(self, rows: NDArray[np.intp]) -> None:
        """Take single GPUs back."""
        node = self.node_of(int(rows[0]))
        self.allocated -= len(rows)
        self._shared[node].update(rows.tolist())
        if len(self._shared[node]) == self._size(node):
            del self._shared[node]
            self._runs_of(node).give(node, node + 1)

    def down(self, node: int) -> None:
        """Let nothing start on a node; no job may be on it."""
        if self._runs_of(node).remove(node):
            self._down.add(node)

    def up(self, node: int) -> None:
        """Give a repaired node to the jobs again."""
        if node in self._down:
            self._down.discard(node)
            self._runs_of(node).give(node, node + 1)

    def node_of(self, gpu: int) -> int:
        """Return the node of a GPU row."""
        return int(np.searchsorted(self._node_gpus, gpu, side="right")) - 1

    def gpus_of(self, spans: Spans) -> int:
        """Return how many GPUs some runs of nodes hold."""
        return sum(int(self._node_gpus[last] - self._node_gpus[first]) for first, last in spans)

    def slices(self, spans: Spans) -> list[slice]:
        """Return the GPU rows of runs of nodes."""
        return [slice(int(self._node_gpus[first]), int(self._node_gpus[last])) for first, last in spans]

    def _roomiest(self) -> list[tuple[Block, FreeRuns]]:
        pairs = list(zip(self._blocks, self._free, strict=True))
        if len(pairs) == 1:
            return pairs
        return sorted(pairs, key=lambda pair: -pair[1].count * pair[0].platform.node_gpus)

    def _runs_of(self, node: int) -> FreeRuns:
        return self._free[bisect_right(self._first_nodes, node) - 1]

    def _size(self, node: int) -> int:
        return int(self._node_gpus[node + 1] - self._node_gpus[node])

    def _open_shared(self, count: int) -> int | None:
        for _, free in self._roomiest():
            node = free.last_free()
            if node is not None and self._size(node) >= count:
                free.remove(node)
                first = int(self._node_gpus[node])
                self._shared[node] = set(range(first, first + self._size(node)))
                return node
        return None
