"""A small site and what several voices say of its nodes, for everything that compares them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements.book import DisagreementBook
from console.core.disagreements.hearing import Hearing
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.inventory import NodeSpec
from console.model.reading import ColumnPart, FactsPart, GpuKeys, NamedKeys, NodeReportsPart, TopologyPart
from console.model.scheduling import NodeReason, NodeState
from console.model.snapshot import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.model.disagreements import Disagreement, Disagreements
    from console.model.reading import Part
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

NOW = 1_800_000_000.0
GPUS = 4
IDLE, MIXED, DOWN = NodeState("IDLE"), NodeState("MIXED"), NodeState("DOWN")
DRAINED = NodeState("IDLE", ("DRAIN",))
READY, CORDONED = NodeState("Ready"), NodeState("Ready", ("SchedulingDisabled",))


def node_names(count: int) -> list[str]:
    return [f"n{index + 1:02}" for index in range(count)]


def topology(names: Sequence[str], *, version: int = 1, model: str = "H100", declared: bool = True) -> SiteTopology:
    specs = [NodeSpec(name, hall="h1", rack="r1", gpus=GPUS, model=model) for name in names]
    return build_topology("muc1", specs, version=version, declared=declared)


class Voices:
    """A site whose voices speak when a test says so."""

    def __init__(self, names: Sequence[str], *, now: float = NOW) -> None:
        self.now = now
        self.names = list(names)
        self.merger = SiteMerger(topology(names), BUILTIN)
        self.book = DisagreementBook()
        self.stale: set[tuple[str, str]] = set()

    def telemetry(self, busy: Mapping[str, float] | None = None, *, without: Sequence[str] = (), lost: int = 0) -> None:
        """Report utilisation (90 where nothing is said) of all GPUs but those of some nodes, or the last `lost`."""
        names = [name for name in self.names if name not in without for _ in range(GPUS)]
        slots = np.tile(np.arange(GPUS, dtype=np.int16), len(names) // GPUS)
        util = np.array([(busy or {}).get(name, 90.0) for name in names], dtype=np.float32)
        count = len(names) - lost
        nobody = np.zeros(count, dtype=np.uint64)
        keys = GpuKeys(tuple(names[:count]), slots[:count], nobody, nobody)
        for metric in ("util_pct", "power_w"):
            self.apply(ColumnPart(metric, keys, util[:count], same_time(self.now, count)), "dcgm")

    def scheduler(
        self,
        source: str,
        states: Mapping[str, NodeState],
        *,
        gpus: Mapping[str, int] | None = None,
        held: Mapping[str, int] | None = None,
        reasons: Mapping[str, NodeReason] | None = None,
        at: float = 0.0,
    ) -> None:
        kinds = list(dict.fromkeys(states.values()))
        names = tuple(states)
        part = NodeReportsPart(
            NamedKeys("node", names),
            tuple(kinds),
            np.array([kinds.index(state) for state in states.values()], dtype=np.int32),
            np.array([(gpus or {}).get(name, GPUS) for name in names], dtype=np.int16),
            np.array([(held or {}).get(name, 0) for name in names], dtype=np.int16),
            {names.index(name): reason for name, reason in (reasons or {}).items()},
            at or self.now,
        )
        self.apply(part, source)

    def fact(self, fact: str, texts: Mapping[str, str], source: str = "smi") -> None:
        self.apply(FactsPart(fact, NamedKeys("node", tuple(texts)), tuple(texts.values()), self.now), source)

    def move(self, names: Sequence[str], version: int = 2) -> None:
        """Take another topology in place of this one."""
        self.names = list(names)
        self.apply(TopologyPart(topology(names, version=version)), "inventory")

    def apply(self, part: Part, source: str) -> None:
        self.merger.apply(part, source=source, stale_after_s=60.0, received_at=self.now)

    @property
    def hearing(self) -> Hearing:
        return Hearing(frozenset(self.stale))

    def frame(self, **changes: object) -> SiteFrame:
        stale = frozenset(source for _, source in self.stale)
        return replace(self.merger.frame(self.now, stale), **changes)  # type: ignore[arg-type]

    def judged(self, after_s: float = 0.0, *, spell: bool = True, **changes: object) -> Disagreements:
        """Return what the book says after some time in which nobody spoke again."""
        self.now += after_s
        frame = Frame(self.now, "f", BUILTIN, (self.frame(**changes),))
        *_, last = self.book.update(frame, self.hearing, spell=spell)
        assert last is not None
        return last

    def rows(self, kind: str, after_s: float = 0.0, **changes: object) -> dict[str, Disagreement]:
        """Return the disagreements of one kind by node."""
        return {row.path.rpartition("/")[2]: row for row in self.judged(after_s, **changes).rows if row.kind == kind}
