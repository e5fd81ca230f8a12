"""Three-valued truth and numbers that may be missing or known only within bounds, as columns (Kleene's logic)."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

Truths = NDArray[np.bool_]
Values = Any  # a float column, or one float for all rows (NumPy computes with either)


@dataclass(frozen=True, eq=False)
class Truth:
    """bool[n] what is true and bool[n] what is unknown (never both); `unknown` None means that all is known."""

    true: Truths
    unknown: Truths | None = None

    def false(self) -> Truths:
        """Return bool[n]: what is known to be false."""
        return ~self.true if self.unknown is None else ~(self.true | self.unknown)

    def negated(self) -> Truth:
        """Return the negation; unknown stays unknown."""
        return Truth(self.false(), self.unknown)

    def lifted(self, lift: Callable[[Truths], Truths]) -> Truth:
        """Return the same truth for other rows."""
        return Truth(lift(self.true), None if self.unknown is None else lift(self.unknown))


@dataclass(frozen=True, eq=False)
class Number:
    """A number between `low` and `high` in each row; the same object where it is exact; NaN where it is missing."""

    low: Values
    high: Values

    @property
    def exact(self) -> bool:
        """Whether every row's number is known exactly, or missing."""
        return self.low is self.high


def exactly(values: Values) -> Number:
    """Return an exact number."""
    return Number(values, values)


def both(left: Truth, right: Truth) -> Truth:
    """Return `left and right`."""
    true = left.true & right.true
    if left.unknown is None and right.unknown is None:
        return Truth(true)
    return Truth(true, ~(true | left.false() | right.false()))


def either(left: Truth, right: Truth) -> Truth:
    """Return `left or right`."""
    true = left.true | right.true
    unknown = [each.unknown for each in (left, right) if each.unknown is not None]
    return Truth(true, np.logical_or.reduce(unknown) & ~true) if unknown else Truth(true)


_EXACT = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def compared(sign: str, left: Number, right: Number, length: int) -> Truth:
    """Return a comparison of numbers; one that a missing number, or the bounds, leave open is unknown."""
    if left.exact and right.exact:
        missing = _missing(left.low, right.low)
        true = np.broadcast_to(_EXACT[sign](left.low, right.low), length)
        if missing is None:
            return Truth(true)
        return Truth(true & ~missing, np.broadcast_to(missing, length))
    true, false = _bounded(sign, left, right)
    true, false = np.broadcast_to(true, length), np.broadcast_to(false, length)
    return Truth(true, ~(true | false))


def _missing(left: Values, right: Values) -> Truths | None:
    found = [np.isnan(side) for side in (left, right) if not isinstance(side, float) or side != side]
    gaps = [each for each in found if each.any()]
    return np.logical_or.reduce(np.broadcast_arrays(*gaps)) if gaps else None


def _bounded(sign: str, left: Number, right: Number) -> tuple[Any, Any]:
    """Return what is certainly true and what is certainly false."""
    if sign in (">", ">="):
        return _bounded("<" if sign == ">" else "<=", right, left)
    if sign == "<":
        return left.high < right.low, left.low >= right.high
    if sign == "<=":
        return left.high <= right.low, left.low > right.high
    same = (left.low == left.high) & (right.low == right.high) & (left.low == right.low)
    apart = (left.high < right.low) | (left.low > right.high)
    return (same, apart) if sign == "==" else (apart, same)


def computed(sign: str, left: Number, right: Number) -> Number:
    """Return a sum, difference, product or quotient; division by zero gives a missing number."""
    if left.exact and right.exact:
        return exactly(_computed(sign, left.low, right.low))
    if sign == "+":
        return Number(left.low + right.low, left.high + right.high)
    if sign == "-":
        return Number(left.low - right.high, left.high - right.low)
    corners = [_computed(sign, a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = np.minimum.reduce(np.broadcast_arrays(*corners)), np.maximum.reduce(np.broadcast_arrays(*corners))
    if sign == "/":
        around_zero = np.asarray((right.low <= 0) & (right.high >= 0))
        low, high = np.where(around_zero, np.nan, low), np.where(around_zero, np.nan, high)
    return Number(low, high)


def _computed(sign: str, left: Values, right: Values) -> Values:
    if sign == "/":
        quotient = np.divide(left, right)
        return np.where(np.isfinite(quotient), quotient, np.nan) if np.ndim(quotient) else _finite(float(quotient))
    return {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](left, right)


def _finite(value: float) -> float:
    return value if np.isfinite(value) else float("nan")
