"""Chooses the one suspect: the gravest thing that happened before the end, the first of equals, with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.job_states import ENDED_RANK, WAITING_RANK, rank
from console.core.why.folding import XIDS
from console.core.why.gather import OVER, ending
from console.model.jobs import JobState
from console.model.levels import Severity
from console.model.why import Suspect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.core.why.subject import WhySubject
    from console.model.jobs import Job
    from console.model.why import Moment

# A scheduler notices a node's death late, and clocks differ: what comes so soon after the end may have been before it.
SLACK_S = 60.0
LEAST_WEIGHT, LIKELY_WEIGHT = 40, 75
MOST_EVIDENCE = 8
# How grave a critical and a lesser one of each kind is, 0..100: our judgement, in the order of docs/jobs.md.
WEIGHTS: dict[str, tuple[int, int]] = {
    "xid": (90, 60),
    "panic": (90, 90),
    "hardware": (88, 50),
    "sxid": (85, 50),
    "oom": (85, 85),
    "leak": (86, 60),
    "psu_failed": (70, 48),
    "fan_failed": (60, 44),
    "gpu-lost": (80, 80),
    "bmc_log": (60, 42),
    "link": (78, 55),
    "node-crash": (80, 80),
    "thermal": (72, 45),
    "storage": (72, 48),
    "boot": (70, 70),
    "down": (70, 70),
    "gap": (65, 65),
    "pcie": (65, 45),
    "driver": (65, 45),
    "hang": (62, 42),
    "alert": (55, 41),
    "drain": (50, 42),
    "crash": (40, 40),
    "job": (0, 0),
    "job-end": (0, 0),
}
OTHERS = (80, 50)
# What the scheduler itself did is no riddle.
_VERDICTS = {
    JobState.TIMEOUT: "it reached its time limit",
    JobState.DEADLINE: "it reached its deadline",
    JobState.PREEMPTED: "the scheduler took its nodes for another job",
    JobState.CANCELLED: "it was cancelled",
    JobState.OUT_OF_MEMORY: "it was out of memory, as the scheduler says",
    JobState.REVOKED: "another cluster of the federation has it",
}
# So grave that the scheduler's word is its consequence: people cancel jobs that hang.
OVERRULES = 80


def weight(moment: Moment) -> int:
    """Return how grave a moment is, 0..100; what is over or only for information weighs nothing."""
    if moment.kind.endswith(OVER) or moment.severity is Severity.OK:
        return 0
    grave, lesser = WEIGHTS.get(moment.kind, OTHERS)
    if moment.severity is Severity.INFO:
        return min(lesser, 10)
    return grave if moment.severity is Severity.CRITICAL else lesser


def suspect_of(
    subject: WhySubject, moments: Sequence[Moment], at: float, facts: Sequence[tuple[str, str]]
) -> tuple[Suspect | None, str]:
    """Return the suspect, and in one line what is to be said; `at` is the end, UTC epoch seconds."""
    job = subject.job
    if job is not None and rank(job.state) == WAITING_RANK:
        return None, f"it waits: {job.reason or 'its scheduler gives no reason'}"
    if job is not None and job.state is JobState.COMPLETED:
        return None, "it completed: there is nothing to explain"
    candidates = [each for each in moments if weight(each) >= LEAST_WEIGHT and each.at <= at + SLACK_S]
    best = min(candidates, key=lambda each: (-weight(each), each.at, each.path), default=None)
    word = _VERDICTS.get(job.state) if job is not None else None
    if job is not None and word and (best is None or weight(best) < OVERRULES):
        return _by_scheduler(job, word, subject, best, at)
    if best is None:
        return None, _nothing(job, facts)
    return _suspect(best, moments, at, facts), "one suspect"


def _by_scheduler(job: Job, word: str, subject: WhySubject, best: Moment | None, at: float) -> tuple[Suspect, str]:
    text = f"{word}: {ending(job)}"
    if job.state is JobState.TIMEOUT and 0 < job.time_limit_s < float("inf"):
        text = f"{word} of {job.time_limit_s / 3600:.1f} h: {ending(job)}"
    beside = (f"beside it: {best.text}",) if best is not None else ()
    return Suspect(text, subject.id, "scheduler", job.end_at or at, likely=True, evidence=beside), "one suspect"


def _nothing(job: Job | None, facts: Sequence[tuple[str, str]]) -> str:
    if job is not None and rank(job.state) != ENDED_RANK:
        return "no cause seen: the job runs, and no voice tells of a fault"
    if job is not None and (job.exit_code > 0 or job.exit_signal > 0):
        return f"no cause seen: its program ended ({ending(job)}), and no voice told of a fault"
    hints = [f"{name}: {text}" for name, text in facts if name in HINTS]
    return f"no cause seen{f'; {hints[0]}' if hints else ''}"


HINTS = ("last XID", "silent GPUs")


def _suspect(best: Moment, moments: Sequence[Moment], at: float, facts: Sequence[tuple[str, str]]) -> Suspect:
    before_s = at - best.at
    when = f", {abs(before_s):.0f} s {'before' if before_s > 0 else 'after'} the end" if abs(before_s) >= 1 else ""
    evidence = [f"the {best.voice} told of it{when}"]
    if best.folded:
        evidence.append(f"{len(best.folded)} sympathetic {'one' if len(best.folded) == 1 else 'ones'} followed")
    evidence += [_supports(each, best) for each in moments if each is not best and _near(each, best)]
    evidence += [f"{name}: {text}" for name, text in facts if name in HINTS]
    return Suspect(
        best.text, best.path, best.kind, best.at, weight(best) >= LIKELY_WEIGHT, tuple(evidence[:MOST_EVIDENCE])
    )


def _near(moment: Moment, best: Moment) -> bool:
    """Whether a moment speaks of the same node, or of a place around it, and is worth telling."""
    ours, theirs = best.path.split("/")[:4], moment.path.split("/")[:4]
    same = ours[: len(theirs)] == theirs or theirs[: len(ours)] == ours
    return same and moment.kind != "job-end" and (weight(moment) > 0 or moment.kind == "job")


def _supports(moment: Moment, best: Moment) -> str:
    apart_s = moment.at - best.at
    when = f"{apart_s:.0f} s later" if apart_s >= 0 else f"{-apart_s:.0f} s earlier"
    what = f"{moment.kind.upper()} {moment.code}" if moment.kind in XIDS else moment.text
    return f"{moment.voice}: {what}, {when}"
