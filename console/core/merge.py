"""Merges what a site's sources say into one frame: columns, roll-ups, jobs, events, and what does not join."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.core.addresses import addressed
from console.core.aggregates import Told, told, told_remapped
from console.core.facts import MOST_FACTS, fact_domains, facts_remapped, same_facts, sound, told_facts
from console.core.foreign_alerts import ForeignAlerts
from console.core.job_memory import JobMemories
from console.core.join import Join, Joiner
from console.core.placement import Placed, all_jobs, jobs_remapped, placed
from console.core.remap import named_map, row_count, row_map
from console.core.reports import fits, reported, reports_remapped
from console.core.reservations import reserved
from console.core.sameness import same_topology
from console.core.strangers import Strangers
from console.core.summary import Summary
from console.core.voices import TimeShare, Voice, hear, remapped, sentinels, together
from console.model.levels import SITE_LEVELS, Level
from console.model.reading import (
    AggregatePart,
    AlertsPart,
    ColumnPart,
    EventsPart,
    FactsPart,
    InOrder,
    JobsPart,
    JudgedPart,
    NodeReportsPart,
    RawPart,
    ReservationsPart,
    SomeRows,
    TopologyPart,
)
from console.model.snapshot import SiteFrame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.core.layout import Layout
    from console.model.events import Event
    from console.model.jobs import Jobs
    from console.model.metrics import MetricTable
    from console.model.reading import Part
    from console.model.scheduling import NodeFacts, NodeReports, Reservation
    from console.model.snapshot import Judged
    from console.model.topology import Domain, SiteTopology

MOST_EVENTS = 1000
MOST_RAW = 256
MOST_RAW_TEXT = 65_536


class SiteMerger:
    """One site's state; owned by one thread. What `frame` gives out is never written again.

    Where several sources tell of one metric, each row shows the freshest value that is there. Rows follow their key
    (UUID, node name, domain name) through every change of the topology. The last 1,000 events and 256 raw records of
    at most 64 KiB are kept.
    """

    def __init__(
        self, topology: SiteTopology, metrics: MetricTable, layout: Layout | None = None, environment: str = ""
    ) -> None:
        self._metrics = metrics
        self._environment = environment
        self._joiner = Joiner(topology, layout)
        self._mapped = topology
        self._given: dict[str, SiteTopology] = {}
        self._voices: dict[str, dict[str, Voice]] = {}
        self._merged: dict[str, Voice] = {}
        self._told: dict[tuple[str, str, Level], Told] = {}
        self._placed: dict[str, Placed] = {}
        self._jobs: Jobs | None = None
        self._ended = JobMemories()
        self._reservations: dict[str, tuple[Reservation, ...]] = {}
        self._reports: dict[str, NodeReports] = {}
        self._facts: dict[tuple[str, str], NodeFacts] = {}
        self._fact_domains: dict[str, Domain] | None = {}
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._alerts = ForeignAlerts()
        self._raw: OrderedDict[str, str] = OrderedDict()
        self._judged: Judged | None = None
        self._strangers = Strangers()
        self._sentinels: dict[str, dict[str, int]] = {}
        self._share = TimeShare()
        self._summary = Summary(metrics)

    @property
    def topology(self) -> SiteTopology:
        """The site as it is known now."""
        return self._joiner.topology

    def sentinels_of(self, source: str) -> Mapping[str, int]:
        """Return how many values of each metric a source's last reading had that are no numbers of it."""
        return self._sentinels.get(source, {})

    def prepare(self, part: Part) -> Iterator[None]:
        """Do in short steps what `apply` of this part would take long for, which then finds it done."""
        if isinstance(part, ColumnPart | AggregatePart):
            yield from self._joiner.prepare(part.keys)

    def apply(self, part: Part, *, source: str, stale_after_s: float, received_at: float) -> None:
        """Merge one part of a reading; a part that makes no sense here changes nothing but the list of strangers."""
        voice: str = getattr(part, "voice", "") or source
        if isinstance(part, ColumnPart):
            self._column(part, source, stale_after_s, received_at)
        elif isinstance(part, AggregatePart):
            self._aggregate(part, source, stale_after_s, received_at)
        elif isinstance(part, TopologyPart):
            self._topology(part, source)
        elif isinstance(part, JobsPart):
            self._job_list(part, source, received_at)
        elif isinstance(part, NodeReportsPart):
            self._node_reports(part, voice, received_at)
        elif isinstance(part, FactsPart):
            self._node_facts(part, voice, received_at)
        elif isinstance(part, EventsPart):
            newest = islice(part.events, max(0, len(part.events) - MOST_EVENTS), None)
            self._events.extend(addressed(newest, self.topology, self._joiner.node_row))
        else:
            self._words(part, voice)

    def _words(self, part: AlertsPart | ReservationsPart | RawPart | JudgedPart, source: str) -> None:
        if isinstance(part, AlertsPart):
            self._alerts.take(source, part.alerts)
        elif isinstance(part, ReservationsPart):
            self._reservations[source] = reserved(part.reservations, self.topology, self._joiner.node_row)
        elif isinstance(part, RawPart):
            self._record(part)
        elif isinstance(part, JudgedPart):
            self._judged = part.judged

    def frame(self, now: float, stale_sources: frozenset[str] = frozenset()) -> SiteFrame:
        """Return the site as it is at `now`; only what changed since the last frame is rolled up again."""
        self._follow()
        summary = self._summary.update(self._mapped, self._merged, tuple(self._told.values()), now, stale_sources)
        if self._jobs is None:
            self._jobs = all_jobs(self._placed, self._mapped.gpus)
        if self._fact_domains is None:
            self._fact_domains = fact_domains(self._facts, len(self._mapped.nodes), self._metrics)
        return SiteFrame(
            topology=self._mapped,
            columns=MappingProxyType({name: voice.column for name, voice in self._merged.items()}),
            rollups=summary.rollups,
            reporting=summary.reporting,
            jobs=self._jobs,
            events=tuple(self._events),
            data_at=summary.data_at,
            stale=summary.stale,
            environment=self._environment,
            unjoined=self._strangers.listed(),
            raw=MappingProxyType(dict(self._raw)),
            reports=MappingProxyType(dict(self._reports)),
            alerts=self._alerts.listed(self._mapped, self._joiner.node_row),
            facts=MappingProxyType(dict(self._facts)),
            fact_domains=MappingProxyType(self._fact_domains),
            reservations=MappingProxyType(dict(self._reservations)),
            ended=self._ended.listed(),
            judged=self._judged,
        )

    def _column(self, part: ColumnPart, source: str, stale_after_s: float, received_at: float) -> None:
        metric = self._metrics.get(part.metric)
        level = "gpu" if not hasattr(part.keys, "level") else part.keys.level
        if metric is None or level != metric.level:
            what = f"metric {part.metric} of each {level}"
            self._strangers.note(source, part.metric, received_at, (what,), 1)
            return
        join = self._joined(part, source, part.metric, received_at)
        if join is None:
            return
        odd, told = sentinels(metric, part.values), self._sentinels.setdefault(source, {})
        told.pop(metric.name, None)
        if odd:
            told[metric.name] = odd
        voices = self._voices.setdefault(metric.name, {})
        voices[source] = hear(
            voices.get(source),
            part,
            metric,
            join,
            length=row_count(self._mapped, metric.level),
            source=source,
            stale_after_s=stale_after_s,
            not_after=received_at,
            share=self._share,
        )
        self._merged[metric.name] = together(list(voices.values()))

    def _joined(self, part: ColumnPart | AggregatePart, source: str, subject: str, received_at: float) -> Join | None:
        """Return where a part's values go, with everything else moved first if its keys changed the topology."""
        join = self._joiner.join(part.keys, source)
        self._follow()
        self._strangers.note(source, subject, received_at, join.missed, join.missed_total)
        if len(part.values) != join.length or len(part.at) != join.length:
            lengths = f"{subject}: {len(part.values)} values for {join.length} keys"
            self._strangers.note(source, subject, received_at, (lengths,), 1)
            return None
        unknown_order = isinstance(part.keys, InOrder | SomeRows) and join.missed_total > 0
        return None if unknown_order else join

    def _aggregate(self, part: AggregatePart, source: str, stale_after_s: float, received_at: float) -> None:
        known = self._metrics.aggregate(part.field)
        level = next((each for each in SITE_LEVELS if each.value == part.keys.level), None)
        if known is None or level is None or level.value == known[0].level:
            what = f"aggregate {part.field} of each {part.keys.level}"
            self._strangers.note(source, part.field, received_at, (what,), 1)
            return
        join = self._joined(part, source, part.field, received_at)
        if join is None:
            return
        self._told[source, part.field, level] = told(
            part,
            known[0].name,
            known[1],
            level,
            join,
            length=self._mapped.count(level),
            source=source,
            stale_after_s=stale_after_s,
            not_after=received_at,
        )

    def _job_list(self, part: JobsPart, source: str, received_at: float) -> None:
        order = None
        if part.gpu_job is not None:
            keys = InOrder("gpu", part.version, len(part.gpu_job))
            order = self._joiner.join(keys, source)
            self._strangers.note(source, "jobs", received_at, order.missed, order.missed_total)
        done = placed(part, self._mapped, order, self._joiner.node_rows, source)
        if order is None:
            self._strangers.note(source, "jobs", received_at, done.missed, len(done.missed))
        before = self._placed.get(source)
        self._ended.note(source, before.jobs if before else None, done.jobs, self._mapped, received_at)
        self._placed[source] = done
        self._jobs = None

    def _node_reports(self, part: NodeReportsPart, source: str, received_at: float) -> None:
        if not fits(part) or part.keys.level != Level.NODE:
            self._strangers.note(source, "nodes", received_at, ("node reports that do not fit their names",), 1)
            return
        join = self._joiner.join(part.keys, source)
        self._strangers.note(source, "nodes", received_at, join.missed, join.missed_total)
        self._reports[source] = reported(part, join, len(self._mapped.nodes), source)

    def _node_facts(self, part: FactsPart, source: str, received_at: float) -> None:
        key = source, part.fact
        if not sound(part) or (key not in self._facts and len(self._facts) >= MOST_FACTS):
            what = f"fact {part.fact} of each {part.keys.level}"
            self._strangers.note(source, "facts", received_at, (what,), 1)
            return
        join = self._joiner.join(part.keys, source)
        self._strangers.note(source, f"fact {part.fact}", received_at, join.missed, join.missed_total)
        before = self._facts.get(key)
        self._facts[key] = now = told_facts(before, part, join, len(self._mapped.nodes), source)
        if before is None or not same_facts(before, now):
            self._fact_domains = None

    def _record(self, part: RawPart) -> None:
        self._raw[part.path] = part.text[:MOST_RAW_TEXT]
        self._raw.move_to_end(part.path)
        while len(self._raw) > MOST_RAW:
            self._raw.popitem(last=False)

    def _topology(self, part: TopologyPart, source: str) -> None:
        """Take a source's topology in place of ours, with a version above ours."""
        given = part.topology
        before = self._given.get(source)
        if before is given:
            return
        self._given[source] = given
        if before is not None and same_topology(before, given):
            self._joiner.note_order(source, given.version, self._joiner.order_of(source, before.version) or given)
            return
        ours = self.topology
        version = max(given.version, ours.version + 1) if ours.gpus or ours.nodes else given.version
        adopted = given if version == given.version else replace(given, version=version)
        self._joiner.replace(adopted)
        self._joiner.note_order(source, given.version, adopted)
        self._follow()

    def _follow(self) -> None:
        """Move everything to the rows of the newest topology."""
        old, new = self._mapped, self._joiner.topology
        if old is new:
            return
        self._mapped = new
        rows = {level: named_map(old, new, level) for level in {self._metrics[name].level for name in self._voices}}
        for name, voices in self._voices.items():
            level_rows = rows[self._metrics[name].level]
            self._voices[name] = {source: remapped(voice, level_rows) for source, voice in voices.items()}
            self._merged[name] = together(list(self._voices[name].values()))
        self._told = {key: told_remapped(each, row_map(old, new, each.level)) for key, each in self._told.items()}
        node_rows = row_map(old, new, Level.NODE) if self._placed or self._reports or self._facts else None
        if node_rows is not None:
            self._facts = {key: facts_remapped(each, node_rows) for key, each in self._facts.items()}
            self._fact_domains = None
            self._reports = {source: reports_remapped(each, node_rows) for source, each in self._reports.items()}
        if self._placed and node_rows is not None:
            gpu_rows = row_map(old, new, Level.GPU)
            self._placed = {each: jobs_remapped(had, gpu_rows, node_rows) for each, had in self._placed.items()}
        self._jobs = None
