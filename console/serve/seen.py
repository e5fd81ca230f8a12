"""What a request sees of a site: one snapshot, its frame, and the tag of its topology."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.core.site_api.bodies import WireColumn, level_of
from console.core.site_api.topology import topology_tag
from console.model.errors import NoDataError
from console.model.levels import SITE_LEVELS, Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from console.model.metrics import Metric
    from console.model.snapshot import SiteFrame, Snapshot
    from console.model.topology import SiteTopology
    from console.serve.hub import Hub


@dataclass(frozen=True, eq=False)
class Seen:
    """One site in one snapshot; `key` names the two for whoever keeps what was made of them."""

    snapshot: Snapshot
    frame: SiteFrame
    tag: str
    key: tuple[str, int]

    @property
    def topology(self) -> SiteTopology:
        """The site's topology."""
        return self.frame.topology

    @property
    def head(self) -> tuple[SiteTopology, str, float]:
        """What every body begins with: topology, tag, and when this was so."""
        return self.topology, self.tag, self.snapshot.at


class Sight:
    """Looks at the newest snapshot; knows the tags of topologies that it has seen."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tags: dict[str, tuple[SiteTopology, str]] = {}

    async def see(self, site: str) -> Seen:
        """Return what there is of a site.

        Raises TargetError for a site that is not served, NoDataError before it was read.
        """
        feed = self._hub.feed(site)
        snapshot = self._hub.sitting.session.latest()
        frame = snapshot.frame.site(site) if snapshot is not None else None
        if snapshot is None or frame is None:
            raise NoDataError(f"{site}: nothing has been read of this site yet; try again in a moment")
        known = self._tags.get(site)
        if known is not None and known[0] is frame.topology:
            tag = known[1]
        else:
            tag = await asyncio.to_thread(self._tag, frame.topology)  # all of a topology is hashed
        return Seen(snapshot, frame, tag, (feed.log, snapshot.seq))

    def all(self) -> list[tuple[SiteTopology, str]]:
        """Return the topology of each site that has been read, with its tag."""
        snapshot = self._hub.sitting.session.latest()
        found = [snapshot.frame.site(site) for site in self._hub.sitting.feeds] if snapshot is not None else []
        return [(frame.topology, self._tag(frame.topology)) for frame in found if frame is not None]

    def _tag(self, topology: SiteTopology) -> str:
        known = self._tags.get(topology.site)
        if known is None or known[0] is not topology:
            known = self._tags[topology.site] = (topology, topology_tag(topology))
        return known[1]


def columns_of(
    seen: Seen, metrics: Mapping[str, Metric], *, wanted: Collection[str] = (), level: str = ""
) -> Iterator[WireColumn]:
    """Yield the columns of a frame, stale values as missing; `wanted` and `level` narrow them down where not empty."""
    for name, column in seen.frame.columns.items():
        measured = level_of(name, metrics)
        if (wanted and name not in wanted) or (level and measured != level):
            continue
        yield name, measured, column.newest_at(), column.current(seen.snapshot.at)


def rows_within(topology: SiteTopology, path: str, level: str) -> slice | None:
    """Return the rows of a level below a place, None for a level above it or a domain kind, or for no place."""
    found = topology.resolve(path)
    if found is None or level not in SITE_LEVELS:
        return None
    above, row = found
    below = Level(level)
    if below.depth < above.depth:
        return None
    return slice(row, row + 1) if below is above else topology.span(above, row, below)
