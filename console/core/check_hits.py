"""Remembers of each check since when it matches at each site, and spells the first addresses when they change."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from console.core.check_words import jobs_on, most_hit
from console.model.events import SiteHits
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections import Counter

    from numpy.typing import NDArray

    from console.model.levels import Level
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

PATHS_A_SITE = 20
JOBS_A_SITE = 20


@dataclass(frozen=True, eq=False)
class _Known:
    """What matched at a site the last time: the first rows of its topology, and their addresses."""

    since: float
    topology: SiteTopology
    rows: NDArray[np.intp]
    paths: tuple[str, ...]


@dataclass(eq=False)
class HitMemory:
    """The sites where one check matches; one owner calls `take` in order of time."""

    _known: dict[str, _Known] = field(default_factory=dict)

    def take(self, site: SiteFrame, true: NDArray[np.bool_], level: Level, now: float) -> tuple[SiteHits, Counter[str]]:
        """Return what matches at a site now, and the jobs on it."""
        rows = np.flatnonzero(true)[:PATHS_A_SITE]
        known, topology = self._known.get(site.site), site.topology
        if known is None or known.topology is not topology or not np.array_equal(known.rows, rows):
            paths = tuple(topology.path(level, row) for row in rows.tolist())
            known = self._known[site.site] = _Known(known.since if known else now, topology, rows, paths)
        jobs = jobs_on(site, true, level)
        return SiteHits(site.site, known.since, known.paths, most_hit(jobs, JOBS_A_SITE)), jobs

    def forget(self, site: str) -> None:
        """Note that nothing matches at a site now."""
        self._known.pop(site, None)
