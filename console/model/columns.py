"""Columns of telemetry: immutable blocks of float32, NaN is 'not reported'."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from console.model.values import dataclass

Values = NDArray[np.float32]
Times = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


def same_time(at: float, length: int) -> Times:
    """Return `length` equal sample times without the memory (a read-only, zero-stride view)."""
    return np.broadcast_to(np.float64(at), length)


def distinct(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return the values in order, each once: what `np.unique` does, which imports `numpy.ma` for 7 ms at first."""
    ordered = np.sort(values, axis=None)
    if not len(ordered):
        return ordered
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


@dataclass(frozen=True, eq=False)
class Column:
    """One metric of one site, never written after it was made.

    `values` float32[n] in topology order of the metric's level; `at` float64[n] UTC epoch seconds when each value was
    sampled at the site (0 is never); `stale_after_s` is the age from which a value no longer counts; `source` names
    the reading it came from.
    """

    metric: str
    values: Values
    at: Times
    stale_after_s: float
    source: str

    def newest_at(self) -> float:
        """Return the newest sample time, 0.0 for an empty column."""
        if not len(self.at):
            return 0.0
        return float(self.at[0]) if self.at.strides == (0,) else float(self.at.max())

    def oldest_at(self) -> float:
        """Return the oldest sample time, 0.0 for an empty column."""
        if not len(self.at):
            return 0.0
        return float(self.at[0]) if self.at.strides == (0,) else float(self.at.min())

    def current(self, now: float) -> Values:
        """Return the values with stale ones as NaN; the same array where nothing is stale."""
        if now - self.oldest_at() <= self.stale_after_s:
            return self.values
        if now - self.newest_at() > self.stale_after_s:
            return np.full_like(self.values, np.nan)
        return np.where(now - self.at > self.stale_after_s, np.float32(np.nan), self.values)
