"""Frame and snapshot: the merged state, immutable and numbered; whoever holds one may keep it for ever."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from console.model.disagreements import Disagreements
from console.model.metrics import MetricTable, RollUp
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.model.columns import Column, Values
    from console.model.disagreements import Disagreement
    from console.model.events import Alert, CheckResult, Event, Finding
    from console.model.incidents import Incident, MemoryStatus, Note, SharedView
    from console.model.jobs import EndedRun, Jobs
    from console.model.levels import Level
    from console.model.scheduling import NodeFacts, NodeReports, Reservation
    from console.model.topology import Domain, SiteTopology


NO_DISAGREEMENTS = Disagreements()


class SourceState(StrEnum):
    """The life of one source."""

    STARTING = "starting"
    OK = "ok"
    SLOW = "slow"
    FAILING = "failing"
    STALE = "stale"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What we know of one endpoint. Times are UTC epoch seconds, 0 is never. `url` never carries a secret."""

    site: str
    name: str
    kind: str
    url: str
    state: SourceState
    since: float
    cadence_s: float
    stale_after_s: float
    last_ok_at: float = 0.0
    data_at: float = 0.0
    last_error: str = ""
    failures: int = 0
    next_try_at: float = 0.0
    retry_after_s: float | None = None
    latency_p50_s: float = 0.0
    latency_p99_s: float = 0.0
    body_bytes: int = 0
    requests: int = 0
    budget_rps: float = 0.0
    budget_bps: float = 0.0
    dropped: int = 0
    clock_skew_s: float | None = None
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RollUps:
    """One metric at every level above its own: float32 arrays by level; NaN where nothing reported.

    `counts` int32 is how many lower values are in each; sums and maxima leave missing and stale values out.
    """

    metric: str
    counts: Mapping[Level, NDArray[np.int32]]
    sums: Mapping[Level, NDArray[np.float32]]
    maxima: Mapping[Level, NDArray[np.float32]]

    def get(self, level: Level, how: RollUp) -> NDArray[np.float32]:
        """Return float32[count(level)] of one roll-up."""
        if how is RollUp.MAX:
            return self.maxima[level]
        if how is RollUp.MEAN:
            counts = self.counts[level]
            with np.errstate(invalid="ignore", divide="ignore"):
                return (self.sums[level] / counts).astype(np.float32, copy=False)
        return self.sums[level]


@dataclass(frozen=True, eq=False)
class Unjoined:
    """Names that a voice used and that lead to no node: listed, never dropped."""

    source: str
    names: tuple[str, ...]
    total: int


@dataclass(frozen=True, eq=False)
class Judged:
    """The word of one `gigadeck serve` on one site at `at`; whoever attaches takes it instead of judging for itself.

    `incidents` are the open ones and those resolved lately; `disagreements` the first rows, with `disagreement_counts`
    by kind, (nodes, unjudged, disputed); `sources` are the server's own endpoints, `notices` what it tells everybody.
    """

    at: float
    keeper: str
    memory: MemoryStatus
    incidents: tuple[Incident, ...] = ()
    findings: tuple[Finding, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    disagreement_counts: tuple[tuple[str, int], ...] = ()
    nodes: tuple[int, int, int] = (0, 0, 0)
    sources: tuple[SourceStatus, ...] = ()
    notes: tuple[Note, ...] = ()
    views: tuple[SharedView, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SiteFrame:
    """One site's merged columns and roll-ups.

    `columns` by metric name (each in topology order of the metric's level); `reporting` bool[gpus] is whether a GPU
    has any current value; `rollups` by metric name; `stale` is true when every telemetry source of the site is stale:
    its numbers then leave every total. `data_at` is the newest sample time. `reports` are the words of schedulers on
    the site's nodes, by the source's name; `alerts` are those of other systems; `facts` are by (source, fact),
    `fact_domains` by fact (nodes of one text belong together) and `reservations` by source. `judged` is the word of the
    site's `gigadeck serve`, where there is one.
    """

    topology: SiteTopology
    columns: Mapping[str, Column]
    rollups: Mapping[str, RollUps]
    reporting: NDArray[np.bool_]
    jobs: Jobs
    events: tuple[Event, ...]
    data_at: float
    stale: bool
    environment: str = ""
    unjoined: tuple[Unjoined, ...] = ()
    raw: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, NodeReports] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    facts: Mapping[tuple[str, str], NodeFacts] = field(default_factory=dict)
    fact_domains: Mapping[str, Domain] = field(default_factory=dict)
    reservations: Mapping[str, tuple[Reservation, ...]] = field(default_factory=dict)
    ended: tuple[EndedRun, ...] = ()
    judged: Judged | None = None

    @property
    def site(self) -> str:
        """The site's name."""
        return self.topology.site

    @property
    def domains(self) -> Mapping[str, Domain]:
        """Every kind of domain: those of the topology, and those that facts make where it has no such kind."""
        return {**self.fact_domains, **self.topology.domains} if self.fact_domains else self.topology.domains

    def values(self, metric: str, now: float) -> Values | None:
        """Return a metric's current values at its own level, None where no source offers it."""
        column = self.columns.get(metric)
        return None if column is None else column.current(now)


@dataclass(frozen=True, eq=False)
class Frame:
    """All sites at one time (`at`, UTC epoch seconds): what detectors see."""

    at: float
    fleet: str
    metrics: MetricTable
    sites: tuple[SiteFrame, ...]

    def site(self, name: str) -> SiteFrame | None:
        """Return a site by name."""
        return next((site for site in self.sites if site.site == name), None)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The published state, numbered; `seq` grows by one each time. Identity, not equality, compares snapshots.

    `incidents` are the open ones and those resolved lately, of every site, worst first; `notes` the newest on each
    object; `memories` says for each site who remembers them.
    """

    seq: int
    frame: Frame
    environment: str = ""
    findings: tuple[Finding, ...] = ()
    alerts: tuple[Alert, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    notices: tuple[str, ...] = ()
    loading: bool = False
    disagreements: Disagreements = NO_DISAGREEMENTS
    incidents: tuple[Incident, ...] = ()
    notes: tuple[Note, ...] = ()
    memories: tuple[MemoryStatus, ...] = ()
    views: tuple[SharedView, ...] = ()

    @property
    def at(self) -> float:
        """When this state was merged, UTC epoch seconds."""
        return self.frame.at

    def unheard(self, site: str) -> bool:
        """Whether a site has told nothing yet and nobody is left to wait for: each of its sources fails."""
        frame = self.frame.site(site)
        states = {each.state for each in self.sources if each.site == site}
        silent = frame is None or not frame.data_at
        return silent and bool(states) and states <= {SourceState.FAILING, SourceState.DISABLED}
