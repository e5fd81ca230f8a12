"""How far a log store has been read: windows that overlap for late lines, and each line only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.sources.logs.lines import LogLine

SECOND_NS = 1_000_000_000
MOST_SEEN = 60_000


class Cursor:
    """Reads on from a time; collectors deliver late, so each window begins `overlap_s` before the end of the last one.

    A page that is full was cut off: the next one begins with its last line. All times are UTC epoch nanoseconds.
    """

    def __init__(self, start_ns: int, overlap_s: float) -> None:
        self._done_ns = start_ns
        self._overlap_ns = int(overlap_s * SECOND_NS)
        self._resume_ns = 0
        self._seen: dict[int, int] = {}

    @property
    def start_ns(self) -> int:
        """Where the next window begins."""
        return self._resume_ns or self._done_ns - self._overlap_ns

    def behind_s(self, now_ns: int) -> float:
        """Return how far behind now the reading is, because there is more than it may take at once; 0.0 if not."""
        return max(0.0, (now_ns - self._resume_ns) / SECOND_NS) if self._resume_ns else 0.0

    def take(self, lines: Sequence[LogLine], end_ns: int, *, full: bool) -> list[LogLine]:
        """Return what is new of a page that ends at `end_ns`; `full` says that the store may have more of it."""
        start_ns = self.start_ns
        fresh = []
        for line in lines:
            key = hash(line)
            if key not in self._seen:
                self._seen[key] = line.at_ns
                fresh.append(line)
        if full and lines:
            last_ns = lines[-1].at_ns
            # Nothing but lines of one nanosecond: what the page did not hold of it is lost, going on is not.
            self._resume_ns = last_ns if last_ns > start_ns else last_ns + 1
        else:
            self._resume_ns, self._done_ns = 0, max(self._done_ns, end_ns)
        self._forget()
        return fresh

    def skip_to(self, at_ns: int) -> float:
        """Leave out what lies before a time; return how many seconds that is."""
        left_out_s = (at_ns - self.start_ns) / SECOND_NS
        self._resume_ns, self._done_ns = at_ns, max(self._done_ns, at_ns)
        return max(0.0, left_out_s)

    def _forget(self) -> None:
        """Forget lines that no window can bring again; of too many, the oldest."""
        oldest = self.start_ns
        if len(self._seen) > 1000:
            self._seen = {key: at for key, at in self._seen.items() if at >= oldest}
        while len(self._seen) > MOST_SEEN:
            self._seen.pop(next(iter(self._seen)))
