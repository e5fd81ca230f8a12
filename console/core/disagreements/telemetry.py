"""What telemetry says of each node: how many of its GPUs report, and whether those that a job holds do anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.segments import run_maxima, run_sums
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.model.snapshot import SiteFrame

    Truths = NDArray[np.bool_]

IDLE_BELOW_PCT = 3.0


@dataclass(frozen=True, eq=False)
class Telemetry:
    """`gpus` and `reporting` int64[nodes]; while `heard` is false a source of it is stale, and silence says nothing.

    `idle` and `working` bool[nodes]: all GPUs (those that jobs hold, where that is known) are idle, or any works;
    neither where that cannot be told.
    """

    at: float
    heard: bool
    gpus: NDArray[np.int64]
    reporting: NDArray[np.int64]
    idle: Truths
    working: Truths

    @property
    def silent(self) -> Truths:
        """Nodes none of whose GPUs report, though all sources are heard."""
        silent: Truths = (self.reporting == 0) & (self.gpus > 0) & self.heard
        return silent

    @property
    def whole(self) -> Truths:
        """Nodes all of whose GPUs report."""
        whole: Truths = (self.reporting == self.gpus) & (self.gpus > 0)
        return whole


def telemetry_of(site: SiteFrame, hearing: Hearing, now: float) -> Telemetry:
    """Return what telemetry says of a site's nodes now."""
    starts = site.topology.starts(Level.NODE, Level.GPU)
    gpus = np.diff(starts).astype(np.int64)
    gpu_columns = [column for column in site.columns.values() if len(column.values) == site.topology.gpus]
    sources = {column.source for column in gpu_columns}
    heard = bool(sources) and not site.stale and not any(hearing.is_quiet(site.site, each) for each in sources)
    reporting = np.zeros(len(gpus), dtype=np.int64) if site.stale else run_sums(site.reporting, starts)
    idle, working = _idleness(site, hearing, now)
    return Telemetry(site.data_at, heard, gpus, reporting, idle, working)


def _idleness(site: SiteFrame, hearing: Hearing, now: float) -> tuple[Truths, Truths]:
    nodes = len(site.topology.nodes)
    nothing = np.zeros(nodes, dtype=bool)
    util = None if site.stale else site.values("util_pct", now)
    if util is None or len(util) != site.topology.gpus:
        return nothing, nothing
    jobs = site.jobs
    held = np.ones(len(util), dtype=bool)
    if jobs.at and len(jobs.gpu_job) == len(util) and hearing.hears(site.site, jobs.source, jobs.at, now):
        held = jobs.gpu_job >= 0
    starts = site.topology.starts(Level.NODE, Level.GPU)
    # One that a job holds and that does not report may be working all the same.
    known = run_sums(held & np.isnan(util), starts) == 0
    busiest = run_maxima(np.where(held, util, np.float32(np.nan)), starts)
    return known & (busiest < IDLE_BELOW_PCT), busiest >= IDLE_BELOW_PCT
