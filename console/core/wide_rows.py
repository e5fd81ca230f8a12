"""Rows that are wider than a site or stand across its tree: the fleet, and the domains of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.alert_counts import FAILING, OPEN
from console.core.registry import LATEST, Family, Field
from console.core.rollup import by_domain, reporting_counts
from console.core.rows import Children, SiteRows, combined, distinct_jobs
from console.core.segments import run_maxima, run_sums
from console.core.texts import TextValues, constant, joined
from console.model.columns import distinct
from console.model.levels import Level
from console.model.metrics import MetricTable, RollUp
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.core.rows import Numbers, RowColumns
    from console.model.snapshot import SiteFrame, Snapshot
    from console.model.topology import Domain


@dataclass(frozen=True, eq=False)
class JoinedRows:
    """The rows of one level of several sites, one site after the other."""

    parts: tuple[RowColumns, ...]

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(part.count for part in self.parts)

    def number(self, field: Field) -> Numbers:
        """Return a float column; NaN is missing or stale."""
        return np.concatenate([np.zeros(0, dtype=np.float32), *(part.number(field) for part in self.parts)])

    def text(self, field: Field) -> TextValues:
        """Return a text column."""
        return joined([part.text(field) for part in self.parts])

    def age(self, field: Field) -> NDArray[np.float64]:
        """Return seconds since the newest sample of a metric in each row."""
        return np.concatenate([np.zeros(0), *(part.age(field) for part in self.parts)])

    def children(self, level: Level) -> Children:
        """Return the finer rows of a level below each row."""
        each = [part.children(level) for part in self.parts]
        ends = np.cumsum([0, *(int(child.starts[-1]) for child in each)])
        starts = [child.starts[:-1] + end for child, end in zip(each, ends[:-1], strict=True)]
        return Children(JoinedRows(tuple(child.rows for child in each)), np.concatenate([*starts, ends[-1:]]))


@dataclass(frozen=True, eq=False)
class FleetRows:
    """The one row of the fleet: stale sites' numbers leave its totals; `gpus` and `nodes` are what is expected."""

    name: str
    frames: tuple[SiteFrame, ...]
    now: float
    snapshot: Snapshot | None = None

    @property
    def count(self) -> int:
        """One."""
        return 1

    def number(self, field: Field) -> Numbers:
        """Return float64[1]; NaN is missing."""
        if field.name == "alerts" and self.snapshot is not None:
            bad = sum(check.severity in FAILING for check in self.snapshot.checks)
            bad += sum(alert.state in OPEN and alert.severity in FAILING for alert in self.snapshot.alerts)
            return np.array([float(bad)])
        sites = JoinedRows(tuple(self._sites(Level.SITE)))
        if field.family is Family.COUNT:
            how = RollUp.MAX if field.name in LATEST else RollUp.SUM
            return np.array([combined(sites.number(field), how)])
        weights = [self._weight(field, frame) for frame in self.frames]
        own = Field(field.name, Family.OWN, field.metric) if self._measured_at_site(field) else field
        return np.array([combined(sites.number(own), field.how or RollUp.LAST, np.array(weights))])

    def _measured_at_site(self, field: Field) -> bool:
        return field.metric is not None and field.metric.level == Level.SITE

    def _weight(self, field: Field, frame: SiteFrame) -> float:
        rolled = frame.rollups.get(field.metric.name) if field.metric else None
        counts = None if rolled is None else rolled.counts.get(Level.SITE)
        return 1.0 if counts is None else float(max(counts[0], 1))

    def text(self, field: Field) -> TextValues:
        """Return one text, or one a site for what sites have."""
        if field.name in ("id", "name"):
            return constant(self.name, 1)
        if field.name in ("parent", "source"):
            return constant("" if field.name == "parent" else None, 1)
        sites = joined([rows.text(field) for rows in self._sites(Level.SITE)])
        return sites.lifted(np.array([0, sites.count]))

    def age(self, field: Field) -> NDArray[np.float64]:
        """Return seconds since the newest sample of a metric anywhere."""
        ages = JoinedRows(tuple(self._sites(Level.SITE))).age(field)
        return np.array([np.fmin.reduce(ages) if len(ages) else np.nan])

    def children(self, level: Level) -> Children:
        """Return all rows of a level."""
        rows = JoinedRows(tuple(self._sites(level)))
        return Children(rows, np.array([0, rows.count]))

    def _sites(self, level: Level) -> list[SiteRows]:
        return [SiteRows(frame, level, self.now, self.snapshot) for frame in self.frames]


@dataclass(frozen=True, eq=False)
class DomainRows:
    """The domains of one kind at one site, by name in the topology's order; their ids are `site/kind:name`."""

    frame: SiteFrame
    kind: str
    metrics: MetricTable
    now: float
    snapshot: Snapshot | None = None

    @property
    def domain(self) -> Domain | None:
        """The domains with their members, None where the site has none of this kind."""
        return self.frame.domains.get(self.kind)

    @property
    def count(self) -> int:
        """The number of domains."""
        return len(self.domain.names) if self.domain is not None else 0

    def number(self, field: Field) -> Numbers:
        """Return a float column; NaN is missing or stale."""
        missing = np.full(self.count, np.nan, dtype=np.float32)
        if field.metric is None:
            return self._counted(field.name)
        own = field.metric.level == self.kind
        if self.frame.stale:
            return missing
        if own:
            values = self.frame.values(field.metric.name, self.now)
            return missing if values is None or len(values) != self.count else values
        found = by_domain(self.frame, self.kind, field.name, self.metrics, self.now)
        return missing if found is None else found.values

    def _counted(self, name: str) -> Numbers:
        if name == "stale":
            return np.full(self.count, float(self.frame.stale))
        if name == "alerts":
            return np.full(self.count, np.nan)
        if name == "jobs":
            return self._jobs()
        if name == "age_s":
            told = self.frame.data_at
            return np.full(self.count, self.now - told if told else np.nan)
        if name == "gpus_reporting" and self.frame.stale:
            return np.zeros(self.count)
        if name in ("free_gpus", "free_blocks", "drain_s"):
            return self._free(name)
        return self._members_total(name)

    def _jobs(self) -> Numbers:
        gpu_job = self.frame.jobs.gpu_job
        if self.frame.stale or len(gpu_job) != self.frame.topology.gpus:
            return np.full(self.count, np.nan)
        gpus = self.children(Level.GPU)
        jobs, owners = gpus.inner(gpu_job), gpus.outer(np.arange(self.count))
        return distinct_jobs(owners[jobs >= 0], jobs[jobs >= 0], self.count)

    def _free(self, name: str) -> Numbers:
        from console.core.capacity import blocks, capacity
        from console.core.free_fields import node_field

        domain, has = self.domain, capacity(self.frame, self.now)
        if domain is None or not has.judged:
            return np.full(self.count, np.nan)
        group = blocks(self.frame, self.kind)
        if name == "free_blocks":
            found: NDArray[Any] = group.total(has.free) == np.diff(group.starts)
        else:
            nodes = node_field(self.frame, name, self.now)
            found = group.latest(nodes) if name == "drain_s" else group.total(nodes)
        return np.asarray(found[: self.count], dtype=np.float64)

    def _members_total(self, name: str) -> Numbers:
        domain, topology = self.domain, self.frame.topology
        if domain is None:
            return np.zeros(0)
        if name == "gpus_reporting":
            each = reporting_counts(self.frame, domain.unit)
        elif name == "gpus":
            each = np.diff(topology.starts(domain.unit, Level.GPU))
        else:
            each = np.ones(topology.count(domain.unit), dtype=np.int32)
        if name == "nodes" and domain.unit is Level.GPU:
            nodes = topology.parents(Level.GPU, Level.NODE)[domain.members]
            spans = zip(domain.starts[:-1], domain.starts[1:], strict=True)
            return np.array([float(len(distinct(nodes[first:last]))) for first, last in spans])
        return run_sums(each[domain.members], domain.starts).astype(np.float64)

    def text(self, field: Field) -> TextValues:
        """Return a text column."""
        if self.domain is None or field.name in ("parent", "site", "source"):
            site = SiteRows(self.frame, Level.SITE, self.now).text(Field("source", Family.TEXT)).at(0)
            return constant(site if field.name == "source" else self.frame.site, self.count)
        codes = np.arange(self.count, dtype=np.int32)
        if field.name in ("name", self.kind):
            return TextValues(self.domain.names, codes, self.count)
        if field.name == "id":
            names = tuple(f"{self.frame.site}/{self.kind}:{name}" for name in self.domain.names)
            return TextValues(names, codes, self.count)
        return self._members_text(self.domain, SiteRows(self.frame, self.domain.unit, self.now).text(field))

    def _members_text(self, domain: Domain, unit: TextValues) -> TextValues:
        owners = np.repeat(np.arange(self.count), np.diff(domain.starts))
        if unit.owners is None:
            return TextValues(unit.names, unit.codes[domain.members], self.count, owners)
        first, last = (np.searchsorted(unit.owners, domain.members + step) for step in (0, 1))
        sizes = last - first
        at = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(first, sizes)
        return TextValues(unit.names, unit.codes[at], self.count, np.repeat(owners, sizes))

    def age(self, field: Field) -> NDArray[np.float64]:
        """Return seconds since the newest sample of a metric among the members."""
        if self.domain is None or field.metric is None or field.metric.level == self.kind:
            return self._counted("age_s").astype(np.float64)
        unit = SiteRows(self.frame, self.domain.unit, self.now)
        return -run_maxima(-unit.age(field)[self.domain.members], self.domain.starts)

    def children(self, level: Level) -> Children:
        """Return the nodes or GPUs that belong to each domain."""
        rows = SiteRows(self.frame, level, self.now, self.snapshot)
        if self.domain is None:
            return Children(rows, np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
        topology, domain = self.frame.topology, self.domain
        if level is domain.unit:
            return Children(rows, domain.starts, domain.members)
        if level is Level.NODE:
            return Children(rows, domain.starts, topology.parents(Level.GPU, Level.NODE)[domain.members])
        starts = topology.starts(domain.unit, level)
        sizes = np.diff(starts)[domain.members]
        ends = np.cumsum(np.concatenate([[0], sizes]))
        take = np.arange(ends[-1]) - np.repeat(ends[:-1] - starts[:-1][domain.members], sizes)
        return Children(rows, ends[domain.starts], take)
