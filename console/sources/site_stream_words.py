"""Reads what schedulers and other systems say from the site API's stream: jobs, node reports, facts, alerts, events."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.model.events import Event
from console.model.reading import (
    AlertsPart,
    EventsPart,
    FactsPart,
    JobsPart,
    NamedKeys,
    NodeReportsPart,
    ReservationsPart,
)
from console.model.scheduling import NodeReason, NodeState
from console.sources.site_jobs import job_of, lists_of
from console.sources.site_stream_lists import Rows
from console.sources.site_stream_numbers import Numbers
from console.sources.site_stream_rows import severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.model.events import Alert
    from console.model.jobs import Job
    from console.model.topology import SiteTopology
    from console.sources.site_bodies import Faults, WireEvent, WireJob
    from console.sources.site_stream_numbers import WireNumbers
    from console.sources.site_stream_rows import Names, Reader
    from console.sources.site_stream_wire import (
        WireAlert,
        WireAlerts,
        WireEventsRecord,
        WireFact,
        WireJobsRecord,
        WireReport,
        WireReservations,
    )

    Steps = NDArray[np.int32]

EVENTS_REMEMBERED = 4000
MOST_VOICES = 1000
_MOST_INT16 = 2**15 - 1


class JobReader:
    """The jobs of a site."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rows: Rows[WireJob, Job] = Rows(faults, "jobs", lambda wire: job_of(faults, wire))
        self._held = Numbers(faults, "jobs' gpu_job")
        self._starts, self._nodes = Numbers(faults, "jobs' node_starts"), Numbers(faults, "jobs' node_rows")
        self._sizes = {"node_starts": 0, "node_rows": 0}

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs as they were told last."""
        return self._rows.rows

    def read(self, wire: WireJobsRecord, topology: SiteTopology, behind_s: float) -> Iterator[JobsPart | None]:
        """Yield all jobs, and None between the steps that lead there; raises BadPayload."""
        if wire.edits is not None:
            places = yield from self._rows.edit(wire.edits)
            self._held.replace(self._moved(places))
        elif wire.jobs is not None:
            yield from self._rows.put(wire.jobs)
        elif wire.full:
            raise self._faults.bad("jobs are told as a whole and not listed")
        if wire.gpu_job is not None:
            self._held.take(wire.gpu_job, topology.gpus)
        held = self._held.steps()
        if len(held) != topology.gpus or (len(held) and int(held.max()) >= len(self.jobs)):
            raise self._faults.bad(
                f"jobs' gpu_job points beyond {len(self.jobs)} jobs, or is not of {topology.gpus} GPUs"
            )
        self._nodes_of(wire)
        starts, rows = self._starts.steps(), self._nodes.steps()
        lists, masks = lists_of(self._faults, topology, len(self.jobs), held, starts, rows)
        yield JobsPart(self.jobs, held, lists, masks, topology.version, wire.at + behind_s)

    def _nodes_of(self, wire: WireJobsRecord) -> None:
        for name, numbers, told in (
            ("node_starts", self._starts, wire.node_starts),
            ("node_rows", self._nodes, wire.node_rows),
        ):
            if told is not None:
                if told.full:
                    self._sizes[name] = told.data.nbytes // _size(self._faults, told)
                numbers.take(told, self._sizes[name])
            elif wire.full:
                self._sizes[name] = 0
                numbers.replace(np.zeros(0, dtype=np.int32))

    def _moved(self, places: list[int]) -> Steps:
        """Return which job holds each GPU by its place in the new list."""
        held = self._held.steps()
        old = np.array(places, dtype=np.int64)
        kept = np.flatnonzero(old >= 0)
        size = max(int(held.max(initial=-1)), int(old.max(initial=-1))) + 1
        table = np.full(size + 1, -1, dtype=np.int32)
        table[old[kept]] = kept
        return np.where(held >= 0, table[held], np.int32(-1))


class ReportReader:
    """What one scheduler says of the nodes of one topology, kept whole while what changes of it is told."""

    def __init__(self, faults: Faults, voice: str, topology: SiteTopology) -> None:
        self.topology = topology
        self._faults = faults
        self._voice = voice
        self._what = f"the node reports of {voice[:40]!r}"
        self._states: tuple[NodeState, ...] = ()
        self._reasons: dict[int, NodeReason] = {}
        self._arrays = {name: Numbers(faults, f"{self._what}: {name}") for name in ("codes", "gpus", "gpus_allocated")}

    def take(self, wire: WireReport) -> None:
        """Take what was told; raises BadPayload."""
        nodes = len(self.topology.nodes)
        if wire.states is not None:
            if not all(wire.states):
                raise self._faults.bad(f"{self._what} have a state without a word")
            self._states = tuple(NodeState(state[0], tuple(state[1:])) for state in wire.states)
        if wire.reasons is not None:
            if not all(0 <= each[0] < nodes for each in wire.reasons):
                raise self._faults.bad(f"{self._what} give a reason for a node beyond the {nodes} that there are")
            self._reasons = {node: NodeReason(text, at, by) for node, text, at, by in wire.reasons}
        told = {"codes": wire.codes, "gpus": wire.gpus, "gpus_allocated": wire.gpus_allocated}
        for name, numbers in told.items():
            if numbers is not None:
                self._arrays[name].take(numbers, nodes)

    def part(self, keys: NamedKeys, at: float) -> NodeReportsPart:
        """Return all that is known; raises BadPayload where that is not whole."""
        codes = self._arrays["codes"].steps()
        if len(codes) and int(codes.max()) >= len(self._states):
            raise self._faults.bad(f"{self._what} point beyond their {len(self._states)} states")
        gpus, allocated = self._small("gpus"), self._small("gpus_allocated")
        return NodeReportsPart(keys, self._states, codes, gpus, allocated, self._reasons, at, voice=self._voice)

    def _small(self, name: str) -> NDArray[np.int16]:
        numbers = self._arrays[name].steps()
        if len(numbers) and int(numbers.max()) > _MOST_INT16:
            raise self._faults.bad(f"{self._what} tell {name} of more than {_MOST_INT16}")
        return numbers.astype(np.int16)


class WordReader:
    """Everything else that voices say; each part carries the name of its voice."""

    def __init__(self, faults: Faults, names: Names, reader: Reader) -> None:
        self._faults = faults
        self._names = names
        self._reader = reader
        self._alerts: Rows[WireAlert, Alert] = Rows(faults, "alerts", reader.alert)
        self._origins: set[str] = set()
        self._reserving: set[str] = set()
        self._keys: tuple[SiteTopology, NamedKeys] | None = None
        self._reports: dict[str, ReportReader] = {}
        self._recent: deque[Event] = deque()
        self._known: set[Event] = set()

    def report(self, wire: WireReport, topology: SiteTopology, behind_s: float) -> NodeReportsPart:
        """What one scheduler says of nodes; raises BadPayload."""
        report = self._reports.get(wire.voice)
        if wire.full or report is None or report.topology is not topology:
            if len(self._reports) >= MOST_VOICES and wire.voice not in self._reports:
                raise self._faults.bad(f"more than {MOST_VOICES} voices report on nodes")
            report = self._reports[wire.voice] = ReportReader(self._faults, wire.voice, topology)
        report.take(wire)
        return report.part(self._nodes(topology), wire.at + behind_s)

    def fact(self, wire: WireFact, topology: SiteTopology, behind_s: float) -> FactsPart:
        """What one voice says that nodes have; raises BadPayload."""
        what = f"fact {wire.fact[:40]!r} of {wire.voice[:40]!r}"
        codes = self._codes(wire.codes, what, len(topology.nodes), len(wire.texts))
        texts = [*wire.texts, ""]
        values = tuple(map(texts.__getitem__, codes.tolist()))
        return FactsPart(wire.fact, self._nodes(topology), values, wire.at + behind_s, voice=wire.voice)

    def reservations(self, wire: WireReservations) -> list[ReservationsPart]:
        """The reservations of each voice; of one that told some and tells none now, that it has none."""
        told = {each.voice: tuple(map(self._reader.reservation, each.reservations)) for each in wire.reservations}
        gone = self._reserving - told.keys()
        self._reserving = set(told)
        return [ReservationsPart(each, voice=voice) for voice, each in {**told, **dict.fromkeys(gone, ())}.items()]

    def alerts(self, wire: WireAlerts) -> Iterator[AlertsPart | None]:
        """Yield the alerts of each origin; of one that told some and tells none now, that it has none."""
        if wire.edits is not None:
            yield from self._alerts.edit(wire.edits)
        elif wire.full:
            yield from self._alerts.put(wire.alerts)
        by_origin: dict[str, list[Alert]] = {origin: [] for origin in self._origins}
        for alert in self._alerts.rows:
            heard = replace(alert, heard_at=wire.heard.get(alert.origin, 0.0))
            by_origin.setdefault(alert.origin, []).append(heard)
        self._origins = {origin for origin, told in by_origin.items() if told}
        for origin, told in by_origin.items():
            yield AlertsPart(tuple(told), voice=origin)

    def events(self, wire: WireEventsRecord) -> EventsPart:
        """What happened that was not told before: a server that is heard anew tells the last of it once more."""
        new = [event for event in map(self._event, wire.events) if event not in self._known]
        for event in new:
            self._recent.append(event)
            self._known.add(event)
        while len(self._recent) > EVENTS_REMEMBERED:
            self._known.discard(self._recent.popleft())
        return EventsPart(tuple(new))

    def _event(self, wire: WireEvent) -> Event:
        path = self._names.path(wire.path)
        return Event(wire.at, self._names.site, path, wire.kind, severity(wire.severity), wire.text, wire.source)

    def _nodes(self, topology: SiteTopology) -> NamedKeys:
        if self._keys is None or self._keys[0] is not topology:
            self._keys = topology, NamedKeys("node", topology.nodes)
        return self._keys[1]

    def _codes(self, wire: WireNumbers, what: str, rows: int, texts: int) -> Steps:
        numbers = Numbers(self._faults, what)
        numbers.take(wire, rows)
        codes = numbers.steps()
        if len(codes) and int(codes.max()) >= texts:
            raise self._faults.bad(f"{what} point beyond their {texts} texts")
        return codes


def _size(faults: Faults, wire: WireNumbers) -> int:
    size = {"i1": 1, "i2": 2, "i4": 4}.get(wire.dtype)
    if size is None:
        raise faults.bad(f"whole numbers are of type {wire.dtype[:20]!r}")
    return size
