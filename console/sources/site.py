"""The source of kind `site`: reads a site through the native site API (an emulator, or a `gigadeck serve`)."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from console.link.http import Body, HttpLink
from console.model.columns import same_time
from console.model.errors import NotOffered, SourceError
from console.model.levels import SITE_LEVELS, Level
from console.model.reading import ColumnPart, EventsPart, InOrder, Part, Reading, TopologyPart
from console.sources.known_text import known_text
from console.sources.site_bodies import API_VERSION, MSGPACK, Faults, WireInfo, WireSites, WireTelemetry
from console.sources.site_events import PAGES_A_READ, EventCursor
from console.sources.site_jobs import read_jobs
from console.sources.site_topology import read_topology

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from console.config.values import SiteConfig, SourceConfig
    from console.model.columns import Values
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.metrics import Metric, MetricTable
    from console.model.ports import Subject
    from console.model.topology import SiteTopology

INFO_EVERY_S = 300.0
JOBS_EVERY_S = 10.0
EVENTS_EVERY_S = 5.0
TOPOLOGY_TRIES = 3
SKEW_WORTH_A_WARNING_S = 5.0
DATE_RESOLUTION_S = 2.0
TOPOLOGY_HEADER = "gigadeck-topology"
FASTEST_CADENCE_S, SLOWEST_CADENCE_S = 0.2, 3600.0
_LEVELS = frozenset(map(str, SITE_LEVELS))


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> SiteSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    there = str(source.options.get("site", "") or site.name)
    return SiteSource(site.name, source.name or source.kind, there, metrics, HttpLink(site.name, source))


@dataclass(eq=False)
class _Held:
    """A topology that the server has: its tag, its body until it is decoded, and whether the engine has got it."""

    tag: str
    body: bytes
    topology: SiteTopology | None = None
    delivered: bool = False


class SiteSource:
    """Asks for info, topology, telemetry, jobs and events, each as often as it changes; decodes on the compute thread.

    `there` is the site's name on the server; names and paths are given out under our own (`site`). A reading that the
    engine drops loses nothing: topology, jobs and events that were not decoded come with the next one.
    """

    def __init__(
        self,
        site: str,
        source: str,
        there: str,
        metrics: MetricTable,
        link: HttpLink,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._there = there
        self._metrics = metrics
        self._link = link
        self._monotonic = monotonic
        self._faults = Faults(site, source)
        self._due: dict[str, float] = {}
        self._info: WireInfo | None = None
        self._held: _Held | None = None
        self._version = 0
        self._cursor = EventCursor(self._faults, site, there)
        self._events: deque[Event] = deque(maxlen=10_000)
        self._jobs: deque[tuple[_Held, bytes]] = deque(maxlen=1)
        self._last: dict[str, tuple[str, Values]] = {}
        self._last_jobs: tuple[Job, ...] = ()

    async def read(self) -> Reading:
        """Return the next reading; raises SourceError."""
        bodies: list[Body] = []
        warnings: list[str] = []
        info = await self._know_server(bodies)
        held, telemetry = await self._read_telemetry(bodies)
        await self._try("jobs", JOBS_EVERY_S, lambda: self._read_jobs(held, bodies), warnings)
        await self._try("events", EVENTS_EVERY_S, lambda: self._read_events(bodies), warnings)
        measured_s = _skew_s(telemetry)
        skew_s = measured_s or 0.0
        if abs(skew_s) > SKEW_WORTH_A_WARNING_S:
            warnings.append(f"the server's clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}")
        return Reading(
            received_at=telemetry.received_at,
            decode=lambda: self._decode(held, telemetry.content, -skew_s),
            body_bytes=sum(body.body_bytes_wire for body in bodies),
            requests=len(bodies),
            cadence_s=min(max(info.cadence_s, FASTEST_CADENCE_S), SLOWEST_CADENCE_S),
            clock_skew_s=measured_s,
            warnings=tuple(warnings),
            notes=self._notes(info),
        )

    async def record(self, subject: Subject) -> str:
        """Return what the server told last of a node, a GPU or a job."""
        topology = self._held.topology if self._held is not None else None
        return "" if topology is None else known_text(subject, topology, self._last, self._last_jobs)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._link.aclose()

    def _notes(self, info: WireInfo) -> dict[str, str]:
        named = {"named there": self._there} if self._there != self._site else {}
        return {"server": info.server[:80], **named}

    async def _get(self, what: str, bodies: list[Body], params: dict[str, str] | None = None) -> Body:
        body = await self._link.get(f"/site/v1/{quote(self._there, safe='')}/{what}", params or {}, accept=MSGPACK)
        bodies.append(body)
        return body

    async def _know_server(self, bodies: list[Body]) -> WireInfo:
        if self._info is None or self._monotonic() >= self._due.get("info", 0.0):
            try:
                body = await self._get("info", bodies)
            except NotOffered as error:
                raise await self._explained(error) from error
            info = self._faults.decode(body.content, WireInfo, "the answer of info")
            if info.api != API_VERSION:
                raise self._faults.bad(f"the server speaks version {info.api} of the site API, we speak {API_VERSION}")
            if not math.isfinite(info.cadence_s):
                raise self._faults.bad(f"the server says that its cadence is {info.cadence_s} s")
            self._info = info
            self._due["info"] = self._monotonic() + INFO_EVERY_S
        return self._info

    async def _explained(self, error: NotOffered) -> NotOffered:
        """Return the error for a site that is not there, with the sites that are."""
        try:
            body = await self._link.get("/site/v1/sites", accept=MSGPACK)
            sites = self._faults.decode(body.content, WireSites, "the answer of sites").sites
        except SourceError:
            return error
        names = ", ".join(repr(each.site[:40]) for each in sites[:8]) or "none"
        text = f"the server has no site {self._there!r}; it has: {names}"
        return NotOffered(self._faults.site, self._faults.source, text, "set `site` of this source to one of them")

    async def _read_telemetry(self, bodies: list[Body]) -> tuple[_Held, Body]:
        """Return telemetry and the topology that it belongs to."""
        for _ in range(TOPOLOGY_TRIES):
            telemetry = await self._get("telemetry", bodies)
            tag = self._tag(telemetry)
            if self._held is None or self._held.tag != tag:
                body = await self._get("topology", bodies)
                self._held = _Held(self._tag(body), body.content)
                self._due.pop("jobs", None)
            if self._held.tag == tag:
                return self._held, telemetry
        raise self._faults.bad("the site's topology changes faster than it can be read")

    def _tag(self, body: Body) -> str:
        tag = body.headers.get(TOPOLOGY_HEADER, "")
        if not tag:
            raise self._faults.bad(f"the answer has no {TOPOLOGY_HEADER} header")
        return tag

    async def _read_jobs(self, held: _Held, bodies: list[Body]) -> str:
        body = await self._get("jobs", bodies)
        if self._tag(body) == held.tag:
            self._jobs.append((held, body.content))
        return ""

    async def _read_events(self, bodies: list[Body]) -> str:
        warnings = []
        for _ in range(PAGES_A_READ):
            body = await self._get("events", bodies, self._cursor.params())
            events, warning = self._cursor.take(body.content)
            self._events.extend(events)
            warnings.append(warning)
            if not self._cursor.more:
                break
        return "; ".join(filter(None, warnings))

    async def _try(self, what: str, every_s: float, read: Callable[[], Awaitable[str]], warnings: list[str]) -> None:
        """Read what is not telemetry when it is due; a failure is a warning, for the telemetry is good."""
        if self._monotonic() < self._due.get(what, 0.0):
            return
        self._due[what] = self._monotonic() + every_s
        try:
            warning = await read()
        except SourceError as error:
            warning = error.message
        if warning:
            warnings.append(f"{what}: {warning}")

    def _decode(self, held: _Held, telemetry: bytes, behind_s: float) -> Iterator[Part]:
        """Yield the parts of one read (compute thread); `behind_s` turns the server's times into ours."""
        try:
            topology = self._topology(held)
            if not held.delivered:
                yield TopologyPart(topology)
                held.delivered = True
            yield from self._columns(held, topology, telemetry, behind_s)
            if self._jobs and self._jobs[0][0] is held:
                jobs = read_jobs(self._faults, topology, self._jobs.popleft()[1], behind_s)
                self._last_jobs = jobs.jobs
                yield jobs
        except SourceError:
            if self._held is held:
                self._held = None  # ask for the topology again: it may be what is wrong
            raise
        if self._events:
            yield EventsPart(tuple(self._events.popleft() for _ in range(len(self._events))))

    def _topology(self, held: _Held) -> SiteTopology:
        if held.topology is None:
            tag, topology = read_topology(self._faults, self._site, held.body, self._version)
            if tag != held.tag:
                raise self._faults.bad("the topology's tag is not the one in its header")
            held.topology, held.body = topology, b""
            self._version = topology.version
        return held.topology

    def _columns(self, held: _Held, topology: SiteTopology, data: bytes, behind_s: float) -> Iterator[Part]:
        wire = self._faults.decode(data, WireTelemetry, "the telemetry")
        if wire.topology != held.tag:
            raise self._faults.bad("the telemetry's tag is not the one in its header")
        self._faults.names([column.metric for column in wire.columns], "the telemetry")
        for column in wire.columns:
            metric = self._metrics.get(column.metric)
            if metric is None:
                continue  # a server may offer more than this fleet file knows
            if column.level != metric.level:
                raise self._faults.bad(f"{metric.name} is measured by {metric.level}, not by {column.level[:40]!r}")
            rows = _rows(topology, metric.level)
            values = self._faults.block(column, "float32-le", metric.name)
            if len(values) != rows:
                raise self._faults.bad(f"{metric.name} has {len(values)} values for {rows} rows of {metric.level}")
            if not rows:
                continue
            at = self._faults.time(column.at, metric.name) + behind_s
            keys = InOrder(metric.level, topology.version, rows)
            valid = _valid(values, metric)
            self._last[metric.name] = (metric.level, valid)
            yield ColumnPart(metric.name, keys, valid, same_time(at, rows))


def _rows(topology: SiteTopology, level: str) -> int:
    """Return how many rows a level or domain kind has; 0 for a kind that the topology does not have."""
    if level in _LEVELS:
        return topology.count(Level(level))
    domain = topology.domains.get(level)
    return len(domain.names) if domain else 0


def _valid(values: Values, metric: Metric) -> Values:
    """Return values with whatever is outside the metric's range, infinities included, as missing."""
    inside = (values >= metric.low) & (values <= metric.high)
    return values if inside.all() else np.where(inside, values, np.float32(np.nan))


def _skew_s(body: Body) -> float | None:
    """Return how far the server's clock is ahead of ours; its Date has whole seconds, so less than two are none."""
    if body.server_date is None:
        return None
    skew_s = body.server_date + 0.5 - (body.received_at - body.elapsed_s / 2)
    return skew_s if abs(skew_s) >= DATE_RESOLUTION_S else 0.0
