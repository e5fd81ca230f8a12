"""Keeps the names that lead to nothing: listed, never dropped, and bounded."""

from __future__ import annotations

from console.model.snapshot import Unjoined

MOST_NAMES = 100


class Strangers:
    """Names by source and subject (a metric, jobs), as of the last reading of each."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, dict[str, None], int]] = {}
        self._listed: tuple[Unjoined, ...] | None = ()

    def note(self, source: str, subject: str, received_at: float, names: tuple[str, ...], total: int) -> None:
        """Note the names of one part; parts of one reading (received at the same time) add up."""
        key = source, subject
        before = self._seen.get(key)
        if not total and (before is None or before[0] == received_at):
            return
        self._listed = None
        if before is None or before[0] != received_at:
            if not total:
                del self._seen[key]
                return
            before = (received_at, {}, 0)
        kept = dict.fromkeys([*before[1], *names][:MOST_NAMES])
        self._seen[key] = (received_at, kept, before[2] + total)

    def listed(self) -> tuple[Unjoined, ...]:
        """Return one entry a source: the first 100 names, and how many there are at its worst subject."""
        if self._listed is None:
            sources = dict.fromkeys(source for source, _ in self._seen)
            self._listed = tuple(self._of(source) for source in sources)
        return self._listed

    def _of(self, source: str) -> Unjoined:
        mine = [(names, total) for (who, _), (_, names, total) in self._seen.items() if who == source]
        names = tuple(dict.fromkeys(name for each, _ in mine for name in each))[:MOST_NAMES]
        return Unjoined(source, names, max(max(total for _, total in mine), len(names)))
