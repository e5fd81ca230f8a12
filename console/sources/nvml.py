"""The source of kind `nvml`: the GPUs of the machine that gigadeck runs on."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from console.model.errors import SourceError, TimedOut
from console.model.events import Event
from console.model.levels import Severity
from console.model.reading import EventsPart, Reading
from console.sources.nvml_reader import NvmlReader
from console.sources.smi.table import GpuTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Subject
    from console.model.reading import Part
    from console.sources.smi.values import SmiGpu

CADENCE_S = 2.0


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> NvmlSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    return NvmlSource(site, source, metrics)


class NvmlSource:
    """Reads this machine; satisfies Source.

    NVML blocks, and for good where a driver hangs: it is asked from one daemon thread, which is never doubled and
    never waited for at the end.
    """

    def __init__(
        self, site: SiteConfig, source: SourceConfig, metrics: MetricTable, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._who = (site.name, source.name or source.kind)
        self._node = str(source.options.get("node") or os.uname().nodename)
        self._limit_s = source.timeouts.read_s
        self._cadence_s = source.cadence_s or CADENCE_S
        self._metrics = metrics
        self._clock = clock
        self._reader = NvmlReader(self._who)
        self._table = GpuTable()
        self._told: set[str] = set()
        self._last: tuple[SmiGpu, ...] = ()
        self._asking = threading.Lock()

    async def read(self) -> Reading:
        """Return what every GPU says now; raises SourceError."""
        gpus = self._last = await self._ask()
        now = self._clock()
        return Reading(
            received_at=now,
            decode=lambda: self._parts(gpus, now),
            cadence_s=self._cadence_s,
            warnings=self._warnings(gpus),
            notes=self._notes(gpus),
        )

    async def record(self, subject: Subject) -> str:
        """Return what NVML said last of this machine's GPUs, or of one of them; empty for other machines."""
        if subject.job or self._node not in (subject.node, *subject.aliases):
            return ""
        wanted = [gpu for gpu in self._last if subject.gpu in (-1, gpu.index)]
        return "\n\n".join(_written(gpu) for gpu in wanted)

    async def aclose(self) -> None:
        """Let go of the driver, unless it hangs."""
        if self._asking.acquire(blocking=False):
            try:
                self._reader.close()
            finally:
                self._asking.release()

    async def _ask(self) -> tuple[SmiGpu, ...]:
        """Ask NVML on a thread of its own; raises SourceError, TimedOut while an earlier question has no answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[SmiGpu, ...]] = loop.create_future()
        if not self._asking.acquire(blocking=False):
            raise self._hangs()

        def tell(done: Callable[[Any], None], result: Any) -> None:
            if not answer.done():
                done(result)

        def ask() -> None:
            try:
                try:
                    gpus = self._reader.read()
                finally:
                    self._asking.release()
            except Exception as error:  # it crosses a thread: the reader raises it
                _deliver(loop, partial(tell, answer.set_exception, error))
            else:
                _deliver(loop, partial(tell, answer.set_result, gpus))

        threading.Thread(target=ask, name="nvml", daemon=True).start()
        try:
            async with asyncio.timeout(self._limit_s):
                return await answer
        except TimeoutError:
            raise self._hangs() from None

    def _hangs(self) -> SourceError:
        text = f"NVML gives no answer within {self._limit_s:g} s"
        return TimedOut(*self._who, text, "the driver may hang; look at dmesg for XIDs")

    def _parts(self, gpus: tuple[SmiGpu, ...], now: float) -> Iterator[Part]:
        events: list[Event] = []
        for gpu in gpus:
            # What is out of a metric's range is dropped and counted where all sources are merged.
            kept = {name: value for name, value in gpu.values.items() if name in self._metrics}
            self._table.put(self._node, replace(gpu, values=kept), now)
            events += self._news_of(gpu, now)
        yield from self._table.parts()
        yield from self._table.fact_parts(now)
        if events:
            yield EventsPart(tuple(events))

    def _news_of(self, gpu: SmiGpu, now: float) -> Iterator[Event]:
        if not gpu.faults:
            self._told.discard(gpu.key)
        elif gpu.key not in self._told:
            self._told.add(gpu.key)
            lost = "lost" in gpu.faults
            kind = "gpu-lost" if lost else "gpu-fault"
            text = "NVML has lost the GPU" if lost else f"NVML reports a fault instead of {', '.join(gpu.faults[:6])}"
            path = f"{self._who[0]}/{self._node}/g{gpu.index}"
            yield Event(now, self._who[0], path, kind, Severity.CRITICAL, text, self._who[1])

    def _warnings(self, gpus: tuple[SmiGpu, ...]) -> tuple[str, ...]:
        lost = [f"g{gpu.index}" for gpu in gpus if "lost" in gpu.faults]
        warnings = [f"{', '.join(lost)} lost: the driver has no answer for it; restart the node"] if lost else []
        if self._reader.denied:
            names = ", ".join(sorted(self._reader.denied))
            warnings.append(f"this user may not read {names}; run with more rights to see it")
        return tuple(warnings)

    def _notes(self, gpus: tuple[SmiGpu, ...]) -> dict[str, str]:
        mig = sum(1 for gpu in gpus if gpu.mig)
        notes = {"driver": self._reader.driver, "node": self._node}
        if mig:
            notes["MIG"] = f"on {mig} of {len(gpus)} GPUs: they have no utilisation of the whole"
        return notes


def _written(gpu: SmiGpu) -> str:
    head = [f"index={gpu.index}", f"uuid={gpu.uuid}", f"pci={gpu.pci}", f"model={gpu.model}", f"mig={gpu.mig}"]
    values = [f"{name}={value:.10g}" for name, value in gpu.values.items()]
    return "\n".join([*head, *values, f"faults={', '.join(gpu.faults) or 'none'}"])


def _deliver(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return  # the loop is closed: nobody wants to know any more
