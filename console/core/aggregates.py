"""Aggregates that a site's own store computed, as roll-ups of the levels they were computed for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import SITE_LEVELS, Level
from console.model.metrics import RollUp
from console.model.snapshot import RollUps
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from console.core.folding import Pyramid
    from console.core.join import Join
    from console.model.reading import AggregatePart

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

NAN = np.float32(np.nan)
# One value more or less is a matter of timing; a few GPUs that are read closely are not the site.
FAR_MORE = 1.05


@dataclass(frozen=True, eq=False)
class Told:
    """One aggregate at one level: values float32[rows], counts float32[rows] (NaN: not told), sample times float64."""

    metric: str
    how: RollUp
    level: Level
    values: Floats
    counts: Floats
    at: Doubles
    stale_after_s: float
    source: str

    def newest_at(self) -> float:
        """Return the newest sample time of a value that is there, 0.0 if none is."""
        there = self.at[~np.isnan(self.values)]
        return float(there.max()) if len(there) else 0.0

    def fresh(self, now: float) -> NDArray[np.bool_]:
        """Return which rows are there and not stale."""
        return (now - self.at <= self.stale_after_s) & ~np.isnan(self.values)

    def covers_more(self, base: RollUps | None, now: float) -> bool:
        """Return whether it speaks for far more values than the roll-ups do at its level."""
        counts = np.where(self.fresh(now), self.counts, 0.0)
        return base is not None and bool(np.nansum(counts) > FAR_MORE * base.counts[self.level].sum())


def told(
    part: AggregatePart,
    metric: str,
    how: RollUp,
    level: Level,
    join: Join,
    *,
    length: int,
    source: str,
    stale_after_s: float,
    not_after: float,
) -> Told:
    """Return an aggregate in topology order; rows that the part does not name are missing."""
    said = np.array(part.values, dtype=np.float32)
    values = join.spread(np.where(np.isfinite(said), said, NAN), length, np.nan)
    times = np.minimum(np.nan_to_num(part.at, nan=0.0, posinf=0.0, neginf=0.0), not_after)
    at = join.spread(times, length, 0.0)
    counts = np.full(length, NAN, dtype=np.float32)
    if part.count is not None:
        counts = join.spread(np.array(part.count, dtype=np.float32), length, np.nan)
    return Told(metric, how, level, values, counts, at, stale_after_s, source)


def told_remapped(old: Told, rows: NDArray[np.int32]) -> Told:
    """Return an aggregate in a new topology's order; `rows` is the old row of each new one, -1 for a new object."""
    kept, at = rows >= 0, np.maximum(rows, 0)
    if not len(old.values):
        empty = np.full(len(rows), NAN, dtype=np.float32)
        return replace(old, values=empty, counts=empty, at=np.zeros(len(rows), dtype=np.float64))
    return replace(
        old,
        values=np.where(kept, old.values[at], NAN),
        counts=np.where(kept, old.counts[at], NAN),
        at=np.where(kept, old.at[at], 0.0),
    )


def with_told(
    base: RollUps | None, base_at: float, aggregates: Iterable[Told], pyramid: Pyramid, own: Level, now: float
) -> RollUps | None:
    """Return the roll-ups of a metric with fresher aggregates in place of what its own values give.

    `base_at` is the oldest of the metric's own values. Level by level the younger of both holds, and an aggregate of
    far more values than there are; a wider level that was not told is folded from the finer one that was.
    """
    live = [
        each
        for each in aggregates
        if each.fresh(now).any() and (each.newest_at() > base_at or each.covers_more(base, now))
    ]
    if not live:
        return base
    sheet = _Sheet(base, live[0].metric, pyramid, own)
    for level in reversed([level for level in SITE_LEVELS if level.depth < own.depth]):
        here = sorted((each for each in live if each.level is level), key=_weight)
        if not here:
            sheet.fold_up(level)
        for each in here:
            sheet.lay(each, each.fresh(now))
    return RollUps(sheet.metric, sheet.counts, sheet.sums, sheet.maxima)


def _weight(each: Told) -> int:
    """A sum is exact, a mean needs a count to become one, a maximum says nothing of either: the best comes last."""
    return {RollUp.MAX: 0, RollUp.LAST: 1, RollUp.MEAN: 2, RollUp.SUM: 3}[each.how]


class _Sheet:
    """Roll-ups in the making."""

    def __init__(self, base: RollUps | None, metric: str, pyramid: Pyramid, own: Level) -> None:
        self.metric = metric
        self._pyramid = pyramid
        self._expected = pyramid.expected(own)
        self._touched: set[Level] = set()
        sizes = {level: len(rows) for level, rows in self._expected.items()}
        self.counts = {level: np.zeros(size, dtype=np.int32) for level, size in sizes.items()}
        self.sums = {level: np.full(size, NAN, dtype=np.float32) for level, size in sizes.items()}
        self.maxima = {level: np.full(size, NAN, dtype=np.float32) for level, size in sizes.items()}
        if base is not None:
            self.counts.update(base.counts)
            self.sums.update(base.sums)
            self.maxima.update(base.maxima)

    def lay(self, each: Told, fresh: NDArray[np.bool_]) -> None:
        """Put an aggregate in place of what was there, row by row."""
        level, counts = each.level, self.counts[each.level]
        self._touched.add(level)
        # A store that does not say how many reported is taken to speak for all that are expected.
        weight = np.where(np.isfinite(each.counts) & (each.counts >= 0), each.counts, self._expected[level])
        if each.how is RollUp.MAX:
            self.maxima[level] = np.where(fresh, each.values, self.maxima[level])
            fresh = fresh & (counts == 0)
        else:
            value = each.values * weight if each.how is RollUp.MEAN else each.values
            self.sums[level] = np.where(fresh, value, self.sums[level]).astype(np.float32)
        self.counts[level] = np.where(fresh, weight, counts).astype(np.int32)

    def fold_up(self, level: Level) -> None:
        """Fold the next finer level into this one if that was told."""
        if level.child not in self._touched:
            return
        self._touched.add(level)
        fold, finer = self._pyramid.fold(level), level.child
        self.counts[level] = fold.totals(self.counts[finer])
        self.sums[level] = _folded(fold.sums, self.sums[finer], fold.totals, np.float32(0))
        self.maxima[level] = _folded(fold.maxima, self.maxima[finer], fold.totals, np.float32(-np.inf))


def _folded(
    fold: Callable[[Floats], NDArray[np.generic]],
    values: Floats,
    totals: Callable[[NDArray[np.int32]], NDArray[np.int32]],
    neutral: np.float32,
) -> Floats:
    there = ~np.isnan(values)
    folded = fold(np.where(there, values, neutral)).astype(np.float32)
    return np.where(totals(there.astype(np.int32)) > 0, folded, NAN)
