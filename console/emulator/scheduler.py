"""The site's scheduler: a queue, placement, and jobs going through Slurm's states."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.catalogue import KINDS, Draw, Kind, draw_job
from console.emulator.loads import Loads
from console.emulator.placement import Placement, Spans
from console.model.jobs import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.ledger import Ledger

OCCUPANCY = 0.94
QUEUE = 24
STARTS_A_STEP = 12
KEEP_ENDED_S = 120.0
MOST_ENDED = 250
COMPLETING_S = 4.0
MOST_SMALL_GPUS = 450.0
_CENSUS_GPUS = 100_000
_RESOURCES, _PRIORITY = "Resources", "Priority"
_HELD = ("Dependency", "QOSMaxGRESPerUser", "BeginTime")


@dataclass(eq=False)
class Entry:
    """One job inside the scheduler: its public value, its draw, and where it runs."""

    job: Job
    draw: Draw
    slot: int = 0
    spans: Spans | None = None
    rows: NDArray[np.intp] | None = None
    ending: JobState = JobState.COMPLETED
    over: bool = False


class Scheduler:
    """Queue and running jobs of one site. `slot` intp[gpus] (shared with the physics) is written as jobs come and go.

    `changed` is how often the jobs changed; `memory` collects (GPU rows, used part of the memory) since last taken.
    """

    def __init__(self, blueprint: Blueprint, slot: NDArray[np.intp], rng: np.random.Generator) -> None:
        topology = blueprint.topology
        self.placement = Placement(blueprint.blocks, topology.node_gpus)
        self.loads = Loads(rng)
        self.memory: list[tuple[slice | NDArray[np.intp], float]] = []
        self.changed = 0
        self._slot = slot
        self._rng = rng
        self._site = topology.site
        self._scale = max(1, 2 ** round(np.log2(max(1.0, topology.gpus / _CENSUS_GPUS))))
        self._most = max(1, topology.gpus // 8)
        self._number = 100_000 + int(rng.integers(900_000))
        self._pending: list[Entry] = []
        self._running: dict[int, Entry] = {}
        self._ended: list[Entry] = []
        self._due: list[tuple[float, int, Entry]] = []
        self._held_gpus = dict.fromkeys((kind.purpose for kind in KINDS), 0)

    def populate(self, now: float) -> None:
        """Fill the site with jobs that have run for a while, and the queue."""
        for kind in KINDS:
            while (lacking := self._wanted_gpus(kind) - self._held_gpus[kind.purpose]) > 0:
                most = min(self._most, max(kind.least, int(1.5 * lacking)))
                draw = draw_job(self._rng, kind, self._next_number(), self._scale, most)
                # A job found running is more likely a long one, and anywhere in its life.
                run_s = max(draw.run_s, kind.median_s * float(np.exp(0.5 * kind.sigma**2)))
                draw = replace(draw, run_s=run_s, limit_s=max(draw.limit_s, 1.2 * run_s))
                age_s = run_s * float(self._rng.random())
                if not self._start(self._submit(draw, now - age_s - float(self._rng.exponential(120))), now - age_s):
                    break
                if self.placement.allocated >= OCCUPANCY * self.placement.gpus:
                    break
        self._fill_queue(now, spread_s=1800.0)

    def step(self, now: float) -> None:
        """Do what is due up to `now`: jobs end, the queue moves up, users submit."""
        while self._due and self._due[0][0] <= now:
            at, _, entry = heapq.heappop(self._due)
            self._proceed(entry, at)
        self._start_pending(now)
        self._fill_queue(now, spread_s=0.0)
        self._forget(now)

    def fail_gpus(self, rows: Iterable[int], now: float, state: JobState) -> tuple[Job, ...]:
        """End every job that holds any of these GPUs; return them."""
        slots = {int(self._slot[row]) for row in rows} - {0}
        entries = [self._running[slot] for slot in sorted(slots) if slot in self._running]
        for entry in entries:
            self._release(entry)
            self._close(entry, state, now, reason="" if state is JobState.FAILED else "NodeDown")
        return tuple(entry.job for entry in entries)

    def apply_memory(self, ledger: Ledger) -> None:
        """Write what jobs took and gave back of the GPUs' memory."""
        for rows, ratio in self.memory:
            ledger.use_memory(rows, ratio)
        self.memory.clear()

    def jobs(self) -> tuple[tuple[Job, ...], NDArray[np.int32]]:
        """Return all jobs and int32[gpus]: each GPU's job, -1 where it is free."""
        entries = [*self._running.values(), *self._pending, *self._ended]
        index = np.full(len(self.loads), -1, dtype=np.int32)
        for row, entry in enumerate(entries):
            if entry.slot:
                index[entry.slot] = row
        return tuple(entry.job for entry in entries), index[self._slot]

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _submit(self, draw: Draw, at: float) -> Entry:
        job = Job(
            id=str(self._number),
            name=draw.name,
            user=draw.user,
            state=JobState.PENDING,
            gpus=draw.gpus,
            nodes=0,
            account=draw.kind.account,
            partition=draw.kind.partition,
            cluster=self._site,
            purpose=draw.kind.purpose,
            reason=_PRIORITY,
            submit_at=at,
            time_limit_s=draw.limit_s,
        )
        return Entry(job, draw, ending=draw.ending)

    def _start(self, entry: Entry, at: float) -> bool:
        if not self._place(entry):
            return False
        entry.slot = self.loads.add(entry.draw.kind, at)
        gpus = 0
        for rows in self._rows(entry):
            self._slot[rows] = entry.slot
            self.memory.append((rows, entry.draw.kind.memory_ratio))
            gpus += rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        nodes = sum(last - first for first, last in entry.spans) if entry.spans else 1
        entry.job = replace(entry.job, state=JobState.RUNNING, reason="", start_at=at, gpus=gpus, nodes=nodes)
        self._running[entry.slot] = entry
        self._held_gpus[entry.job.purpose] += gpus
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
        heapq.heappush(self._due, (at, int(entry.job.id), entry))

    def _proceed(self, entry: Entry, at: float) -> None:
        """A running job begins to complete; a completing one ends."""
        if entry.over:
            return
        if entry.job.state is JobState.RUNNING:
            self.loads.still(entry.slot)
            entry.job = replace(entry.job, state=JobState.COMPLETING)
            self._schedule(entry, at + COMPLETING_S)
            self.changed += 1
        else:
            self._release(entry)
            self._close(entry, entry.ending, at)

    def _release(self, entry: Entry) -> None:
        for rows in self._rows(entry):
            self._slot[rows] = 0
            self.memory.append((rows, 0.0))
        if entry.spans is not None:
            self.placement.give_nodes(entry.spans)
        elif entry.rows is not None:
            self.placement.give_gpus(entry.rows)
        self.loads.remove(entry.slot)
        del self._running[entry.slot]
        self._held_gpus[entry.job.purpose] -= entry.job.gpus
        entry.slot = 0

    def _close(self, entry: Entry, state: JobState, at: float, reason: str = "") -> None:
        entry.over = True
        entry.job = replace(entry.job, state=state, end_at=at, reason=reason)
        self._ended.append(entry)
        self.changed += 1

    def _start_pending(self, now: float) -> None:
        room = OCCUPANCY * self.placement.gpus - self.placement.allocated
        started = 0
        first_waits = False
        still: list[Entry] = []
        for entry in self._pending:
            held = entry.job.reason in _HELD
            fits = not held and entry.draw.gpus <= room and started < STARTS_A_STEP
            if fits and self._start(entry, now):
                room -= entry.job.gpus
                started += 1
                continue
            if not held and not first_waits:
                first_waits = True
                self._explain(entry, _RESOURCES)
            still.append(entry)
        if started:
            self._pending = still
            self.changed += 1

    def _explain(self, entry: Entry, reason: str) -> None:
        if entry.job.reason != reason:
            entry.job = replace(entry.job, reason=reason)
            self.changed += 1

    def _fill_queue(self, now: float, spread_s: float) -> None:
        """Users keep the queue about as long as it is; what a purpose lacks is submitted first."""
        while len(self._pending) < QUEUE:
            kind = self._wanted_kind()
            draw = draw_job(self._rng, kind, self._next_number(), self._scale, self._most)
            entry = self._submit(draw, now - float(self._rng.random()) * spread_s)
            if self._rng.random() < 0.12:
                reason = _HELD[int(self._rng.integers(len(_HELD)))]
                entry.job = replace(entry.job, reason=reason)
            self._pending.append(entry)
            self.changed += 1
        self._change_minds(now)

    def _change_minds(self, now: float) -> None:
        """Now and then a hold ends, or a user gives up waiting."""
        held = [entry for entry in self._pending if entry.job.reason in _HELD]
        if held and self._rng.random() < 0.02:
            self._explain(held[0], _PRIORITY)
        if self._rng.random() < 0.005:
            entry = self._pending.pop(0)
            self._close(entry, JobState.CANCELLED, now)

    def _wanted_kind(self) -> Kind:
        """The purpose that lacks most of its share, jobs in the queue counted in."""
        queued = dict.fromkeys(self._held_gpus, 0)
        for entry in self._pending:
            queued[entry.job.purpose] += entry.job.gpus
        return max(
            KINDS,
            key=lambda kind: (
                (self._wanted_gpus(kind) - self._held_gpus[kind.purpose] - queued[kind.purpose])
                / max(self._wanted_gpus(kind), 1.0)
            ),
        )

    def _wanted_gpus(self, kind: Kind) -> float:
        wanted = kind.share * OCCUPANCY * self.placement.gpus
        return wanted if kind.nodes else min(wanted, MOST_SMALL_GPUS)

    def _forget(self, now: float) -> None:
        """Slurm forgets ended jobs after MinJobAge; so do we."""
        keep = [entry for entry in self._ended[-MOST_ENDED:] if now - entry.job.end_at < KEEP_ENDED_S]
        if len(keep) != len(self._ended):
            self._ended = keep
            self.changed += 1
