"""Finds values that stand still while their times go on: an exporter that repeats itself looks alive and is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.columns import Times, Values
    from console.model.reading import GpuKeys

SWEEPS = 5
# A GPU's power never stays the same to the milliwatt; temperature and utilisation may.
MOVING = ("power_w",)
NAMED = 5


@dataclass(eq=False)
class _Last:
    keys: GpuKeys
    values: Values
    at: Times
    still: NDArray[np.uint8]


class FrozenWatch:
    """Counts for each GPU the sweeps in which its time advanced and its value did not."""

    def __init__(self, sweeps: int = SWEEPS) -> None:
        self._sweeps = sweeps
        self._last: dict[str, _Last] = {}
        self.text = ""

    def look(self, metric: str, keys: GpuKeys, values: Values, at: Times) -> None:
        """Take the values of a sweep (n rows of `keys`); another keys object starts the count again."""
        if metric not in MOVING:
            return
        last = self._last.get(metric)
        if last is None or last.keys is not keys:
            self._last[metric] = _Last(keys, values, at, np.zeros(len(values), dtype=np.uint8))
            return
        advanced = at > last.at
        same = (values == last.values) & (values > 0)
        still = np.where(advanced, np.where(same, np.minimum(last.still, 254) + 1, 0), last.still).astype(np.uint8)
        self._last[metric] = _Last(keys, values, np.maximum(at, last.at), still)
        self._say(metric, keys, still)

    def _say(self, metric: str, keys: GpuKeys, still: NDArray[np.uint8]) -> None:
        frozen = np.flatnonzero(still >= self._sweeps)
        if not len(frozen):
            self.text = ""
            return
        nodes = list(dict.fromkeys(keys.nodes[i] for i in frozen[:1000].tolist()))
        more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
        self.text = (
            f"{metric} of {len(frozen)} GPUs has not changed over {self._sweeps} sweeps while its times advance"
            f" (a frozen exporter?): {', '.join(nodes[:NAMED])}{more}"
        )
