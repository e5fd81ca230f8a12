"""The events of one site by number, for those who ask for them page by page; numbered as the stream numbers them."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.events import Event

EVENTS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a number, oldest first; `oldest` is the lowest number that is kept (0: none), `last` the highest."""

    oldest: int
    last: int
    entries: tuple[tuple[int, Event], ...]


class EventLog:
    """The newest events, numbered from 1; any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[int, Event]] = deque(maxlen=EVENTS_KEPT)
        self._seen: Sequence[Event] = ()
        self._last = 0

    def take(self, events: Sequence[Event]) -> None:
        """Number what is new in a site's events: the list only grows at its end, and loses its oldest."""
        if events is self._seen:
            return
        with self._lock:
            new = _behind(self._seen, events)
            self._seen = events
            self._kept.extend(enumerate(new, start=self._last + 1))
            self._last += len(new)

    def after(self, number: int, limit: int) -> EventPage:
        """Return up to `limit` events after a number."""
        with self._lock:
            oldest = self._kept[0][0] if self._kept else 0
            first = max(0, number + 1 - oldest)
            entries = tuple(islice(self._kept, first, first + limit)) if self._kept else ()
            return EventPage(oldest, self._last, entries)


def _behind(before: Sequence[Event], now: Sequence[Event]) -> Sequence[Event]:
    """Return the events behind the last one that was there before; all of them where it is gone."""
    if not before:
        return now
    last = before[-1]
    for place in range(len(now) - 1, -1, -1):
        if now[place] is last:
            return now[place + 1 :]
    return now
