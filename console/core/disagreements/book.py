"""Keeps since when each node's voices disagree, and lists what has lasted long enough."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements import kinds
from console.core.disagreements.judge import judge, voices_at
from console.core.disagreements.words import minority_text, spoken, voices_of
from console.core.remap import row_map
from console.model.disagreements import Disagreement, Disagreements
from console.model.levels import Level, Severity
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.core.disagreements.judge import Judgement
    from console.core.disagreements.kinds import Kind
    from console.model.snapshot import Frame, SiteFrame
    from console.model.topology import SiteTopology

    Times = NDArray[np.float64]

MOST_ROWS = 1000
MOST_A_KIND = 100
ROWS_A_STEP = 25
LATELY_S = 60.0


@dataclass(frozen=True, eq=False)
class _Listed:
    """The nodes of one site of which one kind is told, oldest first, and since when."""

    site: SiteFrame
    kind: Kind
    rows: NDArray[np.int64]
    since: Times


@dataclass
class _SiteMemory:
    """Since when each kind is true of each node (0: it is not), by kind."""

    topology: SiteTopology
    since: dict[str, Times] = field(default_factory=dict)
    names: dict[tuple[str, str], float] = field(default_factory=dict)

    def follow(self, topology: SiteTopology) -> None:
        """Carry what is known to the rows of a new topology."""
        if topology is self.topology:
            return
        rows = row_map(self.topology, topology, Level.NODE)
        for name, since in self.since.items():
            carried = since[np.maximum(rows, 0)] if len(since) else np.zeros(len(rows))
            self.since[name] = np.where(rows >= 0, carried, 0.0)
        self.topology = topology

    def take(self, judgement: Judgement, now: float) -> tuple[Times, bool]:
        """Return since when the kind is true of each node, and whether it is judged for the first time.

        A node that cannot be judged keeps its time, so that a voice that was away for a moment begins nothing anew.
        """
        before = self.since.get(judgement.kind.name)
        first = before is None
        had = np.zeros(len(judgement.true)) if before is None else before
        since = np.where(judgement.true & (had == 0), now, had)
        since = np.where(judgement.true | judgement.unknown, since, 0.0)
        self.since[judgement.kind.name] = since
        return since, first


class DisagreementBook:
    """All disagreements of a fleet; one owner calls `update` in order of time."""

    def __init__(self) -> None:
        self._memory: dict[str, _SiteMemory] = {}
        self._at_once: dict[tuple[str, str], float] = {}

    def update(self, frame: Frame, hearing: Hearing) -> Iterator[Disagreements | None]:
        """Yield None after each short step, and at last what the voices disagree on at the time of the frame."""
        listed: list[_Listed] = []
        names: list[Disagreement] = []
        unjudged: dict[str, int] = {}
        for site in frame.sites:
            memory = self._memory.setdefault(site.site, _SiteMemory(site.topology))
            memory.follow(site.topology)
            unknown = np.zeros(len(site.topology.nodes), dtype=bool)
            voices = voices_at(site, hearing, frame.at)
            yield None
            for judgement in judge(voices, hearing):
                if not judgement.kind.name.startswith(kinds.MINORITY):
                    unknown |= judgement.unknown
                listed += self._lasting(site, memory, judgement, frame.at)
                yield None
            unjudged[site.site] = int(unknown.sum())
            names += _names(site, memory, hearing, frame.at)
        for gone in self._memory.keys() - {site.site for site in frame.sites}:
            del self._memory[gone]
        yield from _told(frame, hearing, listed, names, unjudged)

    def _lasting(self, site: SiteFrame, memory: _SiteMemory, judgement: Judgement, now: float) -> Iterator[_Listed]:
        since, first = memory.take(judgement, now)
        kind = judgement.kind
        if kind is kinds.ALLOCATED_IDLE:
            idle_s = np.where(judgement.true, now - since, -1.0)
            yield from _listed(site, kind, idle_s >= kinds.HOUR_S, since)
            yield from _listed(site, kinds.IDLE_LATELY, (idle_s >= LATELY_S) & (idle_s < kinds.HOUR_S), since)
            return
        key = site.site, kind.name
        if first and judgement.true.any():
            # What was so when somebody looked first has lasted for nobody knows how long; cron has no memory.
            self._at_once[key] = now
        long_enough = (now - since >= kind.hold_s) | (since == self._at_once.get(key, -1.0))
        yield from _listed(site, kind, judgement.true & long_enough, since)


def _listed(site: SiteFrame, kind: Kind, true: NDArray[np.bool_], since: Times) -> Iterator[_Listed]:
    rows = np.flatnonzero(true)
    if len(rows):
        rows = rows[np.argsort(since[rows], kind="stable")]
        yield _Listed(site, kind, rows, since[rows])


def _names(site: SiteFrame, memory: _SiteMemory, hearing: Hearing, now: float) -> list[Disagreement]:
    """Return the names of nodes that schedulers use and that lead to no node."""
    kind, found = kinds.UNKNOWN_NAME, {}
    for stranger in site.unjoined:
        reports = site.reports.get(stranger.source)
        if reports is None or not hearing.hears(site.site, stranger.source, reports.at, now):
            continue
        for name in stranger.names:
            level, _, node = name.partition(" ")
            if level == Level.NODE and node:
                found[stranger.source, node] = memory.names.get((stranger.source, node), now)
    memory.names = found
    advice = "declare it in the inventory, or give the node that it is an alias"
    return [
        Disagreement(kind.name, site.site, site.site, kind.severity, f"{source} knows {node}: {advice}", since)
        for (source, node), since in found.items()
    ]


def _told(
    frame: Frame, hearing: Hearing, listed: list[_Listed], names: list[Disagreement], unjudged: dict[str, int]
) -> Iterator[Disagreements | None]:
    counts: dict[str, int] = {kinds.UNKNOWN_NAME.name: len(names)} if names else {}
    found: dict[str, int] = dict.fromkeys(unjudged, 0)
    for each in listed:
        counts[each.kind.name] = counts.get(each.kind.name, 0) + len(each.rows)
        found[each.site.site] += len(each.rows) if each.kind.severity is not Severity.INFO else 0
    for name in names:
        found[name.site] += 1
    rows = [*names]
    for kind, site, row, since in _chosen(listed):
        rows.append(_row(site, kind, row, since, hearing, frame.at))
        if len(rows) % ROWS_A_STEP == 0:
            yield None
    rows.sort(key=lambda each: (-each.severity.rank, each.since, each.path))
    yield Disagreements(
        rows=tuple(rows[:MOST_ROWS]),
        counts=dict(sorted(counts.items())),
        nodes=sum(len(site.topology.nodes) for site in frame.sites),
        unjudged=sum(unjudged.values()),
        at=frame.at,
        by_site=tuple((site.site, found[site.site], unjudged[site.site]) for site in frame.sites),
    )


def _chosen(listed: list[_Listed]) -> list[tuple[Kind, SiteFrame, int, float]]:
    """Return the oldest of each kind and site, the worst kinds first, as many as are told."""
    found: list[tuple[Kind, SiteFrame, int, float]] = []
    for each in sorted(listed, key=lambda each: -each.kind.severity.rank):
        pairs = zip(each.rows[:MOST_A_KIND].tolist(), each.since[:MOST_A_KIND].tolist(), strict=True)
        found += [(each.kind, each.site, row, since) for row, since in pairs]
    return found[:MOST_ROWS]


def _row(site: SiteFrame, kind: Kind, row: int, since: float, hearing: Hearing, now: float) -> Disagreement:
    voices = voices_of(site, row, hearing, now)
    if kind.name.startswith(kinds.MINORITY):
        text = minority_text(site, kind.name.removeprefix(kinds.MINORITY).replace("-", "_"), row, hearing)
    else:
        text = spoken(kind, voices, frozenset(site.reports)) or kind.title
    path = site.topology.path(Level.NODE, row)
    return Disagreement(kind.name, site.site, path, kind.severity, text, since, voices)
