"""The slowest node of each job: clock, power and utilisation of its nodes against the median of the job's nodes.

A synchronous job runs at the pace of its slowest member. Each node is judged by how far it is below its job's median in
units of the job's own spread (the modified z-score of Iglewicz and Hoaglin, 0.6745 x deviation / median absolute
deviation), so that what a job does to all of its nodes at once counts for none. docs/jobs.md has the formulas.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING

import numpy as np

from console.core.texts import remembered
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.model.columns import Values
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

# Fewer nodes have no median that is not one of them or between two.
LEAST_NODES = 3
LEAST_Z = 3.5
LEAST_DEFICIT = 0.05
Z_PER_MAD = 0.6745
LOW_BITS = 0xFFFFFFFF
MOST = 0x7FFFFFFF


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
    columns = [frame.values(signal.metric, now) for signal in SIGNALS]
    # Between two sweeps of its sources a site's arrays stay the same objects, and so does what they say.
    last: list[tuple[SiteTopology, list[Values | None], Stragglers]] = remembered(jobs, "last stragglers", list)
    for of, had, found in tuple(last):
        if of is topology and all(map(is_, had, columns)):
            return found
    found = _judged(frame, columns)
    last[:] = [(topology, columns, found)]
    return found


def _judged(frame: SiteFrame, columns: list[Values | None]) -> Stragglers:
    topology, pairs = frame.topology, held_pairs(frame)
    models = np.zeros(topology.gpus, dtype=np.int64) if topology.model_code is None else topology.model_code
    # GPUs of another model have another clock and another power: their peers are those of their own.
    groups = pairs.job * (int(models.max(initial=0)) + 1) + models[pairs.first]
    values = [None if each is None else pairs.means(each) for each in columns]
    return slowest(pairs.job, pairs.node, groups, values, len(frame.jobs.rows))


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
        if not len(self.starts):
            return np.zeros(0)
        told = values[self.gpus].astype(np.float64)
        sums = np.add.reduceat(told, self.starts)
        counts = np.diff(self.starts, append=len(told))
        if np.isnan(sums).any():
            there = ~np.isnan(told)
            counts = np.add.reduceat(there.astype(np.int64), self.starts)
            sums = np.add.reduceat(np.where(there, told, 0.0), self.starts)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def held_pairs(frame: SiteFrame) -> Pairs:
    """Return each job of a site on each of its nodes; made once for each list of jobs."""
    parents = frame.topology.parents(Level.GPU, Level.NODE)
    found: Pairs = remembered(frame.jobs, "pairs", lambda: pairs_of(frame.jobs.gpu_job, parents))
    return found


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
    leads = _leads(job, node, best_z, jobs)
    answer = _none(jobs)
    answer.node[job[leads]], answer.signal[job[leads]] = node[leads], best_signal[leads]
    answer.z[job[leads]], answer.deficit[job[leads]] = best_z[leads], best_deficit[leads]
    return answer


def _leads(job: Rows, node: Rows, z: Floats, jobs: int) -> Rows:
    """Return the pair of each job that has the highest score; of equal ones that of the lowest node."""
    known = np.flatnonzero(~np.isnan(z))
    top = np.full(jobs, -np.inf)
    np.maximum.at(top, job[known], z[known])
    equals = known[z[known] == top[job[known]]]
    lowest = np.full(jobs, np.iinfo(np.int64).max)
    np.minimum.at(lowest, job[equals], node[equals])
    leads: Rows = equals[node[equals] == lowest[job[equals]]]
    return leads


def scores(groups: Rows, values: Floats, floor: float) -> tuple[Floats, Floats]:
    """Return the modified z-score below the group's median, and the deficit as a part of it; both float64[pairs].

    NaN for what is missing, and in groups of fewer than three values or a median of zero. The median absolute
    deviation is taken as at least `floor` of the median, scaled as a z-score is.
    """
    values = values.astype(np.float32).astype(np.float64)  # as samples are, and medians are taken
    z, deficit = np.full(len(values), np.nan), np.full(len(values), np.nan)
    missing = np.isnan(values)
    known = np.flatnonzero(~missing) if missing.any() else slice(len(values))
    if missing.all():
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
    """Return float64[n] and int64[n]: the median and the size of the group that each value is in; no value is NaN.

    Groups are numbers from 0 to 2^31, values are taken as float32: both together are one number to be sorted by,
    several times as fast as by two.
    """
    sizes = np.bincount(groups)
    keys = (groups.astype(np.int64) << 32) + _low_bits(values)
    keys.sort()
    starts = np.cumsum(sizes) - sizes
    # A group without values has a place too, that of another group; nobody asks for it.
    last = len(keys) - 1
    low, high = (keys[np.minimum(starts + half, last)] for half in (np.maximum(sizes - 1, 0) // 2, sizes // 2))
    median = (_values(low) + _values(high)) / 2
    return median[groups], sizes[groups]


def _low_bits(values: Floats) -> Rows:
    """Return int64[n], 32 bits each, that sort as the values do in float32."""
    bits = values.astype(np.float32).view(np.int32)
    return (bits ^ ((bits >> 31) & MOST)).astype(np.int64) + MOST + 1


def _values(bits: Rows) -> Floats:
    """Return float64[n]: the values of such bits."""
    signed = ((bits & LOW_BITS) - MOST - 1).astype(np.int32)
    return (signed ^ ((signed >> 31) & MOST)).view(np.float32).astype(np.float64)


def _none(jobs: int) -> Stragglers:
    missing = np.full(jobs, np.nan)
    nothing = np.full(jobs, -1, dtype=np.int64)
    return Stragglers(nothing, missing, missing.copy(), nothing.copy())
