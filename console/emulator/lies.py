"""Telemetry that lies, for the scenario `lies`: what the exporters of a few GPUs say instead of what is so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.emulator.chance import Chance

    Columns = dict[str, NDArray[np.float32]]

BEGIN_S = 20.0
GAP_S = (60.0, 95.0)
GPUS_OF_A_KIND = 3
# DCGM_FP64_BLANK: "there is no such value", which some exporters pass on.
SENTINEL = 140_737_488_355_328.0
FALLING_EVERY_S, FALLING_FROM, FALLING_BY = 15.0, 5000.0, 7.0
KINDS = ("stuck-temp_c", "stuck-power_w", "lost", "sentinel", "backwards")


class Lies:
    """A few GPUs of a site for each kind of lie, all from `begin_at` on; and one gap in the samples of all GPUs."""

    def __init__(self, gpus: int, began_at: float, rng: Chance) -> None:
        self._begin_at = began_at + BEGIN_S
        self._gap = (began_at + GAP_S[0], began_at + GAP_S[1])
        count = min(GPUS_OF_A_KIND, gpus // len(KINDS))
        chosen = rng.sample(range(gpus), count * len(KINDS))
        rows = [np.array(sorted(chosen[at * count : (at + 1) * count]), dtype=np.intp) for at in range(len(KINDS))]
        self.rows = dict(zip(KINDS, rows, strict=True))
        self._frozen: dict[str, NDArray[np.float32]] = {}

    def reach(self, now: float) -> float:
        """Return the time of the newest sample that anybody gets at `now`."""
        first, last = self._gap
        return first if first < now < last else now

    def tell(self, at: float, columns: Mapping[str, NDArray[np.float32]]) -> Columns:
        """Return the columns with the lies in them; those that lie nowhere are the same arrays."""
        told = dict(columns)
        if at < self._begin_at:
            return told
        for name in ("temp_c", "power_w"):
            rows = self.rows[f"stuck-{name}"]
            self._frozen.setdefault(name, columns[name][rows])
            _write(told, name, rows, self._frozen[name])
        for name in ("power_w", "sm_clock_mhz"):
            _write(told, name, self.rows["lost"], np.float32(np.nan))
        _write(told, "power_w", self.rows["sentinel"], np.float32(SENTINEL))
        fallen = FALLING_BY * ((at - self._begin_at) // FALLING_EVERY_S)
        _write(told, "pcie_replays", self.rows["backwards"], np.float32(max(FALLING_FROM - fallen, FALLING_FROM / 2)))
        return told


def _write(columns: Columns, name: str, rows: NDArray[np.intp], values: NDArray[np.float32] | np.float32) -> None:
    """Write values to a copy of a column; GPUs that do not report say nothing false either."""
    column = columns[name].copy()
    there = ~np.isnan(column[rows])
    column[rows] = np.where(there, values, column[rows])
    column.flags.writeable = False
    columns[name] = column
