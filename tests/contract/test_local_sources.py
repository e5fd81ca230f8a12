"""What every source keeps to, for those that are not asked over HTTP: real sshd, and real bindings of NVML."""

from __future__ import annotations

import asyncio
import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from console.config.values import SiteConfig, SourceConfig, SshConfig, Timeouts
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.ports import Source
from console.model.reading import ColumnPart, GpuKeys, NodeReportsPart
from console.sources.registry import open_source
from tests.servers.nvml.library import build
from tests.servers.smi import fake_smi
from tests.servers.sshd import ssh_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.model.reading import Reading
    from tests.servers.sshd import SshSite

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sshd")]

GPUS = 8
SITE = "lab"


@dataclass
class Voice:
    """A kind of source, how its world breaks, and how it is mended."""

    site: SiteConfig
    config: SourceConfig
    break_it: Callable[[], None]
    mend: Callable[[], None]
    opened: list[Source] = field(default_factory=list)

    def open(self) -> Source:
        source = open_source(self.site, self.config, BUILTIN)
        self.opened.append(source)
        return source


@pytest.fixture(params=["ssh", "nvml", "slurm"])
def voice(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Voice]:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    if request.param == "nvml":
        yield nvml(tmp_path, monkeypatch)
        return
    (tmp_path / "sshd").mkdir()
    with ssh_site(tmp_path / "sshd", ["n1"]) as running:
        fake_smi(running)
        ssh = SshConfig(jump=("jump",), config=str(running.config), known_hosts=str(running.known_hosts))
        if request.param == "slurm":
            yield slurm(running, ssh)
            return
        options = {"nodes": "n1", "kernel_log": "off"}
        config = SourceConfig("ssh", "src", cadence_s=1.0, timeouts=Timeouts(total_s=5.0), options=options)
        yield Voice(SiteConfig(SITE, ssh=ssh), config, lambda: running.kill("jump"), lambda: running.start("jump"))


def slurm(running: SshSite, ssh: SshConfig) -> Voice:
    nodes = "NodeName=n1 Arch=x CoresPerSocket=1  Gres=gpu:8 GresUsed=gpu:0 Version=24.05.1 State=IDLE CfgTRES=cpu=1"
    running.program("scontrol", f"#!/bin/sh\n[ $2 = nodes ] && echo '{nodes}' || echo 'No jobs in the system'\n")
    running.program("sdiag", "#!/bin/sh\necho 'Server thread count: 3'\n")
    options = {"ssh": "n1", "bin": str(running.bin)}
    config = SourceConfig("slurm", "src", cadence_s=1e-6, timeouts=Timeouts(total_s=5.0), options=options)
    return Voice(SiteConfig(SITE, ssh=ssh), config, lambda: running.kill("jump"), lambda: running.start("jump"))


def nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Voice:
    import pynvml

    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(build(tmp_path))))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    config = SourceConfig("nvml", "src", options={"node": "n1"})

    def break_it() -> None:
        monkeypatch.setenv("STAND_IN_GPUS", "0")

    return Voice(SiteConfig(SITE), config, break_it, lambda: monkeypatch.delenv("STAND_IN_GPUS"))


class Watched:
    """A source and what is known through it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.merger = SiteMerger(empty_topology(SITE), BUILTIN)

    async def gpus(self) -> int:
        """Read once and return how many GPUs report; of a scheduler, how many it counts."""
        reading = await self.source.read()
        counted = self.take(reading)
        return int(self.merger.frame(reading.received_at).reporting.sum()) or counted

    def take(self, reading: Reading) -> int:
        counted = 0
        for part in reading.decode():
            counted += int(part.gpus.sum()) if isinstance(part, NodeReportsPart) else 0
            self.merger.apply(part, source="src", stale_after_s=30.0, received_at=reading.received_at)
        return counted

    async def all(self) -> bool:
        """Read until all GPUs are there; a failed read is a read."""
        async with asyncio.timeout(30):
            while True:
                try:
                    if await self.gpus() == GPUS:
                        return True
                except errors.SourceError:
                    await asyncio.sleep(0.1)


async def failure(source: Source) -> errors.SourceError:
    async with asyncio.timeout(30):
        while True:
            try:
                await source.read()
            except errors.SourceError as error:
                return error


async def test_opening_asks_nothing_and_closing_may_come_at_any_time(voice: Voice) -> None:
    voice.break_it()
    source = voice.open()
    assert isinstance(source, Source)
    await source.aclose()
    await source.aclose()


async def test_a_fault_at_the_start_is_one_clear_error_and_recovers(voice: Voice) -> None:
    voice.break_it()
    source = voice.open()
    error = await failure(source)
    text = str(error)
    assert text.startswith(f"{SITE}/src: ")
    assert "\n" not in text
    assert error.advice
    voice.mend()
    assert await Watched(source).all()
    await source.aclose()


async def test_a_fault_in_mid_run_is_one_clear_error_and_recovers(voice: Voice) -> None:
    source = voice.open()
    watched = Watched(source)
    assert await watched.all()
    voice.break_it()
    error = await failure(source)
    assert str(error).startswith(f"{SITE}/src: ")
    voice.mend()
    assert await watched.all()
    await source.aclose()


async def test_a_reading_that_is_never_decoded_loses_nothing(voice: Voice) -> None:
    source = voice.open()
    watched = Watched(source)
    await source.read()
    assert await watched.all()
    await source.aclose()


async def test_keys_stay_the_same_object_and_values_are_never_written_again(voice: Voice) -> None:
    if voice.config.kind == "slurm":
        pytest.skip("a scheduler measures nothing")
    source = voice.open()
    watched = Watched(source)
    assert await watched.all()
    columns = []
    for _ in range(2):
        reading = await source.read()
        columns.append(next(p for p in reading.decode() if isinstance(p, ColumnPart) and p.metric == "temp_c"))
    first, second = columns
    assert isinstance(first.keys, GpuKeys)
    assert second.keys is first.keys
    assert second.values is not first.values
    assert len(first.values) == len(first.keys) == len(first.at) == GPUS
    await source.aclose()


async def test_a_read_that_is_cancelled_leaves_the_source_whole(voice: Voice) -> None:
    source = voice.open()
    reading = asyncio.ensure_future(source.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await Watched(source).all()
    await source.aclose()
