"""Breaks and repairs the parts of one site: when, which, and what it does to telemetry and jobs."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.fault_kinds import FAULTS, LEMON_EVENTS, LEMON_NODES, REPAIR_SIGMA, THERMAL_SHUTDOWN, FaultKind
from console.model.columns import distinct
from console.model.events import Event
from console.model.jobs import JobState
from console.model.levels import Level, Severity
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.chance import Chance
    from console.emulator.ledger import Ledger
    from console.emulator.physics import GpuBank
    from console.emulator.scheduler import Scheduler

DAY_S = 86_400.0
RECENT_EVENTS = 256
SHUTDOWNS_A_STEP = 24
HOT_FACTOR = (1.25, 1.9)
SOURCE = "emulator"
_WEIGHTS = [kind.rate for kind in FAULTS]


@dataclass(frozen=True, slots=True)
class Broken:
    """One fault under repair: the rows it holds, and what the resistances were before."""

    kind: FaultKind
    node: int
    rows: tuple[int, ...]
    resistance: float = 1.0


class Faults:
    """The fault process of a site; writes to physics, ledger and scheduler."""

    def __init__(self, blueprint: Blueprint, bank: GpuBank, ledger: Ledger, scheduler: Scheduler, rng: Chance) -> None:
        self.events: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self.event_count = 0
        self.silent = np.zeros(0, dtype=np.intp)
        self.dead_nodes = np.zeros(0, dtype=np.intp)
        self.counts = dict.fromkeys((kind.name for kind in (*FAULTS, THERMAL_SHUTDOWN)), 0)
        self._topology = blueprint.topology
        self._bank = bank
        self._ledger = ledger
        self._scheduler = scheduler
        self._rng = rng
        self._silent: dict[int, int] = {}
        self._dead: dict[int, int] = {}
        self._down: dict[int, int] = {}
        self._repairs: list[tuple[float, int, Broken]] = []
        self._serial = 0
        self._rate = sum(_WEIGHTS) / 1000 / DAY_S * self._topology.gpus
        nodes = len(self._topology.nodes)
        self._lemons = rng.sample(range(nodes), max(1, round(nodes * LEMON_NODES)))

    def step(self, now: float, dt: float, scale: float) -> None:
        """Break and repair what the last `dt` seconds bring, at `scale` times the published rates."""
        while self._repairs and self._repairs[0][0] <= now:
            at, _, broken = heapq.heappop(self._repairs)
            self._repair(broken, at)
        if scale <= 0:
            return
        count = self._rng.poisson(self._rate * scale * dt)
        for kind in self._rng.choices(FAULTS, weights=_WEIGHTS, k=count):
            self.strike(kind, now)

    def shut_down(self, rows: NDArray[np.intp], now: float) -> None:
        """Switch the nodes of GPUs off that are too hot, a few at a time as their BMCs notice."""
        if not len(rows):
            return
        nodes = distinct(np.searchsorted(self._topology.node_gpus, rows, side="right") - 1)
        for node in [int(node) for node in nodes if int(node) not in self._dead][:SHUTDOWNS_A_STEP]:
            self.strike(THERMAL_SHUTDOWN, now, node=node)

    def strike(self, kind: FaultKind, now: float, *, node: int | None = None, quietly: bool = False) -> None:
        """Break one part, of `node` or of a node by chance; `quietly` for what broke before the world began."""
        node = self._node() if node is None else node
        first, last = int(self._topology.node_gpus[node]), int(self._topology.node_gpus[node + 1])
        rows = tuple(range(first, last)) if kind.whole_node else (self._rng.randrange(first, last),)
        repair_s = kind.repair_s * math.exp(REPAIR_SIGMA * self._rng.gauss(0.0, 1.0))
        age_s = self._rng.random() * repair_s if quietly else 0.0
        self.counts[kind.name] += 1
        resistance = float(self._bank.resistance[rows[0]])
        if kind.fatal:
            self._drain(kind, node, rows, now)
        if kind.name == "thermal-interface":
            self._bank.resistance[rows[0]] *= self._rng.uniform(*HOT_FACTOR)
        self._mark(kind, rows)
        if kind.silent:
            self._silence(kind, node, rows)
        self._tell(kind, node, rows, now - age_s)
        self._serial += 1
        heapq.heappush(self._repairs, (now - age_s + repair_s, self._serial, Broken(kind, node, rows, resistance)))

    def tell(self, at: float, path: str, kind: str, severity: Severity, text: str) -> None:
        """Note an event."""
        self.events.append(Event(at, self._topology.site, path, kind, severity, text, SOURCE))
        self.event_count += 1

    def sort_events(self) -> None:
        """Put what was told out of order in the order of its time."""
        events = sorted(self.events, key=lambda event: event.at)
        self.events.clear()
        self.events.extend(events)

    def _node(self) -> int:
        if self._rng.random() < LEMON_EVENTS:
            return self._rng.choice(self._lemons)
        return self._rng.randrange(len(self._topology.nodes))

    def _drain(self, kind: FaultKind, node: int, rows: tuple[int, ...], now: float) -> None:
        state = JobState.NODE_FAIL if kind.whole_node else JobState.FAILED
        first, last = int(self._topology.node_gpus[node]), int(self._topology.node_gpus[node + 1])
        self._scheduler.fail_gpus(rows, now, state)
        # The other jobs of a drained node are let go as well: its repair needs the whole node.
        self._scheduler.fail_gpus(range(first, last), now, JobState.NODE_FAIL)
        self._scheduler.apply_memory(self._ledger)
        self._scheduler.placement.down(node)
        self._down[node] = self._down.get(node, 0) + 1

    def _mark(self, kind: FaultKind, rows: tuple[int, ...]) -> None:
        """Set what the GPU's counters show of the fault."""
        for row in rows if kind.xids else ():
            self._ledger.set("xid", row, kind.xids[-1])
            self._ledger.set("recovery_action", row, kind.recovery)
        row = rows[0]
        if 48 in kind.xids:
            self._ledger.add("ecc_dbe", row, 1)
        if 63 in kind.xids:
            self._ledger.add("remapped_rows", row, 1)
            self._ledger.set("remap_pending", row, 1)
            self._ledger.set("remap_failed", row, float(self._rng.random() < 0.08))
        if 74 in kind.xids:
            self._ledger.add("nvlink_errors", row, self._rng.randrange(100, 20_000))

    def _silence(self, kind: FaultKind, node: int, rows: tuple[int, ...]) -> None:
        for row in rows:
            self._silent[row] = self._silent.get(row, 0) + 1
            self._ledger.silence(row)
        if kind.whole_node:
            self._dead[node] = self._dead.get(node, 0) + 1
        self._freeze()

    def _repair(self, broken: Broken, now: float) -> None:
        kind, node = broken.kind, broken.node
        if kind.silent:
            for row in broken.rows:
                if _less(self._silent, row):
                    self._ledger.restore(row)
            if kind.whole_node:
                _less(self._dead, node)
            self._freeze()
        if kind.name == "thermal-interface":
            self._bank.resistance[broken.rows[0]] = broken.resistance
        for row in broken.rows if kind.xids else ():
            for name in ("xid", "recovery_action", "remap_pending", "remap_failed", "ecc_dbe", "nvlink_errors"):
                self._ledger.set(name, row, 0)
        if kind.fatal and _less(self._down, node):
            self._scheduler.placement.up(node)
        path = self._path(kind, node, broken.rows)
        self.tell(now, path, f"{kind.name}-repaired", Severity.INFO, f"{kind.name}: repaired")

    def _tell(self, kind: FaultKind, node: int, rows: tuple[int, ...], at: float) -> None:
        path = self._path(kind, node, rows)
        text = kind.text.replace("{link}", str(self._rng.randrange(18)))
        slot = int(self._topology.gpu_slot[rows[0]])
        for xid in kind.xids or (0,):
            line = f"NVRM: Xid (PCI:0000:{0x10 + 0x0B * slot:02x}:00): {xid}, {text}" if xid else text
            self.tell(at, path, f"xid-{xid}" if xid else kind.name, kind.severity, line)

    def _path(self, kind: FaultKind, node: int, rows: tuple[int, ...]) -> str:
        if kind.whole_node:
            return self._topology.path(Level.NODE, node)
        return self._topology.path(Level.GPU, rows[0])

    def _freeze(self) -> None:
        self.silent = np.array(sorted(self._silent), dtype=np.intp)
        self.dead_nodes = np.array(sorted(self._dead), dtype=np.intp)


def _less(counts: dict[int, int], key: int) -> bool:
    """Count one down; return whether none is left."""
    counts[key] -= 1
    if counts[key]:
        return False
    del counts[key]
    return True
