"""Scrape gaps: a source whose samples usually come every few seconds had none for a while, of all GPUs or of some."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Severity, format_value

from .telling import Book, Fault, of_site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.plugin import Column, DetectorState, Finding, Frame, SiteFrame

GAP = Fault("telemetry", "scrape-gap", Severity.WARNING, "samples are missing")
LAG = Fault("telemetry", "scrape-lag", Severity.WARNING, "samples of some GPUs are missing")
STEPS, LEAST_STEPS = 32, 5
TIMES, LEAST_S = 4.0, 20.0
KEPT_S = 600.0


@dataclass
class _Rhythm:
    """When one source's newest sample was taken, the steps between them, and its last gap."""

    newest: float = 0.0
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=STEPS))
    gap: tuple[float, float] | None = None

    @property
    def limit_s(self) -> float:
        """The step from which it is a gap, infinite while the rhythm is not known."""
        known = len(self.steps) >= LEAST_STEPS
        return max(TIMES * median(self.steps), LEAST_S) if known else np.inf

    def hear(self, newest: float) -> None:
        """Take the time of the newest sample."""
        if newest <= self.newest:
            return
        step_s = newest - self.newest
        if self.newest and step_s > self.limit_s:
            self.gap = (self.newest, newest)
        elif self.newest:
            self.steps.append(step_s)
        self.newest = newest


class Gaps:
    """Learns the rhythm of each source at each site; a gap is told for ten minutes."""

    state_columns = ()

    def __init__(self) -> None:
        self._book = Book()
        self._rhythms: dict[tuple[str, str], _Rhythm] = {}

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return the gaps of the last ten minutes, and who lags behind now."""
        found = [each for site in frame.sites for each in self._site(site, frame.at)]
        return self._book.dated(found, frame.at)

    def _site(self, site: SiteFrame, now: float) -> Iterator[Finding]:
        for source, column in _columns(site).items():
            rhythm = self._rhythms.setdefault((site.site, source), _Rhythm())
            rhythm.hear(column.newest_at())
            usual = f"usually every {median(rhythm.steps):.0f} s" if rhythm.steps else ""
            if rhythm.gap is not None and now - rhythm.gap[1] <= KEPT_S:
                first, last = rhythm.gap
                ago = format_value(now - last, "age")
                yield of_site(site, GAP, f"no sample for {last - first:.0f} s until {ago} ago, {usual}", source, first)
            lagging = _lagging(column, rhythm.limit_s, now)
            if lagging:
                text = f"{lagging:,} GPUs have no sample for over {rhythm.limit_s:.0f} s while others do, {usual}"
                yield of_site(site, LAG, text, source)


def _columns(site: SiteFrame) -> dict[str, Column]:
    """Return one column of GPUs of each source: the one with the newest sample."""
    found: dict[str, Column] = {}
    for column in site.columns.values() if not site.stale else ():
        if len(column.values) == site.topology.gpus and column.newest_at() > 0:
            best = found.get(column.source)
            if best is None or column.newest_at() > best.newest_at():
                found[column.source] = column
    return found


def _lagging(column: Column, limit_s: float, now: float) -> int:
    """Return how many GPUs have a value that is not stale yet and much older than the newest."""
    if column.at.strides == (0,) or not np.isfinite(limit_s):
        return 0
    old = (column.at > 0) & (column.newest_at() - column.at > limit_s) & (now - column.at <= column.stale_after_s)
    return int(np.count_nonzero(old & ~np.isnan(column.values)))


DETECTOR = Gaps()
