"""Heat levels: values on a scale of ten, steady against noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEVELS = 10
MISSING_LEVEL = 255
# A value leaves its level only when it is this part of a level beyond it.
MARGIN = 0.5
LEAST_SPAN = 1e-12


def heat_levels(
    values: ArrayLike, low: float, high: float, previous: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return uint8 levels 0..9 of `values` on the scale `low`..`high`, 255 where a value is missing.

    Where `previous` levels of the same shape are given, a value keeps its level until it is clearly beyond it.
    """
    numbers = np.asarray(values, dtype=np.float32)
    span = _span(low, high)
    with np.errstate(invalid="ignore", over="ignore"):
        position = np.clip((numbers - np.float32(low)) * np.float32(LEVELS / span), -1.0, LEVELS + 1.0)
        missing = np.isnan(position)
        level = np.where(missing, 0, np.clip(np.floor(position), 0, LEVELS - 1)).astype(np.uint8)
        if previous is not None and previous.shape == level.shape:
            low_edge, high_edge = previous - np.float32(MARGIN), previous + np.float32(1 + MARGIN)
            stays = (previous < LEVELS) & (position >= low_edge) & (position < high_edge)
            level = np.where(stays, previous, level)
    return np.where(missing, np.uint8(MISSING_LEVEL), level).astype(np.uint8)


def _span(low: float, high: float) -> float:
    """Return the length of a scale, 1 where it has none worth the name."""
    return high - low if high - low > LEAST_SPAN else 1.0


def heat_level(value: float, low: float, high: float) -> int:
    """Return the level 0..9 of one value, 255 where it is missing."""
    if value != value:
        return MISSING_LEVEL
    span = _span(low, high)
    return int(max(0.0, min(LEVELS - 1.0, (value - low) * LEVELS / span)))
