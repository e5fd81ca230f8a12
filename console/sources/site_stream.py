"""Reads the stream of the native site API (docs/site-api.md): records to parts; every claim in them is checked."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from console.model.columns import same_time
from console.model.levels import SITE_LEVELS, Level
from console.model.reading import AggregatePart, ColumnPart, InOrder, JudgedPart, NamedKeys, SomeRows, TopologyPart
from console.sources.site_bodies import Faults
from console.sources.site_stream_judged import JudgedReader
from console.sources.site_stream_numbers import Numbers
from console.sources.site_stream_rows import Names, Reader
from console.sources.site_stream_wire import (
    WireAggregates,
    WireAlerts,
    WireColumnRecord,
    WireEventsRecord,
    WireFact,
    WireHello,
    WireJobsRecord,
    WireJudged,
    WireRange,
    WireRecord,
    WireReport,
    WireReservations,
    WireSilent,
    WireTopologyRecord,
)
from console.sources.site_stream_words import JobReader, WordReader
from console.sources.site_topology import read_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from console.model.columns import Values
    from console.model.jobs import Job
    from console.model.metrics import Metric, MetricTable
    from console.model.reading import Part
    from console.model.topology import SiteTopology

MOST_RECORD_BYTES = 64 * 1024 * 1024
MOST_BODY_BYTES = 256 * 1024 * 1024
MOST_IN_RANGE = 4096
_LENGTH_BYTES = 4
_PLAIN, _ZLIB = 0, 1
_LEVELS = frozenset(map(str, SITE_LEVELS))
_NOBODY = Faults("", "")

T = TypeVar("T")


def split(buffer: bytes, faults: Faults = _NOBODY) -> tuple[list[bytes], bytes]:
    """Return the records that are whole (coding and body, without the length) and the bytes that are left.

    Raises BadPayload for a record of no bytes or of more than 64 MiB. Where none is whole, what is left is the same
    object.
    """
    records = []
    at = 0
    while len(buffer) - at >= _LENGTH_BYTES:
        length = int.from_bytes(buffer[at : at + _LENGTH_BYTES], "big")
        if not 0 < length <= MOST_RECORD_BYTES:
            raise faults.bad(f"a record of the stream is said to be {length} bytes long")
        end = at + _LENGTH_BYTES + length
        if end > len(buffer):
            break
        records.append(bytes(buffer[at + _LENGTH_BYTES : end]))
        at = end
    return records, buffer[at:] if at else buffer


class StreamDecoder:
    """One stream as it was told, and what it leads to; on the compute thread.

    `there` is the site's name on the server, `behind_s` turns the server's times of samples into ours. After an error
    the stream has to be read anew, by another decoder.
    """

    def __init__(self, faults: Faults, site: str, there: str, metrics: MetricTable, *, version_after: int = 0) -> None:
        self.behind_s = 0.0
        self.seq = 0
        self.log = ""
        self._faults = faults
        self._site = site
        self._metrics = metrics
        names = Names(site, there)
        reader = Reader(names)
        self._names = names
        self._version_after = version_after
        self._topology: SiteTopology | None = None
        self._tag = ""
        self._version = -1
        self._columns: dict[str, Numbers] = {}
        self._fields: dict[tuple[str, str], Numbers] = {}
        self._counts: dict[tuple[str, str], Numbers] = {}
        self._looked_at: tuple[SomeRows, dict[str, Values]] | None = None
        self._keys: dict[str, NamedKeys] = {}
        self._orders: dict[str, InOrder] = {}
        self._jobs = JobReader(faults)
        self._words = WordReader(faults, names, reader)
        self._judged = JudgedReader(faults, names, reader)
        self._readers: Mapping[str, Callable[[memoryview | bytes], Iterator[Part]]] = {
            "hello": self._hello,
            "topology": self._new_topology,
            "column": self._column,
            "aggregates": self._aggregates,
            "range": self._range,
            "silent": self._silent,
            "jobs": self._job_list,
            "reports": self._reports,
            "facts": self._facts,
            "reservations": self._reservations,
            "alerts": self._alerts,
            "events": self._events,
            "judged": self._judgement,
        }

    @property
    def topology(self) -> SiteTopology | None:
        """The site as it was told last."""
        return self._topology

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs as they were told last."""
        return self._jobs.jobs

    def columns(self) -> dict[str, tuple[str, Values]]:
        """Return level and values of each metric as they were told last."""
        return {name: (self._metrics[name].level, told.values()) for name, told in self._columns.items()}

    def feed(self, record: bytes) -> Iterator[Part]:
        """Yield the parts of one record (coding and body); types that are not known are passed over.

        Raises BadPayload.
        """
        body = self._body(record)
        head = self._faults.decode(body, WireRecord, "a record of the stream")
        self.seq = head.seq or self.seq
        read = self._readers.get(head.type)
        if read is not None:
            yield from read(body)

    def _body(self, record: bytes) -> memoryview | bytes:
        if not record or record[0] not in (_PLAIN, _ZLIB):
            raise self._faults.bad(f"a record of the stream has coding {record[0] if record else 'none'}")
        if record[0] == _PLAIN:
            return memoryview(record)[1:]
        stream = zlib.decompressobj()
        try:
            body = stream.decompress(memoryview(record)[1:], MOST_BODY_BYTES)
        except zlib.error as error:
            raise self._faults.bad(f"a record of the stream cannot be decompressed: {error}") from None
        if not stream.eof:
            raise self._faults.bad(f"a record of the stream is cut off, or more than {MOST_BODY_BYTES} bytes")
        return body

    def _as(self, body: memoryview | bytes, shape: type[T], what: str) -> T:
        return self._faults.decode(body, shape, f"a record of type {what}")

    def _hello(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireHello, "hello")
        self.log = wire.log
        self._judged.keeper = wire.keeper or self._judged.keeper
        return iter(())

    def _new_topology(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireTopologyRecord, "topology")
        if self._topology is None or wire.tag != self._tag:
            tag, topology = read_topology(self._faults, self._site, wire.body, self._version_after)
            if tag != wire.tag:
                raise self._faults.bad("the topology's tag is not the one of its record")
            self._topology, self._tag, self._version_after = topology, tag, topology.version
        self._version = wire.version
        self._forget()
        yield TopologyPart(self._topology)

    def _forget(self) -> None:
        """Forget what was in the order of the last topology; nothing is a difference to it any more."""
        for table in (self._columns, self._fields, self._counts, self._keys, self._orders):
            table.clear()
        self._looked_at = None

    def _known(self, version: int, what: str) -> SiteTopology:
        if self._topology is None or version != self._version:
            raise self._faults.bad(f"{what} is of topology version {version}, which was not told")
        return self._topology

    def _rows(self, topology: SiteTopology, level: str) -> int:
        if level in _LEVELS:
            return topology.count(Level(level))
        domain = topology.domains.get(level)
        return len(domain.names) if domain else 0

    def _metric(self, name: str, level: str) -> Metric | None:
        """Return the metric, None for one that this fleet file does not know."""
        metric = self._metrics.get(name)
        if metric is not None and metric.level != level:
            raise self._faults.bad(f"{metric.name} is measured by {metric.level}, not by {level[:40]!r}")
        return metric

    def _column(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireColumnRecord, "column")
        topology = self._known(wire.version, f"column {wire.metric[:40]!r}")
        metric = self._metric(wire.metric, wire.level)
        if metric is None:
            return
        rows = self._rows(topology, metric.level)
        numbers = self._columns.get(metric.name) or Numbers(self._faults, metric.name)
        numbers.take(wire, rows)
        self._columns[metric.name] = numbers
        if not rows:
            return
        order = self._orders.get(metric.level)
        if order is None:
            order = self._orders[metric.level] = InOrder(metric.level, topology.version, rows)
        at = self._faults.time(wire.at, metric.name) + self.behind_s
        values = numbers.values()
        if self._looked_at is not None and metric.level == Level.GPU:
            self._looked_at[1][metric.name] = values[self._looked_at[0].rows]
        yield ColumnPart(metric.name, order, values, same_time(at, rows))

    def _aggregates(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireAggregates, "aggregates")
        topology = self._known(wire.version, "an aggregate")
        if wire.level not in _LEVELS or wire.level == Level.GPU:
            return
        rows = topology.count(Level(wire.level))
        at = same_time(self._faults.time(wire.at, "the aggregates") + self.behind_s, rows)
        for name, told in wire.counts.items():
            if name in self._metrics:
                self._numbers(self._counts, wire.level, name).take(told, rows)
        for field, told in wire.fields.items():
            if self._metrics.aggregate(field) is not None:
                self._numbers(self._fields, wire.level, field).take(told, rows)
        keys = self._named(topology, wire.level)
        for (level, field), numbers in list(self._fields.items()):
            known = self._metrics.aggregate(field)
            if level == wire.level and known is not None and rows:
                count = self._counts.get((level, known[0].name))
                yield AggregatePart(field, keys, numbers.values(), at, None if count is None else count.values())

    def _numbers(self, table: dict[tuple[str, str], Numbers], level: str, name: str) -> Numbers:
        found = table.get((level, name))
        if found is None:
            found = table[level, name] = Numbers(self._faults, f"{name[:40]} by {level}")
        return found

    def _named(self, topology: SiteTopology, level: str) -> NamedKeys:
        """Return the rows of a level by their addresses below the site, the same object each time."""
        keys = self._keys.get(level)
        if keys is None:
            where = Level(level)
            paths = (topology.path(where, row) for row in range(topology.count(where)))
            names = topology.nodes if where is Level.NODE else tuple(path.partition("/")[2] or path for path in paths)
            keys = self._keys[level] = NamedKeys(level, names)
        return keys

    def _range(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireRange, "range")
        topology = self._known(wire.version, "a range")
        if wire.level != Level.GPU:
            return
        length = wire.stop - wire.start
        if not 0 < length <= MOST_IN_RANGE or wire.stop > topology.gpus:
            raise self._faults.bad(f"a range is of GPUs {wire.start} to {wire.stop} of {topology.gpus}")
        rows = slice(wire.start, wire.stop)
        keys, before = self._looked(topology, rows)
        for name, told in wire.columns.items():
            if self._metric(name, wire.level) is None:
                continue
            numbers = Numbers(self._faults, f"the range's {name[:40]}")
            numbers.take(told, length)
            at = self._faults.time(wire.at if told.at is None else told.at, "the range") + self.behind_s
            values, held = numbers.values(), before.get(name)
            before[name] = values
            if held is None or not np.array_equal(held, values, equal_nan=True):
                yield ColumnPart(name, keys, values, same_time(at, length), full=False)

    def _looked(self, topology: SiteTopology, rows: slice) -> tuple[SomeRows, dict[str, Values]]:
        """Return the keys of a range and what is held of it by metric: what is as it was needs no new column."""
        known = self._looked_at
        if known is None or len(known[0]) != rows.stop - rows.start or int(known[0].rows[0]) != rows.start:
            numbers = np.arange(rows.start, rows.stop, dtype=np.int32)
            held = {name: told.values()[rows] for name, told in self._columns.items() if told.rows == topology.gpus}
            gpu = {name: values for name, values in held.items() if self._metrics[name].level == Level.GPU}
            known = self._looked_at = SomeRows("gpu", topology.version, numbers), gpu
        return known

    def _silent(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireSilent, "silent")
        topology = self._known(wire.version, "a list of silent GPUs")
        if not 0 < wire.count <= topology.gpus:
            raise self._faults.bad(f"{wire.count} GPUs of {topology.gpus} are said to be silent")
        numbers = Numbers(self._faults, "silent GPUs")
        numbers.take(wire.rows, wire.count)
        rows = numbers.steps()
        if int(rows.min()) < 0 or int(rows.max()) >= topology.gpus:
            raise self._faults.bad(f"silent GPUs are beyond the {topology.gpus} that there are")
        at = same_time(self._faults.time(wire.at, "the silent GPUs") + self.behind_s, len(rows))
        keys = SomeRows("gpu", topology.version, rows)
        missing = np.full(len(rows), np.nan, dtype=np.float32)
        missing.flags.writeable = False
        self._looked_at = None
        for name, told in self._columns.items():
            if self._metrics[name].level == Level.GPU:
                told.blank(rows)
                yield ColumnPart(name, keys, missing, at, full=False)

    def _job_list(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireJobsRecord, "jobs")
        yield self._jobs.read(wire, self._known(self._version, "a list of jobs"), self.behind_s)

    def _reports(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireReport, "reports")
        yield self._words.report(wire, self._known(wire.version, "a report"), self.behind_s)

    def _facts(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireFact, "facts")
        yield self._words.fact(wire, self._known(wire.version, "a fact"), self.behind_s)

    def _reservations(self, body: memoryview | bytes) -> Iterator[Part]:
        yield from self._words.reservations(self._as(body, WireReservations, "reservations"))

    def _alerts(self, body: memoryview | bytes) -> Iterator[Part]:
        yield from self._words.alerts(self._as(body, WireAlerts, "alerts"))

    def _events(self, body: memoryview | bytes) -> Iterator[Part]:
        part = self._words.events(self._as(body, WireEventsRecord, "events"))
        if part.events:
            yield part

    def _judgement(self, body: memoryview | bytes) -> Iterator[Part]:
        yield JudgedPart(self._judged.read(self._as(body, WireJudged, "judged")))
