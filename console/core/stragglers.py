"""The slowest node of each job: clock, power and utilisation of its nodes against the median of the job's nodes.

A synchronous job runs at the pace of its slowest member. Each node is judged by how far it is below its job's median in
units of the job's own spread (the modified z-score of Iglewicz and Hoaglin, 0.6745 x deviation / median absolute
deviation), so that what a job does to all of its nodes at once counts for none. docs/jobs.md has the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.texts import remembered
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.model.snapshot import SiteFrame

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

# Fewer nodes have no median that is not one of them or between two.
LEAST_NODES = 3
LEAST_Z = 3.5
LEAST_DEFICIT = 0.05
Z_PER_MAD = 0.6745


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric that falls where a node is slow; `floor` is the least spread, as a part of the median."""

    metric: str
    word: str
    floor: float


# Floors: clocks go in steps of 15 MHz; power and utilisation are samples of a load that swings.
SIGNALS = (
    Signal("sm_clock_mhz", "clock", 0.01),
    Signal("power_w", "power", 0.03),
    Signal("util_pct", "utilisation", 0.03),
)


@dataclass(frozen=True, eq=False)
class Stragglers:
    """The slowest node of each job, in the order of the jobs.

    `node` int64[jobs] is its row, -1 where a job has no peers to compare; `deficit` float64[jobs] is how far below
    the median, 0..1; `z` float64[jobs] the modified z-score; `signal` int64[jobs] the place in SIGNALS that says so.
    """

    node: Rows
    deficit: Floats
    z: Floats
    signal: Rows

    @property
    def slow(self) -> NDArray[np.bool_]:
        """bool[jobs]: the slowest node is a straggler, not just the last of equals."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.z >= LEAST_Z) & (self.deficit >= LEAST_DEFICIT))


def stragglers(frame: SiteFrame, now: float) -> Stragglers:
    """Return the slowest node of each job of a site; made once for each frame."""
    found: Stragglers = remembered(frame, "stragglers", lambda: _found(frame, now))
    return found


def _found(frame: SiteFrame, now: float) -> Stragglers:
    jobs, topology = frame.jobs, frame.topology
    if frame.stale or len(jobs.gpu_job) != topology.gpus or not len(jobs.rows):
        return _none(len(jobs.rows))
    pairs = pairs_of(jobs.gpu_job, topology.parents(Level.GPU, Level.NODE))
    models = np.zeros(topology.gpus, dtype=np.int64) if topology.model_code is None else topology.model_code
    # GPUs of another model have another clock and another power: their peers are those of their own.
    groups = pairs.job * (int(models.max(initial=0)) + 1) + models[pairs.first]
    columns = [frame.values(signal.metric, now) for signal in SIGNALS]
    values = [None if each is None else pairs.means(each) for each in columns]
    return slowest(pairs.job, pairs.node, groups, values, len(jobs.rows))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Each job on each of its nodes: `job`, `node` and the `first` GPU int64[pairs]; `gpus`, `starts` of all GPUs."""

    job: Rows
    node: Rows
    first: Rows
    gpus: Rows
    starts: Rows

    def means(self, values: NDArray[np.floating]) -> Floats:
        """Return float64[pairs]: the mean over the job's GPUs on the node that report, NaN where none does."""
        told = values[self.gpus].astype(np.float64)
        there = ~np.isnan(told)
        if not len(self.starts):
            return np.zeros(0)
        counts = np.add.reduceat(there.astype(np.int64), self.starts)
        sums = np.add.reduceat(np.where(there, told, 0.0), self.starts)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def pairs_of(gpu_job: NDArray[np.int32], gpu_node: NDArray[np.int32]) -> Pairs:
    """Return the pairs of job and node; GPUs of a node that several jobs share are brought together first."""
    busy = np.flatnonzero(gpu_job >= 0)
    node = gpu_node[busy].astype(np.int64)
    key = node * (int(gpu_job.max(initial=0)) + 1) + gpu_job[busy]
    if len(key) and bool((np.diff(key) < 0).any()):
        order = np.argsort(key, kind="stable")
        busy, node, key = busy[order], node[order], key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1)) if len(key) else np.zeros(0, dtype=np.int64)
    first = busy[starts]
    return Pairs(gpu_job[first].astype(np.int64), node[starts], first, busy, starts)


def slowest(job: Rows, node: Rows, groups: Rows, values: Sequence[Floats | None], jobs: int) -> Stragglers:
    """Return the pair with the highest score of each job; `values` has float64[pairs] for each of SIGNALS or None.

    `groups` int64[pairs] says whom each pair is compared with. The order of the pairs changes nothing: of equal
    scores the lowest node row wins.
    """
    best_z, best_deficit = np.full(len(job), np.nan), np.full(len(job), np.nan)
    best_signal = np.full(len(job), -1, dtype=np.int64)
    for place, (signal, column) in enumerate(zip(SIGNALS, values, strict=True)):
        if column is None or not len(column):
            continue
        z, deficit = scores(groups, column, signal.floor)
        better = ~np.isnan(z) & (np.isnan(best_z) | (z > best_z))
        best_z, best_deficit = np.where(better, z, best_z), np.where(better, deficit, best_deficit)
        best_signal = np.where(better, place, best_signal)
    known = np.flatnonzero(~np.isnan(best_z))
    order = known[np.lexsort((node[known], -best_z[known], job[known]))]
    leads = order[np.flatnonzero(np.diff(job[order], prepend=-1))] if len(order) else order
    answer = _none(jobs)
    answer.node[job[leads]], answer.signal[job[leads]] = node[leads], best_signal[leads]
    answer.z[job[leads]], answer.deficit[job[leads]] = best_z[leads], best_deficit[leads]
    return answer


def scores(groups: Rows, values: Floats, floor: float) -> tuple[Floats, Floats]:
    """Return the modified z-score below the group's median, and the deficit as a part of it; both float64[pairs].

    NaN for what is missing, and in groups of fewer than three values or a median of zero. The median absolute
    deviation is taken as at least `floor` of the median, scaled as a z-score is.
    """
    z, deficit = np.full(len(values), np.nan), np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return z, deficit
    median, count = group_medians(groups[known], values[known])
    below = median - values[known]
    spread, _ = group_medians(groups[known], np.abs(below))
    judged = (count >= LEAST_NODES) & (median > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z[known] = np.where(judged, Z_PER_MAD * below / np.maximum(spread, Z_PER_MAD * floor * median), np.nan)
        deficit[known] = np.where(judged, below / median, np.nan)
    return z, deficit


def group_medians(groups: Rows, values: Floats) -> tuple[Floats, Rows]:
    """Return float64[n] and int64[n]: the median and the size of the group that each value is in; no value is NaN."""
    order = np.lexsort((values, groups))
    ordered = values[order]
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[0]] - 1))
    sizes = np.diff(np.append(starts, len(order)))
    low, high = ordered[starts + (sizes - 1) // 2], ordered[starts + sizes // 2]
    median, size = np.empty(len(values)), np.empty(len(values), dtype=np.int64)
    median[order], size[order] = np.repeat((low + high) / 2, sizes), np.repeat(sizes, sizes)
    return median, size


def _none(jobs: int) -> Stragglers:
    missing = np.full(jobs, np.nan)
    nothing = np.full(jobs, -1, dtype=np.int64)
    return Stragglers(nothing, missing, missing.copy(), nothing.copy())
