"""100,000 GPUs x 16 metrics from a real VictoriaMetrics: what the console costs, and what it costs the server.

The headless engine runs as `gigadeck watch` with aggregates every 5 s and a full sweep every 60 s; the first sweep,
which learns the series, is over before the measurement begins.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.exposition import pages
from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.victoria import Victoria

MIB = 1024 * 1024
SCRAPE_S = 15.0
SETTLE_S = 75.0
FLEET = """
fleet: bench
sites:
  - name: muc1
    layout: '^(?P<node>(?P<hall>h\\d+)-(?P<rack>r\\d+)-n\\d+)'
    sources:
      - {{kind: prometheus, name: victoria, url: '{url}', cadence: 5s, sweep_cadence: 60s}}
"""


def run(*, quick: bool) -> list[Figure]:
    """Return CPU share and memory of the console, and the CPU share of the server."""
    from tests.servers.victoria import victoria

    nodes, measured_s = (1_250, 60.0) if quick else (12_500, 120.0)
    with tempfile.TemporaryDirectory() as folder, victoria(Path(folder)) as server:
        idle = _server_idle(server, nodes, measured_s / 2)
        with _feeding(server, nodes):
            return _figures(server, Path(folder), nodes, measured_s, idle)


def _server_idle(server: Victoria, nodes: int, seconds: float) -> float:
    """Return the share of a core that the server takes to be fed, without any reader."""
    assert server.process is not None
    with _feeding(server, nodes):
        time.sleep(SCRAPE_S)
        return _cpu_share(psutil.Process(server.process.pid), seconds)


@contextlib.contextmanager
def _feeding(server: Victoria, nodes: int) -> Iterator[None]:
    """Load all series every 15 s from another process, as scraping would."""
    command = [sys.executable, "-m", "bench.exposition", server.url, str(nodes), str(SCRAPE_S)]
    feeder = subprocess.Popen(command)
    try:
        yield
    finally:
        feeder.terminate()
        feeder.wait(30)


def _figures(server: Victoria, folder: Path, nodes: int, measured_s: float, idle: float) -> list[Figure]:
    assert server.process is not None
    fleet = folder / "fleet.yaml"
    fleet.write_text(FLEET.format(url=server.url))
    watch = [sys.executable, "-m", "console", "watch", "--fleet", str(fleet), "--what", "alerts", "--for", "600s"]
    env = {**os.environ, "GIGADECK_CONFIG_DIR": str(folder), "GIGADECK_STATE_DIR": str(folder)}
    console = subprocess.Popen(watch, stdout=subprocess.DEVNULL, env=env)
    try:
        time.sleep(SETTLE_S)
        ours, theirs = _both(psutil.Process(console.pid), psutil.Process(server.process.pid), measured_s)
        rss = psutil.Process(console.pid).memory_info().rss / MIB
    finally:
        console.terminate()
        console.wait(30)
    series = nodes * 8 * len(pages(1, 0))
    told = f"{nodes * 8:,} GPUs, {series:,} series"
    return [
        Figure(f"console on VictoriaMetrics, {told}: share of one core", ours, "cores", must=0.15),
        Figure(f"console on VictoriaMetrics, {told}: resident memory", rss, "MiB", must=500),
        Figure(
            "the server's share of one core with the console reading",
            theirs,
            "cores",
            idle or None,
            "fed, nobody reads",
        ),
    ]


def _both(ours: psutil.Process, theirs: psutil.Process, seconds: float) -> tuple[float, float]:
    shares: dict[str, float] = {}
    thread = threading.Thread(target=lambda: shares.update(theirs=_cpu_share(theirs, seconds)))
    thread.start()
    mine = _cpu_share(ours, seconds)
    thread.join()
    return mine, shares["theirs"]


def _cpu_share(process: psutil.Process, seconds: float) -> float:
    before, started = process.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    after, took_s = process.cpu_times(), time.perf_counter() - started
    return (after.user + after.system - before.user - before.system) / took_s
