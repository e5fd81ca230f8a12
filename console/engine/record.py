"""What is known of one source: state, age, latency, failures; says once that it fails and once that it is back."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from console.engine.backoff import PollSchedule
from console.engine.setup import DEFAULT_CADENCE_S
from console.model.snapshot import SourceState, SourceStatus
from console.present.safe import clean

if TYPE_CHECKING:
    from console.engine.setup import SourceSetup
    from console.model.errors import SourceError
    from console.model.ports import Clock
    from console.model.reading import Reading

LATENCIES = 256
TEXT_LIMIT = 300
WARNINGS = 10
STALE_CADENCES = 3.0
STALE_FLOOR_S = 30.0

log = logging.getLogger("console.engine")
Tell = Callable[[Mapping[str, object]], None]


class SourceRecord:
    """The books of one source, written by the loop thread (reads) and the compute thread (decodes)."""

    def __init__(self, site: str, setup: SourceSetup, clock: Clock, tell: Tell) -> None:
        self.site = site
        self.setup = setup
        self.schedule = PollSchedule(setup.cadence_s or DEFAULT_CADENCE_S, learned=not setup.cadence_s)
        self.dropped = 0
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._failing = False
        self._state = SourceState.STARTING
        self._since = clock.time()
        self._last_ok_at = 0.0
        self._data_at = 0.0
        self._patience_s = 0.0
        self._last_error = ""
        self._body_bytes = 0
        self._requests = 0
        self._skew_s: float | None = None
        self._warnings: tuple[str, ...] = ()
        self._notes: Mapping[str, str] = {}

    @property
    def key(self) -> tuple[str, str]:
        """Site and source name."""
        return self.site, self.setup.name

    @property
    def stale_after_s(self) -> float:
        """The age from which this source's data no longer counts."""
        # To ask often makes nobody scrape more often: data that come each minute are not stale between two scrapes.
        learned_s = max(STALE_CADENCES * self.schedule.cadence_s, STALE_FLOOR_S, self._patience_s)
        return self.setup.stale_after_s or learned_s

    @property
    def spoke(self) -> bool:
        """Whether the source has answered or failed at least once."""
        return bool(self._last_ok_at or self._failing)

    def arrived(self, reading: Reading, latency_s: float) -> None:
        """Note a body that is not decoded yet."""
        with self._lock:
            self._latencies.append(latency_s if reading.latency_s is None else reading.latency_s)
            self._body_bytes += reading.body_bytes
            self._requests += reading.requests

    def decoded(self, reading: Reading, data_at: float) -> None:
        """Note a body that was good; `data_at` is its newest sample, 0 if it carries no samples."""
        with self._lock:
            recovered, self._failing = self._failing, False
            self._last_ok_at = self._clock.time()
            self._data_at = max(self._data_at, data_at)
            self._patience_s = max(STALE_CADENCES * reading.cadence_s, reading.stale_after_s)
            self._skew_s = reading.clock_skew_s
            self._warnings = tuple(clean(text, TEXT_LIMIT) for text in reading.warnings[:WARNINGS])
            self._notes = {clean(k, 40): clean(v, TEXT_LIMIT) for k, v in reading.notes.items()}
            self._last_error = ""
        if recovered:
            log.info("%s/%s answers again", *self.key)
            self._tell({"event": "source_recovered", "site": self.site, "source": self.setup.name})

    def failed(self, error: SourceError) -> None:
        """Note a failure; the first of a row is logged."""
        text = clean(str(error), TEXT_LIMIT)
        with self._lock:
            first, self._failing = not self._failing, True
            self._last_error = text
        if first:
            log.warning("%s", text)
            self._tell({"event": "source_failed", "site": self.site, "source": self.setup.name, "error": text})

    def is_stale(self, now: float) -> bool:
        """Return whether this source's newest data is too old to count."""
        fresh_at = self._data_at or self._last_ok_at
        return fresh_at > 0 and now - fresh_at > self.stale_after_s

    def _judge(self, now: float) -> SourceState:
        if self.is_stale(now):
            return SourceState.STALE
        if self._failing:
            return SourceState.FAILING
        if not self._last_ok_at:
            return SourceState.STARTING
        slow = bool(self._latencies) and self._latencies[-1] > self.schedule.cadence_s
        return SourceState.SLOW if slow else SourceState.OK

    def status(self, now: float) -> SourceStatus:
        """Return what the screen shows of this source."""
        with self._lock:
            state = self._judge(now)
            if state is not self._state:
                self._state, self._since = state, now
            return self._status(now)

    def _status(self, now: float) -> SourceStatus:
        setup, schedule, latencies = self.setup, self.schedule, sorted(self._latencies)
        return SourceStatus(
            site=self.site,
            name=setup.name,
            kind=setup.kind,
            url=setup.url,
            state=self._state,
            since=self._since,
            cadence_s=schedule.cadence_s,
            stale_after_s=self.stale_after_s,
            last_ok_at=self._last_ok_at,
            data_at=self._data_at,
            last_error=self._last_error,
            # A failed body is known here before the loop thread has counted it.
            failures=max(schedule.failures, int(self._failing)),
            next_try_at=now + schedule.delay_s(self._clock.monotonic()),
            retry_after_s=schedule.retry_after_s,
            latency_p50_s=quantile(latencies, 0.5),
            latency_p99_s=quantile(latencies, 0.99),
            body_bytes=self._body_bytes,
            requests=self._requests,
            budget_rps=setup.budget_rps,
            budget_bps=setup.budget_bps,
            dropped=self.dropped,
            clock_skew_s=self._skew_s,
            warnings=self._warnings,
            notes=self._notes,
        )


def quantile(ascending: list[float], share: float) -> float:
    """Return the value below which `share` of sorted numbers lie, 0.0 of none."""
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))] if ascending else 0.0
