"""One tick of a million GPUs: merge, roll-up, history and snapshot, beside one float32 add of that length.

Each fleet is measured in a process of its own, so that its resident memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from bench.measure import Figure, float32_add_s, rss_bytes

MIB = 1024 * 1024
# The tick must be linear from here up; below it the cost of a site is seen.
FROM = 10_000


def run(*, quick: bool) -> list[Figure]:
    """Return the tick's ratio, the memory, and how the tick grows."""
    sizes = (10_000, 1_000_000) if quick else (1_000, 10_000, 100_000, 300_000, 1_000_000)
    told = {size: _in_a_process(size) for size in sizes}
    most = told[sizes[-1]]
    figures = [
        Figure(
            "merge + roll-up + history + snapshot, 1,000,000 GPUs",
            most["tick_s"],
            "s",
            most["add_s"],
            "one float32 add of 1,000,000",
            must=500,
            note=f"{most['columns']} columns of GPUs, all new at each tick",
        ),
        Figure("resident memory with 1,000,000 GPUs", most["rss_mib"], "MiB", must=700, note="emulator included"),
    ]
    growth = (most["tick_s"] / told[FROM]["tick_s"]) / (sizes[-1] / FROM)
    per_gpu = ", ".join(f"{size:,}: {told[size]['tick_s'] * 1e9 / size:.0f} ns a GPU" for size in sizes)
    grown = {
        "gpus": list(sizes),
        "tick_ms": [told[size]["tick_s"] * 1000 for size in sizes],
        "rss_mib": [told[size]["rss_mib"] for size in sizes],
    }
    figures.append(
        Figure(
            f"growth of the tick from {FROM:,} GPUs",
            growth,
            "of linear",
            must=1.3,
            note=per_gpu,
            detail={"growth": grown},
        )
    )
    return figures


def _in_a_process(gpus: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.cases.merge", str(gpus)], capture_output=True, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _measure(gpus: int) -> dict[str, float]:
    import numpy as np

    from bench.ticks import Ticks

    ticks = Ticks(gpus)
    for _ in range(3):
        ticks.tick()
    times, adds = [], []
    # In turns, so that whatever else runs on the machine touches both.
    for _ in range(15):
        ticks.feed()
        started = time.perf_counter()
        ticks.merge_and_publish()
        times.append(time.perf_counter() - started)
        adds.append(float32_add_s(gpus, runs=31))
    return {
        "tick_s": float(np.median(times)),
        "add_s": float(np.median(adds)),
        "rss_mib": rss_bytes() / MIB,
        "columns": ticks.columns,
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))
