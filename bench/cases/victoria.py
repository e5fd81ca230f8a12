"""100,000 GPUs x 16 metrics from a real VictoriaMetrics, and four sites of that: what the console and the server spend.

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.exposition import GPUS_PER_NODE, METRICS
from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.victoria import Victoria

MIB = 1024 * 1024
SCRAPE_S = 15.0
SETTLE_S = 75.0
# Four sites read what one server holds: it is fed half as often, so that two cores are enough for all.
SITES = 4
SITES_SCRAPE_S = 30.0
SITE = """
  - name: muc{number}
    layout: '^(?P<node>(?P<hall>h\\d+)-(?P<rack>r\\d+)-n\\d+)'
    sources:
      - {{kind: prometheus, name: victoria, url: '{url}', cadence: 5s, sweep_cadence: 60s}}
"""


def run(*, quick: bool) -> list[Figure]:
    """Return CPU share and memory of the console, and the CPU share of the server, for one site and for four."""
    from tests.servers.victoria import victoria

    nodes, measured_s = (1_250, 60.0) if quick else (12_500, 120.0)
    with tempfile.TemporaryDirectory() as folder, victoria(Path(folder)) as server:
        place = Path(folder)
        one = _Load(server, place, nodes, 1, SCRAPE_S).figures(measured_s, cores=0.15, mib=500)
        return [*one, *_Load(server, place, nodes, SITES, SITES_SCRAPE_S).figures(measured_s, cores=0.5, mib=900)]


@dataclass(frozen=True)
class _Load:
    """A server fed with the series of so many nodes, and a console that reads them for so many sites."""

    server: Victoria
    folder: Path
    nodes: int
    sites: int
    scrape_s: float

    def figures(self, measured_s: float, *, cores: float, mib: float) -> list[Figure]:
        """Return what the console took for so long, and the server with it and without."""
        with _feeding(self.server, self.nodes, self.scrape_s):
            time.sleep(SCRAPE_S)
            idle = _cpu_share(self._server_process(), measured_s / 2)
            ours, theirs, rss = self._read(measured_s)
        series = self.nodes * GPUS_PER_NODE * len(METRICS)
        gpus = f"{self.nodes * GPUS_PER_NODE:,} GPUs, {series:,} series"
        told = f"console on VictoriaMetrics, {f'{self.sites} sites x ' if self.sites > 1 else ''}{gpus}"
        fed = f"aggregates every 5 s, sweep every 60 s; fed every {self.scrape_s:g} s"
        same = "; all sites read the same series" if self.sites > 1 else ""
        server = "the server's share of one core with the console reading"
        return [
            Figure(f"{told}: share of one core", ours, "cores", must=cores, note=fed + same),
            Figure(f"{told}: resident memory", rss, "MiB", must=mib),
            Figure(
                f"{server}{f', {self.sites} sites' if self.sites > 1 else ''}",
                theirs,
                "cores",
                idle or None,
                "fed, nobody reads",
            ),
        ]

    def _read(self, measured_s: float) -> tuple[float, float, float]:
        """Return the shares of a core of the console and the server, and the console's memory in MiB."""
        fleet = self.folder / "fleet.yaml"
        sites = (SITE.format(number=number, url=self.server.url) for number in range(self.sites))
        fleet.write_text("fleet: bench\nsites:" + "".join(sites))
        watch = [sys.executable, "-m", "console", "watch", "--fleet", str(fleet), "--what", "alerts", "--for", "600s"]
        env = {**os.environ, "GIGADECK_CONFIG_DIR": str(self.folder), "GIGADECK_STATE_DIR": str(self.folder)}
        console = subprocess.Popen(watch, stdout=subprocess.DEVNULL, env=env)
        try:
            time.sleep(SETTLE_S)
            ours, theirs = _both(psutil.Process(console.pid), self._server_process(), measured_s)
            return ours, theirs, psutil.Process(console.pid).memory_info().rss / MIB
        finally:
            console.terminate()
            console.wait(30)

    def _server_process(self) -> psutil.Process:
        assert self.server.process is not None
        return psutil.Process(self.server.process.pid)


@contextlib.contextmanager
def _feeding(server: Victoria, nodes: int, scrape_s: float) -> Iterator[None]:
    """Load all series again and again from another process, as scraping would."""
    command = [sys.executable, "-m", "bench.exposition", server.url, str(nodes), str(scrape_s)]
    feeder = subprocess.Popen(command)
    try:
        yield
    finally:
        feeder.terminate()
        feeder.wait(30)


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
