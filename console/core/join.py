"""Joins a part's keys to the rows of a site, once for each keys object and topology."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from console.core.learning import learn, learn_steps
from console.core.naming import NodeNames
from console.core.remap import is_identity, level_names, named_map, row_count
from console.model.identity import format_uuid
from console.model.levels import Level
from console.model.reading import GpuKeys, InOrder, SomeRows
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from console.core.layout import Layout
    from console.model.reading import Keys, NamedKeys
    from console.model.topology import SiteTopology

    Rows = NDArray[np.int32]
    Places = NDArray[np.intp]

Scalar = TypeVar("Scalar", bound=np.generic)

MOST_JOINS = 4096
MOST_ORDERS = 4
MOST_NAMES = 100


@dataclass(frozen=True, eq=False)
class Join:
    """Where values go: row `rows[i]` takes the value at `picks[i]`; None means every one, in order.

    `length` is how many values the part must have. `missed` are the first names that lead nowhere, of `missed_total`.
    """

    length: int
    rows: Places | None = None
    picks: Places | None = None
    missed: tuple[str, ...] = ()
    missed_total: int = 0

    def pick(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return the values that go somewhere, in the order of `rows`; the same array where all are in order."""
        return values if self.picks is None else values.take(self.picks)

    def spread(self, values: NDArray[Scalar], length: int, fill: float) -> NDArray[Scalar]:
        """Return `length` rows with the values in their places and `fill` in the others; it may be the same array."""
        picked = self.pick(values)
        if self.rows is None:
            return picked
        out = np.full(length, fill, dtype=values.dtype)
        out[self.rows] = picked
        return out


class Joiner:
    """The joins of one site; it owns the topology, which keys of GPUs may teach something.

    Joins are kept for at most 4,096 keys objects and four keys for each GPU; the one used least lately goes first.
    """

    def __init__(self, topology: SiteTopology, layout: Layout | None) -> None:
        self.topology = topology
        self._layout = layout
        self._joins: OrderedDict[int, tuple[Keys, SiteTopology, Join]] = OrderedDict()
        self._taught: weakref.WeakSet[GpuKeys] = weakref.WeakSet()
        self._kept = 0
        self._orders: OrderedDict[tuple[str, int], SiteTopology] = OrderedDict()
        self._in_order: dict[tuple[int, str], Join] = {}
        self._spellings: tuple[SiteTopology, NodeNames] | None = None

    def join(self, keys: Keys, source: str) -> Join:
        """Return where the rows of `keys` go; afterwards `topology` may be a newer one."""
        if isinstance(keys, InOrder):
            return self._ordered(keys, source)
        if isinstance(keys, SomeRows):
            return self._numbered(keys, source)
        found = self._joins.get(id(keys))
        if found is not None and found[1] is self.topology:
            self._joins.move_to_end(id(keys))
            return found[2]
        join = self._gpus(keys) if isinstance(keys, GpuKeys) else self._named(keys)
        self._remember(keys, join)
        return join

    def prepare(self, keys: Keys) -> Iterator[None]:
        """Learn from keys that are new here a step at a time, so that the next `join` of them finds it done.

        Where something else changes the topology meanwhile, what was learned is dropped, and `join` learns anew.
        """
        known = self._joins.get(id(keys))
        if not isinstance(keys, GpuKeys) or keys in self._taught or (known and known[1] is self.topology):
            return
        before = self.topology
        for learned in learn_steps(before, keys, self._layout):
            if self.topology is not before:
                return
            if learned is not None:
                self._remember(keys, self._learned(keys, *learned))
            yield

    def replace(self, topology: SiteTopology) -> None:
        """Take another topology; every join is made anew when it is next needed."""
        self.topology = topology
        self._in_order.clear()
        self._joins.clear()
        self._kept = 0

    def note_order(self, source: str, version: int, topology: SiteTopology) -> None:
        """Note which order a source means by a version of its own topology."""
        self._orders[source, version] = topology
        self._orders.move_to_end((source, version))
        while len(self._orders) > MOST_ORDERS:
            self._orders.popitem(last=False)

    def order_of(self, source: str, version: int) -> SiteTopology | None:
        """Return the order that a source meant by a version, None if it is not known any more."""
        return self._orders.get((source, version))

    def node_row(self, name: str) -> int:
        """Return the row of a node by any spelling, -1 where none fits."""
        return self._names().row(name)

    def node_rows(self, names: Sequence[str]) -> Rows:
        """Return int32[len(names)]: the row of each node by any spelling, -1 where none fits."""
        return self._names().rows(names)

    def _names(self) -> NodeNames:
        if self._spellings is None or self._spellings[0] is not self.topology:
            self._spellings = (self.topology, NodeNames(self.topology))
        return self._spellings[1]

    def _numbered(self, keys: SomeRows, source: str) -> Join:
        order = self._order(source, keys.version)
        known = row_count(order, keys.level) if order is not None else 0
        if order is None or (len(keys) and not 0 <= int(keys.rows.min()) <= int(keys.rows.max()) < known):
            return _nowhere(len(keys), keys.version)
        if order is self.topology:
            return _join(keys.rows, known, ())
        places = np.full(known, -1, dtype=np.int32)
        now = named_map(order, self.topology, keys.level)  # old row of each row of ours
        there = np.flatnonzero(now >= 0)
        places[now[there]] = there
        return _join(places[keys.rows], row_count(self.topology, keys.level), ())

    def _ordered(self, keys: InOrder, source: str) -> Join:
        order = self._order(source, keys.version)
        if order is None or keys.length != row_count(order, keys.level):
            return _nowhere(keys.length, keys.version)
        if order is self.topology:
            return Join(keys.length)
        cached = self._in_order.get((id(order), keys.level))
        if cached is None:
            rows = named_map(order, self.topology, keys.level)
            cached = Join(keys.length) if is_identity(rows, keys.length) else _moved(keys.length, rows)
            self._in_order[id(order), keys.level] = cached
        return cached

    def _order(self, source: str, version: int) -> SiteTopology | None:
        own = self.order_of(source, version)
        if own is not None:
            return own
        told = [topology for (_, each), topology in self._orders.items() if each == version]
        return told[-1] if told else self.topology if version == self.topology.version else None

    def _gpus(self, keys: GpuKeys) -> Join:
        # The same keys joined again have nothing new to say: two voices that contradict each other must not flap.
        return self._learned(keys, *learn(self.topology, keys, self._layout, firm=keys in self._taught))

    def _learned(self, keys: GpuKeys, topology: SiteTopology, rows: Rows) -> Join:
        self._taught.add(keys)
        if topology is not self.topology:
            self.replace(topology)
        missed = np.flatnonzero(rows < 0).tolist()
        return _join(rows, topology.gpus, (_gpu_name(keys, i) for i in missed))

    def _named(self, keys: NamedKeys) -> Join:
        length = row_count(self.topology, keys.level)
        rows = self._named_rows(keys)
        missed = np.flatnonzero(rows < 0).tolist()
        return _join(rows, length, (f"{keys.level} {keys.names[i] or '(no name)'}" for i in missed))

    def _named_rows(self, keys: NamedKeys) -> Rows:
        if keys.names is self.topology.nodes:
            return np.arange(len(keys), dtype=np.int32)  # a table of every spelling takes long to make
        if keys.level == Level.NODE:
            return self._names().rows(keys.names)
        if keys.level == Level.SITE and len(keys.names) == 1:
            return np.zeros(1, dtype=np.int32)
        names = level_names(self.topology, keys.level)
        # A rack's bare name leads to it only while no other hall has a rack of that name.
        found = _once([name.rpartition("/")[2] for name in names])
        for row, name in enumerate(names):
            found[name] = found[f"{self.topology.site}/{name}"] = row
        return np.fromiter((found.get(name, -1) for name in keys.names), dtype=np.int32, count=len(keys))

    def _remember(self, keys: Keys, join: Join) -> None:
        old = self._joins.pop(id(keys), None)
        self._kept += len(keys) - (len(old[0]) if old else 0)
        self._joins[id(keys)] = (keys, self.topology, join)
        most = 4 * self.topology.gpus + 100_000
        while len(self._joins) > 1 and (len(self._joins) > MOST_JOINS or self._kept > most):
            _, (gone, _, _) = self._joins.popitem(last=False)
            self._kept -= len(gone)


def _once(names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row, name in enumerate(names):
        found[name] = -1 if name in found else row
    return found


def _nowhere(length: int, version: int) -> Join:
    missed = f"rows in order of topology version {version}, which is not known"
    nowhere = np.zeros(0, dtype=np.intp)
    return Join(length, nowhere, nowhere, (missed,), length)


def _moved(length: int, old_rows: Rows) -> Join:
    rows = np.flatnonzero(old_rows >= 0)
    return Join(length, None if len(rows) == len(old_rows) else rows, old_rows[rows].astype(np.intp))


def _join(rows: Rows, length: int, missed: Iterable[str]) -> Join:
    names = dict.fromkeys(missed)
    told = tuple(name for name, _ in zip(names, range(MOST_NAMES), strict=False))
    if is_identity(rows, length):
        return Join(len(rows))
    good = np.flatnonzero(rows >= 0)
    # Sorted by row, writes are in order of memory; a stable sort keeps the last of two keys for one row last.
    order = good[np.argsort(rows[good], kind="stable")]
    places = rows[order].astype(np.intp)
    return Join(len(rows), None if is_identity(places, length) else places, order, told, len(names))


def _gpu_name(keys: GpuKeys, i: int) -> str:
    node, slot = keys.nodes[i], int(keys.slots[i])
    uuid = format_uuid(int(keys.uuid_high[i]), int(keys.uuid_low[i]))
    name = f"{node}/g{slot}" if slot >= 0 else node
    return " ".join(part for part in (name, uuid) if part) or "(no name)"
