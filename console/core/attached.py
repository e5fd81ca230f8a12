"""What the `gigadeck serve` of a site has judged, put beside what this console judges of the sites without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, overload

from console.core.disagreements.kinds import is_counted
from console.core.incident_entry import by_urgency
from console.model.disagreements import Disagreement, Disagreements
from console.model.incidents import MemoryStatus
from console.model.snapshot import SourceState
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from console.model.incidents import Incident
    from console.model.snapshot import Frame, Judged, Snapshot, SourceStatus

SERVED = "serve/"
MOST_ROWS = 1000
MOST_PATHS = 1000


def attached_sites(frame: Frame) -> dict[str, Judged]:
    """Return what was judged elsewhere, by site."""
    return {site.site: site.judged for site in frame.sites if site.judged is not None}


class Merging:
    """Merges the words of serves into snapshots; what did not change since the last one is not made again."""

    def __init__(self) -> None:
        self._served: dict[str, tuple[Judged, _Served]] = {}
        self._parts: tuple[_Served, ...] = ()
        self._local: Disagreements | None = None
        self._disagreements: Disagreements | None = None

    def disagreements(self, local: Disagreements, frame: Frame) -> Disagreements:
        """Return our own disagreements and those that serves tell of."""
        served = self._of(frame)
        if not served:
            self._disagreements = None
            return local
        if self._disagreements is None or self._local is not local or self._parts != served:
            self._parts, self._local = served, local
            self._disagreements = _together(local, [each.disagreements for each in served], frame)
        return self._disagreements

    def merge(self, snapshot: Snapshot, silent_s: Mapping[str, float]) -> Snapshot:
        """Return a snapshot with what serves told of their sites; `silent_s` is how long each has not been heard."""
        served = self._of(snapshot.frame)
        if not served:
            return snapshot
        return replace(
            snapshot,
            findings=(*snapshot.findings, *(each for one in served for each in one.judged.findings)),
            sources=(
                *snapshot.sources,
                *(each for one in served for each in one.sources_now(silent_s.get(one.site, 0.0))),
            ),
            # One serve may judge several sites; what it says of itself is said once.
            notices=(*snapshot.notices, *dict.fromkeys(each for one in served for each in one.notices)),
            incidents=tuple(sorted((*snapshot.incidents, *_incidents(served)), key=by_urgency)),
            notes=(*snapshot.notes, *(each for one in served for each in one.judged.notes if each.site == one.site)),
            views=(*snapshot.views, *dict.fromkeys(each for one in served for each in one.judged.views)),
            memories=(*snapshot.memories, *(one.memory(silent_s.get(one.site, 0.0)) for one in served)),
        )

    def _of(self, frame: Frame) -> tuple[_Served, ...]:
        found = attached_sites(frame)
        for gone in self._served.keys() - found.keys():
            del self._served[gone]
        for site, judged in found.items():
            known = self._served.get(site)
            if known is None or known[0] is not judged:
                self._served[site] = judged, _Served(site, judged)
        return tuple(self._served[site][1] for site in found)


def _incidents(served: Iterable[_Served]) -> Iterator[Incident]:
    for one in served:
        yield from one.incidents


@dataclass(frozen=True, eq=False)
class _Served:
    """What one serve says of its one site, in the words of our snapshot; of other sites it has no say."""

    site: str
    judged: Judged

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        mine = (each for each in self.judged.incidents if each.site == self.site)
        return tuple(each if each.keeper else replace(each, keeper=self.judged.keeper) for each in mine)

    @cached_property
    def sources(self) -> tuple[SourceStatus, ...]:
        return tuple(replace(each, site=self.site, name=f"{SERVED}{each.name}") for each in self.judged.sources)

    def sources_now(self, silent_s: float) -> tuple[SourceStatus, ...]:
        """Return its endpoints; of a serve that is not heard nobody knows how they are."""
        if not silent_s:
            return self.sources
        words = f"{self.judged.keeper} has not been heard for {silent_s:.0f} s"
        return tuple(replace(each, state=SourceState.STALE, last_error=words) for each in self.sources)

    @cached_property
    def notices(self) -> tuple[str, ...]:
        return tuple(f"{self.judged.keeper}: {each}" for each in self.judged.notices)

    @cached_property
    def disagreements(self) -> Disagreements:
        judged = self.judged
        nodes, unjudged, disputed = judged.nodes
        counts = dict(judged.disagreement_counts)
        told = tuple(each for each in judged.disagreements if each.site == self.site)
        looked_at = sum(count for kind, count in counts.items() if is_counted(kind))
        paths = tuple(each.path for each in told if is_counted(each.kind))
        by_site = ((self.site, looked_at, unjudged),)
        return Disagreements(told, counts, nodes, unjudged, judged.at, by_site, disputed, paths)

    def memory(self, silent_s: float) -> MemoryStatus:
        """Return whose memory it is, and what is wrong with it or with the way to it."""
        theirs = self.judged.memory
        trouble = theirs.trouble
        if silent_s > 0:
            trouble = (
                f"{self.judged.keeper} has not been heard for {silent_s:.0f} s: what is shown is what it said last"
            )
        return MemoryStatus(self.site, "serve", self.judged.keeper, trouble, theirs.leader)


def _together(local: Disagreements, served: Sequence[Disagreements], frame: Frame) -> Disagreements:
    """Return all of them as one, the sites in the order of the frame."""
    counts = dict(local.counts)
    for each in served:
        for kind, count in each.counts.items():
            counts[kind] = counts.get(kind, 0) + count
    told = {entry[0]: entry for each in (local, *served) for entry in each.by_site}
    return Disagreements(
        rows=_Rows(local.rows, served),
        counts=dict(sorted(counts.items())),
        nodes=local.nodes + sum(each.nodes for each in served),
        unjudged=local.unjudged + sum(each.unjudged for each in served),
        at=max((local.at, *(each.at for each in served))),
        by_site=tuple(told[site.site] for site in frame.sites if site.site in told),
        disputed=local.disputed + sum(each.disputed for each in served),
        groups=local.groups,  # a serve makes incidents of its own
        paths=(*local.paths, *(path for each in served for path in each.paths))[:MOST_PATHS],
    )


class _Rows(Sequence[Disagreement]):
    """The rows of several, the worst and oldest first; put in order when the first of them is read."""

    def __init__(self, local: Sequence[Disagreement], served: Sequence[Disagreements]) -> None:
        self._local = local
        self._served = tuple(row for each in served for row in each.rows)

    @cached_property
    def _rows(self) -> tuple[Disagreement, ...]:
        both = (*self._local, *self._served)
        return tuple(sorted(both, key=lambda row: (-row.severity.rank, row.since, row.site, row.path))[:MOST_ROWS])

    def __len__(self) -> int:
        return min(MOST_ROWS, len(self._local) + len(self._served))

    @overload
    def __getitem__(self, index: int) -> Disagreement: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Disagreement, ...]: ...
    def __getitem__(self, index: int | slice) -> Disagreement | tuple[Disagreement, ...]:
        return self._rows[index]
