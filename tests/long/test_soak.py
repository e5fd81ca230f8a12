"""A million emulated GPUs for minutes: memory, tasks, threads and file descriptors stay what they are."""

from __future__ import annotations

import gc
import os
import threading
import time

import psutil
import pytest

from console.wiring import Demo, open_fleet

pytestmark = pytest.mark.long

GPUS = 1_000_000
WARM_S = float(os.environ.get("GIGADECK_SOAK_WARM_S", "90"))
SOAK_S = float(os.environ.get("GIGADECK_SOAK_S", "240"))
GROWTH = 1.05
MIB = 1024 * 1024


@pytest.mark.timeout(1800)
def test_nothing_grows_while_a_million_gpus_tick() -> None:
    fleet = open_fleet("", demo=Demo(gpus=GPUS, sites=4), with_plugins=False)
    process = psutil.Process()
    fleet.session.start()
    try:
        first = fleet.session.wait(lambda each: len(each.frame.sites) == 4 and each.frame.sites[-1].data_at > 0, 120)
        # Rings of history fill for a minute, the allocator finds its size.
        time.sleep(WARM_S)
        before = measured(process)
        seen: list[dict[str, float]] = []
        until = time.monotonic() + SOAK_S
        while time.monotonic() < until:
            time.sleep(min(30.0, SOAK_S))
            seen.append(measured(process))
            print(seen[-1])
        last = fleet.session.latest()
        assert last is not None
        assert last.seq - first.seq > 0.3 * SOAK_S
        assert sum(site.topology.gpus for site in last.frame.sites) == GPUS
        print(f"before {before}, after {seen[-1]}, {last.seq - first.seq} snapshots, {fleet.session.statistics()}")
    finally:
        fleet.session.close(2.0)
    assert min(each["rss_mib"] for each in seen[-3:]) < GROWTH * before["rss_mib"]
    assert seen[-1]["files"] <= before["files"]
    assert seen[-1]["threads"] <= before["threads"]
    assert seen[-1]["tasks"] <= before["tasks"]


def measured(process: psutil.Process) -> dict[str, float]:
    gc.collect()
    return {
        "rss_mib": round(process.memory_info().rss / MIB, 1),
        "files": process.num_fds(),
        "threads": threading.active_count(),
        "tasks": tasks(),
    }


def tasks() -> int:
    """Return how many tasks are alive, on whichever loop."""
    import asyncio

    return sum(1 for each in gc.get_objects() if isinstance(each, asyncio.Task) and not each.done())
