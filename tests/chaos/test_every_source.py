"""Every kind of source at once behind proxies that injure what passes: one message each, the rest fresh, well again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from console.engine.backoff import CAP_S
from console.engine.clock import SystemClock
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.snapshot import SourceState
from tests.support import panels
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.kinds import KINDS, served
from tests.support.sources import SteadySource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from console.model.snapshot import Snapshot, SourceStatus

CADENCE_S, STALE_S = 0.5, 4.0
WAIT_S = 60.0
LAB = "lab"
# With these a source goes on, late.
BORNE = (Fault.LATENCY,)
# A stream that goes on where it broke gets on by halves: it fails again and again, and its data stays fresh.
BY_HALVES = {Fault.RESET: ("serve",)}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a silent watch lost after seconds, and wait for every farewell.

    The stand-in marks its place five times a second. A console that quits waits half a second for its sources: the end
    of its process hangs up for them.
    """
    monkeypatch.setattr("console.sources.kubernetes.follow.IDLE_S", 1.5)
    monkeypatch.setattr("console.sources.site_connection.BEAT_S", 0.5)
    monkeypatch.setattr("console.engine.reading_desk.CLOSE_LIMIT_S", 6.0)


@dataclass
class Fleet:
    session: Session
    proxies: dict[str, FaultProxy]

    async def until(self, wanted: Callable[[Snapshot], bool]) -> Snapshot:
        return await asyncio.to_thread(self.session.wait, wanted, WAIT_S)

    async def suffer(self, fault: Fault) -> None:
        for proxy in self.proxies.values():
            await proxy.suffer(fault)

    def well(self, snapshot: Snapshot) -> bool:
        return all(
            (of := status(snapshot, kind)).state in (SourceState.OK, SourceState.SLOW) and of.failures == 0
            for kind in self.proxies
        )

    def ill(self, snapshot: Snapshot) -> bool:
        return all(status(snapshot, kind).failures for kind in self.proxies)

    def stale(self, snapshot: Snapshot, but: tuple[str, ...] = ()) -> bool:
        return all(status(snapshot, kind).state is SourceState.STALE for kind in self.proxies if kind not in but)


@asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    """Yield a session with a site for each kind, behind a proxy of its own, and a steady one."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        proxies, sites = {}, []
        for kind in KINDS:
            of = await stack.enter_async_context(served(kind))
            proxy = await stack.enter_async_context(fault_proxy(of.port))
            setup = SourceSetup(
                "src", kind, "", of.open(proxy.port), cadence_s=CADENCE_S, stale_after_s=STALE_S, timeout_s=5.0
            )
            proxies[kind] = proxy
            sites.append(SiteSetup(kind, sources=(setup,)))
        lab = SteadySource(panels.topology(LAB), clock.time)
        sites.append(SiteSetup(LAB, sources=(SourceSetup("main", "test", "", lab, cadence_s=0.5),)))
        session = Session(SessionConfig("chaos", sites=tuple(sites), clock=clock))
        session.start()
        try:
            yield Fleet(session, proxies)
        finally:
            await asyncio.to_thread(session.close, 8.0)
        for kind, proxy in proxies.items():
            await no_connection_left(kind, proxy)


async def no_connection_left(kind: str, proxy: FaultProxy) -> None:
    try:
        async with asyncio.timeout(15):
            await proxy.idle.wait()
    except TimeoutError:
        pytest.fail(f"{kind}: a connection outlived its source")


def status(snapshot: Snapshot, site: str) -> SourceStatus:
    return next(each for each in snapshot.sources if each.site == site)


def the_lab_is_fresh(snapshot: Snapshot) -> bool:
    lab = snapshot.frame.site(LAB)
    return lab is not None and bool(lab.reporting.all()) and status(snapshot, LAB).state is SourceState.OK


@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.NONE and each not in BORNE])
async def test_each_says_so_in_one_line_the_rest_stays_fresh_and_all_recover(fault: Fault) -> None:
    async with fleet() as each:
        await each.until(each.well)
        await each.suffer(fault)
        ill = await each.until(each.ill)
        for kind in each.proxies:
            told = status(ill, kind)
            assert told.last_error.startswith(f"{kind}/src: "), told.last_error
            assert "\n" not in told.last_error
            assert told.next_try_at <= ill.at + CAP_S
        assert the_lab_is_fresh(ill)
        stale = await each.until(lambda snapshot: each.stale(snapshot, BY_HALVES.get(fault, ())))
        assert the_lab_is_fresh(stale)
        await each.suffer(Fault.NONE)
        well = await each.until(each.well)
        assert the_lab_is_fresh(well)


@pytest.mark.parametrize("fault", BORNE)
async def test_what_can_be_borne_is_borne(fault: Fault) -> None:
    async with fleet() as each:
        well = await each.until(each.well)
        await each.suffer(fault)
        later = await each.until(
            lambda snapshot: all(status(snapshot, kind).last_ok_at > well.at + 1.0 for kind in each.proxies)
        )
        assert each.well(later)
        assert the_lab_is_fresh(later)
