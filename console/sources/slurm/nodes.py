"""Nodes as slurmctld sees them: state with all flags, reason, since when and by whom, GPUs there and allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.reading import FactsPart, NamedKeys, NodeReportsPart
from console.model.scheduling import NodeReason
from console.sources.slurm.gres import gpus
from console.sources.slurm.words import Words, node_state, split, when

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.scheduling import NodeState
    from console.sources.slurm.bodies import WireNode

MOST_GPUS = 32_767
Kind = tuple[Words, Words, str | None, str | None]


class NodeBook:
    """Gathers the nodes of one list; `keys` of the last one are used again while the names stay the same."""

    def __init__(self, keys: NamedKeys | None = None) -> None:
        self._keys = keys
        self._names: list[str] = []
        self._kinds: dict[Kind, int] = {}
        self._kind: list[int] = []
        self._reasons: dict[int, NodeReason] = {}
        self._facts: dict[str, list[str]] = {"scheduler_version": [], "os": []}

    def add(self, rows: Sequence[WireNode]) -> None:
        """Take some nodes; thousands of them are of a few kinds, so that each kind is looked at once."""
        kinds, before = self._kinds, len(self._names)
        self._names += [row.name for row in rows]
        self._kind += [
            kinds.setdefault(
                (row.state, row.state_flags, row.gres or row.tres, row.gres_used or row.tres_used), len(kinds)
            )
            for row in rows
        ]
        self._facts["scheduler_version"] += [row.version or "" for row in rows]
        self._facts["os"] += [row.operating_system or "" for row in rows]
        for place, row in enumerate(rows, before):
            if row.reason:
                self._reasons[place] = NodeReason(row.reason, when(row.reason_changed_at), row.reason_set_by_user or "")

    def part(self, at: float) -> NodeReportsPart:
        """Return what all of them say."""
        names = tuple(self._names)
        keys = self._keys if self._keys is not None and self._keys.names == names else NamedKeys("node", names)
        states: dict[NodeState, int] = {}
        kinds = [
            (states.setdefault(node_state(split(state), split(flags)), len(states)), _count(gres), _count(used))
            for state, flags, gres, used in self._kinds
        ]
        table = np.array(kinds, dtype=np.int32).reshape(-1, 3)
        columns = table[np.array(self._kind, dtype=np.intp)] if self._kind else np.zeros((0, 3), dtype=np.int32)
        gpus_there, allocated = columns[:, 1].astype(np.int16), columns[:, 2].astype(np.int16)
        return NodeReportsPart(keys, tuple(states), columns[:, 0].copy(), gpus_there, allocated, self._reasons, at)

    def facts(self, keys: NamedKeys, at: float) -> Iterator[FactsPart]:
        """Yield what its nodes run, as far as slurmd tells: Slurm's version and the operating system."""
        for fact, values in self._facts.items():
            if any(values):
                yield FactsPart(fact, keys, tuple(values), at)


def gpus_of(part: NodeReportsPart) -> dict[str, int]:
    """Return how many GPUs each node has, as Slurm is configured."""
    return dict(zip(part.keys.names, part.gpus.tolist(), strict=True))


def _count(text: str | None) -> int:
    """Return the GPUs in a node's gres, or in its tres where that is all it says."""
    return min(gpus(text)[0], MOST_GPUS) if text else 0
