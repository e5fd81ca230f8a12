"""Decodes what the nodes' streams hold: rows to columns, kernel logs and faults to events (compute thread)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.fault_log import FaultLog
from console.model.events import Event
from console.model.levels import Severity
from console.model.reading import EventsPart, Part
from console.sources.smi.rows import RowReader
from console.sources.smi.table import GpuTable
from console.sources.smi.xml import SmiXmlError, read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.metrics import MetricTable
    from console.sources.smi.values import SmiGpu
    from console.sources.ssh.watch import NodeWatch

NODES_A_STEP = 16
OLD_KERNEL_S = 60.0
MOST_READERS = 256


class Decoder:
    """Turns what the streams hold into parts; used by one thread at a time."""

    def __init__(self, who: tuple[str, str], metrics: MetricTable) -> None:
        self._site, self._source = who
        self._metrics = metrics
        self._table = GpuTable()
        self._readers: dict[tuple[str, ...], RowReader] = {}
        self._logs: dict[str, FaultLog] = {}
        self._told: set[tuple[str, str, str]] = set()

    def decode(self, watches: tuple[NodeWatch, ...], now: float) -> Iterator[Part]:
        """Yield columns, then events; returns to its caller after every few nodes."""
        events: list[Event] = []
        breath = EventsPart(())
        for done, watch in enumerate(watches):
            self._node(watch, now, events)
            if done % NODES_A_STEP == NODES_A_STEP - 1:
                yield breath
        yield from self._table.parts()
        yield from self._table.fact_parts(now)
        if events:
            yield EventsPart(tuple(events))

    def _node(self, watch: NodeWatch, now: float, events: list[Event]) -> None:
        node, stream = watch.node, watch.stream
        for at, gpu in self._newest(watch):
            self._table.put(node, self._with_xid(watch, gpu, now), at)
            self._tell(events, at, node, gpu)
        for pci in tuple(stream.lost):
            self._table.lose(node, pci, now)
            text = f"GPU {pci} is lost: the driver has no handle for it; restart the node to recover it"
            self._once(events, (node, pci, "lost"), now, f"{node}", "gpu-lost", Severity.CRITICAL, text)
        if stream.kernel:
            self._kernel(watch, events)
        silent_s = watch.silent_s(now)
        if silent_s:
            text = f"nvidia-smi is silent for {silent_s:.0f} s: it may hang in the driver"
            self._once(events, (node, "", "silent"), now, node, "silent", Severity.WARNING, text)
        else:
            self._told.discard((node, "", "silent"))

    def _with_xid(self, watch: NodeWatch, gpu: SmiGpu, now: float) -> SmiGpu:
        """Add the last XID, which nvidia-smi does not tell, where the kernel log is read."""
        if watch.stream.kernel_log not in ("journal", "dmesg") or not gpu.pci:
            return gpu
        log = self._logs.get(watch.node)
        return replace(gpu, values={**gpu.values, "xid": float(log.last_xid(gpu.pci, now)) if log else 0.0})

    def _newest(self, watch: NodeWatch) -> Iterator[tuple[float, SmiGpu]]:
        """Yield the newest row of each GPU that came since the last time."""
        rows, newest = watch.stream.rows, {}
        while rows:
            at, fields, text = rows.popleft()
            newest[text.partition(",")[0] if fields else ""] = (at, fields, text)
        for at, fields, text in newest.values():
            if fields:
                gpu = self._reader(fields).read(text)
                if gpu is not None:
                    yield at, gpu
            else:
                yield from ((at, gpu) for gpu in self._document(text))

    def _document(self, text: str) -> tuple[SmiGpu, ...]:
        try:
            return read_xml(text, self._metrics)
        except SmiXmlError:
            return ()  # the next one comes within a period; a node that sends no good one grows stale

    def _reader(self, fields: tuple[str, ...]) -> RowReader:
        reader = self._readers.get(fields)
        if reader is None:
            if len(self._readers) >= MOST_READERS:
                self._readers.clear()
            reader = self._readers[fields] = RowReader(fields, self._metrics)
        return reader

    def _kernel(self, watch: NodeWatch, events: list[Event]) -> None:
        log = self._logs.get(watch.node)
        if log is None:
            log = self._logs[watch.node] = FaultLog(self._site, watch.node, self._source)
        log.slots = self._table.slots_of(watch.node)
        while watch.stream.kernel:
            at, line = watch.stream.kernel.popleft()
            event = log.feed(line, at)
            # dmesg tells everything since the node started first; that is history, and may have been told before.
            if event is not None and event.at >= at - OLD_KERNEL_S:
                events.append(event)

    def _tell(self, events: list[Event], at: float, node: str, gpu: SmiGpu) -> None:
        where = f"{node}/g{gpu.index}" if gpu.index >= 0 else node
        key = (node, gpu.key, "fault")
        if gpu.faults:
            text = f"nvidia-smi reports a fault instead of {', '.join(gpu.faults[:6])}"
            self._once(events, key, at, where, "gpu-fault", Severity.CRITICAL, text)
        elif any(not math.isnan(value) for value in gpu.values.values()):
            self._told.discard(key)

    def _once(
        self,
        events: list[Event],
        key: tuple[str, str, str],
        at: float,
        where: str,
        kind: str,
        severity: Severity,
        text: str,
    ) -> None:
        if key not in self._told:
            self._told.add(key)
            events.append(Event(at, self._site, f"{self._site}/{where}", kind, severity, text, self._source))
