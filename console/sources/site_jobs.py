"""Reads jobs from the native site API's `jobs` body."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from console.model.jobs import Job, JobState
from console.model.levels import Level
from console.model.reading import JobsPart
from console.sources.site_bodies import LONGEST_NAME, WireJob, WireJobs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.topology import SiteTopology
    from console.sources.site_bodies import Faults

    Rows = NDArray[np.int32]
    Lists = tuple[tuple[str, ...], ...]
    Masks = tuple[tuple[int, ...], ...]

MOST_JOBS = 1_000_000
_STATES = {state.value: state for state in JobState}
_LAST_SLOT = 62


def read_jobs(faults: Faults, topology: SiteTopology, data: bytes, behind_s: float) -> JobsPart:
    """Return all jobs; `behind_s` is added to the server's time. Raises BadPayload."""
    wire = faults.decode(data, WireJobs, "the answer of jobs")
    if len(wire.jobs) > MOST_JOBS:
        raise faults.bad(f"jobs lists {len(wire.jobs)} jobs, more than {MOST_JOBS}")
    gpu_job = faults.block(wire.gpu_job, "int32-le", "jobs' gpu_job")
    if len(gpu_job) != topology.gpus:
        raise faults.bad(f"jobs' gpu_job has {len(gpu_job)} values for {topology.gpus} GPUs")
    if len(gpu_job) and (int(gpu_job.min()) < -1 or int(gpu_job.max()) >= len(wire.jobs)):
        raise faults.bad(f"jobs' gpu_job points beyond its {len(wire.jobs)} jobs")
    jobs = tuple(job_of(faults, job) for job in wire.jobs)
    starts = rows = np.zeros(0, dtype=np.int32)
    if wire.node_starts is not None and wire.node_rows is not None:
        starts = faults.block(wire.node_starts, "int32-le", "jobs' node_starts")
        rows = faults.block(wire.node_rows, "int32-le", "jobs' node_rows")
    lists, masks = lists_of(faults, topology, len(jobs), gpu_job, starts, rows)
    return JobsPart(jobs, gpu_job, lists, masks, topology.version, wire.at + behind_s)


def job_of(faults: Faults, wire: WireJob) -> Job:
    """Return a job; raises BadPayload."""
    if len(wire.id) > LONGEST_NAME:
        raise faults.bad(f"jobs names one by more than {LONGEST_NAME} characters")
    state = _STATES.get(wire.state)
    if state is None:
        raise faults.bad(f"job {wire.id[:40]!r} is in state {wire.state[:40]!r}, which Slurm does not know")
    told = {**msgspec.structs.asdict(wire), "state": state}
    if told.pop("unlimited"):
        told["time_limit_s"] = math.inf
    return Job(**told)


def lists_of(
    faults: Faults, topology: SiteTopology, jobs: int, gpu_job: Rows, starts: Rows, rows: Rows
) -> tuple[Lists, Masks]:
    """Return the nodes of each job and which of their GPUs it holds; nothing where no nodes are told.

    Raises BadPayload for nodes that are none.
    """
    if not len(starts):
        return (), ()
    sound = len(starts) == jobs + 1 and starts[0] == 0 and starts[-1] == len(rows) and not (np.diff(starts) < 0).any()
    if not sound or (len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(topology.nodes)):
        raise faults.bad(f"jobs' node_rows are no nodes of {jobs} jobs")
    masks = _masks(topology, gpu_job, starts, rows)
    names = [topology.nodes[row] for row in rows.tolist()]
    at = starts.tolist()
    spans = [slice(first, last) for first, last in pairwise(at)]
    return tuple(tuple(names[span]) for span in spans), tuple(tuple(masks[span]) for span in spans)


def _masks(topology: SiteTopology, gpu_job: Rows, starts: Rows, rows: Rows) -> list[int]:
    """Return for each node of each job the GPUs that it holds there, bit by slot."""
    held = np.flatnonzero(gpu_job >= 0)
    nodes = topology.parents(Level.GPU, Level.NODE)[held].astype(np.int64)
    places = gpu_job[held] * np.int64(len(topology.nodes)) + nodes
    bits = np.left_shift(np.int64(1), np.minimum(topology.gpu_slot[held], _LAST_SLOT).astype(np.int64))
    order = np.argsort(places, kind="stable")
    places, bits = places[order], bits[order]
    first = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1]))) if len(places) else order
    masks = np.bitwise_or.reduceat(bits, first) if len(places) else bits
    owners = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    wanted = owners * len(topology.nodes) + rows
    found = np.searchsorted(places[first], wanted)
    known = np.append(places[first], -1)[found] == wanted
    told: list[int] = np.where(known, np.append(masks, 0)[found], 0).tolist()
    return told
