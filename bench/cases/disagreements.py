"""One pass over the voices of a million GPUs: two schedulers, telemetry, inventory and four facts of 125,000 nodes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench.measure import Figure, float32_add_s
from console.core.disagreements.book import DisagreementBook
from console.core.disagreements.hearing import Hearing
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.inventory import NodeSpec
from console.model.reading import ColumnPart, FactsPart, InOrder, NamedKeys, NodeReportsPart
from console.model.scheduling import NodeState
from console.model.snapshot import Frame

if TYPE_CHECKING:
    from console.model.reading import Part
    from console.model.snapshot import SiteFrame

NOW = 1_800_000_000.0
SITES, NODES, GPUS = 4, 31_250, 8
STATES = (NodeState("IDLE"), NodeState("MIXED"), NodeState("IDLE", ("DRAIN",)), NodeState("DOWN"))
SHARES = (0.3, 0.6895, 0.01, 0.0005)
FACTS = ("driver", "vbios", "bmc_firmware", "nic_firmware")
EVERY_S = 5.0


def run(*, quick: bool) -> list[Figure]:
    """Return what a pass costs, and its longest step between two moments for others."""
    rng = np.random.default_rng(1)
    frame = Frame(NOW, "bench", BUILTIN, tuple(_site(f"s{index}", rng) for index in range(SITES)))
    book, total = DisagreementBook(), SITES * NODES * GPUS
    passes, adds, longest = [], [], []
    for turn in range(5 if quick else 15):
        steps = _pass(book, replace(frame, at=NOW + turn * EVERY_S))
        passes.append(sum(steps))
        longest.append(max(steps))
        adds.append(float32_add_s(total, runs=31))
    took_s, add_s = float(np.median(passes)), float(np.median(adds))
    note = f"{SITES * NODES:,} nodes, every {EVERY_S:.0f} s: {took_s / EVERY_S:.1%} of a core"
    worst_ms = float(np.median(longest)) * 1000
    return [
        Figure("disagreements of 1,000,000 GPUs", took_s, "s", add_s, "one float32 add of 1,000,000", note=note),
        Figure("longest step of such a pass", worst_ms, "ms", note="others have their turn after each"),
    ]


def _pass(book: DisagreementBook, frame: Frame) -> list[float]:
    times, began = [], time.perf_counter()
    for _ in book.update(frame, Hearing()):
        now = time.perf_counter()
        times.append(now - began)
        began = now
    return times


def _site(name: str, rng: np.random.Generator) -> SiteFrame:
    names = tuple(f"n{index:05}" for index in range(NODES))
    specs = [NodeSpec(node, hall="h1", rack=f"r{at // 4:04}", gpus=GPUS, model="H100") for at, node in enumerate(names)]
    topology = build_topology(name, specs, version=1, declared=True)
    merger, total = SiteMerger(topology, BUILTIN), NODES * GPUS

    def tell(part: Part, source: str) -> None:
        merger.apply(part, source=source, stale_after_s=60.0, received_at=NOW)

    for metric in ("util_pct", "temp_c", "power_w"):
        values = rng.random(total, dtype=np.float32) * np.float32(90)
        values[rng.random(total) < 0.0005] = np.nan
        tell(ColumnPart(metric, InOrder("gpu", 1, total), values, same_time(NOW, total)), "dcgm")
    for source in ("slurm", "kubernetes"):
        codes = rng.choice(len(STATES), NODES, p=SHARES).astype(np.int32)
        gpus = np.full(NODES, GPUS, dtype=np.int16)
        held = np.where(codes == 1, GPUS, 0).astype(np.int16)
        tell(NodeReportsPart(NamedKeys("node", names), STATES, codes, gpus, held, {}, NOW), source)
    for fact in FACTS:
        texts = tuple("new" if chance > 0.001 else "old" for chance in rng.random(NODES))
        tell(FactsPart(fact, NamedKeys("node", names), texts, NOW), "smi")
    return merger.frame(NOW)
