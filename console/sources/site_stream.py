"""Reads the stream of the native site API (docs/site-api.md): records to parts; every claim in them is checked."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, TypeVar

from console.model.reading import EventsPart, TopologyPart
from console.sources.site_bodies import Faults
from console.sources.site_stream_columns import ColumnReader
from console.sources.site_stream_judged import JudgedReader
from console.sources.site_stream_judged_wire import WireJudged
from console.sources.site_stream_rows import Names, Reader
from console.sources.site_stream_wire import (
    WireAggregates,
    WireAlerts,
    WireColumnRecord,
    WireEventsRecord,
    WireFact,
    WireHello,
    WireJobsRecord,
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
    from console.model.metrics import MetricTable
    from console.model.reading import Part
    from console.model.topology import SiteTopology

MOST_RECORD_BYTES = 64 * 1024 * 1024
MOST_BODY_BYTES = 256 * 1024 * 1024
_LENGTH_BYTES = 4
_PLAIN, _ZLIB = 0, 1
_NOBODY = Faults("", "")
# Lets the compute thread go on with something else while a long list is read.
_BREATH = EventsPart(())

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
        self._columns: ColumnReader | None = None
        self._jobs = JobReader(faults)
        self._words = WordReader(faults, names, reader)
        self._judged = JudgedReader(faults, names, reader)
        self._readers: Mapping[str, Callable[[memoryview | bytes], Iterator[Part | None]]] = {
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
        told = {} if self._columns is None else self._columns.columns
        return {name: (self._metrics[name].level, each.values()) for name, each in told.items()}

    def feed(self, record: bytes) -> Iterator[Part]:
        """Yield the parts of one record (coding and body), in short steps; types that are not known are passed over.

        Raises BadPayload.
        """
        body = self._body(record)
        head = self._faults.decode(body, WireRecord, "a record of the stream")
        self._follows(head)
        read = self._readers.get(head.type)
        if read is not None:
            for part in read(body):
                yield _BREATH if part is None else part

    def _follows(self, head: WireRecord) -> None:
        """Take a record's number; raises BadPayload where one before it is missing."""
        if head.seq == 0:
            # A beginning has no numbers until its end; what is for us alone has none either.
            self.seq = 0 if head.type == "topology" else self.seq
            return
        if self.seq and head.seq != self.seq + 1:
            raise self._faults.bad(f"record {head.seq} of the stream came after record {self.seq}")
        self.seq = head.seq

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
        self._columns = ColumnReader(self._faults, self._metrics, self._topology)
        yield TopologyPart(self._topology)

    def _known(self, version: int, what: str) -> SiteTopology:
        if self._topology is None or version != self._version:
            raise self._faults.bad(f"{what} is of topology version {version}, which was not told")
        return self._topology

    def _read_columns(self, version: int, what: str) -> ColumnReader:
        self._known(version, what)
        assert self._columns is not None  # it is made with the topology
        return self._columns

    def _column(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireColumnRecord, "column")
        return self._read_columns(wire.version, f"column {wire.metric[:40]!r}").column(wire, self.behind_s)

    def _aggregates(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireAggregates, "aggregates")
        return self._read_columns(wire.version, "an aggregate").aggregates(wire, self.behind_s)

    def _range(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireRange, "range")
        return self._read_columns(wire.version, "a range").range(wire, self.behind_s)

    def _silent(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireSilent, "silent")
        return self._read_columns(wire.version, "a list of silent GPUs").silent(wire, self.behind_s)

    def _job_list(self, body: memoryview | bytes) -> Iterator[Part | None]:
        wire = self._as(body, WireJobsRecord, "jobs")
        return self._jobs.read(wire, self._known(self._version, "a list of jobs"), self.behind_s)

    def _reports(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireReport, "reports")
        yield self._words.report(wire, self._known(wire.version, "a report"), self.behind_s)

    def _facts(self, body: memoryview | bytes) -> Iterator[Part]:
        wire = self._as(body, WireFact, "facts")
        yield self._words.fact(wire, self._known(wire.version, "a fact"), self.behind_s)

    def _reservations(self, body: memoryview | bytes) -> Iterator[Part]:
        yield from self._words.reservations(self._as(body, WireReservations, "reservations"))

    def _alerts(self, body: memoryview | bytes) -> Iterator[Part | None]:
        return self._words.alerts(self._as(body, WireAlerts, "alerts"))

    def _events(self, body: memoryview | bytes) -> Iterator[Part]:
        part = self._words.events(self._as(body, WireEventsRecord, "events"))
        if part.events:
            yield part

    def _judgement(self, body: memoryview | bytes) -> Iterator[Part | None]:
        return self._judged.read(self._as(body, WireJudged, "judged"))
