"""Remembers the series of a store: one keys object while their order stays the same, and how repeated rows reduce."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuid
from console.model.reading import GpuKeys

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from console.model.columns import Times, Values

ORDERS = 12
STEP = 5000
LONGEST_NAME = 256


@dataclass(eq=False)
class Rows:
    """The rows of one metric in an answer, in their order; parallel lists, times in epoch seconds."""

    uuids: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    gpus: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    slices: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)

    def extend(self, other: Rows) -> None:
        """Add the rows of another answer (the next slice of the same metric)."""
        self.uuids += other.uuids
        self.nodes += other.nodes
        self.gpus += other.gpus
        self.models += other.models
        self.slices += other.slices
        self.values += other.values
        self.at += other.at


@dataclass(frozen=True, eq=False)
class Series:
    """One order of series: `keys` once a GPU; `order` and `starts` group repeated rows (None: there are none)."""

    keys: GpuKeys
    order: NDArray[np.int64] | None
    starts: NDArray[np.int64] | None

    @property
    def repeated(self) -> int:
        """How many rows were the same GPU again (MIG instances, replicas, one row a job)."""
        return 0 if self.order is None else len(self.order) - len(self.keys)

    def reduce(self, values: Values, at: Times, mean: bool) -> tuple[Values, Times]:
        """Return one value and time a GPU: of repeated rows the newest, the largest of equals, or (`mean`) their mean.

        Rows of a GPU's MIG instances repeat its whole value: they are never summed.
        """
        if self.order is None or self.starts is None:
            return values, at
        values, at = values[self.order], at[self.order]
        newest = np.maximum.reduceat(at, self.starts)
        sizes = np.diff(np.append(self.starts, len(values)))
        # Rows of one scrape share its time; a replica that lags by more is not asked.
        values = np.where(at < np.repeat(newest, sizes) - 0.001, np.float32(np.nan), values)
        if not mean:
            return np.fmax.reduceat(values, self.starts), newest
        known = ~np.isnan(values)
        counts = np.add.reduceat(known.astype(np.float32), self.starts)
        sums = np.add.reduceat(np.where(known, values, np.float32(0)), self.starts)
        with np.errstate(invalid="ignore"):
            return (sums / counts).astype(np.float32), newest


@dataclass(frozen=True, eq=False)
class _Known:
    uuids: list[str]
    nodes: list[str]
    gpus: list[str]
    series: Series


class SeriesBook:
    """Finds the Series of an answer's rows; a few orders are kept, the one used last first."""

    def __init__(self) -> None:
        self._known: deque[_Known] = deque(maxlen=ORDERS)
        self._ids: dict[str, tuple[int, int]] = {}

    def find(self, rows: Rows) -> Series | None:
        """Return the series of rows that came in this order before, else None."""
        for known in self._known:
            if known.uuids == rows.uuids and known.nodes == rows.nodes and known.gpus == rows.gpus:
                if known is not self._known[0]:
                    self._known.remove(known)
                    self._known.appendleft(known)
                return known.series
        return None

    def learn(self, rows: Rows) -> Generator[None, None, Series]:
        """Return the series of rows in a new order; yields after every few thousand."""
        pairs: list[tuple[int, int]] = []
        if len(self._ids) > 4 * len(rows) + 1000:
            self._ids = {}
        ids = self._ids
        for start in range(0, len(rows), STEP):
            for uuid in rows.uuids[start : start + STEP]:
                pair = ids.get(uuid)
                if pair is None:
                    pair = ids[uuid] = parse_uuid(uuid)
                pairs.append(pair)
            yield
        split = np.array(pairs, dtype=np.uint64).reshape(-1, 2)
        slots = np.fromiter(map(_slot, rows.gpus), dtype=np.int16, count=len(rows))
        yield
        series = _series(rows, np.ascontiguousarray(split[:, 0]), np.ascontiguousarray(split[:, 1]), slots)
        self._known.appendleft(_Known(rows.uuids, rows.nodes, rows.gpus, series))
        return series


def _slot(text: str) -> int:
    digits = text[6:] if text.startswith("nvidia") else text
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else -1


def _series(rows: Rows, high: NDArray[np.uint64], low: NDArray[np.uint64], slots: NDArray[np.int16]) -> Series:
    """Group rows by UUID, or by node and index where there is none."""
    unknown = (high == 0) & (low == 0)
    group_high, group_low = high, low
    if unknown.any():
        spare = np.array([parse_uuid(f"{node}/{slot}") for node, slot in zip(rows.nodes, slots.tolist(), strict=True)])
        spare = spare.astype(np.uint64).reshape(-1, 2)
        group_high, group_low = np.where(unknown, spare[:, 0], high), np.where(unknown, spare[:, 1], low)
    order = np.lexsort((group_low, group_high))
    first = np.ones(len(order), dtype=bool)
    high_in_order, low_in_order = group_high[order], group_low[order]
    first[1:] = (high_in_order[1:] != high_in_order[:-1]) | (low_in_order[1:] != low_in_order[:-1])
    if first.all():
        return Series(_keys(rows, np.arange(len(order)), high, low, slots), None, None)
    starts = np.flatnonzero(first)
    return Series(_keys(rows, order[starts], high, low, slots), order, starts)


def _keys(
    rows: Rows,
    chosen: NDArray[np.int64],
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
    slots: NDArray[np.int16],
) -> GpuKeys:
    shared: dict[str, str] = {}
    nodes, models = rows.nodes, rows.models
    names = [nodes[i][:LONGEST_NAME] for i in chosen.tolist()]
    kinds = [models[i][:LONGEST_NAME] for i in chosen.tolist()] if models else []
    return GpuKeys(
        nodes=tuple([shared.setdefault(name, name) for name in names]),
        slots=slots[chosen],
        uuid_high=high[chosen],
        uuid_low=low[chosen],
        models=tuple([shared.setdefault(kind, kind) for kind in kinds]) if any(kinds) else (),
    )
