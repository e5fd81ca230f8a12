"""Turns running jobs into signals: training steps, checkpoints, days of inference; one row a job, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.emulator.signals import Signals

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    from console.emulator.catalogue import Kind

FIRST_SLOTS = 256
WARMUP_S = 90.0
WARMUP_ACTIVITY = 0.06
PAUSE_ACTIVITY = 0.05
PAUSE_UTIL = 35.0
NEVER_S = 1e12
_FIELDS = (
    "start", "step_s", "duty", "phase", "high", "low", "util", "tensor", "pause_every", "pause", "daily", "busy",
)  # fmt: skip
_ROW = {name: row for row, name in enumerate(_FIELDS)}
_EMPTY = np.array([1.0 if name in ("step_s", "pause_every") else 0.0 for name in _FIELDS])


class Loads:
    """The load parameters of every slot; slot 0 is a free GPU. Slots are used again."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._table = np.tile(_EMPTY[:, None], FIRST_SLOTS)
        self._free = list(range(FIRST_SLOTS - 1, 0, -1))
        self._new: dict[int, tuple[float, ...]] = {}

    def __len__(self) -> int:
        return len(self._table[0])

    def add(self, kind: Kind, start: float) -> int:
        """Return the slot of a job that starts at `start`."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        vary = self._rng.uniform
        self._new[slot] = (
            start,
            vary(*kind.step_s),
            kind.duty * vary(0.9, 1.1),
            self._rng.random(),
            kind.high * vary(0.92, 1.02),
            kind.low * vary(0.8, 1.2),
            kind.util_pct,
            kind.tensor_ratio * vary(0.7, 1.2),
            kind.pause_every_s * vary(0.7, 1.4) or NEVER_S,
            kind.pause_s * vary(0.7, 1.5),
            kind.daily,
            1.0,
        )
        return slot

    def still(self, slot: int) -> None:
        """Let a job's GPUs idle: it is completing."""
        self._written()[_ROW["busy"], slot] = 0.0

    def remove(self, slot: int) -> None:
        """Forget a job."""
        self._written()[:, slot] = _EMPTY
        self._free.append(slot)

    def typical(self) -> Signals:
        """Return what every slot asks for on average over its steps."""
        table = dict(zip(_FIELDS, self._written(), strict=True))
        activity = (table["duty"] * table["high"] + (1 - table["duty"]) * table["low"]) * table["busy"]
        return _signals(activity, table["util"], table["tensor"], table["busy"])

    def signals(self, at: float, solar_hour: float) -> Signals:
        """Return what every slot asks of its GPUs at a time."""
        table = dict(zip(_FIELDS, self._written(), strict=True))
        age = at - table["start"]
        step = (age / table["step_s"] + table["phase"]) % 1.0
        activity = np.where(step < table["duty"], table["high"], table["low"])
        activity *= 1.0 + table["daily"] * np.cos(2 * np.pi * (solar_hour - 16.0) / 24.0)
        paused = (age + table["phase"] * table["pause_every"]) % table["pause_every"] < table["pause"]
        activity = np.where(paused, PAUSE_ACTIVITY, activity)
        activity = np.where(age < WARMUP_S, WARMUP_ACTIVITY, activity) * table["busy"]
        util = np.where(paused | (age < WARMUP_S), PAUSE_UTIL, table["util"]) * table["busy"]
        return _signals(activity, util, table["tensor"], table["busy"])

    def _written(self) -> NDArray[np.float64]:
        """Return the table with every new job in it: a thousand at once take as long as ten one by one."""
        if self._new:
            self._table[:, list(self._new)] = np.array(list(self._new.values())).T
            self._new.clear()
        return self._table

    def _grow(self) -> None:
        size = len(self)
        self._table = np.concatenate([self._written(), np.tile(_EMPTY[:, None], size)], axis=1)
        self._free = list(range(2 * size - 1, size - 1, -1))


def _signals(*columns: NDArray[np.float64]) -> Signals:
    return Signals(*(column.astype(np.float32) for column in columns))
