from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from console.engine.backoff import PollSchedule
from console.engine.poller import Poller
from console.engine.record import SourceRecord
from console.engine.setup import SourceSetup
from console.model.errors import RateLimited, ServerFailed
from console.model.snapshot import SourceState
from tests.support.clock import FakeClock, settle
from tests.support.sources import ScriptedSource, reading_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Bench:
    clock: FakeClock
    source: ScriptedSource
    record: SourceRecord
    poller: Poller
    accepted: list[object] = field(default_factory=list)
    told: list[dict] = field(default_factory=list)


@contextlib.asynccontextmanager
async def polling(*steps, cadence_s=10.0, timeout_s=5.0) -> AsyncIterator[Bench]:
    clock, source = FakeClock(), ScriptedSource(*steps)
    setup = SourceSetup("prom", "prometheus", "http://prom", source, cadence_s=cadence_s, timeout_s=timeout_s)
    accepted, told = [], []
    record = SourceRecord("muc1", setup, clock, lambda event: told.append(dict(event)))
    record.schedule = PollSchedule(cadence_s, learned=False, uniform=lambda low, high: high)
    poller = Poller(
        record,
        accept=lambda each, reading: accepted.append(reading),
        spoke=lambda each: None,
        clock=clock,
        sleep=clock.sleep,
    )
    task = asyncio.create_task(poller.run())
    await settle()
    try:
        yield Bench(clock, source, record, poller, accepted, told)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_source_is_read_once_a_cadence():
    async with polling(reading_of([])) as bench:
        await bench.clock.advance(35.0)
        assert bench.source.reads == 4


async def test_a_read_that_hangs_is_given_up_and_only_one_is_ever_in_flight():
    async with polling("hang", reading_of([])) as bench:
        await bench.clock.advance(4.9)
        assert bench.source.reads == 1
        await bench.clock.advance(0.2)
        assert "no answer within 5 s" in bench.record.status(bench.clock.time()).last_error
        await bench.clock.advance(2.0)
        assert bench.source.reads == 2


async def test_what_a_source_says_of_its_latency_counts_in_place_of_how_long_it_waited_for_news():
    async with polling(reading_of([])) as bench:
        bench.record.arrived(replace(reading_of([]), latency_s=0.02), 30.0)
        bench.record.decoded(reading_of([]), 0.0)
        status = bench.record.status(bench.clock.time())
        assert (status.latency_p99_s, status.state) == (0.02, SourceState.OK)


async def test_retry_after_is_waited_out_and_shown():
    async with polling(RateLimited("muc1", "prom", "429", retry_after_s=60.0), reading_of([])) as bench:
        await bench.clock.advance(59.0)
        assert bench.source.reads == 1
        assert bench.record.status(bench.clock.time()).retry_after_s == 60.0
        bench.poller.refresh()
        await bench.clock.advance(0.5)
        assert bench.source.reads == 1
        await bench.clock.advance(1.0)
        assert bench.source.reads == 2


async def test_failures_back_off_and_recovery_returns_to_the_cadence():
    fault = ServerFailed("muc1", "prom", "500")
    async with polling(fault, fault, fault, reading_of([])) as bench:
        await bench.clock.advance(1.0 + 2.0 + 4.0 + 0.1)
        assert bench.source.reads == 4
        bench.poller.decoded()
        assert bench.record.schedule.failures == 0


async def test_a_failure_is_told_once_and_so_is_the_recovery():
    fault = ServerFailed("muc1", "prom", "500")
    async with polling(fault, fault, fault, reading_of([])) as bench:
        await bench.clock.advance(8.0)
        bench.record.decoded(bench.accepted[0], bench.clock.time())
        assert [event["event"] for event in bench.told] == ["source_failed", "source_recovered"]


@pytest.mark.parametrize("fault", [ValueError("bug"), KeyError("x"), RuntimeError("loop")])
async def test_whatever_a_source_raises_is_its_own_failure(fault):
    async with polling(fault, reading_of([])) as bench:
        assert type(fault).__name__ in bench.record.status(bench.clock.time()).last_error
        await bench.clock.advance(2.0)
        assert bench.source.reads == 2


async def test_refresh_reads_at_once():
    async with polling(reading_of([]), cadence_s=600.0) as bench:
        bench.poller.refresh()
        await settle()
        assert bench.source.reads == 2


async def test_data_that_come_more_seldom_than_they_are_asked_for_are_not_stale_in_between():
    async with polling(reading_of([], cadence_s=60.0), cadence_s=5.0) as bench:
        bench.record.decoded(bench.accepted[0], bench.clock.time() - 59.0)
        assert bench.record.stale_after_s == 180.0
        assert bench.record.status(bench.clock.time()).state is SourceState.OK
        assert bench.record.status(bench.clock.time() + 130.0).state is SourceState.STALE


async def test_data_that_is_too_old_makes_the_source_stale_with_its_age():
    async with polling(reading_of([]), ServerFailed("muc1", "prom", "500")) as bench:
        bench.record.decoded(bench.accepted[0], bench.clock.time())
        assert bench.record.status(bench.clock.time()).state is SourceState.OK
        await bench.clock.advance(bench.record.stale_after_s + 1)
        status = bench.record.status(bench.clock.time())
        assert status.state is SourceState.STALE
        assert status.failures > 0
