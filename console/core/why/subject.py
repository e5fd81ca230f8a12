"""What is asked about: a job, listed or remembered, a node or a GPU, by any of the names that people use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.job_rows import JobColumns
from console.model.errors import TargetError
from console.model.identity import parse_uuid
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.model.jobs import Job
    from console.model.snapshot import SiteFrame, Snapshot

JOB = "job:"
INCIDENT = "incident:"
LISTED = 5


@dataclass(frozen=True, eq=False)
class WhySubject:
    """`nodes` int64[n] are sorted node rows of `frame`; `gpu` is a GPU row, -1 where it is no GPU.

    `kind` is `job`, or the level of a place (`node`, `gpu`, `rack`, `hall`); `told_at` is when a job was last told.
    """

    id: str
    kind: str
    frame: SiteFrame
    nodes: NDArray[np.int64]
    gpu: int = -1
    job: Job | None = None
    told_at: float = 0.0


def subject_of(snapshot: Snapshot, text: str) -> WhySubject:
    """Return what a text names; raises TargetError, which lists the matches where there are several.

    `job:ID`, `job:SITE/ID` and `job:SITE/ID@CLUSTER` name jobs, `incident:ID` the first object of an incident; an
    address, a node's name at one site (`NODE`, `SITE:NODE`, `NODE/g3`) or a GPU's UUID name the rest.
    """
    text = text.strip()
    if text.startswith(INCIDENT):
        text = _object_of(snapshot, text.removeprefix(INCIDENT))
    wanted = text.removeprefix(JOB)
    found = list(_jobs(snapshot, wanted) if text.startswith(JOB) else _places(snapshot, text))
    if not found:
        tail = "; a scheduler forgets a job some minutes after its end" if text.startswith(JOB) else ""
        raise TargetError(f"{text[:200]}: nothing of that name is known{tail}; name job:ID, a node or a GPU")
    if len(found) > 1:
        names = ", ".join(each.id for each in found[:LISTED])
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise TargetError(f"{text[:200]}: known as {names}{more}; name one of them")
    if found[0].kind in (Level.SITE, Level.FLEET):
        raise TargetError(f"{text[:200]} is a whole site; name a job, a node, a GPU or a rack of it")
    return found[0]


def _object_of(snapshot: Snapshot, id: str) -> str:
    """Return the address of an incident's object: where all of it is, else the first one that it names."""
    incident = next((each for each in snapshot.incidents if each.id == id), None)
    if incident is None:
        raise TargetError(f"{id[:200]}: no such incident; gigadeck alerts --resolved lists them")
    sign = incident.sign
    found = next((path for path in (sign.path, *sign.paths) if "/" in path), "")
    if not found:
        raise TargetError(f"{id[:200]} is of the whole site {sign.site}: {sign.text[:200]}")
    return found


def _jobs(snapshot: Snapshot, wanted: str) -> Iterator[WhySubject]:
    for frame in snapshot.frame.sites:
        columns = JobColumns(frame, snapshot.at)
        ids = columns.ids
        listed = set()
        for index, job in enumerate(frame.jobs.rows):
            listed.add((job.cluster, job.id))
            if wanted in (job.id, ids[index].removeprefix(JOB)):
                rows = frame.jobs.nodes_of(index, frame.topology)
                yield _job(frame, ids[index], job, rows if len(rows) else _remembered(frame, job), frame.jobs.at)
        for run in frame.ended:
            job = run.job
            names = (job.id, f"{frame.site}/{job.id}", f"{frame.site}/{job.id}@{job.cluster}")
            if not run.again and wanted in names and (job.cluster, job.id) not in listed:
                yield _job(frame, f"{JOB}{frame.site}/{job.id}", job, _rows(frame, run.nodes), run.seen_at)


def _job(frame: SiteFrame, id: str, job: Job, rows: NDArray[np.integer], told_at: float) -> WhySubject:
    return WhySubject(id, "job", frame, np.sort(rows).astype(np.int64), job=job, told_at=told_at)


def _remembered(frame: SiteFrame, job: Job) -> NDArray[np.int64]:
    """Return the nodes that a job had, where its scheduler names them no more."""
    same = (run for run in frame.ended if (run.job.cluster, run.job.id) == (job.cluster, job.id))
    run = next((run for run in same if run.job.start_at == job.start_at), None)
    return _rows(frame, run.nodes if run else ())


def _rows(frame: SiteFrame, names: tuple[str, ...]) -> NDArray[np.int64]:
    rows = (frame.topology.node_row(name) for name in names)
    return np.fromiter((row for row in rows if row is not None), dtype=np.int64)


def _places(snapshot: Snapshot, text: str) -> Iterator[WhySubject]:
    site, colon, rest = text.partition(":")
    for frame in snapshot.frame.sites:
        topology = frame.topology
        found = topology.resolve(text)
        if found is None and text.startswith("GPU-"):
            found = _gpu(frame, text)
        if found is None:
            name, _, gpu = (rest if colon and site == frame.site else text).partition("/")
            row = topology.node_row(name)
            path = "" if row is None else topology.path(Level.NODE, row) + (f"/{gpu}" if gpu else "")
            found = topology.resolve(path) if path else None
        if found is not None:
            yield _place(frame, *found)


def _gpu(frame: SiteFrame, uuid: str) -> tuple[Level, int] | None:
    high, low = (np.array([word], dtype=np.uint64) for word in parse_uuid(uuid))
    row = int(frame.topology.uuids.find(high, low)[0]) if high[0] or low[0] else -1
    return (Level.GPU, row) if row >= 0 else None


def _place(frame: SiteFrame, level: Level, row: int) -> WhySubject:
    topology = frame.topology
    id = topology.path(level, row)
    if level is Level.GPU:
        nodes = np.array([topology.parent(Level.GPU, row, Level.NODE)], dtype=np.int64)
        return WhySubject(id, level.value, frame, nodes, gpu=row)
    span = topology.span(level, row, Level.NODE) if level is not Level.NODE else slice(row, row + 1)
    return WhySubject(id, level.value, frame, np.arange(span.start, span.stop, dtype=np.int64))
