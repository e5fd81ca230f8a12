"""Sources that do as they are told, for tests of the engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from console.model.columns import same_time
from console.model.reading import ColumnPart, InOrder, Reading, TopologyPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from console.engine.record import SourceRecord
    from console.model.errors import SourceError
    from console.model.reading import Part
    from console.model.topology import SiteTopology


def reading_of(parts: Sequence[Part], received_at: float = 1_800_000_000.0, **more: float) -> Reading:
    """Return a reading that decodes to these parts."""

    def decode() -> Iterator[Part]:
        yield from parts

    return Reading(received_at, decode, **more)  # type: ignore[arg-type]  # numbers only


class ScriptedSource:
    """Plays one step a read: a reading, an exception to raise, or 'hang'; the last step repeats."""

    def __init__(self, *steps: Reading | Exception | str) -> None:
        self.steps = list(steps)
        self.reads = 0
        self.closed = False

    async def read(self) -> Reading:
        step = self.steps[min(self.reads, len(self.steps) - 1)]
        self.reads += 1
        if isinstance(step, Exception):
            raise step
        if isinstance(step, str):
            await asyncio.Event().wait()
            raise AssertionError("unreachable")
        return step

    async def aclose(self) -> None:
        self.closed = True


class SteadySource:
    """Offers a topology once and then one temperature for every GPU, sampled now."""

    def __init__(self, topology: SiteTopology, now: Callable[[], float], temp_c: float = 50.0) -> None:
        self.topology = topology
        self.temp_c = temp_c
        self.reads = 0
        self._now = now

    async def read(self) -> Reading:
        first, self.reads = self.reads == 0, self.reads + 1
        at, temp_c = self._now(), self.temp_c

        def decode() -> Iterator[Part]:
            if first:
                yield TopologyPart(self.topology)
            keys = InOrder("gpu", self.topology.version, self.topology.gpus)
            values = np.full(self.topology.gpus, temp_c, dtype=np.float32)
            yield ColumnPart("temp_c", keys, values, same_time(at, self.topology.gpus))

        return Reading(at, decode, cadence_s=0.2)

    async def aclose(self) -> None:
        return None


class Sink:
    """Takes decoded parts and remembers what it heard."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, Part]] = []
        self.done: list[tuple[str, float]] = []
        self.errors: list[SourceError] = []

    def prepare(self, record: SourceRecord, part: Part) -> Iterator[None]:
        return iter(())

    def apply(self, record: SourceRecord, reading: Reading, part: Part) -> None:
        self.parts.append((record.setup.name, part))

    def decoded(self, record: SourceRecord, reading: Reading, data_at: float) -> None:
        self.done.append((record.setup.name, data_at))

    def undecodable(self, record: SourceRecord, error: SourceError) -> None:
        self.errors.append(error)
