"""One client of a stream: where it is in the ring, what is for it alone, and when it is let go of."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from console.core.site_api.framing import framed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.serve.ring import Ring
    from console.serve.stream_limits import StreamLimits


class Client:
    """Lives on the loop thread alone; `news` is set when there may be something to send.

    What it holds of its own is small: the records that all clients share stay in the ring. It ends when what comes
    faster than it reads is more than `limits.lag_bytes`, or gone from the ring.
    """

    def __init__(
        self, id: str, author: str, ring: Ring, opening: Iterable[bytes], position: int, limits: StreamLimits
    ) -> None:
        self.id = id
        self.author = author
        self.path = ""
        self.news = asyncio.Event()
        self.ended = False
        self.dropped = 0
        self._ring = ring
        self._opening = deque(opening)
        self._position = position
        self._limits = limits
        self._slices: deque[memoryview] = deque()
        self._range = b""
        self._farewell = b""

    @property
    def lag_bytes(self) -> int:
        """How many bytes of shared records it has not been sent."""
        return self._ring.lag_bytes(self._position)

    def give(self, record: bytes) -> None:
        """Have a record for this client alone sent, in place of one that still waits."""
        self._range = record
        self.news.set()

    def look_at(self, path: str) -> None:
        """Say where it looks from now on; what was made for the place before is not sent any more."""
        self.path = path
        self._range = b""

    def bid_farewell(self, reason: str, leader: str) -> None:
        """End the stream after what is under way, with the reason."""
        self._end_with(framed(0, "bye", {"reason": reason, "leader": leader}).data)

    def next(self) -> bytes | memoryview | None:
        """Return what to send now; None where there is nothing, for good if `ended`."""
        if self._slices:
            return self._slices.popleft()
        if self._farewell:
            last, self._farewell = self._farewell, b""
            self.ended = True
            return last
        if self.ended:
            return None
        if self._opening:
            return self._sliced(self._opening.popleft())
        return self._from_ring()

    def beat(self, at: float) -> bytes:
        """Return the record that says that all is well where there is nothing to say."""
        return framed(0, "beat", {"at": at}).data

    def _from_ring(self) -> bytes | memoryview | None:
        lost = self._ring.lost(self._position)
        if lost or self.lag_bytes > self._limits.lag_bytes:
            self.dropped = self._ring.end - self._position
            reason = "you read more slowly than there is news; come back to begin anew"
            self._end_with(framed(0, "dropped", {"count": self.dropped, "reason": reason}).data)
            return self.next()
        if self._range:
            record, self._range = self._range, b""
            return self._sliced(record)
        chunk = self._ring.read(self._position, self._limits.slice_bytes)
        if chunk is None:
            return None
        self._position = chunk.end
        return self._sliced(chunk.data)

    def _sliced(self, data: bytes) -> bytes | memoryview:
        """Cut what is long, so that what a connection holds for a slow client is bounded."""
        size = self._limits.slice_bytes
        if len(data) <= size:
            return data
        view = memoryview(data)
        self._slices.extend(view[at : at + size] for at in range(size, len(data), size))
        return view[:size]

    def _end_with(self, record: bytes) -> None:
        if not self.ended and not self._farewell:
            self._opening.clear()
            self._range = b""
            self._farewell = record
            self.news.set()
