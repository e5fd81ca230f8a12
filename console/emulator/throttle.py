"""Thermal throttling: the ladder that a GPU climbs down when its die gets too hot; touches hot GPUs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.columns import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.emulator.blocks import Block

    Values = NDArray[np.float32]

SW_THERMAL, HW_SLOWDOWN, HW_THERMAL = 0x20, 0x08, 0x40
WATCH_BELOW_LIMIT_C = 2.0
SOFT_W_PER_K_S = 0.02
RECOVER_PER_S = 0.01
HARD_RATIO = 0.5
FLOOR_RATIO = 0.15


class Throttle:
    """Lowers the power cap of GPUs over their limits and gives it back as they cool; shares `cap` and `die`.

    The ladder: from `soft_limit_c` a slow cut (SW thermal), from `hard_limit_c` half of the power at once (HW
    slowdown), and from `shutdown_c` the GPU is in `too_hot`: it goes off.
    """

    def __init__(self, cap: NDArray[np.float32], die: NDArray[np.float32]) -> None:
        self._cap = cap
        self._die = die
        self._held: dict[int, NDArray[np.intp]] = {}
        self.too_hot = np.zeros(0, dtype=np.intp)

    def settle(self, block: Block, power: Values, inlet: Values, resistance: Values) -> None:
        """Hold the GPUs of one block that would be over their soft limit at this power just there."""
        platform, rows = block.platform, block.gpus
        bearable = (platform.soft_limit_c - 0.5 - inlet[rows]) / (resistance[rows] * np.float32(platform.k_per_w))
        hot = np.flatnonzero(power[rows] > bearable)
        self._held[rows.start] = hot + rows.start
        power[rows][hot] = self._cap[rows][hot] = np.clip(bearable[hot], platform.limit_w * FLOOR_RATIO, None)

    def begin(self) -> None:
        """Forget which GPUs were too hot in the step before."""
        self.too_hot = self.too_hot[:0]

    def step(self, dt: float, block: Block, events: Any) -> None:
        """Move the caps of one block's hot GPUs by `dt` seconds, and set their bits in `events`."""
        platform, rows = block.platform, block.gpus
        watch_c = platform.soft_limit_c - WATCH_BELOW_LIMIT_C
        hot = np.flatnonzero(self._die[rows] >= watch_c) + rows.start
        held = self._held.get(rows.start)
        if held is not None and len(held):
            hot = distinct(np.concatenate([hot, held]))
        if not len(hot):
            return
        limit = platform.limit_w
        die, cap = self._die[hot], self._cap[hot]
        over = die - platform.soft_limit_c
        cut = limit * SOFT_W_PER_K_S * np.clip(over + 1.0, 0.0, None) * dt
        cap = np.where(over >= 0, cap - cut, np.where(over < -1.0, cap + limit * RECOVER_PER_S * dt, cap))
        hard = die >= platform.hard_limit_c
        cap = np.where(hard, np.minimum(cap, limit * HARD_RATIO), cap)
        cap = np.clip(cap, limit * FLOOR_RATIO, limit).astype(np.float32)
        self._cap[hot] = cap
        self.too_hot = np.concatenate([self.too_hot, hot[die >= platform.shutdown_c]])
        bits = np.where(cap < limit, SW_THERMAL, 0) + np.where(hard, HW_SLOWDOWN + HW_THERMAL, 0)
        events[hot] += bits.astype(np.float32)
        self._held[rows.start] = hot[cap < limit]

    def held(self) -> int:
        """Return how many GPUs run below their limit now."""
        return sum(len(rows) for rows in self._held.values())
