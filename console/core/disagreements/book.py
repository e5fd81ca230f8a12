"""Keeps since when each node's voices disagree, and lists what has lasted long enough."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements import kinds
from console.core.disagreements.judge import judge, voices_at
from console.core.disagreements.telling import Listed, told
from console.core.remap import row_map
from console.model.disagreements import Disagreement
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.core.disagreements.judge import Judgement
    from console.core.disagreements.kinds import Kind
    from console.model.disagreements import Disagreements
    from console.model.snapshot import Frame, SiteFrame
    from console.model.topology import SiteTopology

    Times = NDArray[np.float64]

LATELY_S = 60.0


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

    def update(self, frame: Frame, hearing: Hearing, *, spell: bool = True) -> Iterator[Disagreements | None]:
        """Yield None after each short step, and at last what the voices disagree on at the time of the frame.

        What each voice says is spelled out with `spell`, else when somebody reads it (the rows keep the frame till
        then).
        """
        listed: list[Listed] = []
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
        yield from told(frame, hearing, listed, names, unjudged, spell=spell)

    def _lasting(self, site: SiteFrame, memory: _SiteMemory, judgement: Judgement, now: float) -> Iterator[Listed]:
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


def _listed(site: SiteFrame, kind: Kind, true: NDArray[np.bool_], since: Times) -> Iterator[Listed]:
    rows = np.flatnonzero(true)
    if len(rows):
        rows = rows[np.argsort(since[rows], kind="stable")]
        yield Listed(site, kind, rows, since[rows])


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
