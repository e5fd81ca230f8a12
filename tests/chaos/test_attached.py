"""A console that is attached to a serve through a proxy that injures the stream: it recovers all by itself."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from console.config.values import SiteConfig, SourceConfig, Timeouts
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.builtin_metrics import BUILTIN
from console.model.snapshot import SourceState
from console.sources.registry import open_source
from tests.support.fake_serve import FakeServe, fake_serve
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from console.model.snapshot import Snapshot, SourceStatus

SITE = "muc1"
LIMITS = Timeouts(connect_s=0.5, read_s=0.5, total_s=1.5)
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a silent stream dead after a second and a half, look for the first server soon, wait for every farewell."""
    monkeypatch.setattr("console.sources.site_connection.BEAT_S", 0.5)
    monkeypatch.setattr("console.sources.site_servers.HOME_EVERY_S", 0.2)
    monkeypatch.setattr("console.sources.site_following.LONGEST_REST_S", 0.5)
    monkeypatch.setattr("console.engine.reading_desk.CLOSE_LIMIT_S", 6.0)


@dataclass
class Attached:
    session: Session

    async def until(self, wanted: Callable[[Snapshot], bool]) -> Snapshot:
        return await asyncio.to_thread(self.session.wait, wanted, WAIT_S)

    async def until_it_knows(self, of: FakeServe, temp_c: int) -> Snapshot:
        """Have every GPU be so warm, and wait until that is known here, with the source well."""
        of.warm(temp_c)
        return await self.until(lambda now: hottest(now) == temp_c and status(now).state is not SourceState.FAILING)


def status(snapshot: Snapshot) -> SourceStatus:
    return next(each for each in snapshot.sources if each.name == "src")


def hottest(snapshot: Snapshot) -> float:
    site = snapshot.frame.site(SITE)
    column = site.columns.get("temp_c") if site is not None else None
    return float(np.nanmax(column.values)) if column is not None and len(column.values) else np.nan


@asynccontextmanager
async def attached(*ports: int, **more: Any) -> AsyncIterator[Attached]:
    first, *others = (f"http://127.0.0.1:{port}" for port in ports)
    config = SourceConfig("site", "src", first, timeouts=LIMITS, **{"options": {"also": tuple(others)}, **more})
    source = open_source(SiteConfig(SITE), config, BUILTIN)
    setup = SourceSetup("src", "site", first, source, timeout_s=5.0)
    session = Session(SessionConfig("chaos", sites=(SiteSetup(SITE, sources=(setup,)),), snapshot_hz=5.0))
    session.start()
    try:
        yield Attached(session)
    finally:
        await asyncio.to_thread(session.close, 8.0)


@asynccontextmanager
async def behind_a_proxy() -> AsyncIterator[tuple[FakeServe, FaultProxy]]:
    async with fake_serve(FakeServe(beat_s=0.1)) as (of, server), fault_proxy(server.port) as proxy:
        yield of, proxy


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.RESET, Fault.GARBAGE, Fault.DRIP])
async def test_a_stream_that_is_injured_while_it_is_open_is_joined_again(fault: Fault) -> None:
    async with behind_a_proxy() as (of, proxy), attached(proxy.port) as console:
        await console.until_it_knows(of, 62)
        proxy.sicken(fault)
        of.warm(63)
        of.tell("noise", data=b"x" * 500)
        await console.until(lambda now: bool(status(now).failures))
        await proxy.suffer(Fault.NONE)
        await console.until_it_knows(of, 64)


async def test_a_flood_of_what_nobody_asked_for_ends_in_one_clear_error() -> None:
    async with behind_a_proxy() as (of, proxy), attached(proxy.port) as console:
        await console.until_it_knows(of, 62)
        await proxy.suffer(Fault.FLOOD)
        ill = await console.until(lambda now: bool(status(now).failures))
        assert status(ill).last_error.startswith("muc1/src: ")
        await proxy.suffer(Fault.NONE)
        await console.until_it_knows(of, 64)


async def test_a_server_that_restarts_again_and_again_is_followed_in_the_end() -> None:
    async with behind_a_proxy() as (of, proxy), attached(proxy.port) as console:
        await console.until_it_knows(of, 62)
        for life in range(3):
            of.restart(f"life-{life}")
            await console.until_it_knows(of, 70 + life)
        before = len(of.streams)
        of.hang_up()
        await console.until_it_knows(of, 80)
        assert len(of.streams) > before


async def test_while_the_first_serve_is_away_the_second_is_read_and_the_site_stays_fresh() -> None:
    async with AsyncExitStack() as stack:
        of, proxy = await stack.enter_async_context(behind_a_proxy())
        other, second = await stack.enter_async_context(behind_a_proxy())
        other.temp_c, other.keeper = 40, "serve-b"
        console = await stack.enter_async_context(attached(proxy.port, second.port))
        await console.until_it_knows(of, 62)
        await proxy.suffer(Fault.REFUSE)
        there = await console.until(lambda now: hottest(now) == 40)
        assert not there.frame.sites[0].stale
        await console.until(lambda now: "serve-b" in status(now).notes["serve"] and bool(status(now).warnings))
        of.warm(63)
        await proxy.suffer(Fault.NONE)
        await console.until(lambda now: hottest(now) == 63 and not status(now).warnings)


async def test_without_any_server_the_data_ages_and_says_so() -> None:
    async with behind_a_proxy() as (of, proxy), attached(proxy.port, stale_after_s=0.0) as console:
        await console.until_it_knows(of, 62)
        await proxy.suffer(Fault.REFUSE)
        ill = await console.until(lambda now: status(now).state is SourceState.FAILING)
        data_at = ill.frame.sites[0].data_at
        later = await console.until(lambda now: now.at - data_at > 2.0)
        assert later.frame.sites[0].data_at == data_at
        assert status(later).last_error.startswith("muc1/src: cannot connect to 127.0.0.1:")


async def test_words_of_a_newer_serve_are_passed_over() -> None:
    async with behind_a_proxy() as (of, proxy), attached(proxy.port) as console:
        await console.until_it_knows(of, 62)
        of.tell("hologram", shape=[[1, 2], {"deep": None}])
        of.tell("column", **of.column(), mood="blue")
        of.tell("judged", at=of.now(), prophecies={"full": True, "rows": [1]})
        of.send(of.hello(weather="fine"))
        now = await console.until_it_knows(of, 63)
        assert not status(now).failures
        assert len(of.streams) == 1, "the stream began anew"


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
async def test_a_serve_whose_clock_is_an_hour_off_is_fresh_and_that_is_said(ahead_s: float) -> None:
    of = FakeServe(beat_s=0.1, ahead_s=ahead_s)
    async with fake_serve(of) as (_, server), attached(server.port) as console:
        now = await console.until_it_knows(of, 62)
        assert abs(now.at - now.frame.sites[0].data_at) < 30.0
        assert not now.frame.sites[0].stale
        word = "ahead" if ahead_s > 0 else "behind"
        await console.until(lambda now: any(f"s {word}" in each for each in status(now).warnings))


async def run_status(fleet: Path) -> tuple[int, str]:
    """Run the program; return its exit code and what it said."""
    line = [sys.executable, "-m", "console", "status", "--fleet", str(fleet), "--timeout", "5s"]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*line, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    said, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, said.decode()


@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        ({"api": 2}, "speaks version 2 of the site API, we speak 1; update gigadeck here"),
        ({"api": 0}, "speaks version 0 of the site API, we speak 1; update gigadeck on the server"),
        ({"stream": 2}, "speaks version 2 of the stream, we speak 1; update gigadeck here"),
    ],
)
async def test_the_program_says_which_side_is_older(spoken: dict[str, int], words: str, tmp_path: Path) -> None:
    async with fake_serve(FakeServe(**spoken)) as (_, server):
        fleet = tmp_path / "fleet.yaml"
        source = f"{{kind: site, url: 'http://127.0.0.1:{server.port}'}}"
        fleet.write_text(f"fleet: x\nsites: [{{name: muc1, sources: [{source}]}}]\n")
        code, said = await run_status(fleet)
    assert code != 0, said
    assert words in " ".join(said.split())
