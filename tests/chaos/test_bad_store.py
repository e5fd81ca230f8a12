"""A store that falls ill in every way, seen from the session: one message, the other site untouched, and well again."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from console.config.values import SourceConfig, Timeouts
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.builtin_metrics import BUILTIN
from console.model.snapshot import SourceState
from console.sources.prometheus.source import PrometheusSource
from tests.support import panels
from tests.support.bad_http import BadServer, answer, bad_server, dripping, endless, reset, truncated
from tests.support.clock import FastClock
from tests.support.fake_store import POWER, TEMP, FakeStore, gpu_row
from tests.support.sources import SteadySource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from console.model.snapshot import Snapshot, SourceStatus
    from tests.support.bad_http import Behaviour

SPEED = 20.0
CADENCE_S, STALE_S = 2.0, 30.0
WAIT_S = 20.0
MOST_BYTES = 4_000_000
GPUS = 16

ILLNESSES: dict[str, tuple[Behaviour, str]] = {
    "500": (answer("<b>oops</b>", 500, "text/html"), "500"),
    "503": (answer('{"error":"busy"}', 503, headers={"Retry-After": "20"}), "503"),
    "half a body": (truncated(b'{"status":"success","data":{"resultType":"vec', 4000), "muc1/prom: "),
    "a web page": (answer("<!doctype html><title>Log in</title>", 200, "text/html"), "answers HTML"),
    "200 MB": (endless(limit_bytes=200_000_000), "MiB"),
    "a slow drip": (dripping(), "within|time"),
    "another shape": (answer('{"status":"success","data":[1,2,3]}'), "muc1/prom: "),
    "hangs up": (reset(), "muc1/prom: "),
}


class LiveStore(FakeStore):
    """A store whose samples are always fresh."""

    def __init__(self, clock: FastClock) -> None:
        rows = [gpu_row(name, f"n{i // 8:02d}", i % 8, "61") for name in (POWER, TEMP) for i in range(GPUS)]
        super().__init__(rows, clock.time(), federate=True, interval_s=CADENCE_S)
        self._clock = clock

    def respond(self, target: str, form: str = "") -> tuple[int, str, str]:
        self.now = self._clock.time()
        return super().respond(target, form)


@dataclass
class Ward:
    session: Session
    server: BadServer
    well: Behaviour

    async def until(self, wanted: Callable[[Snapshot], bool]) -> Snapshot:
        return await asyncio.to_thread(self.session.wait, wanted, WAIT_S)


@asynccontextmanager
async def ward() -> AsyncIterator[Ward]:
    """Yield a session of two sites; muc1 is read from a store that can fall ill."""
    clock = FastClock(SPEED)
    well = LiveStore(clock).behaviour
    async with bad_server(well) as server:
        limits = Timeouts(connect_s=1.0, read_s=0.5, total_s=0.8)
        config = SourceConfig("prometheus", "prom", server.url, timeouts=limits, max_body_bytes=MOST_BYTES)
        source = PrometheusSource("muc1", config, BUILTIN, monotonic=clock.monotonic, wall=clock.time)
        setup = SourceSetup(
            "prom", "prometheus", server.url, source, cadence_s=CADENCE_S, stale_after_s=STALE_S, timeout_s=60.0
        )
        lab = SteadySource(panels.topology("lab"), clock.time)
        sites = (
            SiteSetup("muc1", sources=(setup,)),
            SiteSetup("lab", sources=(SourceSetup("main", "test", "", lab, cadence_s=1.0),)),
        )
        session = Session(SessionConfig("ward", sites=sites, clock=clock, sleep=clock.sleep))
        session.start()
        try:
            yield Ward(session, server, well)
        finally:
            await asyncio.to_thread(session.close, 2.0)


def status(snapshot: Snapshot, site: str = "muc1") -> SourceStatus:
    return next(each for each in snapshot.sources if each.site == site)


def is_well(snapshot: Snapshot) -> bool:
    frame = snapshot.frame.site("muc1")
    of = status(snapshot)
    return frame is not None and frame.reporting.sum() == GPUS and not of.last_error and of.failures == 0


def is_stale(snapshot: Snapshot) -> bool:
    frame = snapshot.frame.site("muc1")
    return frame is not None and frame.stale and status(snapshot).state is SourceState.STALE


def the_lab_is_fresh(snapshot: Snapshot) -> bool:
    lab = snapshot.frame.site("lab")
    return lab is not None and bool(lab.reporting.all()) and snapshot.at - lab.data_at < 10 and not lab.stale


@pytest.mark.parametrize("illness", ILLNESSES)
async def test_one_message_the_others_untouched_and_well_again(illness: str) -> None:
    behaviour, text = ILLNESSES[illness]
    async with ward() as each:
        await each.until(is_well)
        each.server.behaviour = behaviour
        ill = await each.until(lambda snapshot: bool(status(snapshot).last_error))
        told = status(ill)
        assert told.last_error.startswith("muc1/prom: ")
        assert "\n" not in told.last_error
        assert re.search(text, told.last_error), told.last_error
        assert the_lab_is_fresh(ill)
        frame = ill.frame.site("muc1")
        assert frame is not None
        assert frame.topology.gpus == GPUS
        stale = await each.until(is_stale)
        assert stale.at - status(stale).data_at > STALE_S
        assert the_lab_is_fresh(stale)
        each.server.behaviour = each.well
        well = await each.until(is_well)
        assert status(well).state in (SourceState.OK, SourceState.SLOW)
        assert the_lab_is_fresh(well)


async def test_a_server_that_asks_for_time_gets_it() -> None:
    async with ward() as each:
        await each.until(is_well)
        each.server.behaviour = ILLNESSES["503"][0]
        ill = await each.until(lambda snapshot: status(snapshot).retry_after_s is not None)
        before = len(each.server.requests)
        assert status(ill).retry_after_s == 20.0
        each.session.refresh()
        later = await each.until(lambda snapshot: snapshot.at > ill.at + 8)
        assert len(each.server.requests) == before
        assert status(later).next_try_at > later.at
