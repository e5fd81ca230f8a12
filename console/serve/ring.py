"""The newest records of one site's stream, kept once for every client: who falls behind them has lost some."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.core.site_api.framing import Record

CHUNKS_SHARED = 8


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records after each other, as one piece of bytes, and the position behind the last of them."""

    data: bytes
    end: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """`behind` is how many bytes were ever appended before this record."""

    seq: int
    at: float
    data: bytes
    behind: int


class Ring:
    """Records by position, which grows by one a record; bounded by bytes and age. Any thread may call any method.

    `at` is a monotonic time in seconds. A chunk is made once, however many clients read it.
    """

    def __init__(self, *, most_bytes: int, most_s: float) -> None:
        self._most_bytes = most_bytes
        self._most_s = most_s
        self._lock = threading.Lock()
        self._kept: deque[_Kept] = deque()
        self._start = 0
        self._bytes = 0
        self._appended_bytes = 0
        self._lost_seq: int | None = None
        self._last_seq: int | None = None
        self._chunks: dict[tuple[int, int], Chunk] = {}

    @property
    def end(self) -> int:
        """The position behind the newest record."""
        with self._lock:
            return self._start + len(self._kept)

    @property
    def memory_bytes(self) -> int:
        """How many bytes of records are kept."""
        return self._bytes

    def begin(self, seq: int) -> None:
        """Say which number the stream had before the first record: a client at it has missed nothing."""
        with self._lock:
            if self._last_seq is None:
                self._lost_seq = self._last_seq = seq

    def append(self, records: Iterable[Record], at: float) -> None:
        """Add records, and let go of those that are too old or too many."""
        with self._lock:
            for record in records:
                if self._last_seq is None:
                    self._lost_seq = record.seq - 1
                self._kept.append(_Kept(record.seq, at, record.data, self._appended_bytes))
                self._appended_bytes += len(record.data)
                self._bytes += len(record.data)
                self._last_seq = record.seq
            self._chunks.clear()
            while self._kept and (self._bytes > self._most_bytes or at - self._kept[0].at > self._most_s):
                gone = self._kept.popleft()
                self._start += 1
                self._bytes -= len(gone.data)
                self._lost_seq = gone.seq

    def position_after(self, seq: int) -> int | None:
        """Return where somebody goes on who has all up to a number, None where some of the rest is gone."""
        with self._lock:
            if self._last_seq is None or self._lost_seq is None or not self._lost_seq <= seq <= self._last_seq:
                return None
            newer = 0
            for kept in reversed(self._kept):
                if kept.seq <= seq:
                    break
                newer += 1
            return self._start + len(self._kept) - newer

    def lost(self, position: int) -> int:
        """Return how many records from a position on are gone, 0 where it is still kept."""
        return max(0, self._start - position)

    def lag_bytes(self, position: int) -> int:
        """Return how many bytes stand from a position to the end."""
        with self._lock:
            index = max(0, position - self._start)
            return self._appended_bytes - self._kept[index].behind if index < len(self._kept) else 0

    def read(self, position: int, most_bytes: int) -> Chunk | None:
        """Return the records from a position on, at least one and then up to so many bytes; None if there are none."""
        with self._lock:
            end = self._start + len(self._kept)
            if not self._start <= position < end:
                return None
            key = position, most_bytes
            chunk = self._chunks.get(key)
            if chunk is None:
                chunk = self._joined(position, most_bytes)
                if len(self._chunks) < CHUNKS_SHARED:
                    self._chunks[key] = chunk
            return chunk

    def _joined(self, position: int, most_bytes: int) -> Chunk:
        pieces: list[bytes] = []
        size = 0
        for kept in islice(self._kept, position - self._start, None):
            if pieces and size + len(kept.data) > most_bytes:
                break
            pieces.append(kept.data)
            size += len(kept.data)
        return Chunk(pieces[0] if len(pieces) == 1 else b"".join(pieces), position + len(pieces))
