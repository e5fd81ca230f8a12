"""The step at which a folder's own telemetry was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WATCHED_KEYS = 1000
MOST_STEPS = 200_000
USUAL_S = (5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
LEAST_S, MOST_S, UNKNOWN_S = 1.0, 3600.0, 60.0


class Cadence:
    """Takes the time between one GPU's samples, of the first thousand GPUs; the median is the cadence."""

    def __init__(self) -> None:
        self._last = np.full(WATCHED_KEYS, np.nan)
        self._steps: list[NDArray[np.float64]] = []
        self._taken = 0

    def hear(self, at: NDArray[np.float64], key: NDArray[np.int32]) -> None:
        """Take float64[rows] times and int32[rows] keys, as they stand in a file."""
        if self._taken >= MOST_STEPS:
            return
        few = key < WATCHED_KEYS
        at, key = at[few], key[few]
        order = np.argsort(key, kind="stable")
        at, key = at[order], key[order]
        first = np.diff(key, prepend=-1) != 0
        before = np.where(first, self._last[key], np.append(np.nan, at[:-1])[: len(at)])
        steps = at - before
        steps = steps[steps > 0]
        self._last[key] = at
        self._steps.append(steps)
        self._taken += len(steps)

    @property
    def step_s(self) -> float:
        """The median step, from 1 s to 1 h; a minute where no GPU has two samples.

        Whole seconds; one within 5 % of a usual cadence is that.
        """
        steps = np.concatenate(self._steps) if self._steps else np.zeros(0)
        if not len(steps):
            return UNKNOWN_S
        median = float(np.median(steps))
        usual = next((each for each in USUAL_S if abs(median - each) <= 0.05 * each), round(median))
        return float(min(max(usual, LEAST_S), MOST_S))
