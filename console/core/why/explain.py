"""Puts the answer together: the end to look around, the time line, the suspect, the voices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.job_states import ENDED_RANK, rank
from console.core.why.folding import folded
from console.core.why.gather import OVER, Span, alerts, ending, events, gaps, moments_of, scheduler_words
from console.core.why.remembered import facts_remembered
from console.core.why.standing import facts_of
from console.core.why.subject import subject_of
from console.core.why.suspects import suspect_of, weight
from console.core.why.voices import voices_of
from console.model.levels import Level, Severity
from console.model.why import WhyReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.core.why.subject import WhySubject
    from console.model.snapshot import Snapshot
    from console.model.why import Moment

WINDOW_S = 600.0
MOST_MOMENTS = 200
MOST_NODES = 10_000


def explain(snapshot: Snapshot, target: str, *, at: float = 0.0, window_s: float = WINDOW_S) -> WhyReport:
    """Return what happened to `target` (see `subject_of`) within `window_s` around its end; raises TargetError.

    The end is a job's end, or the latest fault of a node or GPU; where neither is known it is now, and the time before
    it is looked at. `at` (UTC epoch seconds) is another end to look around.
    """
    subject = subject_of(snapshot, target)
    end, end_is = (at, "the time asked for") if at else _end(subject, snapshot.at)
    span = _span(end, window_s, snapshot.at)
    found = moments_of(subject, span)
    told = folded(found)
    kept = _bounded(told)
    remembered = facts_remembered(snapshot, subject)
    facts = (*_of_job(subject), *remembered, *facts_of(subject, snapshot.frame.metrics, snapshot.at))
    suspect, verdict = suspect_of(subject, told, end, facts)
    topology = subject.frame.topology
    return WhyReport(
        subject=subject.id,
        kind=subject.kind,
        title=_title(subject),
        site=subject.frame.site,
        nodes=tuple(topology.path(Level.NODE, row) for row in subject.nodes[:MOST_NODES].tolist()),
        at=end,
        at_is=end_is,
        begin_at=span.begin_at,
        end_at=span.end_at,
        verdict=verdict,
        facts=facts,
        moments=tuple(kept),
        suspect=suspect,
        voices=voices_of(snapshot, subject, found, span),
        state=subject.job.state if subject.job else None,
        left_out=len(told) - len(kept),
    )


def _end(subject: WhySubject, now: float) -> tuple[float, str]:
    """Return the end to look around, and what it is."""
    job = subject.job
    if job is not None:
        if job.end_at:
            return job.end_at, "the job's end"
        over = rank(job.state) == ENDED_RANK or subject.told_at < subject.frame.jobs.at
        return (subject.told_at, "when the job was last listed") if over and subject.told_at else (now, "now")
    latest = _latest_fault(subject, now)
    return (latest, "its latest fault") if latest else (now, "now")


def _latest_fault(subject: WhySubject, now: float) -> float:
    """Return when the newest thing happened that may be a fault of a node or GPU, 0 where there was none."""

    def before(at: float) -> bool:
        return 0 < at <= now

    found = (
        *events(subject, before),
        *scheduler_words(subject, before),
        *alerts(subject, before),
        *gaps(subject, before),
    )
    bad = (Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN)
    return max((each.at for each in found if each.severity in bad and not each.kind.endswith(OVER)), default=0.0)


def _span(end: float, window_s: float, now: float) -> Span:
    """Return the window around an end; where time has not come that far, it is the time before."""
    last = min(end + window_s / 2, now)
    return Span(min(end, last) - window_s + max(0.0, last - end), last)


def _bounded(moments: list[Moment]) -> list[Moment]:
    """Return at most 200 moments: the gravest, in order of time."""
    if len(moments) <= MOST_MOMENTS:
        return moments
    worst = sorted(range(len(moments)), key=lambda place: (-weight(moments[place]), moments[place].at))[:MOST_MOMENTS]
    return [moments[place] for place in sorted(worst)]


def _title(subject: WhySubject) -> str:
    job = subject.job
    if job is None:
        return subject.id
    return f"{subject.id} {job.name} ({job.user}, {job.gpus:,} GPUs on {job.nodes:,} nodes)"


def _of_job(subject: WhySubject) -> Iterator[tuple[str, str]]:
    job = subject.job
    if job is None:
        return
    yield "state", ending(job)
    if not len(subject.nodes):
        yield "nodes", "the scheduler names none for it" if job.start_at else "it has not had any yet"
    if job.restarts > 0:
        yield "restarts", f"{job.restarts} before this run"
    if job.comment:
        yield "comment", job.comment
    if job.output:
        yield "output", job.output
