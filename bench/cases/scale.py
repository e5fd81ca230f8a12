"""What a very large fleet asks once: reading an inventory of 125,000 nodes, and a filter over a million GPUs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import Figure, float32_add_s

NODES, GPUS_A_NODE = 125_000, 8
GPUS = NODES * GPUS_A_NODE
# Nodes a rack and racks a hall, as in air-cooled halls.
RACK, HALL, CDU = 4, 400, 10
WHERE = "temp_c > 70 and util_pct < 50 or power_w > 650"


def run(*, quick: bool) -> list[Figure]:
    """Return both figures, each from a process of its own."""
    runs = 3 if quick else 7
    loaded, filtered = _in_a_process("topology", runs), _in_a_process("filter", runs * 3)
    return [
        Figure(
            "inventory of 125,000 nodes (1,000,000 GPUs, CSV) to the topology",
            loaded["value"],
            "s",
            loaded["reference"],
            "csv.reader over the same text",
            must=16,
            note=f"{loaded['bytes'] / 1e6:.0f} MB; 16 is a second where csv.reader takes 62 ms",
        ),
        Figure(
            f"filter over 1,000,000 GPUs: {WHERE}",
            filtered["value"],
            "s",
            filtered["reference"],
            "one float32 add of 1,000,000",
            must=250,
            note=f"{filtered['shown']:,.0f} GPUs are found",
        ),
    ]


def _in_a_process(what: str, runs: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.cases.scale", what, str(runs)], capture_output=True, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def inventory_text() -> str:
    """Return an inventory as an asset database gives it."""
    lines = ["node,hall,rack,gpus,model,serial,aliases,cdu"]
    for node in range(NODES):
        rack = node // RACK
        hall, cdu = rack // HALL + 1, rack // CDU + 1
        lines.append(
            f"n{node + 1:06d},h{hall},r{rack + 1:05d},{GPUS_A_NODE},NVIDIA H100 80GB HBM3,SN{node:08d},"
            f"n{node + 1:06d}.big.example,cdu{cdu:04d}"
        )
    return "\n".join(lines) + "\n"


def _topology(runs: int) -> dict[str, float]:
    from console.config.inventory import read_inventory
    from console.config.values import InventoryConfig, SiteConfig
    from console.core.inventory import build_topology

    text = inventory_text()
    ours, reference, gpus = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inventory.csv").write_text(text)
        site = SiteConfig(name="big", inventory=InventoryConfig(file="inventory.csv"))
        for _ in range(runs):
            started = time.perf_counter()
            topology = build_topology("big", read_inventory(site, Path(folder)), declared=True)
            ours.append(time.perf_counter() - started)
            gpus = topology.gpus
            started = time.perf_counter()
            sum(1 for _ in csv.reader(io.StringIO(text, newline="")))
            reference.append(time.perf_counter() - started)
    return {"value": min(ours), "reference": min(reference), "shown": gpus, "bytes": len(text)}


def _filter(runs: int) -> dict[str, float]:
    import numpy as np

    from bench.ticks import Ticks
    from console.core.expr import compile_expression
    from console.model.builtin_metrics import BUILTIN

    ticks = Ticks(GPUS)
    ticks.feed()
    frame = ticks.merge_and_publish().frame
    expression = compile_expression(WHERE, BUILTIN, "gpu")
    ours, reference, found = [], [], 0
    for _ in range(runs):
        started = time.perf_counter()
        found = sum(int(np.count_nonzero(expression.evaluate(site, frame.at).true)) for site in frame.sites)
        ours.append(time.perf_counter() - started)
        reference.append(float32_add_s(GPUS, runs=31))
    return {"value": min(ours), "reference": min(reference), "shown": found}


def main() -> None:
    """Measure one of the two in this process, as one that runs the console is set up."""
    from console.cli.interpreter import tune

    tune()
    measure = {"topology": _topology, "filter": _filter}[sys.argv[1]]
    print(json.dumps(measure(int(sys.argv[2]))))


if __name__ == "__main__":
    main()
