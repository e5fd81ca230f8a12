"""Visits every BMC once a minute, spread over the minute and bounded; one that fails or hangs holds up nobody."""

from __future__ import annotations

import asyncio
import heapq
import zlib
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from console.model.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.sources.redfish.visits import Bmc

# So many visits begin in a second, and more only where the minute is too short for that.
MOST_RATE = 10.0
# Failures double the pause up to so many cadences.
MOST_PAUSES = 2.0
LONGEST_RETRY_S = 600.0
MOST_RECORD_BYTES = 48 * 1024 * 1024
CLOSE_S = 1.5


class Rounds:
    """The visits of one source, on the loop thread.

    What each BMC said last is kept untouched (packed, 48 MiB in all), so that looking at it asks the BMC nothing.
    """

    def __init__(
        self,
        bmcs: Sequence[Bmc],
        cadence_s: float,
        concurrency: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.bmcs = bmcs
        self._cadence_s = cadence_s
        self._concurrency = concurrency
        self._gate = asyncio.Semaphore(concurrency)
        self._monotonic = monotonic
        self._news = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        began_at, step_s = monotonic(), min(cadence_s / len(bmcs), 1 / MOST_RATE)
        # Each keeps the place in the minute that it has from the first round.
        self._due = [(began_at + i * step_s, i) for i in range(len(bmcs))]
        # Whoever was asked in this turn is due in a later one.
        self._later: list[tuple[float, int]] = []
        self._records: OrderedDict[int, bytes] = OrderedDict()
        self._record_bytes = 0
        self.visits = 0

    async def turn(self, patience_s: float) -> None:
        """Begin the visits that are due, for so many seconds or until none is under way; failures are noted."""
        now = self._monotonic()
        until = now + patience_s
        while self._later:
            heapq.heappush(self._due, self._later.pop())
        while now < until:
            self._begin(now)
            next_at = self._due[0][0] if self._due else until
            if not self._running and next_at >= until:
                return
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(until, next_at) - now)):
                    await self._news.wait()
            now = self._monotonic()

    def forgive(self) -> None:
        """Let nobody wait longer than for its next turn: whoever reads has waited after the failure."""
        self._due += self._later
        self._later.clear()
        self._due = [(min(at, self.bmcs[i].started_at + self._cadence_s), i) for at, i in self._due]
        heapq.heapify(self._due)

    def record(self, number: int) -> Mapping[str, bytes] | None:
        """Return the bodies of a BMC's last visit by path, None where they are not kept."""
        packed = self._records.get(number)
        if packed is None:
            return None
        pieces = zlib.decompress(packed).split(b"\0")
        return {pieces[i].decode(): pieces[i + 1] for i in range(0, len(pieces) - 1, 2)}

    async def visit_now(self, number: int) -> None:
        """Wait for a visit: the one under way, or one that takes the place of the next; never sooner than allowed."""
        bmc = self.bmcs[number]
        if bmc.task is None and self._monotonic() - bmc.started_at >= self._cadence_s:
            self._due = [each for each in (*self._due, *self._later) if each[1] != number]
            self._later.clear()
            heapq.heapify(self._due)
            self._start(number)
        if bmc.task is not None:
            await asyncio.wait({bmc.task})

    async def aclose(self) -> None:
        """Give up what is under way, and delete the sessions as far as time allows; BMCs end the others themselves."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        gate = asyncio.Semaphore(self._concurrency)

        async def close(bmc: Bmc) -> None:
            async with gate:
                await bmc.link.aclose()

        tasks = [asyncio.create_task(close(bmc)) for bmc in self.bmcs]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            self._start(heapq.heappop(self._due)[1])

    def _start(self, number: int) -> None:
        task = asyncio.create_task(self._visit(number), name=f"redfish {self.bmcs[number].target.name}")
        self.bmcs[number].task = task
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._news.set()

    async def _visit(self, number: int) -> None:
        bmc = self.bmcs[number]
        async with self._gate:
            try:
                self._keep(number, await bmc.visit())
            except SourceError as error:
                bmc.failed(error)
            except Exception as error:  # an odd BMC must not take the others with it
                bmc.failed(bmc.odd(error))
            finally:
                self.visits += 1
                bmc.task = None
                self._later.append((self._next(bmc), number))

    def _next(self, bmc: Bmc) -> float:
        """Return when a BMC is due again: a minute after it was asked, later where it fails or asks for it."""
        if bmc.error is None:
            return bmc.started_at + self._cadence_s
        pause_s = self._cadence_s * min(2.0 ** min(bmc.failures - 1, 8), MOST_PAUSES)
        asked_s = min(bmc.error.retry_after_s or 0.0, LONGEST_RETRY_S)
        return max(bmc.started_at + pause_s, self._monotonic() + asked_s)

    def _keep(self, number: int, bodies: Mapping[str, bytes]) -> None:
        raw = b"".join(path.encode() + b"\0" + body.replace(b"\0", b"") + b"\0" for path, body in bodies.items())
        packed = zlib.compress(raw, 1)
        self._record_bytes += len(packed) - len(self._records.pop(number, b""))
        self._records[number] = packed
        while self._record_bytes > MOST_RECORD_BYTES and len(self._records) > 1:
            _, gone = self._records.popitem(last=False)
            self._record_bytes -= len(gone)
