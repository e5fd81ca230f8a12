"""The loop thread: asyncio for input and output alone, with its lag measured."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from console.engine.record import quantile

if TYPE_CHECKING:
    from console.engine.clock import Sleep
    from console.model.ports import Clock

HEARTBEAT_S = 0.25
LAGS = 1024
MOST_EARLY = 256

log = logging.getLogger("console.engine")
Main = Callable[[], Coroutine[Any, Any, None]]


class LoopThread:
    """A daemon thread that runs one coroutine until it is told to stop.

    `on_stop` then runs with its own limit, and the thread ends whatever is left.
    """

    def __init__(self, main: Main, on_stop: Main) -> None:
        self._main = main
        self._on_stop = on_stop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._early: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self._stopping = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="gigadeck-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, function: Callable[..., object], *args: object) -> bool:
        """Call a function on the loop thread, from any thread; dropped, and False, before start() and after the end.

        What is asked while the thread is starting waits for it.
        """
        with self._lock:
            if self._stopping or self._thread.ident is None:
                return False
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *args)
                return True
            if len(self._early) < MOST_EARLY:
                self._early.append((function, args))
                return True
            return False

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        with self._lock:
            self._stopping = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; return whether it came."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            with self._lock:
                if self._stopping:
                    return
                self._task = loop.create_task(self._guarded())
                self._loop = loop
                for function, args in self._early:
                    loop.call_soon(function, *args)
                self._early.clear()
            loop.run_until_complete(self._task)
            _cancel_rest(loop)
        finally:
            with self._lock:
                self._stopping, self._loop = True, None
            loop.close()

    async def _guarded(self) -> None:
        try:
            await self._main()
        except asyncio.CancelledError:
            await self._on_stop()
        except Exception:  # the last place that can say it
            log.exception("the loop thread failed")


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    """Give every task that is left one chance to end; what refuses is dropped with its thread."""
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.wait(rest, timeout=0.1))


class LagMeter:
    """Measures how late the loop wakes, and runs a watch at each beat."""

    def __init__(self, clock: Clock, sleep: Sleep, watch: Callable[[], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._watch = watch
        self._lags: deque[float] = deque(maxlen=LAGS)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            before = self._clock.monotonic()
            await self._sleep(HEARTBEAT_S)
            self._lags.append(max(0.0, self._clock.monotonic() - before - HEARTBEAT_S))
            self._watch()

    def statistics(self) -> dict[str, float]:
        """Return the lag's median, 99th and 99.9th percentile in seconds."""
        lags = sorted(self._lags.copy())
        return {name: quantile(lags, share) for name, share in (("p50_s", 0.5), ("p99_s", 0.99), ("p999_s", 0.999))}
