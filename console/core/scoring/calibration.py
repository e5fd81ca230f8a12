"""Whether probabilities mean what they say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.core.scoring.intervals import share
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.core.scoring.intervals import Interval

BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Alerts whose probability lies in [low, high) (the last bin has 1, too): what they said, and what came."""

    low: float
    high: float
    alerts: int
    said: float
    came: Interval


def reliability(said: Sequence[float], came: Sequence[bool]) -> tuple[ReliabilityBin, ...]:
    """Return ten bins of equal width over probabilities and outcomes; empty ones are left out.

    The reliability diagram of Murphy and Winkler (1977), Applied Statistics 26:41.
    """
    p, y = np.asarray(said, dtype=np.float64), np.asarray(came, dtype=bool)
    where = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    found = []
    for i in range(BINS):
        inside = where == i
        count = int(np.count_nonzero(inside))
        if count:
            hits = int(np.count_nonzero(y[inside]))
            found.append(ReliabilityBin(i / BINS, (i + 1) / BINS, count, float(p[inside].mean()), share(hits, count)))
    return tuple(found)


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: |said - came| weighted by alerts, NaN without any.

    Naeini, Cooper and Hauskrecht (AAAI 2015); Guo et al. (ICML 2017), equation 3.
    """
    alerts = sum(each.alerts for each in bins)
    return sum(each.alerts * abs(each.said - each.came.value) for each in bins) / alerts if alerts else math.nan
