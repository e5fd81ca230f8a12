"""Reads a site by polling the native site API: an emulator, or a `gigadeck serve` that streams nothing to us."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.model.columns import same_time
from console.model.errors import SourceError
from console.model.levels import SITE_LEVELS, Level
from console.model.reading import ColumnPart, EventsPart, InOrder, Part, Reading, TopologyPart
from console.sources.known_text import known_text
from console.sources.site_bodies import WireInfo, WireTelemetry
from console.sources.site_events import PAGES_A_READ, EventCursor
from console.sources.site_jobs import read_jobs
from console.sources.site_topology import read_topology

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from console.link.answers import Body
    from console.model.columns import Values
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.metrics import Metric, MetricTable
    from console.model.ports import Subject
    from console.model.topology import SiteTopology
    from console.sources.site_bodies import Faults
    from console.sources.site_servers import Server

JOBS_EVERY_S = 10.0
EVENTS_EVERY_S = 5.0
TOPOLOGY_TRIES = 3
SKEW_WORTH_A_WARNING_S = 5.0
DATE_RESOLUTION_S = 2.0
TOPOLOGY_HEADER = "gigadeck-topology"
FASTEST_CADENCE_S, SLOWEST_CADENCE_S = 0.2, 3600.0
_LEVELS = frozenset(map(str, SITE_LEVELS))


@dataclass(eq=False)
class _Held:
    """A topology that the server has: its tag, its body until it is decoded, and whether the engine has got it."""

    tag: str
    body: bytes
    topology: SiteTopology | None = None
    delivered: bool = False


class Polling:
    """Asks for telemetry, topology, jobs and events, each as often as it changes; decodes on the compute thread.

    A reading that the engine drops loses nothing: topology, jobs and events that were not decoded come with the next
    one. Servers may take turns: what belongs to one server alone (topology, event log) is named by that server.
    """

    def __init__(
        self,
        faults: Faults,
        site: str,
        there: str,
        metrics: MetricTable,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._faults = faults
        self._site = site
        self._metrics = metrics
        self._monotonic = monotonic
        self._due: dict[str, float] = {}
        self._held: _Held | None = None
        self._version = 0
        self._cursor = EventCursor(faults, site, there)
        self._events: deque[Event] = deque(maxlen=10_000)
        self._jobs: deque[tuple[_Held, bytes]] = deque(maxlen=1)
        self._last: dict[str, tuple[str, Values]] = {}
        self._last_jobs: tuple[Job, ...] = ()

    async def read(self, server: Server, info: WireInfo, bodies: list[Body], notes: dict[str, str]) -> Reading:
        """Return the next reading; `bodies` are the answers that came before it. Raises SourceError."""
        warnings: list[str] = []
        held, telemetry = await self._read_telemetry(server, bodies)
        await self._try("jobs", JOBS_EVERY_S, lambda: self._read_jobs(server, held, bodies), warnings)
        await self._try("events", EVENTS_EVERY_S, lambda: self._read_events(server, bodies), warnings)
        measured_s = skew_s(telemetry.server_date, telemetry.received_at - telemetry.elapsed_s / 2)
        ahead_s = measured_s or 0.0
        return Reading(
            received_at=telemetry.received_at,
            decode=lambda: self._decode(held, telemetry.content, -ahead_s),
            body_bytes=sum(body.body_bytes_wire for body in bodies),
            requests=len(bodies),
            cadence_s=min(max(info.cadence_s, FASTEST_CADENCE_S), SLOWEST_CADENCE_S),
            clock_skew_s=measured_s,
            warnings=(*warnings, *skew_warning(ahead_s)),
            notes=notes,
        )

    def record(self, subject: Subject) -> str:
        """Return what the server told last of a node, a GPU or a job."""
        topology = self._held.topology if self._held is not None else None
        return "" if topology is None else known_text(subject, topology, self._last, self._last_jobs)

    async def _read_telemetry(self, server: Server, bodies: list[Body]) -> tuple[_Held, Body]:
        """Return telemetry and the topology that it belongs to."""
        for _ in range(TOPOLOGY_TRIES):
            telemetry = await server.get("telemetry", bodies)
            tag = self._tag(telemetry)
            if self._held is None or self._held.tag != tag:
                body = await server.get("topology", bodies)
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

    async def _read_jobs(self, server: Server, held: _Held, bodies: list[Body]) -> str:
        body = await server.get("jobs", bodies)
        if self._tag(body) == held.tag:
            self._jobs.append((held, body.content))
        return ""

    async def _read_events(self, server: Server, bodies: list[Body]) -> str:
        warnings = []
        for _ in range(PAGES_A_READ):
            body = await server.get("events", bodies, self._cursor.params())
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


def skew_s(server_date: float | None, at: float) -> float | None:
    """Return how far a server's clock is ahead of ours, by its Date at our time `at`; None where it says nothing.

    A Date has whole seconds, so less than two are none.
    """
    if server_date is None:
        return None
    ahead_s = server_date + 0.5 - at
    return ahead_s if abs(ahead_s) >= DATE_RESOLUTION_S else 0.0


def skew_warning(ahead_s: float) -> tuple[str, ...]:
    """Return what to say of a server's clock, nothing where it is right."""
    if abs(ahead_s) <= SKEW_WORTH_A_WARNING_S:
        return ()
    return (f"the server's clock is {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}",)
