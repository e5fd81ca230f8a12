"""Virtual time: a clock that moves when told, and an asyncio sleep that follows it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time


class FakeClock:
    """Wall and monotonic time that only `advance` moves; `sleep` waits in virtual time."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._start = start
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self._start + self._now

    def monotonic(self) -> float:
        return self._now

    def tick(self, seconds: float) -> None:
        """Move the time without waking anybody (for code that runs on threads)."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), next(self._numbers), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move the time and wake every sleeper on the way, in order."""
        end = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not future.done():
                future.set_result(None)
            await settle()
        self._now = end
        await settle()


async def settle(turns: int = 20) -> None:
    """Let every task that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)


class FastClock:
    """Real time that runs `speed` times as fast: what takes a minute is over in seconds."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._wall, self._began = time.time(), time.monotonic()

    def time(self) -> float:
        return self._wall + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)
