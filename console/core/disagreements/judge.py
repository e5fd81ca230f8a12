"""Judges one site: for each kind of disagreement, which nodes it is true of, and of which it cannot be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.disagreements import kinds
from console.core.disagreements.minorities import minorities
from console.core.disagreements.stances import Stance, stance
from console.core.disagreements.telemetry import Telemetry, telemetry_of
from console.model.events import AlertState
from console.model.levels import Level, Severity
from console.model.scheduling import NOT_TOLD
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.core.disagreements.kinds import Kind
    from console.model.snapshot import SiteFrame

    Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judgement:
    """One kind at one site: bool[nodes] each; where `unknown`, a voice that it takes is not heard."""

    kind: Kind
    true: Truths
    unknown: Truths


@dataclass(frozen=True, eq=False)
class SiteVoices:
    """What is heard at one site: the stances of the schedulers that are fresh, and telemetry."""

    site: SiteFrame
    telemetry: Telemetry
    heard: tuple[Stance, ...]
    all_heard: bool
    jobs_heard: bool

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return len(self.site.topology.nodes)

    def any(self, name: str) -> Truths:
        """Return bool[nodes]: whether any scheduler that is heard says so."""
        found = np.zeros(self.nodes, dtype=bool)
        for each in self.heard:
            found |= getattr(each, name)
        return found


def voices_at(site: SiteFrame, hearing: Hearing, now: float) -> SiteVoices:
    """Return who is heard at a site."""
    fresh = [hearing.hears(site.site, source, reports.at, now) for source, reports in site.reports.items()]
    heard = (
        stance(reports, source)
        for (source, reports), counts in zip(site.reports.items(), fresh, strict=True)
        if counts and len(reports.codes) == len(site.topology.nodes)
    )
    jobs = site.jobs
    jobs_heard = hearing.hears(site.site, jobs.source, jobs.at, now) and len(jobs.gpu_job) == site.topology.gpus
    return SiteVoices(site, telemetry_of(site, hearing, now), tuple(heard), all(fresh), jobs_heard)


def judge(voices: SiteVoices, hearing: Hearing) -> Iterator[Judgement]:
    """Yield every kind that there are voices for."""
    site = voices.site
    if site.reports:
        yield from _schedulers(voices, hearing)
        yield from _against_telemetry(voices)
        yield _counts(voices)
    elif voices.jobs_heard:
        yield _idle(voices, _holding(site))
    yield _silent_gpus(voices)
    for fact, few, unknown in minorities(site, hearing):
        yield Judgement(kinds.minority(fact), few, unknown)


def _schedulers(voices: SiteVoices, hearing: Hearing) -> Iterator[Judgement]:
    out, usable = voices.any("out") | voices.any("down"), voices.any("usable")
    missing = np.full(voices.nodes, len(voices.site.reports) > 1 and not voices.all_heard)
    yield Judgement(kinds.DRAINED, out & usable, missing & ~(out & usable))
    if voices.site.alerts:
        alerted = alerted_nodes(voices.site, hearing)
        yield Judgement(kinds.ALERTED, alerted & usable & ~out, _nobody(voices) & alerted)


def _against_telemetry(voices: SiteVoices) -> Iterator[Judgement]:
    """Yield what the schedulers say against what telemetry says."""
    telemetry, known = voices.telemetry, voices.any("known")
    down, usable, unheard = voices.any("down"), voices.any("usable"), _nobody(voices)
    mute = np.full(voices.nodes, not telemetry.heard)
    reports = telemetry.reporting > 0
    yield Judgement(kinds.DOWN_HEALTHY, down & ~usable & telemetry.whole, unheard | mute)
    ever = ever_reported(voices.site)
    silent = telemetry.silent
    yield Judgement(kinds.USED_SILENT, usable & silent & ever, unheard | mute)
    yield Judgement(kinds.UNSEEN, known & silent & ~ever, unheard | mute)
    # A node belongs to one of several clusters: all of them must have spoken before it is in none.
    all_spoke = voices.all_heard and bool(voices.heard)
    yield Judgement(kinds.UNSCHEDULED, reports & ~known & all_spoke, ~known & (not all_spoke))
    yield _idle(voices, voices.any("busy"))


def _idle(voices: SiteVoices, busy: Truths) -> Judgement:
    telemetry = voices.telemetry
    return Judgement(kinds.ALLOCATED_IDLE, busy & telemetry.idle, busy & ~telemetry.idle & ~telemetry.working)


def _silent_gpus(voices: SiteVoices) -> Judgement:
    telemetry = voices.telemetry
    some = (telemetry.reporting > 0) & (telemetry.reporting < telemetry.gpus)
    return Judgement(kinds.GPUS_SILENT, some & telemetry.heard, np.full(voices.nodes, not telemetry.heard))


def _counts(voices: SiteVoices) -> Judgement:
    """GPUs as schedulers count them against each other, and against the inventory (or what telemetry has ever seen)."""
    true, told = np.zeros(voices.nodes, dtype=bool), np.zeros(voices.nodes, dtype=bool)
    there = voices.telemetry.gpus
    # What telemetry never spoke of, and nobody declared, is no count.
    counted = (there > 0) & (voices.site.topology.declared | (voices.telemetry.reporting > 0))
    for each in voices.heard:
        says = each.gpus != NOT_TOLD
        told |= says
        true |= says & counted & (each.gpus != there)
        for other in voices.heard:
            true |= says & (other.gpus != NOT_TOLD) & (each.gpus != other.gpus)
    return Judgement(kinds.GPU_COUNT, true, ~told & _nobody(voices))


def _holding(site: SiteFrame) -> Truths:
    held = np.append(0, np.cumsum(site.jobs.gpu_job >= 0))
    starts = site.topology.starts(Level.NODE, Level.GPU)
    busy: Truths = held[starts[1:]] > held[starts[:-1]]
    return busy


def _nobody(voices: SiteVoices) -> Truths:
    """Nodes that no scheduler that is heard knows, while one is not heard."""
    return ~voices.any("known") & (not voices.all_heard or not voices.heard)


def ever_reported(site: SiteFrame) -> Truths:
    """Return bool[nodes]: whether any GPU of a node has ever had a sample."""
    starts = site.topology.starts(Level.NODE, Level.GPU)
    ever = np.zeros(len(starts) - 1, dtype=bool)
    seen: set[int] = set()
    for column in site.columns.values():
        if len(column.at) != site.topology.gpus or id(column.at) in seen:
            continue
        seen.add(id(column.at))
        if column.at.strides == (0,):
            return np.full(len(starts) - 1, column.newest_at() > 0)
        any_sample = np.append(0, np.cumsum(column.at > 0))
        ever |= any_sample[starts[1:]] > any_sample[starts[:-1]]
    return ever


def alerted_nodes(site: SiteFrame, hearing: Hearing) -> Truths:
    """Return bool[nodes]: whether a critical alert of another system fires at a node or below it."""
    found = np.zeros(len(site.topology.nodes), dtype=bool)
    for alert in site.alerts:
        firing = alert.state is AlertState.FIRING and alert.severity is Severity.CRITICAL
        if firing and not hearing.is_quiet(site.site, alert.origin):
            row = node_of(site, alert.path)
            if row >= 0:
                found[row] = True
    return found


def node_of(site: SiteFrame, path: str) -> int:
    """Return the row of the node that an address is or is in, -1 for wider places."""
    parts = path.split("/")
    row = site.topology.node_row(parts[3]) if len(parts) > 3 else None
    return -1 if row is None else row
