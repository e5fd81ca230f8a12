"""Columns of one metric as each source tells them, and the one column that they make together."""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from console.model.columns import Column, Times, Values, same_time
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.core.join import Join
    from console.model.metrics import Metric
    from console.model.reading import ColumnPart

    Rows = NDArray[np.intp]

NAN = np.float32(np.nan)
SHARED_TIMES = 4
GLANCE = 97


@dataclass(frozen=True, eq=False)
class Voice:
    """What one source says of one metric.

    `oldest_at` and `newest_at` are sample times of values that are there; `missing` are the rows of those that are not.
    """

    column: Column
    oldest_at: float
    newest_at: float
    missing: Rows

    def is_current(self, now: float) -> bool:
        """Whether no value is stale."""
        return now - self.oldest_at <= self.column.stale_after_s

    def current(self, now: float) -> Values:
        """Return the values with stale ones as NaN; the same array where none is stale."""
        limit = self.column.stale_after_s
        if self.is_current(now):
            return self.column.values
        if now - self.newest_at > limit:
            return np.full_like(self.column.values, NAN)
        return np.where(now - self.column.at > limit, NAN, self.column.values)

    def oldest_current_at(self, now: float) -> float:
        """Return the sample time of the oldest value that is not stale, 0.0 where there is none."""
        changes_at = self.changes_at(now)
        return changes_at - self.column.stale_after_s if np.isfinite(changes_at) else 0.0

    def gaps(self, now: float) -> Rows:
        """Return the rows that have no current value."""
        if self.is_current(now):
            return self.missing
        return np.flatnonzero(np.isnan(self.current(now)))

    def changes_at(self, now: float) -> float:
        """Return when the next value turns stale that is not stale now; infinity if none will."""
        limit = self.column.stale_after_s
        if now - self.newest_at > limit:
            return np.inf
        if now - self.oldest_at <= limit:
            return self.oldest_at + limit
        fresh = self.column.at[(now - self.column.at <= limit) & ~np.isnan(self.column.values)]
        return float(fresh.min()) + limit if len(fresh) else np.inf


class TimeShare:
    """Lets columns share their sample times: one array for all that miss the same rows since the same times.

    It keeps none of them itself: those of a million GPUs are 8 MB.
    """

    def __init__(self) -> None:
        self._last: deque[tuple[float, Rows, weakref.ref[Times]]] = deque(maxlen=SHARED_TIMES)

    def with_missing(self, at: float, before: Times | None, missing: Rows, length: int) -> Times:
        """Return `at` for all rows but the missing ones, which keep the time when they were last there (0: never)."""
        kept = np.zeros(len(missing)) if before is None else before[missing]
        for last_at, last_missing, last in self._last:
            times = last()
            if times is None or last_at != at or len(times) != length:
                continue
            if np.array_equal(last_missing, missing) and np.array_equal(times[missing], kept):
                return times
        times = np.full(length, at, dtype=np.float64)
        times[missing] = kept
        times.flags.writeable = False
        self._last.append((at, missing, weakref.ref(times)))
        return times


def cleaned(metric: Metric, values: NDArray[np.generic]) -> tuple[Values, Rows]:
    """Return a float32 array with NaN for what is no number of this metric, and where that is.

    Missing are NaN, infinities and what is outside `metric.low`..`metric.high`, sentinels of the vendor with it. It is
    the array that was given if nobody writes that one any more and nothing in it is to be changed, else a new one.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        new = values if _is_final(values) else np.array(values, dtype=np.float32)
        good = (new >= np.float32(metric.low)) & (new <= np.float32(metric.high))
    missing = np.flatnonzero(~good)
    if new is values:
        if np.isnan(new[missing]).all():
            return new, missing
        new = new.copy()
    new[missing] = NAN
    return new, missing


def _is_final(values: NDArray[np.generic]) -> TypeGuard[Values]:
    """Whether an array can be kept as it is; a view would keep the whole body of an answer with it."""
    flags = values.flags
    return values.dtype == np.float32 and flags.owndata and flags.c_contiguous and not flags.writeable


def sentinels(metric: Metric, values: Values) -> int:
    """Return how many values are there and are no number of this metric: sentinels of a vendor, infinities."""
    if not len(values):
        return 0
    with np.errstate(over="ignore", invalid="ignore"):
        lowest, highest = np.fmin.reduce(values), np.fmax.reduce(values)
        if not (lowest < metric.low or highest > metric.high):
            return 0
        return int(np.count_nonzero((values < metric.low) | (values > metric.high)))


def hear(
    before: Voice | None,
    part: ColumnPart,
    metric: Metric,
    join: Join,
    *,
    length: int,
    source: str,
    stale_after_s: float,
    not_after: float,
    share: TimeShare,
) -> Voice:
    """Return what a source says now: `part` over what it said `before`, in `length` rows.

    A full part makes every row missing that it does not name; such rows keep the time of their last sample. Sample
    times after `not_after` (our clock at receipt) are cut to it: a clock that runs ahead keeps nothing fresh.
    """
    values, missing = cleaned(metric, part.values)
    at = part.at
    if part.full and (not len(at) or at.strides == (0,)):
        time = _sane(float(at[0]), not_after) if len(at) else 0.0
        spread = join.spread(values, length, np.nan)
        if before is not None and _same(before.column.values, spread):
            # Counters hardly ever move: an equal block is not kept twice, and not rolled up again.
            spread, missing = before.column.values, before.missing
        elif spread is not values:
            missing = np.flatnonzero(np.isnan(spread))
        return _at_once(before, Column(metric.name, spread, at, stale_after_s, source), time, missing, share)
    at = np.minimum(np.nan_to_num(at, nan=0.0, posinf=0.0, neginf=0.0), not_after)
    values, at = _row_by_row(before, values, at, join, length, full=part.full)
    return voice(Column(metric.name, values, at, stale_after_s, source))


def _at_once(before: Voice | None, column: Column, time: float, missing: Rows, share: TimeShare) -> Voice:
    """Return a voice all of whose values were sampled at one time."""
    length = len(column.values)
    column.values.flags.writeable = False
    if not len(missing):
        return Voice(replace(column, at=same_time(time, length)), time, time, missing)
    times = share.with_missing(time, None if before is None else before.column.at, missing, length)
    newest = time if len(missing) < length else 0.0
    return Voice(replace(column, at=times), newest, newest, missing)


def voice(column: Column) -> Voice:
    """Return a column with what is to be known of its times; it is not written from now on."""
    column.values.flags.writeable = False
    at = column.at
    missing = np.flatnonzero(np.isnan(column.values))
    if len(missing) == len(at):
        return Voice(column, 0.0, 0.0, missing)
    if at.strides == (0,):
        return Voice(column, float(at[0]), float(at[0]), missing)
    at.flags.writeable = False
    there = np.delete(at, missing) if len(missing) else at
    return Voice(column, float(there.min()), float(there.max()), missing)


def _same(old: Values, new: Values) -> bool:
    """Whether two blocks are equal to the bit, NaN too; a sparse look tells most that are not."""
    if old is new:
        return True
    if len(old) != len(new):
        return False
    old_bits, new_bits = old.view(np.uint32), new.view(np.uint32)
    few = slice(None, None, GLANCE)
    return np.array_equal(old_bits[few], new_bits[few]) and np.array_equal(old_bits, new_bits)


def _sane(at: float, not_after: float) -> float:
    return min(at, not_after) if np.isfinite(at) else 0.0


def _row_by_row(
    before: Voice | None, values: Values, at: Times, join: Join, length: int, *, full: bool
) -> tuple[Values, Times]:
    out = np.full(length, NAN, dtype=np.float32) if full or before is None else before.column.values.copy()
    times = np.zeros(length, dtype=np.float64) if before is None else np.array(before.column.at)
    rows = slice(None) if join.rows is None else join.rows
    values, at = join.pick(values), join.pick(at)
    out[rows] = values
    there = ~np.isnan(values)
    times[rows] = np.where(there, at, times[rows])
    return out, times


def together(voices: list[Voice]) -> Voice:
    """Return the one column of several sources: in each row the freshest value that is there.

    A row's age is that of the value taken; the longest patience of the sources holds for all.
    """
    if len(voices) == 1:
        return voices[0]
    first, *others = voices
    values, at = first.column.values, first.column.at
    for other in others:
        mine, theirs = ~np.isnan(values), ~np.isnan(other.column.values)
        take = theirs & (~mine | (other.column.at > at))
        # Where both are missing the later sighting tells since when.
        later = take | (~mine & ~theirs & (other.column.at > at))
        values = np.where(take, other.column.values, values)
        at = np.where(later, other.column.at, at)
    patience = max(each.column.stale_after_s for each in voices)
    names = "+".join(sorted(each.column.source for each in voices))
    return voice(Column(first.column.metric, values, at, patience, names))


def remapped(old: Voice, rows: NDArray[np.int32]) -> Voice:
    """Return a voice in a new topology's order; `rows` is the old row of each new one, -1 for a new object."""
    kept = rows >= 0
    at_rows = np.where(kept, rows, 0)
    length = len(rows)
    if not len(old.column.values):
        values, times = np.full(length, NAN, dtype=np.float32), np.zeros(length, dtype=np.float64)
    else:
        values = np.where(kept, old.column.values[at_rows], NAN)
        times = np.where(kept, old.column.at[at_rows], 0.0)
        if kept.all() and old.column.at.strides == (0,):
            times = same_time(float(old.column.at[0]), length)
    return voice(replace(old.column, values=values, at=times))
