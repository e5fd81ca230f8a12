"""Confidence intervals of shares and rates, fit for small counts."""

from __future__ import annotations

import math

from console.model.values import dataclass

Z = 1.959964  # two-sided 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % confidence interval; all NaN where there was nothing to judge."""

    value: float
    low: float
    high: float


def share(hits: int, of: int) -> Interval:
    """Return hits / of with Wilson's score interval.

    Wilson, E. B. (1927), JASA 22:209; Brown, Cai and DasGupta (2001), Statistical Science 16:101, for small counts.
    """
    if of <= 0:
        return Interval(math.nan, math.nan, math.nan)
    p, n = hits / of, float(of)
    middle = p + Z * Z / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    low = 0.0 if hits == 0 else max(0.0, (middle - half) / scale)
    high = 1.0 if hits == of else min(1.0, (middle + half) / scale)
    return Interval(p, low, high)


def rate(count: int, exposure: float) -> Interval:
    """Return count / exposure with Byar's approximation of the exact Poisson interval.

    Breslow and Day (1987), Statistical Methods in Cancer Research II, equation 2.11; within 1 % of the exact one from
    a count of 5 on; the upper end at a count of 0 is exact (-ln 0.025).
    """
    if exposure <= 0:
        return Interval(math.nan, math.nan, math.nan)
    low = count * (1 - 1 / (9 * count) - Z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    more = count + 1.0
    high = more * (1 - 1 / (9 * more) + Z / (3 * math.sqrt(more))) ** 3 if count else -math.log(0.025)
    return Interval(count / exposure, max(0.0, low) / exposure, high / exposure)
