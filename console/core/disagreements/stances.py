"""What a scheduler's word on a node means: whether it gives the node to jobs, and whether it takes it for broken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from console.model.scheduling import NOT_TOLD
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from console.model.scheduling import NodeReports, NodeState

    Truths = NDArray[np.bool_]

# sinfo(1), NODE STATE CODES, in the spelling of slurmrestd; kubectl's words for a node's status; both without `_`.
DOWN = frozenset(("DOWN", "ERROR", "FAIL", "FAILING", "NOTRESPONDING", "NOTREADY", "INVALIDREG", "BOOTFAIL"))
OUT = frozenset(("DRAIN", "DRAINED", "DRAINING", "MAINTENANCE", "MAINT", "SCHEDULINGDISABLED", "CORDONED"))
OFF = frozenset(
    (
        "POWEREDDOWN", "POWERDOWN", "POWERINGDOWN", "POWERINGUP", "POWERUP", "REBOOT", "REBOOTISSUED",
        "REBOOTREQUESTED", "FUTURE", "UNKNOWN",
    )
)  # fmt: skip
# Kubernetes has not heard of the kubelet; Slurm's UNKNOWN is a controller that has just started.
LOST = "Unknown"
# A taint may be a pool's own and mean nothing; one of these words in its key means that somebody wants the node empty.
TAINT = re.compile(r"(drain|maint|quarantin|cordon|unhealthy|remediat|repair).*:No(Schedule|Execute)$", re.IGNORECASE)
BUSY = frozenset(("ALLOCATED", "MIXED", "COMPLETING"))


@dataclass(frozen=True, eq=False)
class Stance:
    """One scheduler's word on each node of a site: bool[nodes] each, and int16[nodes] with -1 where not told."""

    source: str
    at: float
    known: Truths
    usable: Truths
    out: Truths
    down: Truths
    busy: Truths
    gpus: NDArray[np.int16]


def stance(reports: NodeReports, source: str) -> Stance:
    """Return what a scheduler's reports mean; a node that is off or restarting is neither usable, out nor down."""
    known = reports.codes >= 0
    down, out, off = (_having(reports, words) for words in (DOWN, OUT, OFF))
    down |= _table(state.state == LOST for state in reports.states)[reports.codes]
    out |= _table(any(TAINT.search(flag) for flag in state.flags) for state in reports.states)[reports.codes]
    off &= ~down
    told = bool((reports.gpus > 0).any())
    # A cluster that knows of no GPU anywhere manages none: that is no count of zero.
    gpus = np.where(known & told, reports.gpus, NOT_TOLD).astype(np.int16)
    holds = reports.gpus_allocated > 0
    busy = known & (holds | ((reports.gpus_allocated == NOT_TOLD) & _having(reports, BUSY)))
    return Stance(source, reports.at, known, known & ~(down | out | off), out & ~down, down & ~off, busy, gpus)


def has_any(state: NodeState, words: frozenset[str]) -> bool:
    """Whether a state or one of its flags is among `words`, however it is spelled."""
    return any(_plain(word) in words for word in (state.state, *state.flags))


def _having(reports: NodeReports, words: frozenset[str]) -> Truths:
    return _table(has_any(state, words) for state in reports.states)[reports.codes]


def _table(found: Iterable[bool]) -> Truths:
    # The last one stands for code -1: not known.
    return np.array([*found, False], dtype=bool)


def _plain(word: str) -> str:
    return "".join(letter for letter in word.upper() if letter.isalpha())
