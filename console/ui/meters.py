"""Measures what the screen costs: bytes sent to the terminal, and how late its loop runs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.driver import Driver

WINDOW = 40


class Meters:
    """The last ten seconds of heartbeats; times are monotonic seconds."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._beats: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._lags: deque[float] = deque(maxlen=WINDOW)
        self.sent_bytes = 0
        self.shown = False

    def count(self, text: str) -> None:
        """Count what is written to the terminal."""
        self.sent_bytes += len(text.encode("utf-8", "replace"))

    def beat(self, now: float) -> None:
        """Note a heartbeat that was due `period_s` after the one before."""
        if self._beats:
            self._lags.append(max(0.0, now - self._beats[-1][0] - self._period_s))
        self._beats.append((now, self.sent_bytes))

    def rest(self) -> None:
        """Count anew: the terminal was somebody else's meanwhile."""
        self._beats.clear()
        self._lags.clear()

    @property
    def link_bps(self) -> float:
        """Bytes a second over the window."""
        if len(self._beats) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._beats[0], self._beats[-1]
        return (last - first) / max(last_at - first_at, self._period_s)

    @property
    def lag_s(self) -> float:
        """The worst delay of a heartbeat in the window."""
        return max(self._lags, default=0.0)


def counting(driver_class: type[Driver], meters: Meters) -> type[Driver]:
    """Return a driver that counts what it writes."""

    class CountingDriver(driver_class):  # type: ignore[misc, valid-type]  # the class is chosen at run time
        def write(self, data: str) -> None:
            meters.count(data)
            super().write(data)

    return CountingDriver
