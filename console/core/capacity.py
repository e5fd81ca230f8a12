"""Free capacity of a site: which nodes could take work now, whole blocks of them, and when draining nodes are empty.

A node is free when no job holds a GPU of it, no scheduler has it busy, drained or down, no reservation keeps it, and
all its GPUs report and need no repair. A block is the nodes of one NVLink domain, or of any other kind of domain; a
node outside of every such domain is a block of its own, since NVLink ends there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements.stances import stance
from console.core.job_numbers import told
from console.core.job_states import WAITING_RANK
from console.core.reservations import holds_at, kept_rows
from console.core.segments import run_maxima, run_sums
from console.core.stragglers import held_pairs
from console.core.texts import PathNames, remembered
from console.model.columns import distinct
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.scheduling import Reservation
    from console.model.snapshot import SiteFrame

    Truths = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

NVLINK = "nvlink"
NODE = "node"
# What a GPU shows that must be repaired before it takes work: each is 0 on a healthy one.
REPAIRS = ("remap_pending", "remap_failed", "recovery_action")


@dataclass(frozen=True, eq=False)
class Capacity:
    """bool[nodes]: which are `free`, `busy` with jobs, `out` by a scheduler's word, `ill` or `reserved` by name.

    `until` float64[nodes] is when the last job of each busy node reaches its time limit, UTC epoch seconds: infinite
    where one has none, NaN for idle nodes. `judged` is false where no scheduler tells of the site: nothing is free.
    `health_told` is false where no telemetry tells of its GPUs: then the schedulers' word alone counts.
    """

    free: Truths
    busy: Truths
    out: Truths
    ill: Truths
    reserved: Truths
    until: Floats
    judged: bool
    health_told: bool

    @property
    def drain_at(self) -> Floats:
        """float64[nodes]: when each draining node is empty; NaN where it holds no job, or stays in service."""
        return np.where(self.out & self.busy, self.until, np.nan)


@dataclass(frozen=True, eq=False)
class Blocks:
    """Nodes in groups: those of block i are `members[starts[i]:starts[i + 1]]`, node rows; `kinds[i]` is what it is."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    members: Rows
    starts: Rows

    def total(self, values: NDArray[np.generic]) -> NDArray[np.int64]:
        """Return int64[blocks]: the sum over each block's nodes."""
        return run_sums(values[self.members], self.starts)

    def latest(self, times: Floats) -> Floats:
        """Return float64[blocks]: the latest time of each block's nodes, NaN where no node has one."""
        return run_maxima(times[self.members], self.starts)


def capacity(frame: SiteFrame, now: float) -> Capacity:
    """Return what is free at a site; made once for each frame."""
    found: Capacity = remembered(frame, "capacity", lambda: _found(frame, now))
    return found


def _found(frame: SiteFrame, now: float) -> Capacity:
    nodes = len(frame.topology.nodes)
    words = [stance(reports, source) for source, reports in frame.reports.items()]
    busy, until = _held(frame)
    out = np.zeros(nodes, dtype=bool)
    for word in words:
        busy = busy | word.busy
        # A node that is off or restarting is neither out nor down, and takes no work either.
        out |= word.known & ~word.usable
    ill, health_told = _ill(frame, now)
    reserved = kept_now(frame, now)
    judged = bool(words or frame.jobs.at)
    free = ~(busy | out | ill | reserved) & (np.diff(frame.topology.node_gpus) > 0) & judged
    until = np.where(busy, np.where(np.isnan(until), np.inf, until), np.nan)
    return Capacity(free, busy, out, ill, reserved, until, judged, health_told)


def _held(frame: SiteFrame) -> tuple[Truths, Floats]:
    """Return bool[nodes], whether jobs hold GPUs there, and float64[nodes], when the last of them must have ended."""
    topology, jobs = frame.topology, frame.jobs
    until = np.full(len(topology.nodes), -np.inf)
    owners, rows = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    if len(jobs.gpu_job) == topology.gpus:
        pairs = held_pairs(frame)
        owners, rows = [*owners, pairs.job], [*rows, pairs.node]
    if len(jobs.node_starts) == len(jobs.rows) + 1:
        owners.append(np.repeat(np.arange(len(jobs.rows)), np.diff(jobs.node_starts)))
        rows.append(jobs.node_rows.astype(np.int64))
    job, node = np.concatenate(owners), np.concatenate(rows)
    held = told(jobs, "rank")[job] < WAITING_RANK
    limit_s = told(jobs, "limit_s")
    ends = told(jobs, "start_at") + np.where(np.isnan(limit_s), np.inf, limit_s)
    np.maximum.at(until, node[held], np.where(np.isnan(ends), np.inf, ends)[job[held]])
    busy = until > -np.inf
    return busy, np.where(busy, until, np.nan)


def _ill(frame: SiteFrame, now: float) -> tuple[Truths, bool]:
    """Return bool[nodes]: whose GPUs do not all report, or need a repair; and whether any telemetry tells."""
    topology = frame.topology
    measured = any(len(column.values) == topology.gpus for column in frame.columns.values())
    if not measured:
        return np.zeros(len(topology.nodes), dtype=bool), False
    bad = ~frame.reporting
    for name in REPAIRS:
        values = frame.values(name, now)
        if values is not None and len(values) == topology.gpus:
            bad = bad | (values > 0)
    return run_sums(bad, topology.node_gpus) > 0, True


def kept_now(frame: SiteFrame, now: float) -> Truths:
    """Return bool[nodes]: which are kept by a reservation that holds at `now`."""
    kept = np.zeros(len(frame.topology.nodes), dtype=bool)
    for reservation in reservations(frame):
        if holds_at(reservation, now):
            kept[kept_rows(reservation, frame.topology)] = True
    return kept


def reservations(frame: SiteFrame) -> list[Reservation]:
    """Return the reservations of all schedulers of a site, by their begin."""
    told = (each for source in frame.reservations.values() for each in source)
    return sorted(told, key=lambda each: (each.start_at, each.name))


def blocks(frame: SiteFrame, kind: str = NVLINK) -> Blocks:
    """Return the domains of a kind as blocks of nodes, then each node outside of them; made once for each topology."""
    found: Blocks = remembered(frame.topology, f"blocks {kind}", lambda: _blocks(frame, kind))
    return found


def _blocks(frame: SiteFrame, kind: str) -> Blocks:
    topology = frame.topology
    domain = topology.domains.get(kind)
    names = domain.names if domain is not None else ()
    members, owners = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if domain is not None:
        owners = np.repeat(np.arange(len(names)), np.diff(domain.starts))
        members = domain.members.astype(np.int64)
        if domain.unit is Level.GPU:
            members = topology.parents(Level.GPU, Level.NODE)[members].astype(np.int64)
        pairs = distinct(owners * len(topology.nodes) + members)
        owners, members = pairs // len(topology.nodes), pairs % len(topology.nodes)
    outside = np.ones(len(topology.nodes), dtype=bool)
    outside[members] = False
    alone = np.flatnonzero(outside & (np.diff(topology.node_gpus) > 0))
    counts = np.concatenate([np.bincount(owners, minlength=len(names)), np.ones(len(alone), dtype=np.int64)])
    addresses = list(PathNames(topology, Level.NODE)) if len(alone) else []
    paths = [addresses[row] for row in alone.tolist()]
    return Blocks(
        (*(f"{topology.site}/{kind}:{name}" for name in names), *paths),
        (*names, *(topology.nodes[row] for row in alone.tolist())),
        (*(kind for _ in names), *(NODE for _ in alone)),
        np.concatenate([members, alone]),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
