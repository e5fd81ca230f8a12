from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from console.config.values import SiteConfig, SourceConfig
from console.core.inventory import build_topology, empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.model.reading import ColumnPart
from console.sources.registry import open_source
from tests.servers.httpd import Exporter, gpu_uuid, node_name
from tests.servers.victoria import victoria

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.model.snapshot import SiteFrame
    from tests.servers.victoria import Victoria

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("victoria")]
NODES = 50


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Victoria]:
    with victoria(tmp_path) as running:
        yield running


def fill(server: Victoria, exporter: Exporter, *, turns: int = 4, interval_s: float = 5.0) -> None:
    now = time.time()
    for turn in range(turns):
        server.load(exporter.page(range(exporter.nodes), at=now - interval_s * (turns - 1 - turn)))


async def read(server: Victoria, merger: SiteMerger, **options: object) -> tuple[SiteFrame, list[ColumnPart]]:
    config = SourceConfig("prometheus", "vm", server.url, options=options)
    source = open_source(SiteConfig("lab"), config, BUILTIN)
    reading = await source.read()
    parts = list(reading.decode())
    for part in parts:
        merger.apply(part, source="vm", stale_after_s=120.0, received_at=reading.received_at)
    await source.aclose()
    assert reading.notes["server"] == "victoriametrics"
    assert reading.notes["way"] == options.get("sweep", "export")
    assert reading.cadence_s == pytest.approx(5.0)
    return merger.frame(reading.received_at), [part for part in parts if isinstance(part, ColumnPart)]


@pytest.mark.parametrize("way", ["export", "query"])
async def test_every_gpu_with_its_newest_value(server: Victoria, way: str) -> None:
    exporter = Exporter(nodes=NODES)
    fill(server, exporter)
    frame, parts = await read(server, SiteMerger(empty_topology("lab"), BUILTIN), sweep=way)
    assert frame.topology.gpus == NODES * 8
    assert frame.reporting.all()
    assert frame.topology.nodes[7] == node_name(7)
    assert {part.metric for part in parts} == {"power_w", "temp_c", "util_pct", "xid", "mem_used_bytes"}
    keys = {id(part.keys) for part in parts}
    assert len(keys) == 1, "one keys object: the join is made once"


async def test_a_lost_series_is_missing_and_not_fresh(server: Victoria) -> None:
    exporter = Exporter(nodes=4)
    now = time.time()
    for ago_s in range(60, -1, -5):
        exporter.gone = {3} if ago_s < 40 else set()
        server.load(exporter.page(range(4), at=now - ago_s))
    specs = [NodeSpec(node_name(n), gpu_uuids=tuple(gpu_uuid(n, g) for g in range(8))) for n in range(4)]
    frame, _ = await read(server, SiteMerger(build_topology("lab", specs, declared=True), BUILTIN))
    # An instant query would go on showing its last value as if it were new.
    assert frame.reporting[: 3 * 8].all()
    assert not frame.reporting[3 * 8 :].any()


async def test_killed_and_started_again(server: Victoria) -> None:
    exporter = Exporter(nodes=4)
    fill(server, exporter)
    source = open_source(SiteConfig("lab"), SourceConfig("prometheus", "vm", server.url), BUILTIN)
    await source.read()
    server.kill()
    with pytest.raises(errors.Unreachable, match="lab/vm: "):
        await source.read()
    server.start()
    fill(server, exporter)
    reading = await source.read()
    assert [part for part in reading.decode() if isinstance(part, ColumnPart)]
    await source.aclose()
