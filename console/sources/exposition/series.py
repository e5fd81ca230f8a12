"""Remembers the GPUs of a store: one keys object while they stay the same, and how repeated rows reduce."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuids
from console.model.reading import GpuKeys

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from console.model.columns import Times, Values

    Places = NDArray[np.int64]

SUBSETS = 64
ORDERS = 3
STEP = 2500
SAME_S = 0.001
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

    def kept(self, keep: list[int]) -> Rows:
        """Return some of the rows."""

        def chosen(column: list[str]) -> list[str]:
            return [column[i] for i in keep]

        return Rows(
            chosen(self.uuids),
            chosen(self.nodes),
            chosen(self.gpus),
            chosen(self.models),
            chosen(self.slices),
            [self.values[i] for i in keep],
            [self.at[i] for i in keep],
        )


@dataclass(frozen=True, eq=False)
class Order:
    """Rows in one order and the place of each; `sorter` puts them into ascending places (None: they are).

    `unique` says that no place comes twice.
    """

    uuids: list[str]
    places: Places
    unique: bool
    sorter: Places | None


class SeriesBook:
    """The GPUs of one store in the order in which they were first seen: an answer's rows are placed by their UUID.

    Stores answer in any order, and in pieces: the place of a GPU stays the same, and so does the keys object, until a
    GPU is new or has moved.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._high = np.zeros(0, dtype=np.uint64)
        self._low = np.zeros(0, dtype=np.uint64)
        self._nodes: list[str] = []
        self._gpus: list[str] = []
        self._models: list[str] = []
        self._texts: dict[str, str] = {}
        self._orders: deque[Order] = deque(maxlen=ORDERS)
        self._keys: GpuKeys | None = None
        self._subsets: OrderedDict[bytes, GpuKeys] = OrderedDict()
        self._shared_slots: tuple[Places, Places] | None = None
        self._replaced = np.zeros(0, dtype=bool)

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def keys(self) -> GpuKeys:
        """All GPUs that were ever seen, in their places."""
        if self._keys is None:
            models = tuple(self._models) if any(self._models) else ()
            self._keys = GpuKeys(tuple(self._nodes), _slots(self._gpus), self._high, self._low, models)
        return self._keys

    def subset(self, places: Places) -> GpuKeys:
        """Return the keys of some places, the same object for the same places."""
        name = places.tobytes()
        keys = self._subsets.get(name)
        if keys is None:
            keys = self._subsets[name] = self._make(places)
            if len(self._subsets) > SUBSETS:
                self._subsets.popitem(last=False)
        else:
            self._subsets.move_to_end(name)
        return keys

    def current(self, present: Places) -> Places | None:
        """Return the places of all GPUs but those that were replaced; None where none was.

        A GPU was replaced that is not `present` while another one is that has its node and index.
        """
        if self._shared_slots is None:
            self._shared_slots = _same_slot(self._nodes, self._gpus)
        places, groups = self._shared_slots
        if not len(places):
            return None
        there = np.zeros(len(self), dtype=bool)
        there[present] = True
        replaced = there[places]
        taken = np.bincount(groups, replaced) > 0
        gone = np.zeros(len(self), dtype=bool)
        gone[: len(self._replaced)] = self._replaced
        gone[places] |= taken[groups]
        self._replaced = gone & ~there  # a metric that neither of them has tells nothing new
        return np.flatnonzero(~self._replaced) if self._replaced.any() else None

    def place(self, rows: Rows) -> Generator[None, None, Order | None]:
        """Return the order of the rows, learning GPUs that are new; yields after every few thousand of them.

        Rows that were decoded without their nodes can teach nothing: None if one of them is new.
        """
        lean = not rows.nodes and bool(rows.uuids)
        order = next((each for each in self._orders if each.uuids == rows.uuids), None)
        yield
        if order is None or not all(rows.uuids):
            names = rows.uuids if lean else _names(rows)
            yield
            found: list[int | None] = list(map(self._places.get, names))
            yield
            if None in found:
                if lean:
                    return None
                yield from self._learn(rows, names, [row for row, place in enumerate(found) if place is None])
            places = np.fromiter(map(self._places.__getitem__, names), np.int64, len(names))
            yield
            order = _order(rows.uuids, places)
            self._orders.appendleft(order)
            yield
        if not lean:
            said = order.places.tolist()
            yield
            yield from self._follow(said, self._nodes, rows.nodes)
            yield from self._follow(said, self._gpus, rows.gpus)
        return order

    def _learn(self, rows: Rows, names: list[str], new: list[int]) -> Generator[None, None, None]:
        for start in range(0, len(new), STEP):
            chosen = {names[row]: row for row in new[start : start + STEP] if names[row] not in self._places}
            self._places.update(zip(chosen, range(len(self), len(self) + len(chosen)), strict=True))
            high, low = parse_uuids([rows.uuids[row] for row in chosen.values()])
            self._high, self._low = np.concatenate((self._high, high)), np.concatenate((self._low, low))
            self._nodes += [self._shared(rows.nodes[row]) for row in chosen.values()]
            self._gpus += [self._shared(rows.gpus[row]) for row in chosen.values()]
            self._models += [self._shared(rows.models[row]) for row in chosen.values()]
            yield
        self._changed()

    def _shared(self, text: str) -> str:
        text = text[:LONGEST_NAME]
        return self._texts.setdefault(text, text)

    def _follow(self, places: list[int], known: list[str], said: list[str]) -> Generator[None, None, None]:
        """Take what rows say in place of what was known, where it differs: a GPU has moved."""
        before = list(map(known.__getitem__, places))
        yield
        same = before == said
        yield
        if same:
            return
        for place, text in zip(places, said, strict=True):
            text = text[:LONGEST_NAME]
            if text and known[place] != text:
                known[place] = self._shared(text)
                self._changed()

    def _changed(self) -> None:
        self._keys = None
        self._shared_slots = None
        self._subsets.clear()

    def _make(self, places: Places) -> GpuKeys:
        chosen = places.tolist()
        models = [self._models[i] for i in chosen]
        return GpuKeys(
            nodes=tuple([self._nodes[i] for i in chosen]),
            slots=_slots([self._gpus[i] for i in chosen]),
            uuid_high=self._high[places],
            uuid_low=self._low[places],
            models=tuple(models) if any(models) else (),
        )


def _same_slot(nodes: list[str], gpus: list[str]) -> tuple[Places, Places]:
    """Return the places that share node and index with others, and the group of each."""
    seen: dict[tuple[str, str], int] = {}
    groups: dict[int, list[int]] = {}
    for place, slot in enumerate(zip(nodes, gpus, strict=True)):
        first = seen.setdefault(slot, place)
        if first != place and all(slot):
            groups.setdefault(first, [first]).append(place)
    places = [place for group in groups.values() for place in group]
    numbers = [number for number, group in enumerate(groups.values()) for _ in group]
    return np.array(places, dtype=np.int64), np.array(numbers, dtype=np.int64)


def _names(rows: Rows) -> list[str]:
    """Return what a row is known by: its UUID, or its node and index where it has none."""
    if all(rows.uuids):
        return rows.uuids
    return [uuid or f"{node}/{gpu}" for uuid, node, gpu in zip(rows.uuids, rows.nodes, rows.gpus, strict=True)]


def _order(uuids: list[str], places: Places) -> Order:
    unique = len(places) == 0 or int(np.bincount(places).max()) == 1
    ascending = unique and bool((places[1:] > places[:-1]).all())
    return Order(uuids, places, unique, None if ascending or not unique else np.argsort(places))


def reduce(order: Order, values: Values, at: Times, *, mean: bool) -> tuple[Places, Values, Times]:
    """Return one value and time a GPU, by ascending place: of repeated rows the newest, and of equals the largest.

    Rows of a GPU's MIG instances repeat its whole value: they are never summed. `mean` takes their mean instead (ratios
    of instances).
    """
    if order.unique:
        if order.sorter is None:
            return order.places, values, at
        return order.places[order.sorter], values[order.sorter], at[order.sorter]
    by_place = np.argsort(order.places, kind="stable")
    places, values, at = order.places[by_place], values[by_place], at[by_place]
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
    newest = np.maximum.reduceat(at, starts)
    sizes = np.diff(np.append(starts, len(values)))
    # Rows of one scrape share its time; what is older is another block or a replica that lags.
    values = np.where(at < np.repeat(newest, sizes) - SAME_S, np.float32(np.nan), values)
    if not mean:
        return places[starts], np.fmax.reduceat(values, starts), newest
    known = ~np.isnan(values)
    counts = np.add.reduceat(known.astype(np.float32), starts)
    sums = np.add.reduceat(np.where(known, values, np.float32(0)), starts)
    with np.errstate(invalid="ignore"):
        return places[starts], (sums / counts).astype(np.float32), newest


def spread(places: Places, values: Values, at: Times, length: int) -> tuple[Values, Times]:
    """Return values and times of all `length` places: NaN and 0 where there is none."""
    if len(places) == length:
        return values, at
    all_values, all_at = np.full(length, np.nan, dtype=np.float32), np.zeros(length)
    all_values[places], all_at[places] = values, at
    return all_values, all_at


def _slots(texts: list[str]) -> NDArray[np.int16]:
    known = {text: _slot(text) for text in set(texts)}
    return np.fromiter(map(known.__getitem__, texts), dtype=np.int16, count=len(texts))


def _slot(text: str) -> int:
    digits = text[6:] if text.startswith("nvidia") else text
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else -1
