from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from console.config.values import SiteConfig, SourceConfig
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.model.levels import Level
from console.model.ports import Subject, Witness
from console.model.reading import AggregatePart, ColumnPart
from console.sources.prometheus.rules import recording_rules
from console.sources.registry import open_source
from tests.servers.httpd import Exporter, gpu_uuid, node_name, serving
from tests.servers.prometheus import Prometheus, prometheus
from tests.support.servers import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from console.model.ports import Source
    from console.model.reading import Part, Reading
    from console.model.snapshot import SiteFrame

    Watching = Callable[..., "Watch"]

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("prometheus")]
NODES, GPUS = 12, 8
WAIT_S = 40.0


class Watch:
    """A site with a declared inventory, read through one source."""

    def __init__(self, url: str, **options: object) -> None:
        specs = [
            NodeSpec(node_name(n), gpus=GPUS, gpu_uuids=tuple(gpu_uuid(n, g) for g in range(GPUS)))
            for n in range(NODES)
        ]
        self.merger = SiteMerger(build_topology("lab", specs, declared=True), BUILTIN)
        config = SourceConfig("prometheus", "prom", url, options=options)
        self.source: Source = open_source(SiteConfig("lab"), config, BUILTIN)
        self.reading: Reading | None = None
        self.parts: list[Part] = []

    async def read(self) -> SiteFrame:
        self.reading = await self.source.read()
        self.parts = list(self.reading.decode())
        for part in self.parts:
            self.merger.apply(part, source="prom", stale_after_s=15.0, received_at=self.reading.received_at)
        return self.merger.frame(self.reading.received_at)

    async def until(self, wanted: Callable[[SiteFrame], bool]) -> SiteFrame:
        """Read until a frame is as wanted; a store that has nothing yet is asked again."""
        deadline, last = time.monotonic() + WAIT_S, "nothing"
        while time.monotonic() < deadline:
            try:
                frame = await self.read()
            except errors.SourceError as error:
                last = str(error)
            else:
                if wanted(frame):
                    return frame
                last = f"{np.count_nonzero(frame.reporting)} report, {self.reading and self.reading.warnings}"
            await asyncio.sleep(0.5)
        pytest.fail(f"not within {WAIT_S:g} s: {last}")

    def nodes_reporting(self, frame: SiteFrame) -> set[int]:
        return {n for n in range(NODES) if frame.reporting[n * GPUS : (n + 1) * GPUS].any()}


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with serving(Exporter(nodes=NODES, gpus=GPUS, clock=time.time)) as running:
        yield running


@pytest.fixture(scope="module")
def server(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    targets = [f"127.0.0.1:{exporter.port}/metrics?shard={i}&of=4" for i in range(4)]
    with prometheus(tmp_path_factory.mktemp("prom"), targets, rules=recording_rules(BUILTIN)) as running:
        yield running


@pytest.fixture
async def watching() -> AsyncIterator[Watching]:
    opened: list[Watch] = []

    def make(url: str, **options: object) -> Watch:
        opened.append(Watch(url, **options))
        return opened[-1]

    yield make
    for watch in opened:
        await watch.source.aclose()


def whole(frame: SiteFrame) -> bool:
    return bool(frame.reporting.all())


@pytest.mark.parametrize("way", ["federate", "query"])
async def test_every_gpu_joins_by_uuid_with_its_age(server: Prometheus, way: str, watching: Watching) -> None:
    watch = watching(server.url, sweep=way)
    # The interval is known from the second scrape on.
    frame = await watch.until(lambda each: whole(each) and watch.reading is not None and watch.reading.cadence_s > 0)
    assert watch.reading is not None
    assert not frame.unjoined
    column = frame.columns["power_w"]
    assert 200 < float(column.values.min()) <= float(column.values.max()) < 700
    assert 0 <= watch.reading.received_at - column.oldest_at() < 5
    assert watch.reading.cadence_s == pytest.approx(1.0, abs=0.5)
    assert watch.reading.notes["server"].startswith("prometheus 2")
    assert frame.columns["mem_used_bytes"].values.max() > 5e10


async def test_the_series_of_a_node_and_of_a_gpu_are_shown_as_the_store_has_them(
    server: Prometheus, watching: Watching
) -> None:
    watch = watching(server.url)
    topology = (await watch.until(whole)).topology
    assert isinstance(watch.source, Witness)
    node = Subject("muc1", topology.path(Level.NODE, 3), topology.nodes[3])
    one = Subject("muc1", "x", topology.nodes[3], gpu=1, uuid=topology.uuid(3 * GPUS + 1))
    of_node = (await watch.source.record(node)).splitlines()
    of_gpu = (await watch.source.record(one)).splitlines()
    assert len({line.partition("{")[0] for line in of_node}) == 5
    assert len(of_node) == GPUS * len(of_gpu)
    assert all(one.uuid in line for line in of_gpu)
    assert await watch.source.record(Subject("muc1", "x", "no-such-node")) == ""


async def test_a_node_that_goes_is_missing_and_comes_back(
    server: Prometheus, exporter: Exporter, watching: Watching
) -> None:
    watch = watching(server.url)
    await watch.until(whole)
    exporter.gone = {3}
    frame = await watch.until(lambda each: 3 not in watch.nodes_reporting(each))
    assert watch.nodes_reporting(frame) == set(range(NODES)) - {3}
    exporter.gone = set()
    await watch.until(whole)


async def test_one_exporter_frozen_is_said(server: Prometheus, exporter: Exporter, watching: Watching) -> None:
    watch = watching(server.url)
    await watch.until(whole)
    exporter.frozen = {5}

    def said(_: SiteFrame) -> bool:
        assert watch.reading is not None
        return any("has not changed" in text for text in watch.reading.warnings)

    await watch.until(said)
    assert watch.reading is not None
    text = next(text for text in watch.reading.warnings if "has not changed" in text)
    assert "power_w of 8 GPUs" in text
    assert node_name(5) in text
    exporter.frozen = set()


@pytest.mark.parametrize("late_s", [-3600.0, 3600.0])
async def test_one_exporter_with_a_clock_an_hour_off_is_not_fresh(
    exporter: Exporter, tmp_path: Path, late_s: float, watching: Watching
) -> None:
    exporter.late_s = {7: late_s}
    targets = [f"127.0.0.1:{exporter.port}/metrics?shard={i}&of={NODES}" for i in range(NODES)]
    try:
        with prometheus(tmp_path, targets) as running:
            watch = watching(running.url)
            frame = await watch.until(lambda each: len(watch.nodes_reporting(each)) == NODES - 1)
            assert watch.nodes_reporting(frame) == set(range(NODES)) - {7}
    finally:
        exporter.late_s = {}


async def test_rules_are_used_where_they_exist(server: Prometheus, watching: Watching) -> None:
    watch = watching(server.url, sweep="off")

    def has_rules(_: SiteFrame) -> bool:
        assert watch.reading is not None
        counts = [part.count for part in watch.parts if isinstance(part, AggregatePart)]
        return watch.reading.notes["rules"] == "used" and any(each is not None and each[0] == 96 for each in counts)

    await watch.until(has_rules)
    found = {part.field: part for part in watch.parts if isinstance(part, AggregatePart)}
    assert found["temp_c_max"].values[0] <= 75
    assert found["gpu_power_w_sum"].count is not None
    assert found["gpu_power_w_sum"].count[0] == NODES * GPUS
    assert found["gpu_power_w_sum"].values[0] > NODES * GPUS * 200
    assert time.time() - found["gpu_power_w_sum"].at[0] < 60


async def test_aggregates_without_rules_agree_with_the_sweep(server: Prometheus, watching: Watching) -> None:
    watch = watching(server.url, rules="off", sweep_cadence=1.0)
    frame = await watch.until(whole)
    found = {part.field: part for part in watch.parts if isinstance(part, AggregatePart)}
    assert found["gpu_power_w_sum"].count is not None
    assert found["gpu_power_w_sum"].count[0] == NODES * GPUS
    told = float(found["gpu_power_w_sum"].values[0])
    assert told == pytest.approx(float(frame.columns["power_w"].values.sum()), rel=0.3)


async def test_a_close_look_reads_one_node_at_every_turn(server: Prometheus, watching: Watching) -> None:
    watch = watching(server.url, sweep_cadence=600.0)
    await watch.until(whole)
    watch.source.focus(f"lab/h/r/{node_name(2)}/g1")  # type: ignore[attr-defined]  # a source that can
    await watch.read()
    parts = [part for part in watch.parts if isinstance(part, ColumnPart)]
    assert parts
    assert not any(part.full for part in parts)
    nodes = {node for part in parts for node in part.keys.nodes}  # type: ignore[union-attr]
    assert node_name(2) in nodes
    assert {part.metric for part in parts} >= {"power_w", "temp_c", "util_pct", "mem_used_bytes", "xid"}


async def test_killed_and_started_again_in_mid_run(exporter: Exporter, tmp_path: Path, watching: Watching) -> None:
    with prometheus(tmp_path, [f"127.0.0.1:{exporter.port}/metrics"]) as running:
        watch = watching(running.url)
        await watch.until(whole)
        running.kill()
        with pytest.raises(errors.Unreachable, match="lab/prom: "):
            await watch.read()
        running.start()
        await watch.until(whole)


def test_rules_are_valid(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(recording_rules(BUILTIN))
    assert len(yaml.safe_load(rules.read_text())["groups"][0]["rules"]) > 60
    done = subprocess.run(
        [require("promtool", "prometheus"), "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
