"""Turns running jobs into signals: training steps, checkpoints, days of inference; one row a job, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.emulator.signals import Signals

if TYPE_CHECKING:
    from console.emulator.catalogue import Kind

FIRST_SLOTS = 256
WARMUP_S = 90.0
WARMUP_ACTIVITY = 0.06
PAUSE_ACTIVITY = 0.05
PAUSE_UTIL = 35.0
_FIELDS = (
    "start", "step_s", "duty", "phase", "high", "low", "util", "tensor", "pause_every", "pause", "daily", "busy",
)  # fmt: skip


class Loads:
    """The load parameters of every slot; slot 0 is a free GPU. Slots are used again."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._table = {name: np.zeros(FIRST_SLOTS) for name in _FIELDS}
        self._reset(0)
        self._free = list(range(FIRST_SLOTS - 1, 0, -1))

    def __len__(self) -> int:
        return len(self._table["start"])

    def add(self, kind: Kind, start: float) -> int:
        """Return the slot of a job that starts at `start`."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        rng, table = self._rng, self._table
        values = {
            "start": start,
            "step_s": rng.uniform(*kind.step_s),
            "duty": kind.duty * rng.uniform(0.9, 1.1),
            "phase": rng.random(),
            "high": kind.high * rng.uniform(0.92, 1.02),
            "low": kind.low * rng.uniform(0.8, 1.2),
            "util": kind.util_pct,
            "tensor": kind.tensor_ratio * rng.uniform(0.7, 1.2),
            "pause_every": kind.pause_every_s * rng.uniform(0.7, 1.4) or 1e12,
            "pause": kind.pause_s * rng.uniform(0.7, 1.5),
            "daily": kind.daily,
            "busy": 1.0,
        }
        for name, value in values.items():
            table[name][slot] = value
        return slot

    def still(self, slot: int) -> None:
        """Let a job's GPUs idle: it is completing."""
        self._table["busy"][slot] = 0.0

    def remove(self, slot: int) -> None:
        """Forget a job."""
        self._reset(slot)
        self._free.append(slot)

    def signals(self, at: float, solar_hour: float) -> Signals:
        """Return what every slot asks of its GPUs at a time."""
        table = self._table
        age = at - table["start"]
        step = (age / table["step_s"] + table["phase"]) % 1.0
        activity = np.where(step < table["duty"], table["high"], table["low"])
        activity *= 1.0 + table["daily"] * np.cos(2 * np.pi * (solar_hour - 16.0) / 24.0)
        paused = (age + table["phase"] * table["pause_every"]) % table["pause_every"] < table["pause"]
        activity = np.where(paused, PAUSE_ACTIVITY, activity)
        activity = np.where(age < WARMUP_S, WARMUP_ACTIVITY, activity) * table["busy"]
        util = np.where(paused | (age < WARMUP_S), PAUSE_UTIL, table["util"]) * table["busy"]
        return Signals(
            activity.astype(np.float32),
            util.astype(np.float32),
            table["tensor"].astype(np.float32),
            table["busy"].astype(np.float32),
        )

    def _reset(self, slot: int) -> None:
        for name, column in self._table.items():
            column[slot] = 1.0 if name in ("step_s", "pause_every") else 0.0

    def _grow(self) -> None:
        size = len(self)
        self._table = {name: np.concatenate([column, np.zeros(size)]) for name, column in self._table.items()}
        for name in ("step_s", "pause_every"):
            self._table[name][size:] = 1.0
        self._free = list(range(2 * size - 1, size - 1, -1))
