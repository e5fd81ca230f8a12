"""What schedulers say of nodes, in their own words: state, flags, who took a node out of service, when and why."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NOT_TOLD = -1


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node's state and flags as the scheduler spells them (`IDLE` and `DRAIN`; sinfo(1), NODE STATE CODES)."""

    state: str
    flags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole as Slurm writes it: `IDLE+DRAIN`."""
        return "+".join((self.state, *self.flags))

    def has(self, word: str) -> bool:
        """Whether a word is the state or one of the flags."""
        return word == self.state or word in self.flags


@dataclass(frozen=True, slots=True)
class NodeReason:
    """Why a node is out of service: `at` is UTC epoch seconds, 0 where not told; `by` a user of the scheduler."""

    text: str
    at: float = 0.0
    by: str = ""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one scheduler says of one node; GPU counts are -1 where it does not tell."""

    state: NodeState
    reason: NodeReason | None = None
    gpus: int = NOT_TOLD
    gpus_allocated: int = NOT_TOLD


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes that a scheduler keeps for somebody or for maintenance; times are UTC epoch seconds, 0 where not told.

    `flags` are the scheduler's (Slurm's `MAINT`, `IGNORE_JOBS`); `nodes` are names as the scheduler spells them.
    """

    name: str
    nodes: tuple[str, ...]
    start_at: float = 0.0
    end_at: float = 0.0
    flags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    cluster: str = ""


@dataclass(frozen=True, eq=False)
class NodeFacts:
    """What one voice says of one thing on a site's nodes: `codes` int32[nodes] points into `texts`, -1 not told."""

    fact: str
    texts: tuple[str, ...]
    codes: NDArray[np.int32]
    at: float = 0.0
    source: str = ""


@dataclass(frozen=True, eq=False)
class NodeReports:
    """One scheduler's word on all nodes of a site, in node rows.

    `codes` int32[nodes] points into `states`, -1 where the scheduler does not know the node; `gpus` and
    `gpus_allocated` int16[nodes] are -1 where not told; `reasons` has the rows of nodes with one. `at` is UTC epoch
    seconds.
    """

    states: tuple[NodeState, ...]
    codes: NDArray[np.int32]
    gpus: NDArray[np.int16]
    gpus_allocated: NDArray[np.int16]
    reasons: Mapping[int, NodeReason] = field(default_factory=dict)
    at: float = 0.0
    source: str = ""

    def report(self, row: int) -> NodeReport | None:
        """Return what is said of one node, None where the scheduler does not know it."""
        code = int(self.codes[row])
        if code < 0:
            return None
        told = int(self.gpus[row]), int(self.gpus_allocated[row])
        return NodeReport(self.states[code], self.reasons.get(row), *told)

    def having(self, word: str) -> NDArray[np.bool_]:
        """Return bool[nodes]: whether a word (`DRAIN`, `DOWN`) is a node's state or one of its flags."""
        # The last one stands for code -1: not known.
        found = np.array([*(state.has(word) for state in self.states), False], dtype=bool)
        return found[self.codes]
