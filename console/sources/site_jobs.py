"""Reads jobs from the native site API's `jobs` body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from console.model.jobs import Job, JobState
from console.model.reading import JobsPart
from console.sources.site_bodies import WireJob, WireJobs

if TYPE_CHECKING:
    from console.model.topology import SiteTopology
    from console.sources.site_bodies import Faults

MOST_JOBS = 1_000_000


def read_jobs(faults: Faults, topology: SiteTopology, data: bytes, behind_s: float) -> JobsPart:
    """Return all jobs; `behind_s` is added to the server's time. Raises BadPayload."""
    wire = faults.decode(data, WireJobs, "the answer of jobs")
    if len(wire.jobs) > MOST_JOBS:
        raise faults.bad(f"jobs lists {len(wire.jobs)} jobs, more than {MOST_JOBS}")
    faults.names([job.id for job in wire.jobs], "jobs", unique=False)
    gpu_job = faults.block(wire.gpu_job, "int32-le", "jobs' gpu_job")
    if len(gpu_job) != topology.gpus:
        raise faults.bad(f"jobs' gpu_job has {len(gpu_job)} values for {topology.gpus} GPUs")
    if len(gpu_job) and (int(gpu_job.min()) < -1 or int(gpu_job.max()) >= len(wire.jobs)):
        raise faults.bad(f"jobs' gpu_job points beyond its {len(wire.jobs)} jobs")
    jobs = tuple(_job(faults, job) for job in wire.jobs)
    return JobsPart(jobs, gpu_job=gpu_job, version=topology.version, at=wire.at + behind_s)


def _job(faults: Faults, wire: WireJob) -> Job:
    try:
        state = JobState(wire.state)
    except ValueError:
        raise faults.bad(f"job {wire.id[:40]!r} is in state {wire.state[:40]!r}, which Slurm does not know") from None
    return Job(**{**msgspec.structs.asdict(wire), "state": state})
