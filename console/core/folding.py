"""Folds arrays of a finer level to a wider one: runs of equally sized groups by columns, anything else by reduceat."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import SITE_LEVELS, Level
from console.model.snapshot import RollUps
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.topology import SiteTopology

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Counts = NDArray[np.int32]
    Rows = NDArray[np.intp]

MOST_RUNS = 16
MOST_IN_A_GROUP = 128
# So few float32 additions lose less than a millionth.
SHORT_SUM = 16
# With more gaps than one in eight it is cheaper to write all rows anew.
MOST_GAPS = 8
_NONE = np.float32(-np.inf)
_WIDER = {level: [each for each in reversed(SITE_LEVELS) if each.depth < level.depth] for level in SITE_LEVELS}


@dataclass(frozen=True, slots=True)
class _Run:
    """Upper rows `first:last` that all hold `size` lower rows, from lower row `start` on."""

    first: int
    last: int
    size: int
    start: int

    @property
    def stop(self) -> int:
        return self.start + (self.last - self.first) * self.size


class Fold:
    """One step up: from lower rows to the upper rows whose start offsets are `starts` int32[upper + 1]."""

    def __init__(self, starts: NDArray[np.int32]) -> None:
        self.sizes = np.diff(starts).astype(np.int32)
        self._filled = np.flatnonzero(self.sizes)
        self._at = starts[:-1][self._filled]
        self._runs = _runs(starts, self.sizes)

    def sums(self, values: Floats | Doubles) -> Doubles:
        """Return float64 sums; an empty group is 0. Values must be free of NaN."""
        out = np.zeros(len(self.sizes), dtype=np.float64)
        if self._runs is None:
            out[self._filled] = np.add.reduceat(values, self._at, dtype=np.float64)
            return out
        for run in self._runs:
            out[run.first : run.last] = _columns(values, run).sum(axis=0, dtype=_sum_type(run.size, values.dtype))
        return out

    def totals(self, counts: Counts) -> Counts:
        """Return int32 sums of counts."""
        out = np.zeros(len(self.sizes), dtype=np.int32)
        if self._runs is None:
            out[self._filled] = np.add.reduceat(counts, self._at)
            return out
        for run in self._runs:
            out[run.first : run.last] = _columns(counts, run).sum(axis=0, dtype=np.int32)
        return out

    def maxima(self, values: Floats) -> Floats:
        """Return float32 maxima; an empty group is -inf. Values must be free of NaN."""
        out = np.full(len(self.sizes), _NONE, dtype=np.float32)
        if self._runs is None:
            out[self._filled] = np.maximum.reduceat(values, self._at)
            return out
        for run in self._runs:
            out[run.first : run.last] = _columns(values, run).max(axis=0)
        return out

    def bottom(self, values: Floats, missing: Rows | None = None) -> tuple[Counts, Doubles, Floats]:
        """Return counts, sums and maxima of values that may be NaN; `missing` are the rows that are, where known."""
        if missing is None:
            missing = np.flatnonzero(np.isnan(values))
        if self._runs is None or len(missing) > len(values) // MOST_GAPS:
            there = np.ones(len(values), dtype=np.int32)
            there[missing] = 0
            addends, highs = values.copy(), values.copy()
            addends[missing], highs[missing] = 0, _NONE
            return self.totals(there), self.sums(addends), self.maxima(highs)
        sums = np.zeros(len(self.sizes), dtype=np.float64)
        maxima = np.full(len(self.sizes), _NONE, dtype=np.float32)
        counts = self.sizes.copy() if len(missing) else self.sizes
        for run in self._runs:
            groups = slice(run.first, run.last)
            columns = _columns(values, run)
            gaps = missing[(missing >= run.start) & (missing < run.stop)] - run.start
            group, place = gaps // run.size, gaps % run.size
            columns[place, group] = 0
            sums[groups] = columns.sum(axis=0, dtype=_sum_type(run.size, values.dtype))
            columns[place, group] = _NONE
            maxima[groups] = columns.max(axis=0)
            np.subtract.at(counts, group + run.first, 1)
        return counts, sums, maxima


class Pyramid:
    """The folds of one topology, from each level to the next wider one; made once a topology."""

    def __init__(self, topology: SiteTopology) -> None:
        self.topology = topology
        self._folds = {upper: Fold(topology.starts(upper, upper.child)) for upper in SITE_LEVELS[:-1]}
        self._full: dict[Level, dict[Level, Counts]] = {}

    def roll_up(self, metric: str, level: Level, values: Floats, missing: Rows | None = None) -> RollUps:
        """Return one metric, measured at `level`, at every wider level of the site; NaN values are left out.

        `missing` are the rows that are NaN, where known. Node sums are float32 additions, wider ones float64, so that
        400,000 values lose no digit that float32 can show.
        """
        levels = _WIDER[level]
        if not levels:
            return RollUps(metric, {}, {}, {})
        first = levels[0]
        count, total, highest = self._folds[first].bottom(values, missing)
        full = count is self._folds[first].sizes
        counts = self.expected(level) if full else {first: count, **self._count(first, count)}
        sums, maxima = {first: _known(count, total)}, {first: _known(count, highest)}
        for upper in levels[1:]:
            fold = self._folds[upper]
            total, highest = fold.sums(total), fold.maxima(highest)
            sums[upper], maxima[upper] = _known(counts[upper], total), _known(counts[upper], highest)
        return RollUps(metric, counts, sums, maxima)

    def _count(self, level: Level, ones: Counts) -> dict[Level, Counts]:
        counts: dict[Level, Counts] = {}
        for upper in _WIDER[level]:
            fold = self._folds[upper]
            ones = counts[upper] = fold.totals(ones)
        return counts

    def fold(self, upper: Level) -> Fold:
        """Return the step up to one level from the next finer one."""
        return self._folds[upper]

    def expected(self, level: Level) -> dict[Level, Counts]:
        """Return how many rows of `level` there are in each row of every wider level."""
        if level not in self._full:
            self._full[level] = self._count(level, np.ones(self.topology.count(level), dtype=np.int32))
        return self._full[level]

    def counts(self, level: Level, present: NDArray[np.bool_]) -> dict[Level, Counts]:
        """Return how many of the rows of `level` are true, by wider level."""
        return self._count(level, present.astype(np.int32))


def _known(counts: Counts, values: Floats | Doubles) -> Floats:
    """Return float32 values, NaN where nothing reported: a sum of 0 or a maximum of -inf would be a lie there."""
    known = values.astype(np.float32)
    if not counts.all():
        known[counts == 0] = np.nan
    return known


def _sum_type(size: int, given: np.dtype[np.generic]) -> type[np.float32] | type[np.float64]:
    return np.float32 if size <= SHORT_SUM and given == np.float32 else np.float64


def _columns(values: NDArray[np.generic], run: _Run) -> NDArray[np.generic]:
    """Return a copy [size, groups] with each group's values below each other: NumPy then works on long rows."""
    return values[run.start : run.stop].reshape(-1, run.size).T.copy()


def _runs(starts: NDArray[np.int32], sizes: NDArray[np.int32]) -> list[_Run] | None:
    if not len(sizes):
        return []
    cuts = [0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(sizes)]
    if len(cuts) > MOST_RUNS + 1 or int(sizes.max()) > MOST_IN_A_GROUP:
        return None
    runs = [_Run(first, last, int(sizes[first]), int(starts[first])) for first, last in pairwise(cuts)]
    return [run for run in runs if run.size]
