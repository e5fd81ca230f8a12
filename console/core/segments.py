"""Sums and maxima over runs of rows that lie side by side; a run may be empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Starts = NDArray[np.integer[Any]]


def run_sums(values: NDArray[Any], starts: Starts) -> NDArray[np.int64]:
    """Return int64[runs]: the sum of each run `starts[i]:starts[i + 1]` of integers or truths; 0 for an empty run."""
    sums = np.zeros(len(starts) - 1, dtype=np.int64)
    filled = np.diff(starts) > 0
    if filled.any():
        sums[filled] = np.add.reduceat(values, starts[:-1][filled], dtype=np.int64)
    return sums


def run_maxima(values: NDArray[Any], starts: Starts) -> NDArray[np.float64]:
    """Return float64[runs]: the largest number of each run; NaN for an empty run or one without numbers."""
    maxima = np.full(len(starts) - 1, np.nan)
    filled = np.diff(starts) > 0
    if filled.any():
        maxima[filled] = np.fmax.reduceat(values, starts[:-1][filled])
    return maxima
