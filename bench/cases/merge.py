"""One tick of a million GPUs: merge, roll-up, history and snapshot, beside one float32 add of that length.

Each fleet is measured in a process of its own, so that its resident memory is its own; that of a million GPUs is the
memory of a whole session, plugins with it.
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
MILLION, SITES = 1_000_000, 10
# Every detector has seen every GPU many times by then, and node histories have been round once.
SETTLED_S, QUICK_SETTLED_S = 90.0, 30.0
MOST_MIB = 700e6 / MIB


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
        _resident(QUICK_SETTLED_S if quick else SETTLED_S),
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


def _in_a_process(*arguments: float) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.cases.merge", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _resident(settled_s: float) -> Figure:
    told = _in_a_process(MILLION, settled_s)
    note = f"no screen, {settled_s:.0f} s at 1 Hz, {told['detectors']} detectors and the emulator in it"
    return Figure("resident memory with 1,000,000 GPUs", told["rss_mib"], "MiB", must=MOST_MIB, note=note)


def _session(gpus: int, settled_s: float) -> dict[str, float]:
    from console.cli.interpreter import keep_pauses_short, tune

    tune()
    from console.wiring import Demo, open_fleet

    fleet = open_fleet("", demo=Demo(gpus=gpus, sites=SITES))
    keep_pauses_short(fleet.session)
    fleet.session.start()
    fleet.session.wait(lambda snapshot: all(site.data_at for site in snapshot.frame.sites), 120.0)
    time.sleep(settled_s)
    told = {"rss_mib": rss_bytes() / MIB, "detectors": len(fleet.host.detectors)}
    fleet.session.close()
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
    gpus, *settled_s = sys.argv[1:]
    print(json.dumps(_session(int(gpus), float(settled_s[0])) if settled_s else _measure(int(gpus))))
