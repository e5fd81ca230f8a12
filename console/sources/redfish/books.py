"""Turns what BMCs say into columns, events, alerts and facts of nodes; kept by the compute thread alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.model.identity import parse_uuids
from console.model.reading import AlertsPart, ColumnPart, EventsPart, FactsPart, GpuKeys, NamedKeys
from console.sources.redfish.owners import Owner, settled
from console.sources.redfish.tidings import Tidings
from console.sources.redfish.values import METRICS, SHELF_POWER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.reading import Part
    from console.sources.redfish.owners import Owners
    from console.sources.redfish.targets import Target
    from console.sources.redfish.values import BmcState

    States = Sequence[BmcState | None]

GPU_METRICS = ("temp_c", "mem_temp_c", "temp_margin_c", "power_w")
BMC_SERIAL = "bmc_serial"


class Books:
    """What was last said by each BMC, in the order of the targets."""

    def __init__(self, site: str, source: str, targets: Sequence[Target], owners: Owners) -> None:
        self._targets = targets
        self._judge = owners
        self._states: list[BmcState | None] = [None] * len(targets)
        self._claims: list[Owner | None] = [None] * len(targets)
        self._owners: list[Owner | None] = [None] * len(targets)
        self._tidings = Tidings(site, source, targets)
        self._values = {metric: np.full(len(targets), np.nan, dtype=np.float32) for metric in (*METRICS, SHELF_POWER)}
        self._at = np.zeros(len(targets))
        self._nodes: tuple[NamedKeys, np.ndarray] | None = None
        self._shelves: tuple[NamedKeys, np.ndarray] | None = None
        self._gpus: tuple[tuple[object, ...], GpuKeys] | None = None
        self._told: set[str] = set()
        self._told_facts: dict[str, tuple[object, ...]] = {}

    @property
    def remarks(self) -> list[str]:
        """What does not agree about whose BMCs are whose."""
        return [each.remark for each in self._owners if each is not None and each.remark]

    def number_of(self, node: str) -> int:
        """Return which BMC says that it is a node's, -1 where none does yet."""
        return next((i for i, each in enumerate(self._owners) if each is not None and each.name == node), -1)

    def take(self, states: States, now: float) -> Iterator[Part]:
        """Yield what is new since the last time, in steps of some milliseconds."""
        changed = [i for i, state in enumerate(states) if state is not None and state is not self._states[i]]
        if not changed:
            return
        self._settle(changed, states)
        for i in changed:
            self._take(i, states[i], now)
        yield EventsPart(self._tidings.events())
        yield AlertsPart(self._tidings.alerts(now))
        yield from self._columns()
        yield from self._gpu_columns()
        yield from self._facts(now)

    def _settle(self, changed: Sequence[int], states: States) -> None:
        for i in changed:
            state = states[i]
            if state is not None and not self._targets[i].shelf and not state.plan.shelf:
                claim = self._judge.of(self._targets[i], state)
                if claim != self._claims[i]:
                    self._claims[i], self._nodes = claim, None
        if self._nodes is None:
            self._owners = settled(self._targets, self._claims)
            self._gpus = None

    def _take(self, i: int, state: BmcState | None, now: float) -> None:
        if state is None:
            return
        before, self._states[i] = self._states[i], state
        if before is None or before.plan is not state.plan:
            self._gpus = self._shelves = None
        for metric, values in self._values.items():
            values[i] = state.values[metric]
        self._at[i] = state.at
        self._tidings.take(i, self._owners[i], before, state, now)

    def _columns(self) -> Iterator[Part]:
        if self._nodes is None:
            rows = [i for i, each in enumerate(self._owners) if each is not None]
            names = tuple(each.name or each.stranger for each in self._owners if each is not None)
            self._nodes = NamedKeys("node", names), np.array(rows, dtype=np.intp)
        if self._shelves is None:
            rows = [i for i, each in enumerate(self._states) if each is not None and self._is_shelf(i, each)]
            names = tuple(self._targets[i].shelf or self._targets[i].name for i in rows)
            self._shelves = NamedKeys("shelf", names), np.array(rows, dtype=np.intp)
        for keys, rows_of, metrics in ((*self._nodes, METRICS), (*self._shelves, (SHELF_POWER,))):
            for metric in metrics:
                values = self._values[metric][rows_of]
                if len(keys) and (metric in self._told or not np.isnan(values).all()):
                    self._told.add(metric)
                    yield ColumnPart(metric, keys, values, self._at[rows_of])

    def _is_shelf(self, i: int, state: BmcState) -> bool:
        return bool(self._targets[i].shelf) or state.plan.shelf

    def _gpu_columns(self) -> Iterator[Part]:
        rows = [
            (self._owners[i], state, gpu)
            for i, state in enumerate(self._states)
            if state is not None and self._named(i)
            for gpu in state.gpus
        ]
        if not rows:
            return
        shape = tuple((owner.name if owner else "", gpu.plan.uuid) for owner, _, gpu in rows)
        if self._gpus is None or self._gpus[0] != shape:
            high, low = parse_uuids([gpu.plan.uuid for _, _, gpu in rows])
            # A BMC's numbers are not the driver's: the UUID says which GPU it is, and without one its place does.
            slots = np.array(self._slots(shape), dtype=np.int16)
            nodes, models = tuple(str(name) for name, _ in shape), tuple(gpu.plan.model for _, _, gpu in rows)
            self._gpus = shape, GpuKeys(nodes, slots, high, low, models)
        at = np.array([state.at for _, state, _ in rows])
        for metric in GPU_METRICS:
            values = np.array([gpu.values.get(metric, math.nan) for _, _, gpu in rows], dtype=np.float32)
            if metric in self._told or not np.isnan(values).all():
                self._told.add(metric)
                yield ColumnPart(metric, self._gpus[1], values, at)

    def _named(self, i: int) -> bool:
        owner = self._owners[i]
        return owner is not None and bool(owner.name)

    @staticmethod
    def _slots(shape: Sequence[tuple[str, str]]) -> list[int]:
        counted: dict[str, int] = {}
        slots: list[int] = []
        for name, uuid in shape:
            place = counted[name] = counted.get(name, -1) + 1
            slots.append(-1 if uuid else place)
        return slots

    def _facts(self, now: float) -> Iterator[Part]:
        owned = [(owner.name, state) for i, state in enumerate(self._states) if state and (owner := self._owners[i])]
        named = [(name, state.plan) for name, state in owned if name]
        facts = dict.fromkeys(fact for _, plan in named for fact in plan.facts)
        told = {fact: [(name, plan.facts.get(fact, "")) for name, plan in named] for fact in facts}
        told[BMC_SERIAL] = [(name, plan.serial) for name, plan in named if plan.serial]
        for fact, pairs in told.items():
            if pairs and self._told_facts.get(fact) != tuple(pairs):
                self._told_facts[fact] = tuple(pairs)
                keys = NamedKeys("node", tuple(name for name, _ in pairs))
                yield FactsPart(fact, keys, tuple(text for _, text in pairs), now)
