"""Free nodes as sorted runs, so that finding room costs the number of gaps, not of nodes."""

from __future__ import annotations

from bisect import bisect_right

Spans = list[tuple[int, int]]


class FreeRuns:
    """Runs [first, last) of free nodes, none touching another."""

    def __init__(self, first: int, last: int) -> None:
        self._runs: Spans = [(first, last)] if last > first else []
        self.count = last - first

    def take(self, needed: int) -> Spans:
        """Return and remove runs of `needed` nodes: the tightest that fits, else the longest until there is enough.

        Returns nothing, and removes nothing, where fewer are free.
        """
        if needed > self.count or needed <= 0:
            return []
        fits = [(last - first, first) for first, last in self._runs if last - first >= needed]
        if fits:
            first = min(fits)[1]
            self._cut(first, first + needed)
            return [(first, first + needed)]
        spans: Spans = []
        for length, first in sorted(((last - first, -first) for first, last in self._runs), reverse=True):
            taken = min(needed, length)
            spans.append((-first, -first + taken))
            needed -= taken
            if not needed:
                break
        for span in spans:
            self._cut(*span)
        return sorted(spans)

    def give(self, first: int, last: int) -> None:
        """Take a run back; it must not be free."""
        at = bisect_right(self._runs, (first, last))
        self.count += last - first
        if at < len(self._runs) and self._runs[at][0] == last:
            last = self._runs.pop(at)[1]
        if at and self._runs[at - 1][1] == first:
            at -= 1
            first = self._runs.pop(at)[0]
        self._runs.insert(at, (first, last))

    def remove(self, node: int) -> bool:
        """Take one node out; return whether it was free."""
        at = bisect_right(self._runs, (node, 1 << 60)) - 1
        if at < 0 or node >= self._runs[at][1]:
            return False
        self._cut(node, node + 1)
        return True

    def last_free(self) -> int | None:
        """Return the last free node."""
        return self._runs[-1][1] - 1 if self._runs else None

    def _cut(self, first: int, last: int) -> None:
        at = bisect_right(self._runs, (first, 1 << 60)) - 1
        whole_first, whole_last = self._runs[at]
        rest = [(whole_first, first), (last, whole_last)]
        self._runs[at : at + 1] = [run for run in rest if run[0] < run[1]]
        self.count -= last - first
