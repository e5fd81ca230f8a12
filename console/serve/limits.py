"""What a caller may ask for: a bucket of requests for each, and a count of open streams."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_CALLERS = 4096
BURST_S = 2.0


class Buckets:
    """A token bucket a caller; those that were silent longest are forgotten first."""

    def __init__(self, rate_per_s: float, monotonic: Callable[[], float]) -> None:
        self.rate_per_s = rate_per_s
        self._monotonic = monotonic
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take one request; return 0, or how many seconds the caller has to wait before it may ask again."""
        now, most = self._monotonic(), max(1.0, self.rate_per_s * BURST_S)
        level, at = self._levels.pop(caller, (most, now))
        level = min(most, level + (now - at) * self.rate_per_s)
        granted = level >= 1.0
        self._levels[caller] = (level - 1.0 if granted else level, now)
        while len(self._levels) > MOST_CALLERS:
            self._levels.popitem(last=False)
        return 0.0 if granted else (1.0 - level) / self.rate_per_s


class Streams:
    """How many streams are open: in all, and of one caller, who may have half of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._open.values())

    def limited_to(self, most: int) -> Streams:
        """Return the same count with another limit."""
        self.most = most
        return self

    @contextmanager
    def opened(self, caller: str) -> Iterator[bool]:
        """Count a stream while the block runs; yields False where there are too many."""
        mine = self._open.get(caller, 0)
        allowed = len(self) < self.most and mine < max(1, (self.most + 1) // 2)
        if not allowed:
            yield False
            return
        self._open[caller] = mine + 1
        try:
            yield True
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
