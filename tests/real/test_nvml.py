from __future__ import annotations

import asyncio
import ctypes
import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from console.config.values import SiteConfig, SourceConfig, Timeouts
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.reading import EventsPart
from console.sources.registry import open_source
from tests.servers.nvml.library import build

if TYPE_CHECKING:
    from pathlib import Path

    from console.model.reading import Reading
    from console.model.snapshot import SiteFrame
    from console.sources.nvml import NvmlSource

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def bindings(library: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The real bindings on the stand-in; the fixture's environment tells it what to be."""
    import pynvml

    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return monkeypatch


def opened(**more: object) -> NvmlSource:
    config = SourceConfig("nvml", "here", options={"node": "n1"}, **more)  # type: ignore[arg-type]
    source: NvmlSource = open_source(SiteConfig("lab"), config, BUILTIN)  # type: ignore[assignment]
    return source


def merged(reading: Reading, merger: SiteMerger | None = None) -> SiteFrame:
    merger = merger or SiteMerger(empty_topology("lab"), BUILTIN)
    for part in reading.decode():
        merger.apply(part, source="here", stale_after_s=30.0, received_at=reading.received_at)
    return merger.frame(reading.received_at)


def values(frame: SiteFrame, metric: str) -> list[float]:
    found = frame.values(metric, frame.data_at)
    assert found is not None
    return [float(value) for value in found]


async def test_every_gpu_is_read_in_our_units(bindings: pytest.MonkeyPatch) -> None:
    source = opened()
    reading = await source.read()
    frame = merged(reading)
    assert frame.topology.nodes == ("n1",)
    assert frame.topology.gpus == 8
    assert frame.topology.uuid(3) == "GPU-5ca1ab1e-0000-4000-8000-000000000003"
    assert values(frame, "power_w")[1] == pytest.approx(501.25)
    assert values(frame, "util_pct") == [90, 91, 92, 93, 94, 95, 96, 97]
    assert values(frame, "mem_temp_c")[2] == 72
    assert values(frame, "mem_free_bytes")[0] == 50 * 2**30
    assert [values(frame, name)[3] for name in ("ecc_sbe", "ecc_dbe", "remapped_rows", "remap_pending")] == [
        117,
        2,
        2,
        1,
    ]
    assert values(frame, "clock_events")[0] == 4  # under its old name
    assert math.isnan(values(frame, "recovery_action")[0])
    assert reading.notes["driver"] == "580.00.01"
    await source.aclose()


async def test_a_lost_gpu_is_said_and_the_others_go_on(bindings: pytest.MonkeyPatch) -> None:
    source = opened()
    merger = SiteMerger(empty_topology("lab"), BUILTIN)
    merged(await source.read(), merger)
    bindings.setenv("STAND_IN_LOST", "5")
    reading = await source.read()
    parts = list(reading.decode())
    told = [event for part in parts if isinstance(part, EventsPart) for event in part.events]
    assert [(event.kind, event.path) for event in told] == [("gpu-lost", "lab/n1/g5")]
    for part in parts:
        merger.apply(part, source="here", stale_after_s=30.0, received_at=reading.received_at)
    frame = merger.frame(reading.received_at)
    assert [math.isnan(value) for value in values(frame, "power_w")] == [slot == 5 for slot in range(8)]
    assert "g5 lost" in reading.warnings[0]
    again = list((await source.read()).decode())
    assert not any(isinstance(part, EventsPart) for part in again)
    bindings.delenv("STAND_IN_LOST")
    assert not any(math.isnan(value) for value in values(merged(await source.read(), merger), "power_w"))
    await source.aclose()


async def test_a_gpu_that_is_lost_from_the_start_hides_no_other(bindings: pytest.MonkeyPatch) -> None:
    bindings.setenv("STAND_IN_LOST", "0")
    source = opened()
    frame = merged(await source.read())
    assert [math.isnan(value) for value in values(frame, "temp_c")] == [slot == 0 for slot in range(8)]
    await source.aclose()


async def test_mig_has_no_utilisation_of_the_whole(bindings: pytest.MonkeyPatch) -> None:
    bindings.setenv("STAND_IN_MIG", "2")
    source = opened()
    reading = await source.read()
    frame = merged(reading)
    assert math.isnan(values(frame, "util_pct")[2])
    assert values(frame, "temp_c")[2] == 62
    assert reading.notes["MIG"].startswith("on 1 of 8")
    await source.aclose()


async def test_what_may_not_be_read_is_named_and_the_rest_is_there(bindings: pytest.MonkeyPatch) -> None:
    bindings.setenv("STAND_IN_DENIED", "1")
    source = opened()
    reading = await source.read()
    frame = merged(reading)
    assert all(math.isnan(value) for value in values(frame, "power_w"))
    assert values(frame, "temp_c")[0] == 60
    assert reading.warnings == ("this user may not read power_w; run with more rights to see it",)
    await source.aclose()


async def test_a_fault_is_no_absence(bindings: pytest.MonkeyPatch) -> None:
    bindings.setenv("STAND_IN_FAULT", "1")
    source = opened()
    parts = list((await source.read()).decode())
    told = [event for part in parts if isinstance(part, EventsPart) for event in part.events]
    assert [(event.kind, event.path) for event in told] == [("gpu-fault", "lab/n1/g1")]
    assert "power_w" in told[0].text
    await source.aclose()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (9, errors.NotOffered, "the NVIDIA driver is not loaded"),
        (4, errors.Unauthorized, "this user may not use the GPUs"),
        (18, errors.SourceError, "the driver was updated under its library"),
        (999, errors.SourceError, "NVML does not answer"),
    ],
)
async def test_a_driver_that_does_not_start_is_one_clear_message(
    bindings: pytest.MonkeyPatch, code: int, kind: type[errors.SourceError], words: str
) -> None:
    bindings.setenv("STAND_IN_INIT", str(code))
    source = opened()
    with pytest.raises(kind, match=f"lab/here: {words}"):
        await source.read()
    bindings.delenv("STAND_IN_INIT")
    assert merged(await source.read()).topology.gpus == 8
    await source.aclose()


async def test_a_machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def no_library(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", no_library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    source = opened()
    with pytest.raises(errors.NotOffered, match="there is no NVIDIA driver on this machine"):
        await source.read()
    await source.aclose()


async def test_no_gpu_at_all(bindings: pytest.MonkeyPatch) -> None:
    bindings.setenv("STAND_IN_GPUS", "0")
    source = opened()
    with pytest.raises(errors.NotOffered, match="the driver finds no GPU here"):
        await source.read()
    await source.aclose()


async def test_a_driver_that_hangs_holds_nobody_and_is_asked_once(bindings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    hang.touch()
    bindings.setenv("STAND_IN_HANG", str(hang))
    source = opened(timeouts=Timeouts(read_s=0.2))
    for _ in range(2):
        with pytest.raises(errors.TimedOut, match="NVML gives no answer"):
            await source.read()
    await source.aclose()
    hang.unlink()
    async with asyncio.timeout(10):
        while True:
            try:
                reading = await source.read()
                break
            except errors.TimedOut:
                continue
    assert merged(reading).topology.gpus == 8
    await source.aclose()


def test_a_fleet_of_this_machine(library: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("fleet: here\nsites:\n  - name: lab\n    sources: [{kind: nvml, node: n1}]\n")
    command = [sys.executable, "-m", "console", "--fleet", str(fleet), "status", "--level", "gpu", "--json"]
    run = subprocess.run(
        command, env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)}, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    rows = json.loads(run.stdout)["rows"]
    assert [row["temp_c"] for row in rows] == [60, 61, 62, 63, 64, 65, 66, 67]
