"""One site as it is served: its encoder (encode thread alone), its ring, its events, and the clients that listen."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from console.core.site_api.stream import SiteEncoder
from console.model.errors import NoDataError
from console.model.values import dataclass
from console.serve.event_log import EventLog
from console.serve.ring import Ring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.model.metrics import MetricTable
    from console.model.snapshot import Snapshot
    from console.serve.client import Client


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a client begins: the records that it gets first, and its position in the ring behind them.

    `log` and `ring` are those of the life that it listens to.
    """

    log: str
    ring: Ring
    resumed: bool
    seq: int
    records: tuple[bytes, ...]
    position: int


class SiteFeed:
    """The stream of one site: `log` names its present life, which ends when it could not be encoded."""

    def __init__(
        self, site: str, metrics: MetricTable, keeper: str, *, ring_bytes: int, ring_s: float, most_missed_bytes: int
    ) -> None:
        self.site = site
        self.clients: dict[str, Client] = {}
        self.broken_at: float | None = None
        self._metrics = metrics
        self._keeper = keeper
        self._ring_bytes = ring_bytes
        self._ring_s = ring_s
        self._most_missed_bytes = most_missed_bytes
        self._paths: dict[str, int] = {}
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Begin a life; those who listened to the one before have to come anew (encode thread)."""
        self.log = f"{self.site}-{secrets.token_hex(6)}"
        self.ring = Ring(most_bytes=self._ring_bytes, most_s=self._ring_s)
        self.events = EventLog()
        self._encoder = SiteEncoder(self.site, self._metrics, log=self.log, keeper=self._keeper)
        self._snapshot: Snapshot | None = None

    def update(self, snapshot: Snapshot, at: float) -> Mapping[str, bytes]:
        """Encode a snapshot (encode thread); return the records for single clients, by the place they look at."""
        frame = snapshot.frame.site(self.site)
        if frame is None or snapshot is self._snapshot:
            return {}
        self._snapshot = snapshot
        self.events.take(frame.events)
        self.ring.begin(self._encoder.seq)
        self.ring.append(self._encoder.update(snapshot), at)
        return self.ranges(self.watched)

    @property
    def watched(self) -> tuple[str, ...]:
        """The places that somebody looks at."""
        with self._lock:
            return tuple(self._paths)

    def ranges(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return a record for each of the places that something is due for (encode thread)."""
        if self._snapshot is None:
            return {}
        made = {path: self._encoder.focus(self._snapshot, path) for path in paths}
        return {path: record.data for path, record in made.items() if record is not None}

    def open(self, log: str, after: int) -> Opening:
        """Return where a client begins (encode thread): behind what it has, or anew; raises NoDataError."""
        seq = self._encoder.seq
        if log == self.log and after > 0:  # 0 is somebody who was cut off before the end of the opening
            position = self.ring.position_after(after)
            # Who has missed much would fall behind again at once: to begin anew is less.
            if position is not None and self.ring.lag_bytes(position) <= self._most_missed_bytes:
                return Opening(self.log, self.ring, True, seq, (), position)
        records = self._encoder.opening()
        if not records:
            raise NoDataError(f"{self.site}: nothing has been read of this site yet; try again in a moment")
        return Opening(self.log, self.ring, False, seq, tuple(record.data for record in records), self.ring.end)

    def looked_at(self, path: str, by: int) -> None:
        """Count who looks at a place, `by` more or less; from any thread."""
        if not path:
            return
        with self._lock:
            self._paths[path] = self._paths.get(path, 0) + by
            if self._paths[path] <= 0:
                del self._paths[path]

    def wake(self, ranges: Mapping[str, bytes]) -> None:
        """Tell every client that there is news (loop thread)."""
        for client in self.clients.values():
            record = ranges.get(client.path) if client.path else None
            if record is not None:
                client.give(record)
            client.news.set()
