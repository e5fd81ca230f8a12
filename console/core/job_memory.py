"""Remembers the runs of jobs that a scheduler tells no more, and the nodes that ended jobs had, for a bounded time.

Slurm forgets a job MinJobAge (300 s unless set) after its end, and all earlier runs of one that it starts anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from operator import is_
from typing import TYPE_CHECKING

from console.core.job_states import ENDED_RANK, HOLDING_RANK, WAITING_RANK, rank
from console.model.jobs import EndedRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.jobs import Job, Jobs
    from console.model.topology import SiteTopology

    Key = tuple[str, str]

KEPT_S = 3600.0
MOST_RUNS = 2000
MOST_NODES = 200_000


class JobMemory:
    """The runs of one scheduler's jobs that are over: at most 2,000 of the last hour, and 200,000 node names.

    A run counts as over when its job is no longer listed, no longer holds its nodes, or was started anew.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[tuple[Key, float], EndedRun] = OrderedDict()
        self._named = 0

    def take(self, before: Jobs | None, now: Jobs, topology: SiteTopology, at: float) -> None:
        """Compare two lists of the same scheduler, both on rows of `topology`; `at` is UTC epoch seconds."""
        if before is not None:
            moved, later = _changed(before.rows, now.rows)
            for index in moved:
                job = before.rows[index]
                if job.start_at:
                    self._compare(before, index, later.get(_key(job)), topology)
        self._forget(at)

    def listed(self) -> tuple[EndedRun, ...]:
        """Return what is remembered, the oldest first."""
        return tuple(self._runs.values())

    def _compare(self, before: Jobs, index: int, now: Job | None, topology: SiteTopology) -> None:
        job = before.rows[index]
        held = rank(job.state) < WAITING_RANK
        if held and (now is None or rank(now.state) > HOLDING_RANK or now.start_at > job.start_at):
            again = now is not None and rank(now.state) != ENDED_RANK
            nodes = _names(before, index, topology)
            ended = now if now is not None and not again else job
            self._keep(EndedRun(ended, nodes, before.at, again))
        elif now is None and rank(job.state) == ENDED_RANK:
            known = self._runs.get((_key(job), job.start_at))
            nodes = _names(before, index, topology)
            self._keep(EndedRun(job, nodes or (known.nodes if known else ()), before.at))

    def _keep(self, run: EndedRun) -> None:
        key = (_key(run.job), run.job.start_at)
        old = self._runs.pop(key, None)
        self._named += len(run.nodes) - (len(old.nodes) if old else 0)
        self._runs[key] = run
        while len(self._runs) > MOST_RUNS or (self._named > MOST_NODES and len(self._runs) > 1):
            self._drop()

    def _forget(self, at: float) -> None:
        while self._runs and at - next(iter(self._runs.values())).seen_at > KEPT_S:
            self._drop()

    def _drop(self) -> None:
        _, run = self._runs.popitem(last=False)
        self._named -= len(run.nodes)


def _changed(before: Sequence[Job], now: Sequence[Job]) -> tuple[list[int], dict[Key, Job]]:
    """Return the places in `before` of jobs that are not the same object any more, and the new objects by key."""
    # A source hands on the same object for a job that has not changed, mostly at the same place of its list.
    most = max(len(before), len(now))
    others = [place for place, same in enumerate(map(is_, before, now)) if not same]
    others += range(min(len(before), len(now)), most)
    there = {id(job): job for job in map(now.__getitem__, _below(others, len(now)))}
    were = {id(before[place]): place for place in _below(others, len(before))}
    moved = sorted(map(were.__getitem__, were.keys() - there.keys()))
    return moved, {_key(there[new]): there[new] for new in there.keys() - were.keys()} if moved else {}


def _below(places: list[int], length: int) -> list[int]:
    """Return the places, which ascend, that a list of this length has."""
    return places[: bisect_left(places, length)]


def _names(jobs: Jobs, index: int, topology: SiteTopology) -> tuple[str, ...]:
    return tuple(map(topology.nodes.__getitem__, jobs.nodes_of(index, topology).tolist()))


def _key(job: Job) -> Key:
    return job.cluster, job.id


class JobMemories:
    """The memories of all schedulers of a site; lists are compared when somebody asks, not when they come in."""

    def __init__(self) -> None:
        self._memories: dict[str, JobMemory] = {}
        self._waiting: dict[str, tuple[Jobs, Jobs, SiteTopology, float]] = {}
        self._listed: tuple[EndedRun, ...] = ()

    def note(self, source: str, before: Jobs | None, now: Jobs, topology: SiteTopology, at: float) -> None:
        """Take note of a new list of a scheduler, on the rows of `topology` as the one before it."""
        if source in self._waiting:
            self._compare(source)
        if before is not None:
            self._waiting[source] = (before, now, topology, at)

    def listed(self) -> tuple[EndedRun, ...]:
        """Return the runs that are remembered, those of one scheduler after those of another."""
        if self._waiting:
            for source in list(self._waiting):
                self._compare(source)
            self._listed = tuple(run for memory in self._memories.values() for run in memory.listed())
        return self._listed

    def _compare(self, source: str) -> None:
        self._memories.setdefault(source, JobMemory()).take(*self._waiting.pop(source))
