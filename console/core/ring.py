"""A bounded memory of samples over time, which gets coarser before it forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Rows = NDArray[np.int32]

# How much longer than asked a step may become, so that doubling steps end near the wish whatever the first one was.
MOST_COARSE = 1.4
# Samples come with some jitter: one that is a little early is taken.
EARLY = 0.9
# The largest finite float16.
HALF_MOST = 65_504.0
ALL_ROWS = slice(None)


class Ring:
    """`samples` times of float32[fields, rows], or of float16 where `units` are given.

    A full ring drops every second sample and takes half as many from then on, until samples are `longest_step_s`
    apart (0.7 to 1.4 times that); then the oldest makes place. So it shows all of a short life, and about
    `samples * longest_step_s` seconds of a long one. Cost: 4 bytes for each sample, field and row, 2 as float16, all
    of it taken at once, so that memory does not grow for an hour.

    `units` (powers of two, one a field) are what float16 counts in: values are then true to 1 part in 2048, the
    smallest step is a 16-millionth of the unit, and what is beyond 65,504 units is kept as that.
    """

    def __init__(
        self, samples: int, longest_step_s: float, fields: int, rows: int, units: Sequence[float] | None = None
    ) -> None:
        self._units = units
        self._values = np.full((samples, fields, rows), np.nan, dtype=np.float32 if units is None else np.float16)
        self._at = np.zeros(samples, dtype=np.float64)
        self._longest_step_s = longest_step_s
        self._step_s = 0.0
        self._first = 0
        self._length = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes that the full ring takes."""
        return self._values.nbytes + self._at.nbytes

    @property
    def last_at(self) -> float:
        """Time of the newest sample, 0.0 before the first."""
        return float(self._at[self._index(self._length - 1)]) if self._length else 0.0

    def wants(self, at: float) -> bool:
        """Whether a sample at `at` is new, and far enough from the last one."""
        return not self._length or (at > self.last_at and at - self.last_at >= EARLY * self._step_s)

    def begin(self, at: float) -> None:
        """Open a new sample, all NaN, to be filled in by `put`."""
        samples = len(self._at)
        if self._length == samples:
            self._make_room()
        row = self._index(self._length)
        self._length += 1
        self._at[row] = at
        self._values[row] = np.nan

    def put(self, field: int, values: Floats | float, rows: slice | NDArray[np.intp] = ALL_ROWS) -> None:
        """Write values of one field into the newest sample."""
        if self._units is not None:
            values = np.clip(np.multiply(values, np.float32(1 / self._units[field])), -HALF_MOST, HALF_MOST)
        self._values[self._index(self._length - 1), field, rows] = values

    def series(self, field: int, row: int, span_s: float) -> tuple[Doubles, Floats]:
        """Return copies of the times and values of one field of one row over the last `span_s` seconds."""
        order = (self._first + np.arange(self._length)) % len(self._at)
        at = self._at[order]
        order = order[at >= self.last_at - span_s]
        values = self._values[order, field, row].astype(np.float32)
        return self._at[order], values if self._units is None else values * np.float32(self._units[field])

    def clear_row(self, row: int) -> None:
        """Forget one row, so that another object may have it."""
        self._values[:, :, row] = np.nan

    def remapped(self, rows: Rows) -> Ring:
        """Return a ring in a new order; `rows` is the old row of each new one, -1 for a new object."""
        samples, fields, _ = self._values.shape
        new = Ring(samples, self._longest_step_s, fields, len(rows), self._units)
        new._step_s, new._length = self._step_s, self._length
        kept = rows >= 0
        # Sample by sample: no single copy is long.
        for i in range(self._length):
            old_row = self._index(i)
            new._at[i] = self._at[old_row]
            new._values[i][:, kept] = self._values[old_row][:, rows[kept]]
        return new

    def _index(self, i: int) -> int:
        return (self._first + i) % len(self._at)

    def _make_room(self) -> None:
        span = self.last_at - float(self._at[self._first])
        step = max(span / max(self._length - 1, 1), self._step_s)
        if self._first or 2 * step > MOST_COARSE * self._longest_step_s:
            self._step_s = min(step, self._longest_step_s)
            self._first = self._index(1)
            self._length -= 1
            return
        self._step_s = 2 * step
        kept = range((self._length - 1) % 2, self._length, 2)
        for i, old in enumerate(kept):
            self._values[i] = self._values[old]
            self._at[i] = self._at[old]
        self._length = len(kept)
