"""Fetches the pages of many exporters: bounded, kept alive, within the budget; slow ones hold up nobody."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.config.values import MAX_BODY_BYTES, Timeouts
from console.link.http import HttpLink
from console.link.shared import Shared
from console.model.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import httpx

    from console.config.values import SourceConfig
    from console.link.answers import Body
    from console.sources.dcgm.targets import Target

# Of one exporter: it stands in the same room, and answers in milliseconds or not at all.
LIMITS = Timeouts(connect_s=2.0, read_s=4.0, total_s=8.0)
ACCEPT = "text/plain, application/openmetrics-text;q=0.5"
# A page of 8 GPUs with 100 fields has 0.4 MB; one of many MIG instances four times that.
LARGEST_PAGE_BYTES = 8 * 1024 * 1024
# A request that takes longer gives its turn to another: hanging nodes must not use up the concurrency.
HOLD_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, eq=False)
class Page:
    """What one exporter said; `target` is its number."""

    target: int
    body: Body

    @property
    def openmetrics(self) -> bool:
        """Whether it is OpenMetrics rather than Prometheus text."""
        return "openmetrics" in self.body.headers.get("content-type", "")


@dataclass(frozen=True, eq=False)
class Haul:
    """What one turn brought: pages, how each silent target failed last, and who has not answered yet."""

    pages: tuple[Page, ...]
    failures: dict[int, SourceError]
    late: tuple[int, ...]
    requests: int


@dataclass(eq=False)
class _Asked:
    link: HttpLink
    task: asyncio.Task[Body] | None = None
    started: bool = False
    failures: int = 0
    due: float = 0.0
    error: SourceError | None = None


class Scraper:
    """Asks every exporter once a turn, except those that are still being asked and those that pause after failures.

    One that does not answer in time is waited for beside the turns: its page comes with a later one, with its own time.
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        targets: Sequence[Target],
        *,
        concurrency: int,
        cadence_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if config.timeouts == Timeouts():
            config = replace(config, timeouts=LIMITS)
        if config.max_body_bytes == MAX_BODY_BYTES:
            config = replace(config, max_body_bytes=LARGEST_PAGE_BYTES)
        self._monotonic = monotonic
        self._clock = clock
        self._sleep = sleep
        self._cadence_s = cadence_s
        self._shared = Shared(config)
        self._asked = [
            _Asked(HttpLink(site, replace(config, url=each.url), transport=transport, clock=clock, shared=self._shared))
            for each in targets
        ]
        self._gate = asyncio.Semaphore(concurrency)
        self._pace = asyncio.Lock()
        self._requests = 0

    async def turn(self, patience_s: float) -> Haul:
        """Return what is there after at most so many seconds; a target's failure is noted, never raised."""
        now = self._monotonic()
        for each in self._asked:
            if each.task is None and each.due <= now:
                each.started = False
                each.task = asyncio.create_task(self._fetch(each))
        busy = [each for each in self._asked if each.task is not None]
        # Who failed last time is not waited for while others are.
        sound = [each for each in busy if not each.failures] or busy
        awaited = {each.task for each in sound if each.task is not None}
        if awaited:
            await asyncio.wait(awaited, timeout=patience_s)
        pages = tuple(page for i, each in enumerate(self._asked) if (page := self._taken(i, each)) is not None)
        requests, self._requests = self._requests, 0
        return Haul(
            pages,
            {i: each.error for i, each in enumerate(self._asked) if each.error is not None},
            tuple(i for i, each in enumerate(self._asked) if each.task is not None and each.started),
            requests,
        )

    async def page_of(self, target: int) -> Body:
        """Return one exporter's page, beside the turns and within the budget; raises SourceError."""
        await self._within_budget()
        self._requests += 1
        return await self._asked[target].link.get(accept=ACCEPT)

    def forgive(self) -> None:
        """Ask every target again at the next turn, whenever that may be."""
        for each in self._asked:
            each.due = 0.0

    async def aclose(self) -> None:
        """Give up what is under way and close every connection."""
        tasks = [each.task for each in self._asked if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in self._asked:
            each.task = None
            await each.link.aclose()

    def _taken(self, number: int, each: _Asked) -> Page | None:
        task = each.task
        if task is None or not task.done():
            return None
        each.task = None
        try:
            body = task.result()
        except SourceError as error:
            each.error, each.failures = error, each.failures + 1
            pause_s = min(self._cadence_s * 2 ** min(each.failures - 1, 10), LONGEST_PAUSE_S)
            # A tenth less than the pause, so that it ends with a turn and not just after it.
            each.due = self._monotonic() + max(pause_s, error.retry_after_s or 0.0) - 0.1 * self._cadence_s
            return None
        each.error, each.failures, each.due = None, 0, 0.0
        return Page(number, body)

    async def _fetch(self, each: _Asked) -> Body:
        turn = _Turn(self._gate)
        await self._gate.acquire()
        try:
            await self._within_budget()
            each.started = True
            self._requests += 1
            timer = asyncio.get_running_loop().call_later(HOLD_S, turn.end)
            try:
                return await each.link.get(accept=ACCEPT)
            finally:
                timer.cancel()
        finally:
            turn.end()

    async def _within_budget(self) -> None:
        """Wait for the next free place in the budget, one after the other."""
        async with self._pace:
            delay_s = self._shared.delay_s(self._clock())
            if delay_s > 0:
                await self._sleep(delay_s)


class _Turn:
    """One of the places of a semaphore, given back once."""

    def __init__(self, gate: asyncio.Semaphore) -> None:
        self._gate = gate
        self._ended = False

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._gate.release()
