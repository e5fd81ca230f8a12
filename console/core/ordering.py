"""The order of rows: a stable sort by one column, missing last in both directions, and only as far as needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ordered(keys: NDArray[np.floating[Any]], *, descending: bool, first: int = 0) -> NDArray[np.int64]:
    """Return int64 positions in order of `keys`, equal ones by position, NaN last; only the `first` ones if given."""
    signed = -keys if descending else keys
    if not 0 < first < len(signed):
        return np.argsort(signed, kind="stable")
    bound = np.partition(signed, first - 1)[first - 1]
    if np.isnan(bound):
        return np.argsort(signed, kind="stable")[:first]
    candidates = np.flatnonzero(signed <= bound)
    return candidates[np.argsort(signed[candidates], kind="stable")[:first]]
