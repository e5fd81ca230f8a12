"""The desk between the loop thread, which reads, and the compute thread, which decodes and merges."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from console.engine.poller import Poller
from console.engine.threads import LagMeter, LoopThread
from console.engine.views import settle
from console.model.errors import NoDataError
from console.model.ports import SignsIn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

    from console.engine.compute import Compute
    from console.engine.fleet_state import FleetState
    from console.engine.record import SourceRecord
    from console.engine.setup import SessionConfig
    from console.model.errors import SourceError
    from console.model.ports import Question
    from console.model.reading import Part, Reading

CLOSE_LIMIT_S = 0.5

log = logging.getLogger("console.engine")


class ReadingDesk:
    """The pollers of a session and their loop thread; satisfies DecodeSink for the compute thread."""

    def __init__(
        self, config: SessionConfig, records: Sequence[SourceRecord], state: FleetState, watch: Callable[[], None]
    ) -> None:
        self._config = config
        self._records = records
        self._state = state
        self._compute: Compute | None = None
        self._lag = LagMeter(config.clock, config.sleep, watch)
        self._loop = LoopThread(self._read_all, self._close_all)
        self._pollers: dict[tuple[str, str], Poller] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent = {record.key for record in records}

    def connect(self, compute: Compute) -> None:
        """Set who decodes; before start()."""
        self._compute = compute

    def start(self) -> None:
        """Start the loop thread."""
        self._loop.start()

    def stop(self) -> None:
        """Ask the loop thread to end; returns at once."""
        self._loop.stop()

    def join(self, timeout_s: float) -> bool:
        """Wait for the loop thread's end; return whether it came."""
        return self._loop.join(timeout_s)

    def statistics(self) -> dict[str, float]:
        """Return the loop's lag and how many readings were dropped undecoded."""
        return {**self._lag.statistics(), "dropped": sum(record.dropped for record in self._records)}

    def refresh(self, site: str, source: str) -> None:
        """Poll the matching sources now."""
        self._loop.call(self._refresh, site, source)

    def focus(self, path: str) -> None:
        """Tell the sources that can where the user looks."""
        self._loop.call(self._focus, path)

    def run(self, make: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run the coroutine that a function makes on the loop thread; return whether that is there."""
        return self._loop.call(lambda: self._keep(asyncio.ensure_future(make())))

    def sign_in(self, site: str, ask: Callable[[Question], Future[str | None]]) -> Future[str]:
        """Let a site's sources log in where they wait for that; `ask` is called on the loop thread."""
        return self.ask(lambda: self._sign_in(site, lambda question: asyncio.wrap_future(ask(question))))

    def way(self, site: str, host: str) -> Future[str]:
        """Return, when it is known, a socket to a host through what a person logged in to; empty for none."""
        return self.ask(lambda: self._way(site, host))

    def ask(self, work: Callable[[], Coroutine[Any, Any, str]]) -> Future[str]:
        """Return what the coroutine that a function makes comes to on the loop thread; it sees to its own limit."""
        told: Future[str] = Future()

        async def done() -> None:
            try:
                settle(told, result=await work())
            except BaseException as error:
                settle(told, error=error)

        if not self.run(done):
            settle(told, error=NoDataError("the sources are not read: the session is closed"))
        return told

    async def _way(self, site: str, host: str) -> str:
        for record in self._records:
            source = record.setup.source
            if record.site == site and isinstance(source, SignsIn) and (path := await source.way(host)):
                return path
        return ""

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sign_in(self, site: str, ask: Callable[[Question], Awaitable[str | None]]) -> str:
        said = []
        for record in self._records:
            source = record.setup.source
            if record.site == site and isinstance(source, SignsIn):
                said.append(await source.sign_in(ask))
                self._refresh(site, record.setup.name)
        return "; ".join(dict.fromkeys(each for each in said if each))

    def prepare(self, record: SourceRecord, part: Part) -> Iterator[None]:
        """Do in short steps what applying a part would take long for (compute thread)."""
        return self._state.prepare(record, part)

    def apply(self, record: SourceRecord, reading: Reading, part: Part) -> None:
        """Merge one part (compute thread)."""
        self._state.apply(record, reading, part)

    def decoded(self, record: SourceRecord, reading: Reading, data_at: float) -> None:
        """Note a good reading (compute thread)."""
        record.decoded(reading, data_at)
        self._spoke(record)
        self._tell_poller(record, Poller.decoded)

    def undecodable(self, record: SourceRecord, error: SourceError) -> None:
        """Note a bad reading (compute thread)."""
        record.failed(error)
        self._spoke(record)
        self._tell_poller(record, Poller.undecodable)

    def _tell_poller(self, record: SourceRecord, what: Callable[[Poller], None]) -> None:
        poller = self._pollers.get(record.key)
        if poller is not None:
            self._loop.call(what, poller)

    def _spoke(self, record: SourceRecord) -> None:
        """Let nobody wait for a source's first word: the very first makes a snapshot at once, and so does the last."""
        if record.key in self._silent and self._compute is not None:
            first = len(self._silent) == len(self._records)
            self._silent.discard(record.key)
            if not self._silent or (first and self._config.first_word):
                self._compute.hasten(0.0)
            elif self._config.first_word:
                self._compute.hasten()

    async def _read_all(self) -> None:
        assert self._compute is not None  # connect() came first
        config = self._config
        for record in self._records:
            self._pollers[record.key] = Poller(
                record, accept=self._compute.accept, spoke=self._spoke, clock=config.clock, sleep=config.sleep
            )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lag.run())
            for poller in self._pollers.values():
                group.create_task(poller.run())

    async def _close_all(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await asyncio.gather(*(r.setup.source.aclose() for r in self._records), return_exceptions=True)

    def _refresh(self, site: str, source: str) -> None:
        for (of_site, name), poller in self._pollers.items():
            if site in ("", of_site) and source in ("", name):
                poller.refresh()

    def _focus(self, path: str) -> None:
        for record in self._records:
            focus = getattr(record.setup.source, "focus", None)
            if focus is not None and path.partition("/")[0] in ("", record.site):
                try:
                    focus(path)
                except Exception:  # looking somewhere must not break reading
                    log.exception("%s/%s: focus failed", *record.key)
