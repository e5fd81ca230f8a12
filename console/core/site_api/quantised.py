"""Numbers as the stream sends them: whole steps of a quantum, as the difference to what was sent before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.columns import Values

    Whole = NDArray[np.int32]

MISSING = -1
# A value moves when it is further than this from what was sent: one that trembles around a half does not flap.
SLACK = 0.75
MOST_STEPS = 2**30
# So much of what was there has come or gone that the values themselves are shorter than the difference.
_MUCH = 4
_NOTHING = {"full": False, "dtype": "i1", "data": b""}

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers become whole: `base` and `quantum`; `exact` ones are never off, however little."""

    quantum: float = 1.0
    base: float = 0.0
    exact: bool = False


def planes(array: NDArray[np.generic]) -> bytes:
    """Return an array as bytes: the low bytes of all its values, then the next ones (those compress far better)."""
    size = array.dtype.itemsize
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return little.view(np.uint8).reshape(-1, size).T.tobytes() if size > 1 else little.tobytes()


class Ints:
    """Whole numbers as they were sent last, int32; `sent` is None before the first time."""

    def __init__(self) -> None:
        self.sent: Whole | None = None

    def take(self, new: Whole) -> Members | None:
        """Return what leads from what was sent to `new`, which is what was sent from now on; None where nothing does.

        The array is kept.
        """
        old, self.sent = self.sent, new
        if old is None or len(old) != len(new):
            return _packed(new, full=True)
        if np.array_equal(old, new):
            return None
        changed = np.count_nonzero((old < 0) != (new < 0))
        full = bool(changed * _MUCH > len(new))
        return _packed(new if full else new - old, full=full)

    def whole(self) -> Members:
        """Return all that was sent, for who knows nothing."""
        return _packed(self.sent if self.sent is not None else np.zeros(0, dtype=np.int32), full=True)


class Quantised:
    """A column as it was sent last: whole steps, or floats as they are where steps cannot say it."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._steps = Ints()
        self._floats: Values | None = None

    def take(self, values: Values) -> Members | None:
        """Return what leads from what was sent to `values` (NaN: missing), None where it is near enough."""
        steps = self._near(values)
        if steps is None:
            return self._as_they_are(values)
        if self._floats is not None:
            self._floats, self._steps.sent = None, None
        members = self._steps.take(steps)
        return None if members is None else self._scaled(members)

    def whole(self) -> Members:
        """Return all that was sent, for who knows nothing."""
        if self._floats is not None:
            return self._scaled({"full": True, "dtype": "f4", "data": planes(self._floats)})
        return self._scaled(self._steps.whole())

    def told(self) -> Values:
        """Return float32: what somebody who heard all of it holds for the values, NaN where missing."""
        if self._floats is not None:
            return self._floats
        steps = self._steps.sent if self._steps.sent is not None else np.zeros(0, dtype=np.int32)
        values = (steps * self.scale.quantum + self.scale.base).astype(np.float32)
        values[steps < 0] = np.nan
        return values

    def blank(self, rows: NDArray[np.integer]) -> None:
        """Take some rows as told to be missing."""
        if self._floats is not None:
            self._floats = self._floats.copy()
            self._floats[rows] = np.nan
        elif self._steps.sent is not None:
            self._steps.sent = self._steps.sent.copy()
            self._steps.sent[rows] = MISSING

    def _near(self, values: Values) -> Whole | None:
        """Return the steps to be sent; None where the values do not fit."""
        scale, there = self.scale, ~np.isnan(values)
        exactly = (values.astype(np.float64) - scale.base) / scale.quantum
        exactly[~there] = MISSING
        nearest = np.rint(exactly)
        if len(values) and not (nearest.min() >= MISSING and nearest.max() < MOST_STEPS):
            return None
        if len(values) and int(nearest[there].min(initial=0)) < 0:
            return None
        if scale.exact:
            return None if np.abs(nearest - exactly).max(initial=0.0) > 1e-6 else nearest.astype(np.int32)
        sent = self._steps.sent
        if sent is None or len(sent) != len(values):
            return nearest.astype(np.int32)
        moved = (np.abs(exactly - sent) > SLACK) | (sent < 0) | ~there
        return np.where(moved, nearest, sent).astype(np.int32)

    def _as_they_are(self, values: Values) -> Members | None:
        before, self._floats = self._floats, values.astype(np.float32)
        if before is not None and np.array_equal(before.view(np.uint32), self._floats.view(np.uint32)):
            return None
        return self._scaled({"full": True, "dtype": "f4", "data": planes(self._floats)})

    def _scaled(self, members: Members) -> Members:
        return {"quantum": self.scale.quantum, "base": self.scale.base, **members}


def nothing_new(scale: Scale) -> Members:
    """Return the members of a column that is as it was."""
    return {"quantum": scale.quantum, "base": scale.base, **_NOTHING}


def at_once(values: Values, scale: Scale) -> Members:
    """Return values by themselves, for a record that leads from nothing."""
    return Quantised(scale).take(values) or nothing_new(scale)


def _packed(numbers: Whole, *, full: bool) -> Members:
    low, high = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    size = "i1" if low >= -128 and high <= 127 else "i2" if low >= -32768 and high <= 32767 else "i4"
    return {"full": full, "dtype": size, "data": planes(numbers.astype(size))}
