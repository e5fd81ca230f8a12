"""The one door to plugin code: a thread that may be lost, and a watch that replaces it when a call does not return."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from console.engine.mailbox import Mailbox, MailboxFull
from console.engine.record import quantile
from console.model.errors import PluginError
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.model.ports import Clock

CAPACITY = 64
DURATIONS = 256

log = logging.getLogger("console.engine")
Done = Callable[[Any, BaseException | None], None]


@dataclass(frozen=True, eq=False)
class Call:
    """One call into plugin code: who owns it, what it is, and who hears of its end (exactly once)."""

    owner: str
    what: str
    function: Callable[[], Any]
    done: Done


class PluginWorker:
    """Runs calls one after the other; `on_hang(owner, reason)` names a plugin whose call did not return in time.

    Python cannot stop a thread: the lost one is left behind (a daemon), its result is thrown away, its plugin is
    never called again, and a new thread serves the others.
    """

    def __init__(self, name: str, limit_s: float, clock: Clock, on_hang: Callable[[str, str], None]) -> None:
        self._name = name
        self._limit_s = limit_s
        self._clock = clock
        self._on_hang = on_hang
        self._wanted = threading.Condition()
        self._calls: Mailbox[Call] = Mailbox(CAPACITY)
        self._current: tuple[Call, float] | None = None
        self._generation = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._durations: deque[float] = deque(maxlen=DURATIONS)
        self.refused: dict[str, str] = {}

    def start(self) -> None:
        """Start the thread."""
        with self._wanted:
            self._replace_thread()

    def submit(self, key: Hashable, call: Call) -> None:
        """Queue a call; it takes the place of a waiting one with the same key, which ends as cancelled."""
        error: Exception | None = None
        replaced: Call | None = None
        with self._wanted:
            if self._closed:
                error = PluginError(call.owner, "the session is closed")
            elif call.owner in self.refused:
                error = PluginError(call.owner, self.refused[call.owner])
            else:
                try:
                    replaced = self._calls.put(key, call)
                    self._wanted.notify()
                except MailboxFull:
                    error = PluginError(call.owner, f"{call.what} is not called: too many calls are waiting")
        if error is not None:
            call.done(None, error)
        if replaced is not None:
            replaced.done(None, CancelledError())

    def check(self) -> None:
        """Give up a call that has run for longer than the limit."""
        with self._wanted:
            if self._current is None or self._clock.monotonic() - self._current[1] <= self._limit_s:
                return
            call = self._current[0]
            reason = f"{call.what} did not return within {self._limit_s:g} s: disabled"
            self.refused[call.owner] = reason
            self._current = None
            waiting = self._calls.take_if(lambda each: each.owner == call.owner)
            self._replace_thread()
        log.error("plugin %s: %s", call.owner, reason)
        self._on_hang(call.owner, reason)
        for refused in (call, *waiting):
            refused.done(None, PluginError(call.owner, reason))

    def close(self) -> None:
        """Stop serving; every waiting and running call ends with an error now."""
        with self._wanted:
            self._closed = True
            self._generation += 1
            left = self._calls.drain()
            if self._current is not None:
                left.append(self._current[0])
                self._current = None
            self._wanted.notify_all()
        for call in left:
            call.done(None, PluginError(call.owner, "the session is closed"))

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; return whether it came."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def statistics(self) -> dict[str, float]:
        """Return queue length, call times and lost threads."""
        with self._wanted:
            times = sorted(self._durations)
            return {"queued": len(self._calls), "p50_s": quantile(times, 0.5), "p99_s": quantile(times, 0.99)}

    def _replace_thread(self) -> None:
        self._generation += 1
        self._thread = threading.Thread(target=self._serve, args=(self._generation,), name=self._name, daemon=True)
        self._thread.start()

    def _serve(self, generation: int) -> None:
        while (call := self._next(generation)) is not None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = call.function()
            except BaseException as caught:  # plugin code may raise anything, SystemExit included
                error = caught
            if not self._finish(generation, call):
                return
            call.done(result, error)

    def _next(self, generation: int) -> Call | None:
        with self._wanted:
            while generation == self._generation:
                call = self._calls.take()
                if call is not None:
                    self._current = (call, self._clock.monotonic())
                    return call
                self._wanted.wait()
            return None

    def _finish(self, generation: int, call: Call) -> bool:
        """Return whether the call's result is still wanted."""
        with self._wanted:
            if generation != self._generation or self._current is None or self._current[0] is not call:
                return False
            self._durations.append(self._clock.monotonic() - self._current[1])
            self._current = None
            return True
