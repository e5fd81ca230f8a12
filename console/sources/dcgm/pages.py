"""Turns the pages of many exporters into columns on the compute thread, and holds what silent ones said last."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.core import spellings as spelled
from console.model.errors import BadPayload
from console.model.reading import ColumnPart, EventsPart, FactsPart, GpuKeys, NamedKeys, Part
from console.sources.dcgm.names import WHO_IS_WHO, known_names
from console.sources.exposition.facts import page_facts
from console.sources.exposition.labels import Spelling
from console.sources.exposition.series import Rows, SeriesBook, reduce
from console.sources.exposition.text import TextDecoder
from console.sources.exposition.values import measured

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from console.config.values import LabelNames
    from console.model.columns import Times, Values
    from console.model.metrics import MetricTable
    from console.sources.dcgm.names import Known
    from console.sources.dcgm.scrape import Page
    from console.sources.dcgm.targets import Target
    from console.sources.exposition.series import Order
    from console.sources.exposition.who import Who

BREATH: Part = EventsPart(())
PAGES_A_STEP = 4
_BARE_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


@dataclass(eq=False)
class _Gathered:
    """The rows of one series name over all pages, and the target of each run of them."""

    rows: Rows = field(default_factory=Rows)
    runs: list[tuple[int, int]] = field(default_factory=list)

    def add(self, target: int, rows: Rows) -> None:
        self.rows.extend(rows)
        self.runs.append((target, len(rows)))

    def targets(self) -> NDArray[np.int64]:
        numbers, counts = zip(*self.runs, strict=True)
        return np.repeat(np.array(numbers, dtype=np.int64), counts)


@dataclass(eq=False)
class Findings:
    """What the last pages were like: which could not be read and why, and whose clock runs ahead."""

    bad: dict[int, str] = field(default_factory=dict)
    ahead: int = 0
    repeated: int = 0


class Pages:
    """The decoder of one source; used by the compute thread alone.

    Every part names all GPUs that their exporters named when they last answered: values and times of a silent exporter
    stay as they were, a GPU that its exporter no longer names is missing.
    """

    def __init__(
        self, metrics: MetricTable, targets: Sequence[Target], labels: LabelNames, who: Who, *, node_from_target: bool
    ) -> None:
        self._targets = targets
        self._who = who
        self._node_from_target = node_from_target
        self._known = known_names(metrics)
        self._text = TextDecoder(_spelling(labels), who, self._known.keys() | {WHO_IS_WHO})
        self._book = SeriesBook()
        self._owner = np.zeros(0, dtype=np.int64)
        self._alive = np.zeros(0, dtype=bool)
        self._held: dict[str, tuple[Values, Times]] = {}
        self._facts: dict[str, dict[str, str]] = {}
        self.findings = Findings()

    @property
    def gpus(self) -> int:
        """How many GPUs the exporters name."""
        return int(np.count_nonzero(self._alive))

    def decode(self, pages: Sequence[Page]) -> Iterator[Part]:
        """Yield the columns of all GPUs, and an empty part between steps; raises BadPayload if no page can be read."""
        self.findings = Findings()
        gathered: dict[str, _Gathered] = {}
        answered = np.zeros(len(self._targets), dtype=bool)
        for number, page in enumerate(pages):
            if self._take(page, gathered):
                answered[page.target] = True
            if number % PAGES_A_STEP == 0:
                yield BREATH
        if not answered.any() and pages:
            first = min(self.findings.bad)
            raise self._who.bad(f"{self._targets[first].name}: {self.findings.bad[first]}")
        yield from self._merge(gathered, answered, max(page.body.received_at for page in pages))
        yield from self._columns()
        yield from self._told(max((page.body.received_at for page in pages), default=0.0))

    def _told(self, at: float) -> Iterator[Part]:
        """Yield what the labels of all exporters say that their nodes have."""
        for fact in dict.fromkeys(fact for each in self._facts.values() for fact in each):
            told = {node: each[fact] for node, each in self._facts.items() if fact in each}
            yield FactsPart(fact, NamedKeys("node", tuple(told)), tuple(told.values()), at)

    def _take(self, page: Page, gathered: dict[str, _Gathered]) -> bool:
        """Add the rows of a page; one that cannot be read is noted, and counts as silence."""
        found: dict[str, Rows] = {}
        before = self._text.samples
        try:
            content = page.body.content
            for _ in self._text.page(content, found, page.body.received_at, openmetrics=page.openmetrics):
                pass
        except BadPayload as error:
            self.findings.bad[page.target] = error.message
            return False
        if self._text.samples == before:
            self.findings.bad[page.target] = "the page has no samples"
            return False
        names = _who_is_who(found.pop(WHO_IS_WHO, Rows()))
        found = {name: kept for name, rows in found.items() if len(kept := self._named(rows, page.target, names))}
        if not found:
            self.findings.bad[page.target] = "the page has no GPU metrics that are known here"
            return False
        for name, rows in found.items():
            gathered.setdefault(name, _Gathered()).add(page.target, rows)
        # An exporter speaks for one node.
        self._facts[next(iter(found.values())).nodes[0]] = page_facts(content)
        return True

    def _named(self, rows: Rows, target: int, names: Mapping[str, tuple[str, str]]) -> Rows:
        """Return the rows that are about a GPU, with their node, and index and model where another row has them."""
        host = self._targets[target].host
        if self._node_from_target:
            rows.nodes = [host] * len(rows)
        elif not all(rows.nodes):
            rows.nodes = [node or host for node in rows.nodes]
        if names:
            rows.gpus = [gpu or names.get(uuid, ("", ""))[0] for gpu, uuid in zip(rows.gpus, rows.uuids, strict=True)]
            rows.models = [said or names.get(u, ("", ""))[1] for said, u in zip(rows.models, rows.uuids, strict=True)]
        if not all(rows.uuids):
            rows = rows.kept([i for i, both in enumerate(zip(rows.uuids, rows.gpus, strict=True)) if any(both)])
        rows.uuids = [
            f"GPU-{uuid}" if uuid[:4] != "GPU-" and _BARE_UUID.fullmatch(uuid) else uuid for uuid in rows.uuids
        ]
        return rows

    def _merge(self, gathered: Mapping[str, _Gathered], answered: NDArray[np.bool_], now: float) -> Iterator[Part]:
        """Take the rows of this turn in place of what their exporters said before."""
        orders: dict[str, Order] = {}
        for name, each in gathered.items():
            order = yield from _breathing(self._book.place(each.rows))
            if order is not None:
                orders[name] = order
        self._grow()
        named = np.zeros(len(self._book), dtype=bool)
        for name, order in orders.items():
            self._owner[order.places] = gathered[name].targets()
            named[order.places] = True
        spoke = answered[self._owner]
        self._alive = np.where(spoke, named, self._alive)
        yield BREATH
        self._forget(spoke)
        # The preferred name of a metric comes last: it has the last word.
        for name in sorted(orders, key=lambda each: -self._known[each].rank):
            self._put(self._known[name], gathered[name].rows, orders[name], now)
            yield BREATH

    def _grow(self) -> None:
        more = len(self._book) - len(self._owner)
        if more:
            self._owner = np.append(self._owner, np.zeros(more, dtype=np.int64))
            self._alive = np.append(self._alive, np.zeros(more, dtype=bool))
            self._held = {
                name: (np.append(values, np.full(more, np.nan, dtype=np.float32)), np.append(at, np.zeros(more)))
                for name, (values, at) in self._held.items()
            }

    def _forget(self, spoke: NDArray[np.bool_]) -> None:
        """Make missing whatever the exporters that answered said before."""
        for name, (values, at) in self._held.items():
            self._held[name] = (np.where(spoke, np.float32(np.nan), values), at)

    def _put(self, known: Known, rows: Rows, order: Order, now: float) -> None:
        at = np.array(rows.at, dtype=np.float64)
        raw, ahead = measured(np.array(rows.values, dtype=np.float64), at, now)
        self.findings.ahead = max(self.findings.ahead, ahead)
        places, values, at = reduce(order, (raw * known.scale).astype(np.float32), at, mean=known.mean)
        if any(rows.slices):
            self.findings.repeated = max(self.findings.repeated, len(rows) - len(places))
        held = self._held.get(known.metric.name) or _nothing(len(self._book))
        there = ~np.isnan(values)
        values, at, places = values[there], at[there], places[there]
        all_values, all_at = held[0].copy(), held[1].copy()
        all_values[places], all_at[places] = values, at
        self._held[known.metric.name] = all_values, all_at

    def _columns(self) -> Iterator[Part]:
        everyone = bool(self._alive.all())
        places = np.flatnonzero(self._alive)
        keys: GpuKeys = self._book.keys if everyone else self._book.subset(places)
        for name, (values, at) in self._held.items():
            yield ColumnPart(name, keys, values if everyone else values[places], at if everyone else at[places])


def _nothing(length: int) -> tuple[Values, Times]:
    return np.full(length, np.nan, dtype=np.float32), np.zeros(length)


def _who_is_who(rows: Rows) -> dict[str, tuple[str, str]]:
    """Return index and model by UUID, as rows that only inform say."""
    return dict(zip(rows.uuids, zip(rows.gpus, rows.models, strict=True), strict=True))


def _spelling(labels: LabelNames) -> Spelling:
    """Return every spelling at once, the site's own first: the exporters of one site need not agree."""
    return Spelling(
        uuid=(*labels.uuid, *spelled.UUID),
        node=(*labels.node, *(name for name in spelled.NODE if name not in spelled.WITH_PORT)),
        gpu=(*labels.gpu, *spelled.GPU, "index"),
        model=(*labels.model, *spelled.MODEL, "name"),
        mig=(*labels.mig, *spelled.MIG),
    )


def _breathing(steps: Generator[None, None, Order | None]) -> Generator[Part, None, Order | None]:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            order: Order | None = stop.value
            return order
        yield BREATH
