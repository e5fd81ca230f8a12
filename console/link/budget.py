"""Token buckets: how much an endpoint may be asked for; pure, time comes in as an argument."""

from __future__ import annotations

BURST_S = 5.0


class TokenBucket:
    """Holds at most `burst` units and refills at `rate` units per second; a rate of 0 is no limit.

    What a request will cost in bytes is known only after it: `take` may therefore go into debt, and `delay_s` says how
    long to wait until the debt is paid.
    """

    def __init__(self, rate: float, burst: float = 0.0) -> None:
        self._rate = rate
        self._burst = max(burst or rate * BURST_S, 1.0)
        self._units = self._burst
        self._at: float | None = None

    def delay_s(self, now: float, needed: float = 0.0) -> float:
        """Return the seconds until `needed` units are there (0 units: until there is no debt)."""
        if self._rate <= 0:
            return 0.0
        self._refill(now)
        return max(0.0, (min(needed, self._burst) - self._units) / self._rate)

    def take(self, units: float, now: float) -> None:
        """Spend units, into debt if need be."""
        if self._rate > 0:
            self._refill(now)
            self._units -= units

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._units = min(self._burst, self._units + max(0.0, now - self._at) * self._rate)
        self._at = now
