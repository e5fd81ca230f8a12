"""Turns answers into columns on the compute thread: joins, sentinels, units, times, repeated rows, frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from console.model.reading import ColumnPart, EventsPart, Part
from console.sources.exposition.series import Order, Rows, SeriesBook, reduce, spread
from console.sources.exposition.text import TextDecoder
from console.sources.exposition.values import MIG_ACTIVE, measured
from console.sources.prometheus.answers import RowDecoder, Shape
from console.sources.prometheus.catalog import ANCHORS
from console.sources.prometheus.frozen import FrozenWatch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from numpy.typing import NDArray

    from console.model.columns import Times, Values
    from console.model.metrics import Metric, MetricTable
    from console.sources.exposition.labels import Spelling
    from console.sources.exposition.who import Who

BREATH: Part = EventsPart(())
MOST_INTERVALS = 400
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Answer:
    """Bodies of one metric by series name (`metric` empty: of any), as the loop thread got them.

    `full` says that what they do not name is missing; `skew_s` is the store's clock minus ours.
    """

    shape: Shape
    contents: Mapping[str, list[bytes]]
    received_at: float
    metric: str = ""
    full: bool = True
    skew_s: float = 0.0


@dataclass(eq=False)
class Findings:
    """What the compute thread saw, for the next reading to say; replaced whole, never shared half-written."""

    rows: int = 0
    repeated: int = 0
    ahead: int = 0
    unnamed: int = 0
    intervals: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    reporting: dict[str, int] = field(default_factory=dict)


class Columns:
    """The decoder of one source; used by the compute thread alone."""

    def __init__(self, metrics: MetricTable, spelling: Spelling, who: Who) -> None:
        self._metrics = metrics
        self._decoder = RowDecoder(spelling, who)
        self._lean = RowDecoder(spelling, who, lean=True) if spelling.uuid else None
        self._book = SeriesBook()
        self._text = TextDecoder(spelling, who)
        self.frozen = FrozenWatch()
        self.findings = Findings()

    def decode(self, answer: Answer) -> Iterator[Part]:
        """Yield the columns of an answer, and an empty part between slices; raises BadPayload."""
        metric = self._metrics.get(answer.metric)
        if metric is None:
            found: dict[str, Rows] = {}
            for content in answer.contents.get("", []):
                yield from self._rows(self._decoder, answer, content, found, "")
            yield from self._several(answer, found)
            return
        covered: set[str] = set()
        for number, (name, contents) in enumerate(answer.contents.items()):
            # Nodes are looked at once a sweep; where every UUID is known the other metrics need nothing else.
            lean = not number and self._lean is not None and metric.name not in ANCHORS[:1] and len(self._book) > 0
            rows, order = yield from self._placed(answer, name, contents, covered, lean=lean)
            if number == 0 or len(rows):
                scale = 100.0 if name == MIG_ACTIVE else metric.scale
                yield from self._column(answer, metric, rows, order, scale, full=answer.full and not number)
            covered.update(rows.uuids if len(answer.contents) > 1 else ())

    def _placed(
        self, answer: Answer, name: str, contents: list[bytes], covered: set[str], *, lean: bool
    ) -> Generator[Part, None, tuple[Rows, Order]]:
        decoder = self._lean if lean and self._lean is not None else self._decoder
        found: dict[str, Rows] = {}
        for content in contents:
            yield from self._rows(decoder, answer, content, found, name)
        rows = found.get(name, Rows())
        yield BREATH
        rows = self._named(_without(rows, covered) if covered else rows)
        yield BREATH
        order = yield from _breathing(self._book.place(rows))
        if order is not None:
            yield from _let_go(rows)
            return rows, order
        return (yield from self._placed(answer, name, contents, covered, lean=False))

    def _named(self, rows: Rows) -> Rows:
        """Return the rows that say which GPU they are about; others are counted, and join nothing."""
        if not rows.nodes or all(rows.uuids):
            return rows
        keep = [i for i, (uuid, node) in enumerate(zip(rows.uuids, rows.nodes, strict=True)) if uuid or node]
        self.findings.unnamed = max(self.findings.unnamed, len(rows) - len(keep))
        return rows.kept(keep)

    def _rows(
        self, decoder: RowDecoder, answer: Answer, content: bytes, found: dict[str, Rows], only: str
    ) -> Iterator[Part]:
        if answer.shape is Shape.TEXT:
            steps = self._text.page(content, found, answer.received_at + answer.skew_s)
        elif answer.shape is Shape.EXPORT:
            steps = decoder.export(content, found, only)
        else:
            steps = decoder.query(content, found, only)
        for _ in steps:
            yield BREATH
        intervals, warnings = decoder.take_findings()
        self.findings.intervals = (*self.findings.intervals, *intervals)[:MOST_INTERVALS]
        self.findings.warnings += warnings

    def _several(self, answer: Answer, found: dict[str, Rows]) -> Iterator[Part]:
        for name in found:
            metric = self._metrics.of_dcgm(name)
            rows = self._named(found[name])
            yield BREATH
            order = (yield from _breathing(self._book.place(rows))) if metric is not None else None
            if metric is not None and order is not None:
                yield from self._column(answer, metric, rows, order, metric.scale, full=False)

    def _column(
        self, answer: Answer, metric: Metric, rows: Rows, order: Order, scale: float, *, full: bool
    ) -> Iterator[Part]:
        at = np.array(rows.at, dtype=np.float64) - answer.skew_s
        yield BREATH
        raw = self._clean(np.array(rows.values, dtype=np.float64), at, answer.received_at)
        mean = metric.unit == "0..1" or scale != metric.scale
        places, values, at = reduce(order, (raw * scale).astype(np.float32), at, mean=mean)
        self._note(metric, rows, len(places), values)
        yield BREATH
        if not full:
            yield ColumnPart(metric.name, self._book.subset(places), values, at, full=False)
            return
        kept = self._book.current(places) if len(places) < len(self._book) else None
        values, at = spread(places, values, at, len(self._book))
        self.frozen.look(metric.name, self._book.keys, values, at)
        if kept is None:
            yield ColumnPart(metric.name, self._book.keys, values, at)
        else:  # a key that is gone would hold its slot against the GPU that is there now
            yield ColumnPart(metric.name, self._book.subset(kept), values[kept], at[kept])

    def _clean(self, values: NDArray[np.float64], at: Times, received_at: float) -> NDArray[np.float64]:
        """Return values with NaN for what is no measurement; what is ahead of our clock is counted."""
        kept, ahead = measured(values, at, received_at)
        self.findings.ahead = max(self.findings.ahead, ahead)
        return kept

    def _note(self, metric: Metric, rows: Rows, gpus: int, values: Values) -> None:
        findings = self.findings
        findings.rows += len(rows)
        if any(rows.slices):  # MIG: other repeated rows are blocks and replicas, nobody's news
            findings.repeated = max(findings.repeated, len(rows) - gpus)
        findings.reporting[metric.name] = int(np.count_nonzero(~np.isnan(values)))

    @property
    def known(self) -> int:
        """How many GPUs were ever seen."""
        return len(self._book)


def _breathing(steps: Generator[None, None, T]) -> Generator[Part, None, T]:
    """Run a generator, with an empty part for each of its steps, and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value
        yield BREATH


def _let_go(rows: Rows) -> Iterator[Part]:
    """Drop the texts that are not needed any more, a column at a time: to free 100,000 of them takes milliseconds."""
    for column in (rows.nodes, rows.gpus, rows.models):
        column.clear()
        yield BREATH


def _without(rows: Rows, uuids: set[str]) -> Rows:
    return rows.kept([i for i, uuid in enumerate(rows.uuids) if uuid and uuid not in uuids])
