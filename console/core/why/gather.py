"""Collects the moments of some nodes from all voices of a site: events, schedulers, alerts, jobs, gaps of telemetry."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.fault_log import describe
from console.core.job_states import BROKEN, ENDED_RANK, rank
from console.core.kernel_log import read_line
from console.model.events import AlertState
from console.model.levels import Level, Severity
from console.model.values import dataclass
from console.model.why import Moment
from console.model.xid import xid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.core.why.subject import WhySubject
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.snapshot import SiteFrame

KERNEL, SCHEDULER, TELEMETRY, ALERTS, STORAGE, BMC, FACILITY = (
    "kernel log", "scheduler", "telemetry", "alerts", "storage metrics", "BMC", "facility",
)  # fmt: skip
# What kernel logs' readers call them; the emulator calls an XID `xid-79` and has words of its own.
_XID_KIND = re.compile(r"(s?xid)(?:-(\d{1,6}))?")
_CODE = re.compile(r"\bS?XID (\d{1,6})\b|\bXid \([^)]*\): (\d{1,6})\b")
# In what source of a site they come does not tell: the emulator and a site's own gigadeck have all of them.
_VOICES = {
    BMC: re.compile(r"^(?:leak|psu_failed|fan_failed|bmc_log)$"),
    FACILITY: re.compile(r"^cooling|^cdu|^feed|^thermal-shutdown"),
    TELEMETRY: re.compile(r"^gpu-(?:lost|fault)$"),
}
_DOWN = ("DOWN", "NOT_RESPONDING", "FAIL", "FAILING", "ERROR", "NotReady")
OVER = "-repaired"


@dataclass(frozen=True, slots=True)
class Span:
    """Which time is looked at, UTC epoch seconds."""

    begin_at: float
    end_at: float

    def holds(self, at: float) -> bool:
        """Whether a time is within."""
        return self.begin_at <= at <= self.end_at


def moments_of(subject: WhySubject, span: Span) -> list[Moment]:
    """Return everything that happened to a subject's nodes in a time, in order."""
    found = [
        *events(subject, span.holds),
        *scheduler_words(subject, span.holds),
        *alerts(subject, span.holds),
        *_jobs(subject, span),
        *gaps(subject, span.holds),
    ]
    return sorted(found, key=lambda moment: (moment.at, moment.path, moment.text))


def events(subject: WhySubject, wanted: Callable[[float], bool]) -> Iterator[Moment]:
    """Yield what the site's events say of the subject's nodes, or of a place that holds them (a hall, a rack)."""
    told = {_same(event): event for event in subject.frame.events if wanted(event.at) and concerns(subject, event.path)}
    for event in told.values():
        yield _moment(event)


def _same(event: Event) -> tuple[float, str, str]:
    return event.at, event.path, event.text


def concerns(subject: WhySubject, path: str) -> bool:
    """Whether something at an address is at, below or around the nodes of the subject; the site itself is not."""
    topology = subject.frame.topology
    found = topology.resolve(path)
    if found is None or found[0] in (Level.SITE, Level.FLEET):
        return False
    level, row = found
    if level is Level.GPU:
        if subject.gpu >= 0:
            return row == subject.gpu
        row, level = topology.parent(Level.GPU, row, Level.NODE), Level.NODE
    span = topology.span(level, row, Level.NODE) if level is not Level.NODE else slice(row, row + 1)
    low, high = np.searchsorted(subject.nodes, [span.start, span.stop])
    return bool(low < high)


def _moment(event: Event) -> Moment:
    named = _XID_KIND.fullmatch(event.kind)
    if named is None:
        voice = next((voice for voice, kinds in _VOICES.items() if kinds.search(event.kind)), KERNEL)
        return Moment(event.at, event.path, event.kind, voice, event.severity, event.text)
    found = _CODE.search(event.text)
    code = int(named[2] or (found and (found[1] or found[2])) or -1)
    text = event.text
    raw = read_line(text) if "NVRM:" in text else None
    if raw is not None:
        text = describe(raw)
    severity = xid_of(code).severity if raw is not None and named[1] == "xid" else event.severity
    return Moment(event.at, event.path, named[1], KERNEL, severity, text, code)


def scheduler_words(subject: WhySubject, wanted: Callable[[float], bool]) -> Iterator[Moment]:
    """Yield when schedulers took nodes of the subject out of service, and their reasons."""
    topology, rows = subject.frame.topology, set(subject.nodes.tolist())
    for source, reports in subject.frame.reports.items():
        for row in sorted(rows & set(reports.reasons)):
            reason, report = reports.reasons[row], reports.report(row)
            if report is None or not reason.at or not wanted(reason.at):
                continue
            down = any(report.state.has(word) for word in _DOWN)
            by = f" (by {reason.by})" if reason.by else ""
            text = f"{source}: {report.state.text}: {reason.text}{by}"
            severity = Severity.CRITICAL if down else Severity.WARNING
            kind = "down" if down else "drain"
            yield Moment(reason.at, topology.path(Level.NODE, row), kind, SCHEDULER, severity, text)


def alerts(subject: WhySubject, wanted: Callable[[float], bool]) -> Iterator[Moment]:
    """Yield the alerts of other systems that began in the time."""
    for alert in subject.frame.alerts:
        ended = alert.state is AlertState.RESOLVED
        if not ended and wanted(alert.since) and concerns(subject, alert.path):
            text = f"{alert.origin or 'alert'}: {alert.title}{f': {alert.text}' if alert.text else ''}"
            yield Moment(alert.since, alert.path, "alert", ALERTS, alert.severity, text)


def gaps(subject: WhySubject, wanted: Callable[[float], bool]) -> Iterator[Moment]:
    """Yield when the last sample came from nodes whose GPUs say nothing any more, where their samples have times."""
    frame, topology = subject.frame, subject.frame.topology
    last = last_samples(frame)
    if last is None:
        return
    for node in subject.nodes.tolist():
        gpus = topology.span(Level.NODE, node, Level.GPU)
        silent = np.flatnonzero(~frame.reporting[gpus] & (last[gpus] > 0)) + gpus.start
        if subject.gpu >= 0:
            silent = silent[silent == subject.gpu]
        at = float(last[silent].max()) if len(silent) else 0.0
        if at and wanted(at):
            path = topology.path(Level.NODE, node)
            names = ", ".join(topology.name(Level.GPU, int(row)) for row in silent)
            yield Moment(at, path, "gap", TELEMETRY, Severity.CRITICAL, f"last sample of {names}; silent since")


def last_samples(frame: SiteFrame) -> np.ndarray | None:
    """Return float64[gpus]: the time of each GPU's last value, 0 where there is none; None where nobody tells."""
    gpus = frame.topology.gpus
    columns = [column for column in frame.columns.values() if len(column.values) == gpus and column.at.strides != (0,)]
    if not columns or frame.stale:
        return None
    times = [np.where(np.isnan(column.values), 0.0, column.at) for column in columns]
    return np.asarray(np.maximum.reduce(times))


def _jobs(subject: WhySubject, span: Span) -> Iterator[Moment]:
    job = subject.job
    if job is not None:
        yield from _own(job, subject, span)
    topology = subject.frame.topology
    for other, nodes in _ended_here(subject):
        if other is job or not other.end_at or not span.holds(other.end_at):
            continue
        path = topology.path(Level.NODE, nodes[0]) if nodes else subject.id
        severity = Severity.WARNING if other.state in BROKEN else Severity.INFO
        text = f"job {other.id} {other.name} ({other.user}) ended: {ending(other)}"
        yield Moment(other.end_at, path, "job", SCHEDULER, severity, text)


def _own(job: Job, subject: WhySubject, span: Span) -> Iterator[Moment]:
    if job.start_at and span.holds(job.start_at):
        again = f", start {job.restarts + 1}" if job.restarts > 0 else ""
        yield Moment(job.start_at, subject.id, "job", SCHEDULER, Severity.INFO, f"job {job.id} started{again}")
    if job.end_at and span.holds(job.end_at):
        severity = Severity.WARNING if job.state in BROKEN else Severity.INFO
        yield Moment(job.end_at, subject.id, "job-end", SCHEDULER, severity, f"job {job.id} ended: {ending(job)}")


def _ended_here(subject: WhySubject) -> Iterator[tuple[Job, list[int]]]:
    """Yield other jobs that have ended and had nodes of the subject, with those nodes."""
    frame, seen = subject.frame, set()
    jobs, rows = frame.jobs, subject.nodes
    if len(jobs.node_starts) == len(jobs.rows) + 1 and len(jobs.node_rows):
        owner = np.repeat(np.arange(len(jobs.rows)), np.diff(jobs.node_starts))
        here = np.isin(jobs.node_rows, rows)
        for index in dict.fromkeys(owner[here].tolist()):
            job = jobs.rows[index]
            if rank(job.state) == ENDED_RANK:
                seen.add((job.cluster, job.id))
                mine = here[jobs.node_starts[index] : jobs.node_starts[index + 1]]
                yield job, jobs.node_rows[jobs.node_starts[index] :][: len(mine)][mine].tolist()
    for run in frame.ended:
        key = run.job.cluster, run.job.id
        if subject.job is not None and key == (subject.job.cluster, subject.job.id):
            continue
        nodes = [row for name in run.nodes if (row := frame.topology.node_row(name)) is not None and row in rows]
        if nodes and key not in seen:
            yield run.job if run.job.end_at else replace(run.job, end_at=run.seen_at), nodes


def ending(job: Job) -> str:
    """Return how a job ended in the scheduler's words: state, reason, exit code and signal."""
    words = [job.words or job.state.value]
    if job.reason and job.reason not in words:
        words.append(job.reason)
    if job.exit_signal > 0:
        words.append(f"signal {job.exit_signal}")
    elif job.exit_code > 0:
        words.append(f"exit code {job.exit_code}")
    return ", ".join(words)
