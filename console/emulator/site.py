"""One emulated site: workload, physics, facility and faults stepped together on a simulated clock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.chance import Chance
from console.emulator.facility import Facility
from console.emulator.faults import Faults
from console.emulator.ledger import Ledger
from console.emulator.lies import Lies
from console.emulator.physics import DYNAMIC, GpuBank
from console.emulator.scheduler import Scheduler
from console.emulator.script import Script
from console.emulator.standing import break_standing, wear
from console.emulator.state import SiteState
from console.emulator.weather import Weather, solar_hour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.scenarios import Scenario
    from console.emulator.signals import Signals
    from console.model.events import Event
    from console.model.jobs import Job

STEP_S = 1.0
LEAST_STEP_S = 0.25
LONGEST_CATCH_UP = 12


class SiteSimulation:
    """The moving parts of one site; not thread-safe. `state` is the last published one."""

    def __init__(self, blueprint: Blueprint, scenario: Scenario, seed: int, began_at: float, now: float) -> None:
        streams = [Chance(seed, blueprint.plan.index, part) for part in range(7)]
        topology = blueprint.topology
        self._topology = topology
        self._blueprint = blueprint
        self._scenario = scenario
        self._tick = 0
        # Whoever looks late at a site that went silent sees what it said last.
        silent_after_s = math.inf if scenario.blackout_after_s is None else scenario.blackout_after_s
        self._at = min(now, began_at + silent_after_s)
        self._weather = Weather.of(blueprint.plan.locale, streams[0])
        self._bank = GpuBank(blueprint, streams[1])
        self._facility = Facility(blueprint, self._weather, streams[2])
        self._ledger = Ledger(blueprint)
        self.scheduler = Scheduler(blueprint, self._bank.slot, streams[3])
        self.faults = Faults(blueprint, self._bank, self._ledger, self.scheduler, streams[4])
        self._script = Script(scenario, began_at, blueprint, self._facility.cooling, self.faults)
        self._fresh: dict[str, NDArray[np.float32]] = {}
        self._jobs: tuple[Job, ...] = ()
        self._gpu_job: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._jobs_seen = -1
        self._events: tuple[Event, ...] = ()
        self._events_seen = 0
        self._wear = streams[5]
        self._lies = Lies(topology.gpus, began_at, streams[6]) if scenario.lies else None
        self.state: SiteState | None = None

    def begin(self) -> Iterator[None]:
        """Fill the site and bring it into its steady state; publishes the first state."""
        gpus, scale = self._topology.gpus, self._scenario.standing_scale
        wear(self._ledger, gpus, scale, self._wear)
        break_standing(self.faults, self._at, gpus, scale, self._wear)
        yield
        yield from self.scheduler.populate(self._at)
        yield
        self._jobs_now()
        yield
        signals = self.scheduler.loads.typical()
        self._bank.settle(signals, self._facility.cooling.setpoint)
        self._facility.settle(self._at, self._bank.power, self.faults.dead_nodes)
        self._bank.settle(signals, self._facility.cooling.inlet_c())
        yield
        yield from self._move(STEP_S)
        self._publish()

    def advance(self, now: float) -> Iterator[None]:
        """Go on to `now`: second by second, a long gap in a bounded number of longer steps."""
        target = self._reach(now)
        gap_s = target - self._at
        steps = min(max(1, round(gap_s / STEP_S)), LONGEST_CATCH_UP)
        for _ in range(steps):
            dt = gap_s / steps
            self._at += dt
            self.scheduler.step(self._at)
            self.faults.step(self._at, dt, self._scenario.fault_scale)
            self._script.step(self._at)
            yield from self._move(dt)
        self._at = target
        self._publish()

    def can_reach(self, now: float) -> bool:
        """Return whether there is anything to step through up to `now`."""
        return self._reach(now) - self._at >= LEAST_STEP_S

    def _reach(self, now: float) -> float:
        """Return the time of the newest sample that leaves the site at `now`."""
        reach = min(now, self._script.ends_at)
        return self._lies.reach(reach) if self._lies is not None else reach

    def _signals(self) -> Signals:
        hour = solar_hour(self._at, self._topology.geo.longitude)
        return self.scheduler.loads.signals(self._at, hour)

    def _move(self, dt: float) -> Iterator[None]:
        """Step the physics by `dt` seconds into fresh columns."""
        self._tick += 1
        gpus = self._topology.gpus
        out = {name: np.empty(gpus, dtype=np.float32) for name in DYNAMIC}
        inlet = self._facility.cooling.inlet_c()
        yield from self._bank.step(dt, self._tick, self._signals(), inlet, out)
        yield
        columns = self._facility.step(self._at, dt, self._bank.power, self.faults.dead_nodes)
        self.faults.shut_down(self._bank.throttle.too_hot, self._at)
        silent = self.faults.silent
        if len(silent):
            for column in out.values():
                column[silent] = np.nan
        # Who reads them may keep them as they are: the next step fills new ones.
        for column in out.values():
            column.flags.writeable = False
        self._fresh = {**out, **columns}
        yield

    def _jobs_now(self) -> None:
        if self.scheduler.changed != self._jobs_seen:
            self._jobs, self._gpu_job = self.scheduler.jobs()
            self._jobs_seen = self.scheduler.changed

    def _columns(self) -> dict[str, NDArray[np.float32]]:
        columns = {**self._fresh, **self._ledger.publish()}
        return columns if self._lies is None else self._lies.tell(self._at, columns)

    def _publish(self) -> None:
        scheduler, faults = self.scheduler, self.faults
        scheduler.apply_memory(self._ledger)
        self._jobs_now()
        if faults.event_count != self._events_seen:
            self._events = tuple(faults.events)
            self._events_seen = faults.event_count
        self.state = SiteState(
            self._at,
            self._topology.version,
            self._columns(),
            self._jobs,
            self._gpu_job,
            self._events,
            faults.event_count,
        )
