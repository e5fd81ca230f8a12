"""Which GPU works for which job: the jobs of a site's schedulers on the rows of its topology."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from console.model.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from console.core.join import Join
    from console.model.reading import JobsPart
    from console.model.topology import SiteTopology

    Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Placed:
    """What one scheduler says, on the rows of the present topology, and the node names that lead nowhere."""

    jobs: Jobs
    missed: tuple[str, ...] = ()


def placed(
    part: JobsPart, topology: SiteTopology, order: Join | None, node_row: Callable[[str], int], source: str
) -> Placed:
    """Return a scheduler's jobs with the GPUs that each holds.

    `order` is how the part's own order of GPUs joins ours (None: it has none); jobs that name nodes hold all GPUs of
    them. An index that points at no job is a free GPU.
    """
    gpu_job = np.full(topology.gpus, -1, dtype=np.int32)
    missed: dict[str, None] = {}
    if part.gpu_job is not None and order is not None:
        told = np.where((part.gpu_job >= 0) & (part.gpu_job < len(part.jobs)), part.gpu_job, -1).astype(np.int32)
        gpu_job = order.spread(told, topology.gpus, -1)
    for index, names in enumerate(part.node_lists[: len(part.jobs)]):
        for name in names:
            row = node_row(name)
            if row < 0:
                missed[name] = None
            else:
                gpu_job[topology.node_gpus[row] : topology.node_gpus[row + 1]] = index
    gpu_job.flags.writeable = False
    return Placed(Jobs(part.jobs, gpu_job, part.at, source), tuple(missed))


def all_jobs(by_source: Mapping[str, Placed], gpus: int) -> Jobs:
    """Return the jobs of all schedulers of a site, one after the other; where two claim a GPU the later one has it."""
    if len(by_source) == 1:
        return next(iter(by_source.values())).jobs
    gpu_job = np.full(gpus, -1, dtype=np.int32)
    before = 0
    for each in by_source.values():
        gpu_job = np.where(each.jobs.gpu_job >= 0, each.jobs.gpu_job + np.int32(before), gpu_job)
        before += len(each.jobs.rows)
    rows = tuple(job for each in by_source.values() for job in each.jobs.rows)
    at = max((each.jobs.at for each in by_source.values()), default=0.0)
    return Jobs(rows, gpu_job, at, "+".join(by_source))


def jobs_remapped(old: Placed, rows: Rows) -> Placed:
    """Return placements in a new topology's order; `rows` is the old GPU row of each new one, -1 for a new GPU."""
    if not len(old.jobs.gpu_job):
        gpu_job = np.full(len(rows), -1, dtype=np.int32)
    else:
        gpu_job = np.where(rows >= 0, old.jobs.gpu_job[np.maximum(rows, 0)], -1).astype(np.int32)
    return replace(old, jobs=replace(old.jobs, gpu_job=gpu_job))
