"""Chance by seed without NumPy's generators, whose import alone takes as long as building a site."""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.naming import scramble

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLE = 1 << 16
LONGEST = 1 << 14
_MANY = 500.0


class Chance(Random):
    """A stream of chance: the one of the standard library, and arrays of nearly normal values."""

    def __init__(self, seed: int, *stream: int) -> None:
        super().__init__("/".join(str(part) for part in (seed, *stream)))
        self.table = normal_table(seed)

    def normals(self, count: int) -> NDArray[np.float32]:
        """Return nearly normal values: runs of the seed's table from places by chance."""
        values = np.empty(count, dtype=np.float32)
        for first in range(0, count, LONGEST):
            part = values[first : first + LONGEST]
            start = self.randrange(TABLE)
            part[:] = self.table[start : start + len(part)]
        return values

    def rows(self, total: int, ratio: float) -> NDArray[np.intp]:
        """Return about `ratio` of `total` rows; one may come twice."""
        picked = scramble(np.arange(self.poisson(ratio * total), dtype=np.uint64) + np.uint64(self.getrandbits(60)))
        return (picked % np.uint64(total)).astype(np.intp)

    def poisson(self, mean: float) -> int:
        """Return a count of independent events."""
        if mean > _MANY:
            return max(0, round(self.gauss(mean, math.sqrt(mean))))
        count = 0
        left = mean - self.expovariate(1.0)
        while left > 0:
            count += 1
            left -= self.expovariate(1.0)
        return count


@lru_cache(maxsize=4)
def normal_table(seed: int) -> NDArray[np.float32]:
    """Return TABLE + LONGEST nearly normal values (sums of four uniform ones, within 3.5 sigma); read-only.

    The first LONGEST values come again at the end, so that a run of so many starts anywhere in the table.
    """
    bits = scramble(np.arange(TABLE, dtype=np.uint64) + np.uint64((seed & 0xFFFFFFFF) << 20))
    sums = bits.view(np.uint16).reshape(TABLE, 4).sum(axis=1, dtype=np.float32)
    sums -= np.float32(2 * 65_535)
    sums /= np.float32(65_536 * math.sqrt(4 / 12))
    table = np.concatenate([sums, sums[:LONGEST]])
    table.flags.writeable = False
    return table
