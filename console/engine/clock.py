"""The real clock; tests bring their own."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[object]]


class SystemClock:
    """The machine's wall time and monotonic time."""

    def time(self) -> float:
        """Return UTC epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
