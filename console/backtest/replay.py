"""Plays telemetry back as frames at a steady step, as a session would have seen them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.rollup import roll_up
from console.model.columns import Column
from console.model.events import Event
from console.model.jobs import Jobs
from console.model.levels import Level
from console.model.metrics import MetricTable
from console.model.snapshot import Frame, SiteFrame
from console.model.values import dataclass
from console.model.xid import xid_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.backtest.folder import Telemetry
    from console.backtest.keys import Rows
    from console.backtest.records import XidEvent
    from console.model.metrics import Metric
    from console.model.snapshot import RollUps
    from console.model.topology import SiteTopology

SOURCE = "backtest"
STALE_STEPS = 3
MOST_EVENTS = 1000
NO_JOBS = Jobs()


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame, and the XIDs that came since the one before: (event, site's number, GPU row or -1, node row)."""

    frame: Frame
    xids: tuple[tuple[XidEvent, int, int, int], ...]


class Replay:
    """Frames of a folder's telemetry: every `step_s`, but for times at which nothing is known any more.

    A GPU's value holds for three steps. Counts `gpu_days` (a GPU that was heard, for one step) and `outside` (XIDs of
    hardware or times that the telemetry does not have).
    """

    def __init__(self, telemetry: Telemetry, events: Sequence[XidEvent] = (), step_s: float | None = None) -> None:
        self.step_s = step_s or telemetry.cadence_s
        self.gpu_days, self.outside, self.frames = 0.0, 0, 0
        self._telemetry = telemetry
        self._metrics = MetricTable(telemetry.metrics)
        self._sites = [_Site(each, telemetry.metrics, self.step_s) for each in telemetry.rows.topologies]
        self._events = deque(self._placed(events))

    def __iter__(self) -> Iterator[Moment]:
        """Yield the frames in the order of time."""
        first = math.floor(self._telemetry.start / self.step_s)
        now: int | None = None
        for rows in self._telemetry.spill.in_order():
            steps = np.maximum(np.ceil(rows["at"] / self.step_s).astype(np.int64), first)
            bounds = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(rows)]
            for start, stop in pairwise(bounds):
                step = int(steps[start])
                if now is not None and step != now:
                    yield from self._moments(now, min(step, now + STALE_STEPS + 2))
                now = step
                self._take(rows[start:stop])
        if now is not None:
            yield self._moment(now)
        self.outside += len(self._events)
        self._events.clear()

    def _moments(self, first: int, end: int) -> Iterator[Moment]:
        for step in range(first, end):
            yield self._moment(step)

    def _take(self, rows: Any) -> None:
        leads = self._telemetry.rows
        site_of = leads.site[rows["key"]]
        for i, site in enumerate(self._sites):
            some = rows if len(self._sites) == 1 else rows[site_of == i]
            if len(some):
                site.take(some, leads)

    def _moment(self, step: int) -> Moment:
        at = step * self.step_s
        came = []
        while self._events and self._events[0][0].at <= at:
            came.append(self._events.popleft())
        for each in came:
            self._sites[each[1]].tell(*each)
        frames = tuple(site.frame(at) for site in self._sites)
        heard = sum(int(np.count_nonzero(frame.reporting)) for frame in frames)
        self.gpu_days += heard * self.step_s / 86400
        self.frames += 1
        return Moment(Frame(at, SOURCE, self._metrics, frames), tuple(came))

    def _placed(self, events: Sequence[XidEvent]) -> Iterator[tuple[XidEvent, int, int, int]]:
        rows, seen = self._telemetry.rows, self._telemetry
        sites = {each.site: i for i, each in enumerate(rows.topologies)}
        for event in sorted(events, key=lambda each: each.at):
            site = sites.get(event.site, -1)
            node = rows.topologies[site].node_row(event.node) if site >= 0 else None
            number = rows.of.get((event.site, event.node, event.gpu), -1)
            known = node is not None and (event.gpu < 0 or number >= 0)
            if not known or not seen.start <= event.at <= seen.end:
                self.outside += 1
            elif node is not None:
                yield event, site, int(rows.gpu[number]) if event.gpu >= 0 else -1, node


class _Site:
    """What is held of one site: the last value of each metric, and when it was taken."""

    def __init__(self, topology: SiteTopology, metrics: Sequence[Metric], step_s: float) -> None:
        self.topology = topology
        self._metrics = metrics
        self._stale_after_s = STALE_STEPS * step_s
        sizes = [topology.count(Level(metric.level)) for metric in metrics]
        self._values = [np.full(size, np.nan, dtype=np.float32) for size in sizes]
        self._at = [np.zeros(size, dtype=np.float64) for size in sizes]
        self._columns: dict[str, Column] = {}
        self._changed: set[int] = set()
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._heard_at = np.zeros(topology.gpus, dtype=np.float64)
        self._data_at = 0.0

    def take(self, rows: Any, leads: Rows) -> None:
        """Take rows of this site, in the order of time; of several of one GPU the last counts."""
        at, values = rows["at"], rows["values"]
        places = {Level.GPU: leads.gpu[rows["key"]], Level.NODE: leads.node[rows["key"]]}
        self._data_at = max(self._data_at, float(at[-1]))
        for i, metric in enumerate(self._metrics):
            where = places.get(Level(metric.level), np.zeros(len(rows), dtype=np.int32))
            told = ~np.isnan(values[:, i]) & (where >= 0)
            if told.any():
                self._values[i][where[told]] = values[told, i]
                self._at[i][where[told]] = at[told]
                self._changed.add(i)
                if metric.level == Level.GPU:
                    self._heard_at[where[told]] = at[told]

    def tell(self, event: XidEvent, _: int, gpu: int, node: int) -> None:
        """Add an XID to the site's events."""
        known = xid_of(event.xid)
        path = self.topology.path(Level.GPU, gpu) if gpu >= 0 else self.topology.path(Level.NODE, node)
        text = f"XID {event.xid}: {known.meaning}"
        self._events.append(Event(event.at, event.site, path, f"xid-{event.xid}", known.severity, text, SOURCE))

    def frame(self, at: float) -> SiteFrame:
        """Return what is known at a time; columns that did not change are those of the frame before."""
        for i in self._changed:
            name = self._metrics[i].name
            self._columns[name] = Column(name, self._values[i].copy(), self._at[i].copy(), self._stale_after_s, SOURCE)
        self._changed.clear()
        columns = dict(self._columns)
        return SiteFrame(
            topology=self.topology,
            columns=columns,
            rollups=LazyRollUps(self.topology, {each.name: each for each in self._metrics}, columns, at),
            reporting=at - self._heard_at <= self._stale_after_s,
            jobs=NO_JOBS,
            events=tuple(self._events),
            data_at=self._data_at,
            stale=at - self._data_at > self._stale_after_s,
        )


class LazyRollUps(Mapping[str, "RollUps"]):
    """Roll-ups of a frame that are made when somebody asks: few detectors do."""

    def __init__(
        self, topology: SiteTopology, metrics: Mapping[str, Metric], columns: Mapping[str, Column], at: float
    ) -> None:
        self._topology, self._metrics, self._columns, self._at = topology, metrics, columns, at
        self._made: dict[str, RollUps] = {}

    def __getitem__(self, name: str) -> RollUps:
        if name not in self._made:
            values = self._columns[name].current(self._at)
            self._made[name] = roll_up(self._topology, self._metrics[name], values)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
