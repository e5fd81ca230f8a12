"""Reads one source again and again: on its cadence, one read at a time, each with a limit, backing off from faults."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from console.engine.setup import DEFAULT_TIMEOUT_S
from console.model.errors import SourceError, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.clock import Sleep
    from console.engine.record import SourceRecord
    from console.model.ports import Clock
    from console.model.reading import Reading

    Accept = Callable[["SourceRecord", Reading], None]
    Failed = Callable[["SourceRecord"], None]


class Poller:
    """The poller of one source; lives on the loop thread alone.

    `accept` takes a reading and `spoke` hears of a failure; both are called on the loop thread and return at once.
    """

    def __init__(
        self, record: SourceRecord, *, accept: Accept, spoke: Failed, clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.record = record
        self._accept = accept
        self._spoke = spoke
        self._clock = clock
        self._sleep = sleep
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self._pause()
            await self._read_once()

    def refresh(self) -> None:
        """Read as soon as possible, unless the server asked us to wait."""
        self.record.schedule.hurry(self._clock.monotonic())
        self._wake.set()

    def decoded(self) -> None:
        """Hear that the last body was good."""
        self.record.schedule.succeeded()

    def undecodable(self) -> None:
        """Hear that the last body was not what the protocol promises."""
        self.record.schedule.failed(self._clock.monotonic())
        self._wake.set()

    async def _pause(self) -> None:
        while (delay_s := self.record.schedule.delay_s(self._clock.monotonic())) > 0:
            self._wake.clear()
            await self._either(asyncio.ensure_future(self._wake.wait()), delay_s)

    async def _either(self, task: asyncio.Future[Any], limit_s: float) -> bool:
        """Wait for a task or for so many seconds, whichever is first; return whether the task ended."""
        timer = asyncio.ensure_future(self._sleep(limit_s))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            return task.done()
        finally:
            timer.cancel()
            if not task.done():
                task.cancel()

    async def _read_once(self) -> None:
        started = self._clock.monotonic()
        self.record.schedule.begin(started)
        limit_s = self.record.setup.timeout_s or DEFAULT_TIMEOUT_S
        read = asyncio.ensure_future(self.record.setup.source.read())
        if not await self._either(read, limit_s):
            self._fail(TimedOut(*self.record.key, f"no answer within {limit_s:g} s"))
            # A source that swallows the cancellation is still reading: never start a second read beside it.
            await asyncio.wait({read})
            if not read.cancelled():
                read.exception()
            return
        self._take(read, self._clock.monotonic() - started)

    def _take(self, read: asyncio.Future[Reading], latency_s: float) -> None:
        try:
            reading = read.result()
        except SourceError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(SourceError(*self.record.key, "the read was cancelled"))
        except Exception as error:  # whatever a source raises is this source's failure alone
            self._fail(SourceError(*self.record.key, f"the read failed: {type(error).__name__}: {error}"))
        else:
            self.record.arrived(reading, latency_s)
            self.record.schedule.arrived(self._clock.monotonic(), reading.cadence_s)
            self._accept(self.record, reading)

    def _fail(self, error: SourceError) -> None:
        self.record.schedule.failed(self._clock.monotonic(), error.retry_after_s)
        self.record.failed(error)
        self._spoke(self.record)
