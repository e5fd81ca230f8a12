"""The history of single GPUs of one site: a bounded number of them, those looked at last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.remap import row_map
from console.core.ring import Ring
from console.model.levels import Level

if TYPE_CHECKING:
    from console.model.columns import Column, Times, Values
    from console.model.metrics import MetricTable
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

MOST_GPUS = 256
SAMPLES = 240
LONGEST_STEP_S = 15.0


class WatchedGpus:
    """Up to 256 GPUs, each with every GPU metric; one that was not looked at for longest makes place."""

    def __init__(self, metrics: MetricTable, topology: SiteTopology) -> None:
        self._fields = tuple(metric.name for metric in metrics.at(Level.GPU))
        self._topology = topology
        self._ring = Ring(SAMPLES, LONGEST_STEP_S, len(self._fields), MOST_GPUS)
        self._rows = np.full(MOST_GPUS, -1, dtype=np.int32)
        self._looked = np.zeros(MOST_GPUS, dtype=np.int64)
        self._looks = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes that the ring takes when it is full."""
        return self._ring.memory_bytes

    def watch(self, gpus: slice) -> None:
        """Keep these GPU rows (the first 256 of them), in place of those looked at longest ago."""
        self._looks += 1
        wanted = np.arange(gpus.start, min(gpus.stop, gpus.start + MOST_GPUS), dtype=np.int32)
        self._looked[np.isin(self._rows, wanted)] = self._looks
        new = wanted[~np.isin(wanted, self._rows)]
        oldest = np.argsort(np.where(self._rows >= 0, self._looked, -1), kind="stable")[: len(new)]
        for column, row in zip(oldest.tolist(), new.tolist(), strict=True):
            self._ring.clear_row(column)
            self._rows[column] = row
            self._looked[column] = self._looks

    def follow(self, topology: SiteTopology) -> None:
        """Find every GPU by its key in a new topology; one that is gone is forgotten."""
        old_rows = row_map(self._topology, topology, Level.GPU)
        new_rows = np.full(self._topology.gpus + 1, -1, dtype=np.int32)
        kept = np.flatnonzero(old_rows >= 0)
        new_rows[old_rows[kept]] = kept
        self._rows = new_rows[self._rows]
        self._topology = topology

    def append(self, site: SiteFrame, now: float) -> None:
        """Take a sample of the GPUs that are watched."""
        if not self._ring.wants(site.data_at):
            return
        self._ring.begin(site.data_at)
        columns = np.flatnonzero(self._rows >= 0)
        rows = self._rows[columns]
        for i, name in enumerate(self._fields):
            column = site.columns.get(name)
            if column is not None:
                self._ring.put(i, _current(column, rows, now), columns)

    def get(self, row: int, field: str, span_s: float) -> tuple[Times, Values]:
        """Return the times and values of one metric of one GPU; empty where it is not watched."""
        columns = np.flatnonzero(self._rows == row)
        if not len(columns) or field not in self._fields:
            return np.zeros(0, dtype=np.float64), np.zeros(0, dtype=np.float32)
        at, values = self._ring.series(self._fields.index(field), int(columns[0]), span_s)
        # What was before somebody looked is not a gap.
        told = np.flatnonzero(~np.isnan(values))
        first = int(told[0]) if len(told) else len(values)
        return at[first:], values[first:]


def _current(column: Column, rows: np.ndarray[tuple[int], np.dtype[np.int32]], now: float) -> Values:
    return np.where(now - column.at[rows] > column.stale_after_s, np.float32(np.nan), column.values[rows])
