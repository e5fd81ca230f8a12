"""Numbers that rest: what is written stays until the value is a quantum away, so that noise does not repaint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

# By format: the quantum, in the value's own unit. At a steady load one reading of a GPU differs from the next by less
# (whole degrees for temperature, a step of the clock, the sampling of a second for activity and power).
# Where a number is written to three digits, a quantum is never less than the last of them. What is not named here is
# exact: counts, codes, ages, texts.
QUANTA = {
    "pct": 2.0,
    "ratio_pct": 0.02,
    "temp": 1.5,
    "power": 10.0,
    "megawatt": 0.0,
    "ratio": 0.01,
    "pue": 0.01,
    "mhz": 15.0,
}
FIXED_STEPS = {"pct": 1.0, "ratio_pct": 0.01, "temp": 1.0, "ratio": 0.01, "pue": 0.01, "mhz": 1.0}
# Between these the last digit is the third.
STEP_LIMITS = {"power": (1.0, math.inf), "megawatt": (1e4, 1e6)}
DIGITS = 3


class Steady:
    """The numbers of one view as they are written; `before` are those of the view in whose place it stands."""

    def __init__(self, before: Steady | None = None) -> None:
        self._before = before._written if before else {}
        self._written: dict[Hashable, float] = {}

    def keep(self, key: Hashable, value: float, form: str) -> float:
        """Return the value to write for a cell: the one before while it is within a quantum of what that says."""
        if form not in QUANTA:
            return value
        before = self._written.get(key, self._before.get(key, math.nan))
        kept = before if is_near(value, before, form) else value
        self._written[key] = kept
        return kept


def is_near(value: float, before: float, form: str) -> bool:
    """Return whether a value is less than a quantum away from the number that is written for `before`."""
    if not (math.isfinite(value) and math.isfinite(before)):
        return False
    step = _step(before, form)
    quantum = max(QUANTA[form], step)
    return abs(value - round(before / step) * step) < quantum


def _step(value: float, form: str) -> float:
    """Return by how much the last digit counts that is written of a value."""
    fixed = FIXED_STEPS.get(form)
    if fixed is not None:
        return fixed
    least, most = STEP_LIMITS[form]
    return min(max(10.0 ** (math.floor(math.log10(abs(value))) + 1 - DIGITS), least), most) if value else least
