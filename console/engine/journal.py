"""The engine's own diary: JSON lines written by a thread of their own, so that a slow disk stops nobody."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TextIO

    from console.model.ports import Clock

CAPACITY = 10_000
TAIL = 2_000

log = logging.getLogger("console.engine")


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Entries after a number, oldest first; `oldest` is the lowest number kept (0: none), `last` the highest."""

    oldest: int
    last: int
    entries: tuple[tuple[int, Mapping[str, object]], ...]


class Journal:
    """Append-only JSON lines; an event that finds the queue full is counted, and the count is written.

    The newest 2,000 are also kept by number, from 1, for those who ask (`after`), whether there is a file or not.
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._queue: queue.Queue[Mapping[str, object] | None] = queue.Queue(CAPACITY)
        self._thread: threading.Thread | None = None
        self._tail: deque[tuple[int, Mapping[str, object]]] = deque(maxlen=TAIL)
        self._last = 0
        self._lock = threading.Lock()
        self.dropped = 0
        self.broken = ""

    def start(self) -> None:
        """Start the thread, if there is a file to write to."""
        if self._path is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gigadeck-journal", daemon=True)
            self._thread.start()

    def write(self, event: Mapping[str, object]) -> None:
        """Add one event, stamped with the time; never blocks."""
        entry = {"at": round(self._clock.time(), 3), **event}
        with self._lock:
            self._last += 1
            self._tail.append((self._last, entry))
        if self._path is None or self.broken:
            return
        try:
            self._queue.put_nowait(entry)
        except queue.Full:
            self.dropped += 1

    def after(self, number: int, limit: int) -> JournalPage:
        """Return up to `limit` of the newest entries after a number."""
        with self._lock:
            oldest = self._tail[0][0] if self._tail else 0
            first = max(0, number + 1 - oldest)
            return JournalPage(oldest, self._last, tuple(islice(self._tail, first, first + limit)))

    def close(self, timeout_s: float) -> None:
        """Write what is queued and stop; gives up after `timeout_s`."""
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=timeout_s / 2)
        except queue.Full:
            return
        self._thread.join(timeout_s / 2)

    def _run(self) -> None:
        assert self._path is not None  # start() asked
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "a", encoding="utf-8") as file:
                self._copy(file)
        except OSError as error:
            self.broken = f"journal {self._path}: {error.strerror or error}"
            log.warning("%s", self.broken)

    def _copy(self, file: TextIO) -> None:
        told = 0
        while (event := self._queue.get()) is not None:
            file.write(json.dumps(event, default=str) + "\n")
            if self.dropped > told:
                file.write(json.dumps({"event": "journal_dropped", "count": self.dropped - told}) + "\n")
                told = self.dropped
            if self._queue.empty():
                file.flush()
