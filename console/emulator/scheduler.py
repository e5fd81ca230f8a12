"""The site's scheduler: a queue, placement, and jobs going through Slurm's states."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.catalogue import KINDS, Draw, Kind, draw_job, draw_running
from console.emulator.entry import Entry
from console.emulator.loads import Loads
from console.emulator.placement import Placement
from console.model.jobs import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.ledger import Ledger

OCCUPANCY = 0.94
QUEUE = 24
HELD_PART, MOST_HELD = 0.12, 4
STARTS_A_STEP = 12
POPULATE_SLICE = 200
# So many jobs that came and went are written to the GPUs' memory in one go.
MANY_CHANGES = 32
KEEP_ENDED_S = 120.0
MOST_ENDED = 250
MOST_RUNNING, BIG_GPUS = 1_650, 512
COMPLETING_S = 4.0
MOST_SMALL_GPUS = 250.0
_CENSUS_GPUS = 100_000
_RESOURCES, _PRIORITY, _NODE_DOWN, _EXIT = "Resources", "Priority", "NodeDown", "NonZeroExitCode"
_HELD = ("Dependency", "QOSMaxGRESPerUser", "BeginTime")


class Scheduler:
    """Queue and running jobs of one site. `slot` int32[gpus] (shared with the physics) is written as jobs come and go.

    `changed` counts the changes of the jobs.
    """

    def __init__(self, blueprint: Blueprint, slot: NDArray[np.int32], rng: Random) -> None:
        topology = blueprint.topology
        self.placement = Placement(blueprint.blocks, topology.node_gpus)
        self.loads = Loads(rng)
        self.changed = 0
        self._memory: list[tuple[slice | NDArray[np.intp], float | NDArray[np.float32]]] = []
        self._slot = slot
        self._rng = rng
        self._site = topology.site
        self._scale: int = 1 << max(0, round(math.log2(topology.gpus / _CENSUS_GPUS)))
        self._most = max(1, topology.gpus // 8)
        self._number = rng.randrange(100_000, 1_000_000)
        self._pending: list[Entry] = []
        self._running: dict[int, Entry] = {}
        self._ended: list[Entry] = []
        self._due: list[tuple[float, int, Entry]] = []
        self._held_gpus = dict.fromkeys((kind.purpose for kind in KINDS), 0)

    def populate(self, now: float) -> Iterator[None]:
        """Fill the site with jobs that have run for a while, and the queue; yields now and then."""
        for kind in reversed(KINDS):
            while (lacking := self._wanted_gpus(kind) - self._held_gpus[kind.purpose]) > 0:
                most = min(self._most, max(kind.least, int(lacking)))
                draw = draw_running(self._rng, kind, self._number, self._scale, most)
                start_at = now - self._rng.random() * draw.run_s
                entry = self._submit(draw, start_at - self._rng.expovariate(1 / 120))
                if self._full() or not self._start(entry, start_at):
                    break
                if len(self._running) % POPULATE_SLICE == 0:
                    yield
        self._fill_queue(now, spread_s=1800.0)

    def step(self, now: float) -> None:
        """Do what is due up to `now`: jobs end, the queue moves up, users submit."""
        while self._due and self._due[0][0] <= now:
            at, _, entry = heapq.heappop(self._due)
            self._proceed(entry, at)
        self._start_pending(now)
        self._fill_queue(now, spread_s=0.0)
        self._change_minds(now)
        self._forget(now)

    def fail_gpus(self, rows: Iterable[int], now: float, state: JobState) -> tuple[Job, ...]:
        """End every job that holds any of these GPUs; return them."""
        slots = {int(self._slot[row]) for row in rows}
        entries = [self._running[slot] for slot in sorted(slots) if slot in self._running]
        for entry in entries:
            self._release(entry)
            self._close(entry, state, now, "" if state is JobState.FAILED else _NODE_DOWN)
        return tuple(entry.job() for entry in entries)

    def apply_memory(self, ledger: Ledger) -> None:
        """Write what jobs took and gave back of the GPUs' memory since last time."""
        if len(self._memory) > MANY_CHANGES:
            ratios = np.full(len(self._slot), np.nan, dtype=np.float32)
            for rows, ratio in self._memory:
                ratios[rows] = ratio
            changed = np.flatnonzero(~np.isnan(ratios))
            self._memory = [(changed, ratios[changed])]
        for rows, ratio in self._memory:
            ledger.use_memory(rows, ratio)
        self._memory.clear()

    def jobs(self) -> tuple[tuple[Job, ...], NDArray[np.int32]]:
        """Return all jobs and int32[gpus]: each GPU's job, -1 where it is free."""
        entries = [*self._running.values(), *self._pending, *self._ended]
        index = np.full(len(self.loads), -1, dtype=np.int32)
        index[[entry.slot for entry in self._running.values()]] = np.arange(len(self._running))
        return tuple(entry.job() for entry in entries), index[self._slot]

    def _full(self) -> bool:
        return self.placement.allocated >= OCCUPANCY * self.placement.gpus

    def _submit(self, draw: Draw, at: float) -> Entry:
        self._number += 1
        return Entry(self._number, draw, self._site, at, draw.gpus)

    def _start(self, entry: Entry, at: float) -> bool:
        if not self._place(entry):
            return False
        entry.slot = self.loads.add(entry.draw.kind, at)
        entry.gpus = 0
        for rows in self._rows(entry):
            self._slot[rows] = entry.slot
            self._memory.append((rows, entry.draw.kind.memory_ratio))
            entry.gpus += rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        entry.nodes = sum(last - first for first, last in entry.spans) if entry.spans else 1
        entry.start_at = at
        entry.change(JobState.RUNNING)
        self._running[entry.slot] = entry
        self._held_gpus[entry.purpose] += entry.gpus
        self._schedule(entry, at + entry.draw.run_s)
        return True

    def _place(self, entry: Entry) -> bool:
        if entry.draw.kind.nodes:
            entry.spans = self.placement.take_nodes(entry.draw.gpus)
            return entry.spans is not None
        entry.rows = self.placement.take_gpus(entry.draw.gpus)
        return entry.rows is not None

    def _rows(self, entry: Entry) -> Sequence[slice | NDArray[np.intp]]:
        if entry.spans is not None:
            return self.placement.slices(entry.spans)
        return [] if entry.rows is None else [entry.rows]

    def _schedule(self, entry: Entry, at: float) -> None:
        heapq.heappush(self._due, (at, entry.number, entry))

    def _proceed(self, entry: Entry, at: float) -> None:
        """A running job begins to complete; a completing one ends. Others were ended by a fault meanwhile."""
        if entry.state is JobState.RUNNING:
            self.loads.still(entry.slot)
            entry.change(JobState.COMPLETING)
            self._schedule(entry, at + COMPLETING_S)
            self.changed += 1
        elif entry.state is JobState.COMPLETING:
            self._release(entry)
            reason = _EXIT if entry.draw.ending is JobState.FAILED else ""
            self._close(entry, entry.draw.ending, at, reason)

    def _release(self, entry: Entry) -> None:
        for rows in self._rows(entry):
            self._slot[rows] = 0
            self._memory.append((rows, 0.0))
        if entry.spans is not None:
            self.placement.give_nodes(entry.spans)
        elif entry.rows is not None:
            self.placement.give_gpus(entry.rows)
        self.loads.remove(entry.slot)
        del self._running[entry.slot]
        self._held_gpus[entry.purpose] -= entry.gpus
        entry.slot = 0

    def _close(self, entry: Entry, state: JobState, at: float, reason: str = "") -> None:
        entry.end_at = at
        entry.change(state, reason)
        self._ended.append(entry)
        self.changed += 1

    def _start_pending(self, now: float) -> None:
        room = OCCUPANCY * self.placement.gpus - self.placement.allocated
        waiting: list[Entry] = []
        started = 0
        first_waits = False
        for entry in self._pending:
            held = entry.reason in _HELD
            fits = not held and entry.gpus <= room and started < STARTS_A_STEP and self._may_add(entry)
            if fits and self._start(entry, now):
                room -= entry.gpus
                started += 1
                continue
            if not held and not first_waits:
                first_waits = True
                self._explain(entry, _RESOURCES)
            waiting.append(entry)
        if started:
            self._pending = waiting
            self.changed += 1

    def _may_add(self, entry: Entry) -> bool:
        """A site runs so many jobs; beyond that only big ones start."""
        return len(self._running) < MOST_RUNNING or entry.gpus >= BIG_GPUS

    def _explain(self, entry: Entry, reason: str) -> None:
        if entry.reason != reason:
            entry.change(JobState.PENDING, reason)
            self.changed += 1

    def _fill_queue(self, now: float, spread_s: float) -> None:
        """Users keep the queue about as long as it is; what a purpose lacks is submitted first."""
        while len(self._pending) < QUEUE:
            draw = draw_job(self._rng, self._wanted_kind(), self._number, self._scale, self._most)
            entry = self._submit(draw, now - self._rng.random() * spread_s)
            if self._rng.random() < HELD_PART and self._held() < MOST_HELD:
                entry.change(JobState.PENDING, self._rng.choice(_HELD))
            self._pending.append(entry)
            self.changed += 1

    def _held(self) -> int:
        return sum(entry.reason in _HELD for entry in self._pending)

    def _change_minds(self, now: float) -> None:
        """Now and then a hold ends, or a user gives up waiting."""
        held = [entry for entry in self._pending if entry.reason in _HELD]
        if held and self._rng.random() < 0.02:
            self._explain(held[0], _PRIORITY)
        if self._rng.random() < 0.005:
            self._close(self._pending.pop(0), JobState.CANCELLED, now)

    def _wanted_kind(self) -> Kind:
        """The purpose that lacks most of its share, jobs in the queue counted in."""
        queued = dict.fromkeys(self._held_gpus, 0)
        for entry in self._pending:
            if entry.reason not in _HELD:
                queued[entry.purpose] += entry.gpus

        def lack(kind: Kind) -> float:
            wanted = max(self._wanted_gpus(kind), 1.0)
            return 1.0 - (self._held_gpus[kind.purpose] + queued[kind.purpose]) / wanted

        return max(KINDS, key=lack)

    def _wanted_gpus(self, kind: Kind) -> float:
        wanted = kind.share * OCCUPANCY * self.placement.gpus
        return wanted if kind.nodes else min(wanted, MOST_SMALL_GPUS)

    def _forget(self, now: float) -> None:
        """Slurm forgets ended jobs after MinJobAge; so do we."""
        if not self._ended:
            return
        keep = [entry for entry in self._ended[-MOST_ENDED:] if now - entry.end_at < KEEP_ENDED_S]
        if len(keep) != len(self._ended):
            self._ended = keep
            self.changed += 1
