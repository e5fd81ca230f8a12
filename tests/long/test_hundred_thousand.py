"""100,000 GPUs x 16 metrics from a real VictoriaMetrics, through the session: every value equal, and what it cost."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil
import pytest

from bench.exposition import GPUS_PER_NODE, METRICS, pages
from console.model.builtin_metrics import BUILTIN
from console.model.identity import parse_uuids
from console.model.levels import Level
from console.model.metrics import RollUp
from console.model.ports import Diagnosable
from console.model.snapshot import SourceState
from console.wiring import open_fleet
from tests.servers.victoria import victoria

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.model.snapshot import Snapshot
    from tests.servers.victoria import Victoria

pytestmark = [pytest.mark.server, pytest.mark.long]

NODES = 12_500
GPUS = NODES * GPUS_PER_NODE
SCRAPE_S = 30.0
WAIT_S = 300.0
FLEET = """
fleet: large
sites:
  - name: muc1
    layout: '^(?P<node>(?P<hall>h\\d+)-(?P<rack>r\\d+)-n\\d+)'
    sources:
      - {{kind: prometheus, name: victoria, url: '{url}', cadence: 5s, sweep_cadence: 60s}}
"""


@contextmanager
def scraped(server: Victoria, first: list[bytes]) -> Iterator[None]:
    """Store every series again each 30 s, with the time of the turn, so that nothing ages out; values stand still."""
    ended = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=server.url, timeout=120) as client:
            while not ended.is_set():
                began = time.monotonic()
                params = {"timestamp": str(int(time.time() * 1000))}
                for page in first:
                    client.post("/api/v1/import/prometheus", params=params, content=page).raise_for_status()
                loaded.set()
                ended.wait(max(0.0, SCRAPE_S - (time.monotonic() - began)))

    loaded = threading.Event()
    thread = threading.Thread(target=load, name="scrapes", daemon=True)
    thread.start()
    try:
        assert loaded.wait(WAIT_S)
        yield
    finally:
        ended.set()
        thread.join(120)


def swept(snapshot: Snapshot) -> bool:
    frame, of = snapshot.frame.site("muc1"), snapshot.sources[0]
    return (
        frame is not None
        and frame.topology.gpus == GPUS
        and of.notes.get("sweep", "under way") != "under way"
        and len(frame.columns) == len(METRICS)
        and all(not np.isnan(column.values).any() for column in frame.columns.values())
        and "power_w" in frame.rollups
    )


def expected(dcgm: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the values of all GPUs, by number, in our unit; they repeat every 20 GPUs."""
    metric = BUILTIN.of_dcgm(dcgm)
    assert metric is not None
    lines = pages(3, 0)[METRICS.index(dcgm)].splitlines()[:20]
    cycle = np.array([float(line.rpartition(" ")[2]) for line in lines]) * metric.scale
    return cycle[np.arange(GPUS) % 20]


@pytest.mark.timeout(1200)
def test_every_value_arrives_and_the_cost_is_told(tmp_path: Path) -> None:
    encoded = [page.encode() for page in pages(NODES, 0)]
    (tmp_path / "fleet.yaml").write_text("")
    with victoria(tmp_path) as server, scraped(server, encoded):
        (tmp_path / "fleet.yaml").write_text(FLEET.format(url=server.url))
        time.sleep(SCRAPE_S)  # a second scrape tells the interval
        fleet = open_fleet(str(tmp_path / "fleet.yaml"), with_plugins=False)
        assert server.process is not None
        us, them = psutil.Process(), psutil.Process(server.process.pid)
        began, our_cpu, their_cpu = time.monotonic(), cpu_s(us), cpu_s(them)
        fleet.session.start()
        try:
            snapshot = fleet.session.wait(swept, WAIT_S)
            print(
                f"\nfirst sweep of {GPUS:,} GPUs x {len(METRICS)}: whole after {time.monotonic() - began:.1f} s,"
                f" our CPU {cpu_s(us) - our_cpu:.1f} s (with the loader's), server CPU {cpu_s(them) - their_cpu:.1f} s,"
                f" RSS {us.memory_info().rss / 1e6:.0f} MB: {dict(snapshot.sources[0].notes)}"
            )
            check(snapshot)
            later = fleet.session.wait(lambda each: each.at > snapshot.at + 70 and swept(each), WAIT_S)
            check(later)
            assert later.sources[0].state in (SourceState.OK, SourceState.SLOW)
            print(f"later: {later.sources[0].latency_p50_s:.2f} s a turn, {dict(later.sources[0].notes)}")
        finally:
            fleet.session.close(2.0)
        source = fleet.sources["muc1", "victoria"]
        assert isinstance(source, Diagnosable)
        told = asyncio.run(measured(source))
        print(f"doctor: {told}")
        assert f"{GPUS * len(METRICS):,} rows" in told["sweep"]


async def measured(source: Diagnosable) -> dict[str, str]:
    try:
        return dict(await source.diagnose())
    finally:
        await source.aclose()  # type: ignore[attr-defined]  # every source has it


def check(snapshot: Snapshot) -> None:
    frame = snapshot.frame.site("muc1")
    assert frame is not None
    numbers = np.arange(GPUS)
    uuids = [f"GPU-{n // 8:08x}-{n % 8:04x}-4abc-8def-{n:012x}" for n in numbers.tolist()]
    rows = frame.topology.uuids.find(*parse_uuids(uuids))
    assert (rows >= 0).all()
    for dcgm in METRICS:
        metric = BUILTIN.of_dcgm(dcgm)
        assert metric is not None
        column = frame.columns[metric.name]
        np.testing.assert_allclose(column.values[rows], expected(dcgm), rtol=1e-6, err_msg=dcgm)
        assert snapshot.at - column.oldest_at() < 200
    power = frame.rollups["power_w"]
    total = power.get(Level.SITE, RollUp.SUM)[0]
    assert total == pytest.approx(expected("DCGM_FI_DEV_POWER_USAGE").sum(), rel=1e-4)
    assert power.counts[Level.SITE][0] == GPUS
    assert frame.reporting.all()


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
