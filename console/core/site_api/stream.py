"""The stream of a site: what changed from one snapshot to the next, encoded once for all who listen.

docs/site-api.md has the format; what reads it (`console/sources/site_stream.py`) was written from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.site_api.aggregate_stream import AggregateStream
from console.core.site_api.column_stream import ColumnStream
from console.core.site_api.focus import every_s, range_members, range_of
from console.core.site_api.framing import STREAM_MEDIA_TYPE, STREAM_VERSION, Record, framed
from console.core.site_api.judged import JudgedStream
from console.core.site_api.packing import MediaType, pack
from console.core.site_api.topology import topology_body, topology_tag
from console.core.site_api.word_stream import EventStream, JobStream, WordStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.core.site_api.quantised import Members
    from console.model.metrics import MetricTable
    from console.model.snapshot import SiteFrame, Snapshot
    from console.model.topology import SiteTopology

__all__ = ["STREAM_MEDIA_TYPE", "STREAM_VERSION", "Record", "SiteEncoder", "framed"]

SWEEP_S = 60.0
BEAT_EVERY_S = 5.0
MOST_FOCUSED = 1000
_GROUP = dict.fromkeys(("reports", "facts", "reservations", "alerts"), "words")


class SiteEncoder:
    """One life of one site's stream; owned by one thread.

    `log` names this life: sequence numbers count within it. `keeper` is the serve's name. What `update` returned has to
    reach everybody who listens, in order; who comes anew gets `opening()`, which leads to the present `seq`.
    """

    def __init__(
        self, site: str, metrics: MetricTable, *, log: str, sweep_s: float = SWEEP_S, keeper: str = ""
    ) -> None:
        self.site = site
        self.log = log
        self.sweep_s = sweep_s
        self.seq = 0
        self.tag = ""
        self._metrics = metrics
        self._topology: SiteTopology | None = None
        self._body: Record | None = None
        self.columns = ColumnStream(metrics, sweep_s)
        self.aggregates = AggregateStream(metrics)
        self._jobs = JobStream()
        self._words = WordStream()
        self._events = EventStream(log)
        self._judged = JudgedStream(site, keeper)
        self._broken = False
        self._at = 0.0
        self._told_at = 0.0
        self._kept: dict[str, list[Record]] = {}
        self._opening: tuple[int, list[Record]] = (-1, [])
        self._focused: dict[str, tuple[int, float, Record | None]] = {}

    def update(self, snapshot: Snapshot) -> list[Record]:
        """Return the records that lead from the last snapshot to this one; none while the site is not known."""
        site = snapshot.frame.site(self.site)
        if site is None:
            return []
        now = self._at = snapshot.at
        first, before = self._topology is None, self.seq
        try:
            changes = list(self._changes(site, snapshot, now))
            if first:
                changes = [("beat", {"at": now})]  # nobody can have listened: whoever comes gets the opening
            records = [self._next(kind, members) for kind, members in changes]
        except BaseException:
            # What was told and what we take as told may differ: all of it goes out anew.
            self._broken = not first
            self.seq = before
            self._topology = None if first else self._topology
            raise
        self._broken = False
        for kind, _ in changes:
            self._kept.pop(_GROUP.get(kind, kind), None)
        if records:
            self._told_at = now
        elif now - self._told_at >= BEAT_EVERY_S:
            self._told_at = now
            records = [self._next("beat", {"at": now})]
        return records

    def opening(self) -> list[Record]:
        """Return all that a client needs that comes anew; empty while the site is not known.

        Only the last record has a sequence number, the present one: who was cut off before it has to begin again.
        """
        if self._body is None:
            return []
        if self._opening[0] != self.seq:
            rest = [record for group in ("judged", "jobs", "words", "events") for record in self._whole(group)]
            end = framed(self.seq, "beat", {"at": self._at})
            # What fills a screen comes first.
            records = [self._body, *self.aggregates.opening(), *rest, *self.columns.opening(), end]
            self._opening = self.seq, records
        return self._opening[1]

    def focus(self, snapshot: Snapshot, path: str) -> Record | None:
        """Return a record of the place that one client looks at, None where nothing is due for it.

        Who asks for the same place with the same snapshot gets the same record; a large place is due more seldom.
        """
        known = self._focused.get(path)
        if known is not None and known[0] == snapshot.seq:
            return known[2]
        site = snapshot.frame.site(self.site)
        found = range_of(site, path) if site is not None and site.topology is self._topology else None
        if site is None or found is None:
            return None
        level, rows = found
        if known is not None and 0 <= snapshot.at - known[1] < every_s(rows):
            self._focused[path] = snapshot.seq, known[1], None
            return None
        record = framed(0, "range", range_members(site, self._metrics, level, rows, snapshot.at))
        self._focused.pop(path, None)
        if len(self._focused) >= MOST_FOCUSED:
            del self._focused[next(iter(self._focused))]
        self._focused[path] = snapshot.seq, snapshot.at, record
        return record

    def _changes(self, site: SiteFrame, snapshot: Snapshot, now: float) -> Iterator[tuple[str, Members]]:
        first = self._topology is None
        anew = site.topology is not self._topology or self._broken
        if anew:
            members = self._begin(site, now, anew=not first)
            yield "topology", members
        yield from self.aggregates.due(site, now)
        yield from self.columns.due(site, now)
        yield from self._jobs.due(site, now, anew=anew)
        yield from self._words.due(site, now, anew=anew)
        yield from self._events.due(site)
        yield from self._judged.due(snapshot, anew=first or self._broken)

    def _begin(self, site: SiteFrame, now: float, *, anew: bool) -> Members:
        self._topology = site.topology
        self.tag = topology_tag(site.topology)
        body = pack(topology_body(site.topology, self.tag, now, MediaType.MSGPACK), MediaType.MSGPACK)
        members = {"tag": self.tag, "version": site.topology.version, "body": body}
        self._body = framed(0, "topology", members)
        self.columns.begin(site, now, anew=anew)
        self.aggregates.begin(site, now, anew=anew)
        return members

    def _whole(self, group: str) -> list[Record]:
        """Return the records of what was told, made anew when anything of it was told since."""
        if group not in self._kept:
            if group == "words":
                told = self._words.opening()
            else:
                whole = {"judged": self._judged.whole, "jobs": self._jobs.whole, "events": self._events.whole}[group]
                told = iter([(group, whole())])
            self._kept[group] = [framed(0, kind, members) for kind, members in told]
        return self._kept[group]

    def _next(self, kind: str, members: Members) -> Record:
        self.seq += 1
        return framed(self.seq, kind, members)
