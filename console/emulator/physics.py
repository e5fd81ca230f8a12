"""Power, clocks and temperatures of a site's GPUs; float32 columns stepped in cache-sized chunks.

Power follows activity, silicon and leakage up to the cap; die and sink are two thermal nodes over the coolant (the
third). Constants and sources: docs/emulator.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from console.emulator.chance import LONGEST, TABLE
from console.emulator.throttle import Throttle
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.chance import Chance
    from console.emulator.hardware import Platform
    from console.emulator.signals import Signals

CHUNK = LONGEST
SLICE_CHUNKS = 4
POWER_TAU_S = 0.9
LEAKAGE_PER_K = 0.004
LEAKAGE_AT_C = 60.0
HBM_IDLE_K = 13.0
HBM_LOAD_K = 5.0
GPU_IDLE, SW_POWER_CAP = 1.0, 4.0
CLOCK_STEP_MHZ = 15.0
CLOCK_PER_POWER = 0.45

Values = Any  # NDArray[np.float32]; ufuncs with `out` want no help from the checker
DYNAMIC = (
    "util_pct",
    "temp_c",
    "mem_temp_c",
    "power_w",
    "sm_clock_mhz",
    "sm_active_ratio",
    "tensor_active_ratio",
    "clock_events",
)


@dataclass(frozen=True)
class _Pace:
    """What one length of step does: the part of the way that each first-order lag goes."""

    power: float
    die: float
    sink: float

    @classmethod
    def of(cls, platform: Platform, dt: float) -> _Pace:
        def part(tau_s: float) -> float:
            return -math.expm1(-dt / tau_s)

        return cls(part(POWER_TAU_S), part(platform.die_tau_s), part(platform.sink_tau_s))


class GpuBank:
    """The state of every GPU of a site. `slot` int32[gpus] points into the signals; all else is float32[gpus]."""

    def __init__(self, blueprint: Blueprint, rng: Chance) -> None:
        gpus = blueprint.topology.gpus
        self.slot = np.full(gpus, 0, dtype=np.int32)
        self.dynamic_w = np.empty(gpus, dtype=np.float32)
        self.resistance = np.empty(gpus, dtype=np.float32)
        self.power = np.empty(gpus, dtype=np.float32)
        self.sink = np.empty(gpus, dtype=np.float32)
        self.die = np.empty(gpus, dtype=np.float32)
        self.cap = np.empty(gpus, dtype=np.float32)
        self.throttle = Throttle(self.cap, self.die)
        self._blueprint = blueprint
        self._noise = np.float32(1.0) + np.float32(0.02) * rng.table
        self._scratch = [np.empty(CHUNK, dtype=np.float32) for _ in range(3)]
        self._zone_sizes = np.diff(blueprint.zone_gpus)
        self._build(rng)

    def _build(self, rng: Chance) -> None:
        slot = self._blueprint.topology.gpu_slot
        for block in self._blueprint.blocks:
            platform, rows = block.platform, block.gpus
            size = rows.stop - rows.start
            full_w = platform.demand_w - platform.context_w
            self.dynamic_w[rows] = full_w * (1 + 0.025 * rng.normals(size))
            # Downstream GPUs breathe or drink what the first ones have warmed.
            preheat = np.linspace(0.96, 1.06, platform.node_gpus, dtype=np.float32)
            self.resistance[rows] = preheat[slot[rows]] * (1 + 0.04 * rng.normals(size))
            self.cap[rows] = platform.limit_w

    def settle(self, signals: Signals, zone_c: NDArray[np.float32]) -> None:
        """Put every GPU where it would be after long at these signals."""
        inlet = np.repeat(zone_c, self._zone_sizes)
        activity = signals.activity[self.slot]
        context = signals.context[self.slot]
        for block in self._blueprint.blocks:
            platform, rows = block.platform, block.gpus
            base = platform.idle_w + context[rows] * np.float32(platform.context_w - platform.idle_w)
            np.minimum(base + activity[rows] * self.dynamic_w[rows], self.cap[rows], out=self.power[rows])
            self.throttle.settle(block, self.power, inlet, self.resistance)
            heat = self.power[rows] * self.resistance[rows]
            self.sink[rows] = inlet[rows] + heat * np.float32(platform.sink_k_per_w)
            self.die[rows] = self.sink[rows] + heat * np.float32(platform.die_k_per_w)

    def step(
        self, dt: float, tick: int, signals: Signals, zone_c: NDArray[np.float32], out: Mapping[str, Values]
    ) -> Iterator[None]:
        """Go on by `dt` seconds, writing the DYNAMIC columns to `out`; yields after every few milliseconds."""
        inlet = np.repeat(zone_c, self._zone_sizes)
        chunks = 0
        self.throttle.begin()
        for block in self._blueprint.blocks:
            pace = _Pace.of(block.platform, dt)
            tables = _Tables.of(block.platform, signals)
            for start in range(block.gpus.start, block.gpus.stop, CHUNK):
                rows = slice(start, min(start + CHUNK, block.gpus.stop))
                noise = _mix(tick, start) % TABLE
                self._chunk(rows, block.platform, pace, tables, inlet[rows], out, noise)
                chunks += 1
                if chunks % SLICE_CHUNKS == 0:
                    yield
            self.throttle.step(dt, block, out["clock_events"])

    def _chunk(
        self,
        rows: slice,
        platform: Platform,
        pace: _Pace,
        tables: _Tables,
        inlet: Values,
        out: Mapping[str, Values],
        noise: int,
    ) -> None:
        size = rows.stop - rows.start
        # Widened once: each `take` would do it anew.
        slot, noise_of = self.slot[rows].astype(np.intp), self._noise[noise : noise + size]
        demand, target, spare = (scratch[:size] for scratch in self._scratch)
        activity = out["sm_active_ratio"][rows]
        np.take(tables.activity, slot, out=activity, mode="clip")
        activity *= noise_of
        np.minimum(activity, 1.0, out=activity)
        self._demand(rows, slot, tables, activity, demand, spare)
        np.minimum(demand, self.cap[rows], out=target)
        self._clocks(rows, slot, tables, demand, target, spare, out)
        self._heat(rows, platform, pace, inlet, target, spare)
        self._report(rows, slot, platform, tables, noise_of, out, spare)

    def _demand(
        self, rows: slice, slot: Values, tables: _Tables, activity: Values, demand: Values, spare: Values
    ) -> None:
        """W wanted: the base of the context, and the dynamic part with leakage that grows with temperature."""
        np.multiply(activity, self.dynamic_w[rows], out=demand)
        np.multiply(self.die[rows], LEAKAGE_PER_K, out=spare)
        spare += 1.0 - LEAKAGE_PER_K * LEAKAGE_AT_C
        demand *= spare
        np.take(tables.base_w, slot, out=spare, mode="clip")
        demand += spare

    def _clocks(
        self,
        rows: slice,
        slot: Values,
        tables: _Tables,
        demand: Values,
        target: Values,
        spare: Values,
        out: Mapping[str, Values],
    ) -> None:
        """Near the limit power goes with the cube of the clock: what the cap takes costs a part of it in clock."""
        events, clock = out["clock_events"][rows], out["sm_clock_mhz"][rows]
        np.take(tables.events, slot, out=events, mode="clip")
        np.greater(demand, target, out=clock, casting="unsafe")
        clock *= SW_POWER_CAP
        events += clock
        np.divide(target, demand, out=spare)
        spare *= CLOCK_PER_POWER
        spare += 1.0 - CLOCK_PER_POWER
        np.take(tables.clock, slot, out=clock, mode="clip")
        clock *= spare
        np.rint(clock, out=clock)
        clock *= CLOCK_STEP_MHZ

    def _heat(self, rows: slice, platform: Platform, pace: _Pace, inlet: Values, target: Values, spare: Values) -> None:
        power, sink, die = self.power[rows], self.sink[rows], self.die[rows]
        target -= power
        target *= pace.power
        power += target
        heat = np.multiply(power, self.resistance[rows], out=target)
        np.multiply(heat, platform.sink_k_per_w, out=spare)
        spare += inlet
        spare -= sink
        spare *= pace.sink
        sink += spare
        heat *= platform.die_k_per_w
        heat += sink
        heat -= die
        heat *= pace.die
        die += heat

    def _report(
        self,
        rows: slice,
        slot: Values,
        platform: Platform,
        tables: _Tables,
        noise_of: Values,
        out: Mapping[str, Values],
        spare: Values,
    ) -> None:
        """What the GPU's own counters say: whole degrees and percent, HBM over the die."""
        power = out["power_w"][rows]
        np.copyto(power, self.power[rows])
        np.rint(self.die[rows], out=out["temp_c"][rows])
        np.multiply(power, (HBM_LOAD_K - HBM_IDLE_K) / platform.limit_w, out=spare)
        spare += HBM_IDLE_K
        spare += self.die[rows]
        np.rint(spare, out=out["mem_temp_c"][rows])
        util = out["util_pct"][rows]
        np.take(tables.util_pct, slot, out=util, mode="clip")
        util *= noise_of
        np.minimum(util, 100.0, out=util)
        np.rint(util, out=util)
        tensor, activity = out["tensor_active_ratio"][rows], out["sm_active_ratio"][rows]
        np.take(tables.tensor_ratio, slot, out=tensor, mode="clip")
        tensor *= activity


@dataclass(frozen=True, eq=False)
class _Tables:
    """The signals in one platform's units, a value a slot."""

    activity: Values
    util_pct: Values
    tensor_ratio: Values
    base_w: Values
    clock: Values
    events: Values

    @classmethod
    def of(cls, platform: Platform, signals: Signals) -> _Tables:
        context = signals.context
        base = platform.idle_w + context * np.float32(platform.context_w - platform.idle_w)
        clock = platform.idle_mhz + context * np.float32(platform.boost_mhz - platform.idle_mhz)
        return cls(
            signals.activity,
            signals.util_pct,
            signals.tensor_ratio,
            base.astype(np.float32),
            (clock / CLOCK_STEP_MHZ).astype(np.float32),
            ((1.0 - context) * GPU_IDLE).astype(np.float32),
        )


def _mix(tick: int, start: int) -> int:
    return (tick * 2_654_435_761 + start * 40_503) >> 7
