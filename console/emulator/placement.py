"""Which nodes are free, and finding room for jobs: whole nodes in rack order, or single GPUs of shared nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.emulator.blocks import Block

FREE, USED, DOWN = 0, 1, 2
Spans = list[tuple[int, int]]


class Placement:
    """The nodes of a site as a scheduler sees them; `node_gpus` int32[nodes + 1] are the first GPUs of nodes."""

    def __init__(self, blocks: Sequence[Block], node_gpus: NDArray[np.int32]) -> None:
        self._blocks = blocks
        self._node_gpus = node_gpus
        self.state = np.zeros(len(node_gpus) - 1, dtype=np.uint8)
        self._shared: dict[int, set[int]] = {}
        self.gpus = int(node_gpus[-1])
        self.allocated = 0

    def take_nodes(self, gpus: int) -> Spans | None:
        """Return runs [first, last) of nodes that hold `gpus`, contiguous where there is room, and mark them used."""
        for block in sorted(self._blocks, key=lambda block: -self._free_in(block)):
            needed = -(-gpus // block.platform.node_gpus)
            spans = self._find(block, needed)
            if spans:
                for first, last in spans:
                    self.state[first:last] = USED
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
        """Take runs of nodes back; those that went down meanwhile stay down."""
        for first, last in spans:
            nodes = self.state[first:last]
            nodes[nodes == USED] = FREE
        self.allocated -= self.gpus_of(spans)

    def give_gpus(self, rows: NDArray[np.intp]) -> None:
        """Take single GPUs back."""
        node = self.node_of(int(rows[0]))
        self.allocated -= len(rows)
        if node not in self._shared:
            return
        self._shared[node].update(rows.tolist())
        if len(self._shared[node]) == self._node_gpus[node + 1] - self._node_gpus[node]:
            del self._shared[node]
            self.state[node] = FREE

    def down(self, node: int) -> None:
        """Let nothing start on a node."""
        self.state[node] = DOWN
        self._shared.pop(node, None)

    def up(self, node: int) -> None:
        """Give a repaired node to the jobs again."""
        if self.state[node] == DOWN:
            self.state[node] = FREE

    def node_of(self, gpu: int) -> int:
        """Return the node of a GPU row."""
        return int(np.searchsorted(self._node_gpus, gpu, side="right")) - 1

    def gpus_of(self, spans: Spans) -> int:
        """Return how many GPUs some runs of nodes hold."""
        return sum(int(self._node_gpus[last] - self._node_gpus[first]) for first, last in spans)

    def slices(self, spans: Spans) -> list[slice]:
        """Return the GPU rows of runs of nodes."""
        return [slice(int(self._node_gpus[first]), int(self._node_gpus[last])) for first, last in spans]

    def _free_in(self, block: Block) -> int:
        return int(np.count_nonzero(self.state[block.nodes] == FREE)) * block.platform.node_gpus

    def _open_shared(self, count: int) -> int | None:
        sizes = np.diff(self._node_gpus)
        fits = np.flatnonzero((self.state == FREE) & (sizes >= count))
        if not len(fits):
            return None
        node = int(fits[-1])
        self.state[node] = USED
        self._shared[node] = set(range(int(self._node_gpus[node]), int(self._node_gpus[node + 1])))
        return node

    def _find(self, block: Block, needed: int) -> Spans:
        """The tightest run that fits, else the longest runs until there is enough, else nothing."""
        free = np.concatenate([[False], self.state[block.nodes] == FREE, [False]])
        edges = np.flatnonzero(free[1:] != free[:-1]) + block.nodes.start
        first, last = edges[::2], edges[1::2]
        length = last - first
        if int(length.sum()) < needed:
            return []
        fits = np.flatnonzero(length >= needed)
        if len(fits):
            run = fits[np.argmin(length[fits])]
            return [(int(first[run]), int(first[run]) + needed)]
        spans: Spans = []
        for run in np.argsort(-length, kind="stable"):
            take = min(needed, int(length[run]))
            spans.append((int(first[run]), int(first[run]) + take))
            needed -= take
            if not needed:
                break
        return sorted(spans)
