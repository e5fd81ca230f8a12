"""Reads the numbers of the site API's stream: whole steps of a quantum, as they are or as what changed of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.columns import Values
    from console.sources.site_bodies import Faults

    Steps = NDArray[np.int32]

MOST_STEPS = 2**30
_SIZES = {"i1": 1, "i2": 2, "i4": 4}
_FLOATS = "f4"


class WireNumbers(msgspec.Struct, gc=False):
    """Numbers: `data` holds the low bytes of all of them, then the next ones; without any nothing changed."""

    full: bool
    dtype: str
    data: memoryview
    quantum: float | None = None
    base: float | None = None


class Numbers:
    """One array as the server told it; -1 steps are missing."""

    def __init__(self, faults: Faults, what: str) -> None:
        self._faults = faults
        self._what = what
        self._steps: Steps | None = None
        self._floats: Values | None = None
        self._quantum, self._base = 1.0, 0.0
        self._values: Values | None = None

    def take(self, wire: WireNumbers, rows: int) -> None:
        """Take what the server told of `rows` rows; raises BadPayload and is then as it was."""
        if not wire.full and not wire.data.nbytes and rows:
            self._unchanged(wire, rows)
            return
        quantum, base = self._scale(wire)
        if wire.dtype == _FLOATS:
            floats = self._read_floats(wire, rows)
            self._steps, self._floats = None, floats
        else:
            self._steps, self._floats = self._read_steps(wire, rows), None
        self._quantum, self._base, self._values = quantum, base, None

    @property
    def rows(self) -> int:
        """How many rows were told."""
        held = self._floats if self._floats is not None else self._steps
        return 0 if held is None else len(held)

    def steps(self) -> Steps:
        """Return int32: whole numbers as they are; raises BadPayload where the server told floats."""
        if self._steps is None:
            raise self._faults.bad(f"{self._what} are no whole numbers")
        return self._steps

    def values(self) -> Values:
        """Return float32, NaN where missing: a new array, not written again, each time something was told."""
        if self._values is None:
            if self._floats is not None:
                values = np.where(np.isfinite(self._floats), self._floats, np.float32(np.nan))
            else:
                steps = self.steps()
                with np.errstate(over="ignore"):
                    values = (steps * self._quantum + self._base).astype(np.float32)
                values[steps < 0] = np.nan
            values.flags.writeable = False
            self._values = values
        return self._values

    def replace(self, steps: Steps) -> None:
        """Take other steps in place of those that were told, which the next difference is to."""
        self._steps, self._floats, self._values = steps, None, None

    def blank(self, rows: NDArray[np.integer]) -> None:
        """Take some rows as missing."""
        if self._floats is not None:
            self._floats = self._floats.copy()
            self._floats[rows] = np.nan
        elif self._steps is not None:
            self._steps = self._steps.copy()
            self._steps[rows] = -1
        self._values = None

    def _unchanged(self, wire: WireNumbers, rows: int) -> None:
        held = self._floats if self._floats is not None else self._steps
        if held is None or len(held) != rows or (wire.dtype != _FLOATS and wire.dtype not in _SIZES):
            raise self._faults.bad(f"{self._what} are said to be as before, and were not told before")

    def _scale(self, wire: WireNumbers) -> tuple[float, float]:
        quantum = self._quantum if wire.quantum is None else wire.quantum
        base = self._base if wire.base is None else wire.base
        if wire.full and wire.quantum is None:
            quantum, base = 1.0, 0.0
        if not (math.isfinite(quantum) and quantum > 0 and math.isfinite(base)):
            raise self._faults.bad(f"{self._what} are in steps of {quantum!r} from {base!r}")
        return quantum, base

    def _read_floats(self, wire: WireNumbers, rows: int) -> Values:
        if not wire.full:
            raise self._faults.bad(f"{self._what} are the difference of floats, which v1 has not")
        return np.ascontiguousarray(self._planes(wire, 4, rows)).view("<f4").reshape(rows).astype(np.float32)

    def _read_steps(self, wire: WireNumbers, rows: int) -> Steps:
        size = _SIZES.get(wire.dtype)
        if size is None:
            raise self._faults.bad(f"{self._what} are of type {wire.dtype[:20]!r}")
        told = np.ascontiguousarray(self._planes(wire, size, rows)).view(f"<i{size}").reshape(rows)
        if wire.full:
            steps = told.astype(np.int64)
        else:
            if self._steps is None or len(self._steps) != rows:
                raise self._faults.bad(f"{self._what} are the difference to what was not told")
            steps = self._steps + told.astype(np.int64 if size == 4 else np.int32)
        if rows and not (int(steps.min()) >= -1 and int(steps.max()) <= MOST_STEPS):
            raise self._faults.bad(f"{self._what} are out of range")
        return steps.astype(np.int32, copy=False)

    def _planes(self, wire: WireNumbers, size: int, rows: int) -> NDArray[np.uint8]:
        if wire.data.nbytes != rows * size:
            raise self._faults.bad(f"{self._what} are {wire.data.nbytes} bytes of {wire.dtype} for {rows} rows")
        return np.frombuffer(wire.data, dtype=np.uint8).reshape(size, rows).T
