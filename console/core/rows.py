"""Rows of one site, of the whole fleet, or of a kind of domain, as columns of their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from console.core.alert_counts import alert_counts
from console.core.rollup import reporting_counts
from console.core.segments import run_maxima
from console.core.site_texts import site_text
from console.model.columns import distinct
from console.model.levels import Level
from console.model.metrics import Metric, RollUp
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.core.registry import Field
    from console.core.texts import TextValues
    from console.model.columns import Column
    from console.model.snapshot import SiteFrame, Snapshot

Numbers = NDArray[np.floating[Any]]
Starts = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Children:
    """The finer rows below each row: row i holds `take[starts[i]:starts[i + 1]]` of `rows` (`take` None: in order)."""

    rows: RowColumns
    starts: Starts
    take: Starts | None = None

    def inner(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return a column of the finer rows, one value a pair of row and finer row."""
        return values if self.take is None else values[self.take]

    def outer(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return a column of the rows, one value a pair of row and finer row."""
        return np.repeat(values, np.diff(self.starts))


class RowColumns(Protocol):
    """Rows whose fields can be read as columns."""

    @property
    def count(self) -> int:
        """The number of rows."""
        ...

    def number(self, field: Field) -> Numbers:
        """Return a float column; NaN is missing or stale."""
        ...

    def text(self, field: Field) -> TextValues:
        """Return a text column."""
        ...

    def age(self, field: Field) -> NDArray[np.float64]:
        """Return seconds since the newest sample of a metric in each row; NaN where there never was one."""
        ...

    def children(self, level: Level) -> Children:
        """Return the finer rows of a level below each row."""
        ...


@dataclass(frozen=True, eq=False)
class SiteRows:
    """All rows of one level of one site; the numbers of a stale site are missing."""

    frame: SiteFrame
    level: Level
    now: float
    snapshot: Snapshot | None = None

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.frame.topology.count(self.level)

    def number(self, field: Field) -> Numbers:
        """Return a float column; NaN is missing or stale."""
        if field.metric is None:
            return _COUNTED[field.name](self)
        values = None if self.frame.stale else self._measured(field.metric, field.how)
        if values is None or len(values) != self.count:
            return np.full(self.count, np.nan, dtype=np.float32)
        return values

    def _measured(self, metric: Metric, how: RollUp | None) -> Numbers | None:
        if how is None:
            return self.frame.values(metric.name, self.now)
        rolled = self.frame.rollups.get(metric.name)
        if rolled is not None and self.level in rolled.sums:
            return np.where(rolled.counts[self.level] > 0, rolled.get(self.level, how), np.float32(np.nan))
        values = self.frame.values(metric.name, self.now) if self.level is Level.SITE else None
        return None if values is None else np.array([combined(values, how)])

    def text(self, field: Field) -> TextValues:
        """Return a text column."""
        return site_text(self.frame, self.level, field.name)

    def age(self, field: Field) -> NDArray[np.float64]:
        """Return seconds since the newest sample of a metric in each row; NaN where there never was one."""
        column = self.frame.columns.get(field.metric.name) if field.metric else None
        if column is None:
            told = field.metric is not None and field.metric.name in self.frame.rollups and self.frame.data_at > 0
            return np.full(self.count, self.now - self.frame.data_at if told else np.nan)
        return self._since(column, column.metric if field.metric is None else field.metric.level)

    def _since(self, column: Column, measured: str) -> NDArray[np.float64]:
        newest = column.newest_at()
        if not newest or column.at.strides == (0,) or measured not in list(Level):
            return np.full(self.count, self.now - newest if newest else np.nan)
        at = np.where(column.at > 0, column.at, np.nan)
        level = Level(measured)
        return self.now - (at if level is self.level else run_maxima(at, self.frame.topology.starts(self.level, level)))

    def children(self, level: Level) -> Children:
        """Return the finer rows of a level below each row."""
        return Children(
            SiteRows(self.frame, level, self.now, self.snapshot), self.frame.topology.starts(self.level, level)
        )

    def _gpu_starts(self) -> Starts:
        return self.frame.topology.starts(self.level, Level.GPU)

    def _gpus(self) -> Numbers:
        return np.diff(self._gpu_starts()).astype(np.float64)

    def _reporting(self) -> Numbers:
        if self.frame.stale:
            return np.zeros(self.count)
        return reporting_counts(self.frame, self.level).astype(np.float64)

    def _nodes(self) -> Numbers:
        return np.diff(self.frame.topology.starts(self.level, Level.NODE)).astype(np.float64)

    def _age_s(self) -> Numbers:
        frame = self.frame
        if self.level is Level.SITE or not frame.data_at:
            return np.full(self.count, self.now - frame.data_at if frame.data_at else np.nan)
        length = frame.topology.gpus
        stamps = {id(column.at): column for column in frame.columns.values() if len(column.at) == length}
        ages = [self._since(column, Level.GPU) for column in stamps.values()]
        return np.fmin.reduce(ages) if ages else np.full(self.count, np.nan)

    def _alerts(self) -> Numbers:
        return alert_counts(self.snapshot, self.frame, self.level)

    def _jobs(self) -> Numbers:
        jobs, count = self.frame.jobs, self.count
        if self.frame.stale or (not jobs.at and not jobs.rows):
            return np.full(count, np.nan)
        if self.level is Level.SITE:
            return np.array([float(jobs.running())])
        if len(jobs.gpu_job) != self.frame.topology.gpus:
            return np.full(count, np.nan)
        busy = np.flatnonzero(jobs.gpu_job >= 0)
        owners = busy if self.level is Level.GPU else self.frame.topology.parents(Level.GPU, self.level)[busy]
        return distinct_jobs(owners, jobs.gpu_job[busy], count)

    def _free(self, name: str) -> Numbers:
        from console.core.free_fields import free_field

        return free_field(self.frame, self.level, name, self.now)

    def _stale(self) -> Numbers:
        return np.full(self.count, float(self.frame.stale))

    def _slot(self) -> Numbers:
        return self.frame.topology.gpu_slot.astype(np.float64)


_COUNTED: dict[str, Callable[[SiteRows], Numbers]] = {
    "gpus": SiteRows._gpus,
    "gpus_reporting": SiteRows._reporting,
    "nodes": SiteRows._nodes,
    "age_s": SiteRows._age_s,
    "alerts": SiteRows._alerts,
    "jobs": SiteRows._jobs,
    "stale": SiteRows._stale,
    "slot": SiteRows._slot,
    "free_gpus": lambda rows: rows._free("free_gpus"),
    "free_blocks": lambda rows: rows._free("free_blocks"),
    "drain_s": lambda rows: rows._free("drain_s"),
}


def distinct_jobs(owners: Starts, jobs: Starts, count: int) -> Numbers:
    """Return float64[count]: how many different jobs each of `count` rows has, from pairs of row and job."""
    width = int(jobs.max(initial=0)) + 1
    pairs = distinct(owners.astype(np.int64) * width + jobs)
    return np.bincount(pairs // width, minlength=count).astype(np.float64)


def combined(values: Numbers, how: RollUp, weights: Numbers | None = None) -> float:
    """Return many values as one, the missing left out; NaN where all are missing. Means take `weights` into account."""
    there = ~np.isnan(values)
    if not there.any():
        return float("nan")
    if how is RollUp.MAX:
        return float(values[there].max())
    if how is RollUp.MEAN:
        return float(np.average(values[there], weights=None if weights is None else weights[there]))
    return float(values[there].sum(dtype=np.float64))
