"""Reads columns, aggregates and ranges from the site API's stream, in the order of one topology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.columns import same_time
from console.model.levels import SITE_LEVELS, Level
from console.model.reading import AggregatePart, ColumnPart, InOrder, NamedKeys, SomeRows
from console.sources.site_stream_numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.model.columns import Values
    from console.model.metrics import Metric, MetricTable
    from console.model.reading import Part
    from console.model.topology import SiteTopology
    from console.sources.site_bodies import Faults
    from console.sources.site_stream_numbers import WireNumbers
    from console.sources.site_stream_wire import WireAggregates, WireColumnRecord, WireRange, WireSilent

MOST_IN_RANGE = 4096
_LEVELS = frozenset(map(str, SITE_LEVELS))
_RANGES = (Level.NODE, Level.GPU)


class ColumnReader:
    """What was told of the columns of one topology; after another one there is another reader."""

    def __init__(self, faults: Faults, metrics: MetricTable, topology: SiteTopology) -> None:
        self.columns: dict[str, Numbers] = {}
        self._faults = faults
        self._metrics = metrics
        self._topology = topology
        self._fields: dict[tuple[str, str], Numbers] = {}
        self._counts: dict[tuple[str, str], Numbers] = {}
        self._keys: dict[str, NamedKeys] = {}
        self._orders: dict[str, InOrder] = {}
        self._looked_at: tuple[SomeRows, dict[str, Values]] | None = None

    def column(self, wire: WireColumnRecord, behind_s: float) -> Iterator[Part]:
        """Yield a column; raises BadPayload."""
        metric = self._metric(wire.metric, wire.level)
        if metric is None:
            return
        rows = self._rows(metric.level)
        numbers = self.columns.get(metric.name) or Numbers(self._faults, metric.name)
        numbers.take(wire, rows)
        self.columns[metric.name] = numbers
        if not rows:
            return
        order = self._orders.get(metric.level)
        if order is None:
            order = self._orders[metric.level] = InOrder(metric.level, self._topology.version, rows)
        values = numbers.values()
        if self._looked_at is not None and metric.level == self._looked_at[0].level:
            self._looked_at[1][metric.name] = values[self._looked_at[0].rows]
        at = self._faults.time(wire.at, metric.name) + behind_s
        yield ColumnPart(metric.name, order, values, same_time(at, rows))

    def aggregates(self, wire: WireAggregates, behind_s: float) -> Iterator[Part]:
        """Yield every aggregate of a level, also those that are as they were; raises BadPayload."""
        if wire.level not in _LEVELS or wire.level == Level.GPU:
            return
        rows = self._topology.count(Level(wire.level))
        at = same_time(self._faults.time(wire.at, "the aggregates") + behind_s, rows)
        self._take(self._counts, wire.level, rows, {k: v for k, v in wire.counts.items() if k in self._metrics})
        self._take(self._fields, wire.level, rows, self._known_fields(wire.fields))
        keys = self._named(wire.level)
        for (level, field), numbers in list(self._fields.items()):
            known = self._metrics.aggregate(field)
            if level == wire.level and known is not None and rows:
                count = self._counts.get((level, known[0].name))
                yield AggregatePart(field, keys, numbers.values(), at, None if count is None else count.values())

    def range(self, wire: WireRange, behind_s: float) -> Iterator[Part]:
        """Yield what changed of what is looked at; raises BadPayload."""
        length = wire.stop - wire.start
        if wire.level not in _RANGES:
            return
        if not 0 < length <= MOST_IN_RANGE or wire.stop > self._rows(wire.level):
            words = f"{wire.level}s {wire.start} to {wire.stop} of {self._rows(wire.level)}"
            raise self._faults.bad(f"a range is of {words}")
        keys, before = self._looked(wire.level, slice(wire.start, wire.stop))
        for name, told in wire.columns.items():
            if self._metric(name, wire.level) is None:
                continue
            values = self._of_range(name, told, length)
            at = self._faults.time(wire.at if told.at is None else told.at, "the range") + behind_s
            held = before.get(name)
            before[name] = values
            if held is None or not np.array_equal(held, values, equal_nan=True):
                yield ColumnPart(name, keys, values, same_time(at, length), full=False)
        if wire.level == Level.NODE:
            yield from self._range_fields(wire, behind_s)

    def silent(self, wire: WireSilent, behind_s: float) -> Iterator[Part]:
        """Yield, for each metric of GPUs, that some of them are missing; raises BadPayload."""
        gpus = self._topology.gpus
        if not 0 < wire.count <= gpus:
            raise self._faults.bad(f"{wire.count} GPUs of {gpus} are said to be silent")
        numbers = Numbers(self._faults, "silent GPUs")
        numbers.take(wire.rows, wire.count)
        rows = numbers.steps()
        if int(rows.min()) < 0 or int(rows.max()) >= gpus:
            raise self._faults.bad(f"silent GPUs are beyond the {gpus} that there are")
        at = same_time(self._faults.time(wire.at, "the silent GPUs") + behind_s, len(rows))
        keys = SomeRows("gpu", self._topology.version, rows)
        missing = np.full(len(rows), np.nan, dtype=np.float32)
        missing.flags.writeable = False
        self._looked_at = None
        for name, told in self.columns.items():
            if self._metrics[name].level == Level.GPU:
                told.blank(rows)
                yield ColumnPart(name, keys, missing, at, full=False)

    def _range_fields(self, wire: WireRange, behind_s: float) -> Iterator[Part]:
        """Yield the aggregates of the nodes of a range."""
        length = wire.stop - wire.start
        at = same_time(self._faults.time(wire.at, "the range") + behind_s, length)
        place = f"{wire.level} {wire.start}:{wire.stop}"
        keys = self._keys.get(place)
        if keys is None:
            self._forget_places()
            keys = self._keys[place] = NamedKeys(wire.level, tuple(self._topology.nodes[wire.start : wire.stop]))
        for field, told in self._known_fields(wire.fields).items():
            yield AggregatePart(field, keys, self._of_range(field, told, length), at)

    def _forget_places(self) -> None:
        """Let go of the keys of other ranges: only one is looked at."""
        self._keys = {name: keys for name, keys in self._keys.items() if name in _LEVELS}

    def _of_range(self, name: str, told: WireNumbers, length: int) -> Values:
        numbers = Numbers(self._faults, f"the range's {name[:40]}")
        numbers.take(told, length)
        return numbers.values()

    def _looked(self, level: str, rows: slice) -> tuple[SomeRows, dict[str, Values]]:
        """Return the keys of a range and what is held of it by metric: what is as it was needs no new column."""
        known = self._looked_at
        numbers = np.arange(rows.start, rows.stop, dtype=np.int32)
        if known is None or known[0].level != level or not np.array_equal(known[0].rows, numbers):
            here = {name: told for name, told in self.columns.items() if self._metrics[name].level == level}
            held = {name: told.values()[numbers] for name, told in here.items() if told.rows == self._rows(level)}
            known = self._looked_at = SomeRows(level, self._topology.version, numbers), held
        return known

    def _take(
        self, table: dict[tuple[str, str], Numbers], level: str, rows: int, told: Mapping[str, WireNumbers]
    ) -> None:
        for name, numbers in told.items():
            found = table.get((level, name)) or Numbers(self._faults, f"{name[:40]} by {level}")
            found.take(numbers, rows)
            table[level, name] = found

    def _known_fields(self, fields: Mapping[str, WireNumbers]) -> dict[str, WireNumbers]:
        return {field: told for field, told in fields.items() if self._metrics.aggregate(field) is not None}

    def _rows(self, level: str) -> int:
        if level in _LEVELS:
            return self._topology.count(Level(level))
        domain = self._topology.domains.get(level)
        return len(domain.names) if domain else 0

    def _metric(self, name: str, level: str) -> Metric | None:
        """Return the metric, None for one that this fleet file does not know."""
        metric = self._metrics.get(name)
        if metric is not None and metric.level != level:
            raise self._faults.bad(f"{metric.name} is measured by {metric.level}, not by {level[:40]!r}")
        return metric

    def _named(self, level: str) -> NamedKeys:
        """Return the rows of a level by their addresses below the site, the same object each time."""
        keys = self._keys.get(level)
        if keys is None:
            topology, where = self._topology, Level(level)
            if where is Level.NODE:
                return self._keys.setdefault(level, NamedKeys(level, topology.nodes))
            paths = (topology.path(where, row) for row in range(topology.count(where)))
            names = tuple(path.partition("/")[2] or path for path in paths)
            keys = self._keys[level] = NamedKeys(level, names)
        return keys
