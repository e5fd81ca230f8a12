"""The compute thread: answers first, then the tick, then one part of a decode; so nobody waits for a whole body."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING

from console.engine.decode import DecodeRing, DecodeSink
from console.engine.mailbox import Mailbox
from console.engine.record import quantile

if TYPE_CHECKING:
    from console.engine.record import SourceRecord
    from console.model.ports import Clock
    from console.model.reading import Reading
    from console.model.snapshot import Snapshot

JOBS = 256
TICKS = 256
LONGEST_WAIT_S = 1.0
SOON_S = 0.1

log = logging.getLogger("console.engine")
Job = Callable[[], object]
Tick = Callable[[], "Iterator[Snapshot | None]"]


class Compute:
    """A bounded queue of jobs, a periodic tick in short steps, and decodes; `step()` does one piece of work.

    `tick` makes a new iterator of steps; a step that is not None is published.
    """

    def __init__(
        self,
        sink: DecodeSink,
        tick: Tick,
        publish: Callable[[Snapshot], None],
        *,
        period_s: float,
        clock: Clock,
        first_tick_s: float = 0.0,
    ) -> None:
        self._tick = tick
        self._publish = publish
        self._period_s = period_s
        self._clock = clock
        self._wanted = threading.Condition()
        self._jobs: Mailbox[Job] = Mailbox(JOBS)
        self._posted: deque[Job] = deque()
        self._ring = DecodeRing(sink, clock)
        self._steps: Iterator[Snapshot | None] | None = None
        self._tick_began = 0.0
        self._first_tick_s = first_tick_s
        self._tick_at = clock.monotonic() + first_tick_s
        self._durations: deque[float] = deque(maxlen=TICKS)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="gigadeck-compute", daemon=True)

    def start(self) -> None:
        """Start the thread; the time to the first tick counts from here, for a screen may be built meanwhile."""
        self._tick_at = self._clock.monotonic() + self._first_tick_s
        self._thread.start()

    def submit(self, key: Hashable, job: Job) -> Job | None:
        """Queue a job; return the waiting one of the same key that it replaces. Raises MailboxFull."""
        with self._wanted:
            replaced = self._jobs.put(key, job)
            self._wanted.notify()
            return replaced

    def post(self, job: Job) -> None:
        """Queue a note of the engine itself: at most one for each source and plugin call under way."""
        with self._wanted:
            self._posted.append(job)
            self._wanted.notify()

    def accept(self, record: SourceRecord, reading: Reading) -> None:
        """Queue a reading to decode."""
        with self._wanted:
            self._ring.offer(record, reading)
            self._wanted.notify()

    def hasten(self, within_s: float = SOON_S) -> None:
        """Make the next tick come soon: something is new that nobody should wait for."""
        with self._wanted:
            self._tick_at = min(self._tick_at, self._clock.monotonic() + within_s)
            self._wanted.notify()

    def step(self) -> float:
        """Do one piece of work; return how long to wait for the next (0.0: there is more)."""
        late_s = self._clock.monotonic() - self._tick_at
        job = None if late_s > self._period_s else self._next_job()
        if job is not None:
            job()
        elif self._steps is not None or late_s >= 0:
            self._tick_step()
        elif not self._decode_step():
            return max(0.0, min(-late_s, LONGEST_WAIT_S))
        return 0.0

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        with self._wanted:
            self._stopping = True
            self._jobs.drain()
            self._wanted.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; return whether it came."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def statistics(self) -> dict[str, float]:
        """Return queue lengths and tick times."""
        with self._wanted:
            times = sorted(self._durations)
            return {
                "jobs": len(self._jobs),
                "decodes": len(self._ring),
                "tick_p50_s": quantile(times, 0.5),
                "tick_p99_s": quantile(times, 0.99),
            }

    def _next_job(self) -> Job | None:
        with self._wanted:
            return self._posted.popleft() if self._posted else self._jobs.take()

    def _decode_step(self) -> bool:
        with self._wanted:
            self._ring.admit()
        return self._ring.step()

    def _tick_step(self) -> None:
        if self._steps is None:
            self._tick_began = self._clock.monotonic()
            self._steps = self._tick()
        snapshot = next(self._steps, None)
        if snapshot is not None:
            self._end_tick()
            self._publish(snapshot)

    def _end_tick(self) -> None:
        now = self._clock.monotonic()
        took_s = now - self._tick_began
        self._steps = None
        with self._wanted:
            self._durations.append(took_s)
            # Decodes get at least every second moment, however long a tick takes.
            self._tick_at = max(self._tick_began + self._period_s, now + took_s)

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait_s = self.step()
            except Exception:  # the thread outlives every fault in a job
                log.exception("the compute thread goes on after a fault")
                self._steps = None
                wait_s = SOON_S
            with self._wanted:
                if wait_s > 0 and not (self._stopping or self._posted or len(self._jobs) or len(self._ring)):
                    self._wanted.wait(wait_s)
