"""When a source is read next: pure arithmetic on monotonic seconds, so that tests run it on virtual time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

BASE_S = 1.0
CAP_S = 30.0
LONGEST_RETRY_AFTER_S = 3600.0
SHORTEST_CADENCE_S = 0.2

Jitter = Callable[[float, float], float]


def full_jitter(failures: int, cadence_s: float, uniform: Jitter) -> float:
    """Return a wait drawn from 0 to 2**(failures - 1) seconds, capped at max(two cadences, 30 s)."""
    ceiling = max(2 * cadence_s, CAP_S)
    return uniform(0.0, min(ceiling, BASE_S * 2.0 ** min(failures - 1, 32)))


class PollSchedule:
    """The schedule of one source; owned by the loop thread.

    A read starts on the cadence's grid (a slow read skips ticks, it never piles them up). A failure waits with full
    jitter; a server's Retry-After wins over that, and over a wish to hurry.
    """

    def __init__(self, cadence_s: float, *, learned: bool, uniform: Jitter = random.uniform) -> None:
        self.cadence_s = cadence_s
        self.failures = 0
        self.next_at = -math.inf
        self.retry_after_s: float | None = None
        self._learned = learned
        self._uniform = uniform
        self._started_at = 0.0

    def begin(self, now: float) -> None:
        """Note that a read starts."""
        self._started_at = now

    def arrived(self, now: float, cadence_s: float) -> None:
        """Note that a body is here; `cadence_s` is what the data says of itself (0: nothing)."""
        if self._learned and cadence_s > 0:
            self.cadence_s = max(SHORTEST_CADENCE_S, cadence_s)
        ticks = max(1, math.ceil((now - self._started_at) / self.cadence_s))
        self.next_at = self._started_at + ticks * self.cadence_s

    def succeeded(self) -> None:
        """Note that the body was good: only this ends a row of failures."""
        self.failures = 0
        self.retry_after_s = None

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """Note a failure, of the read or of the body."""
        self.failures += 1
        self.retry_after_s = None if retry_after_s is None else min(max(0.0, retry_after_s), LONGEST_RETRY_AFTER_S)
        wait_s = full_jitter(self.failures, self.cadence_s, self._uniform)
        self.next_at = now + (wait_s if self.retry_after_s is None else self.retry_after_s)

    def hurry(self, now: float) -> None:
        """Read now, unless the server asked us to wait."""
        if self.retry_after_s is None:
            self.next_at = min(self.next_at, now)

    def delay_s(self, now: float) -> float:
        """Return how long to wait before the next read."""
        return max(0.0, self.next_at - now) if math.isfinite(self.next_at) else 0.0
