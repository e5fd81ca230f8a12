"""Records of a stream between the loop thread, which receives them, and the compute thread, which decodes them."""

from __future__ import annotations

import threading
from collections import deque

MOST_RECORDS = 50_000


class Inbox:
    """A queue with a limit in bytes and in number; what does not fit empties it, for a gap makes all of it worthless.

    `lost` says that something was lost, or could not be decoded: the stream must begin anew. Any thread may call.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._records: deque[bytes] = deque()
        self._bytes = 0
        self.lost = ""

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: bytes) -> bool:
        """Add a record; return whether it fitted: after a loss nothing does until the stream begins anew."""
        with self._lock:
            if self.lost:
                return False
            if self._bytes + len(record) > self._limit_bytes or len(self._records) >= MOST_RECORDS:
                self._empty(f"{len(self._records):,} records were not taken in time and are dropped")
                return False
            self._records.append(record)
            self._bytes += len(record)
            return True

    def take(self) -> bytes | None:
        """Remove and return the oldest record, None where there is none."""
        with self._lock:
            if not self._records:
                return None
            record = self._records.popleft()
            self._bytes -= len(record)
            return record

    def fail(self, why: str) -> None:
        """Empty it, for a record could not be decoded: what follows builds on it."""
        with self._lock:
            self._empty(why)

    def begin_anew(self) -> None:
        """Empty it before a stream that begins from its start."""
        with self._lock:
            self._empty("")

    def _empty(self, why: str) -> None:
        self._records.clear()
        self._bytes = 0
        self.lost = why
