"""Which GPU works for which job: the jobs of a site's schedulers on the rows of its topology."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from console.model.jobs import Jobs
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.core.join import Join
    from console.model.reading import JobsPart
    from console.model.topology import SiteTopology

    Rows = NDArray[np.int32]


ALL_GPUS = -1
LAST_BIT = 63


@dataclass(frozen=True, eq=False)
class Placed:
    """What one scheduler says, on the rows of the present topology, and the node names that lead nowhere."""

    jobs: Jobs
    missed: tuple[str, ...] = ()


def placed(
    part: JobsPart, topology: SiteTopology, order: Join | None, node_rows: Callable[[Sequence[str]], Rows], source: str
) -> Placed:
    """Return a scheduler's jobs with the GPUs that each holds.

    `order` is how the part's own order of GPUs joins ours (None: it has none); jobs that name nodes hold all GPUs of
    them, or those of their masks. An index that points at no job is a free GPU.
    """
    gpu_job = np.full(topology.gpus, -1, dtype=np.int32)
    if part.gpu_job is not None and order is not None:
        told = np.where((part.gpu_job >= 0) & (part.gpu_job < len(part.jobs)), part.gpu_job, -1).astype(np.int32)
        gpu_job = order.spread(told, topology.gpus, -1)
    jobs = Jobs(part.jobs, gpu_job, part.at, source)
    missed: tuple[str, ...] = ()
    if part.node_lists:
        jobs, missed = _on_nodes(part, jobs, topology, node_rows)
    jobs.gpu_job.flags.writeable = False
    return Placed(jobs, missed)


def _on_nodes(
    part: JobsPart, jobs: Jobs, topology: SiteTopology, node_rows: Callable[[Sequence[str]], Rows]
) -> tuple[Jobs, tuple[str, ...]]:
    """Return jobs with the nodes and GPUs that their lists and masks name, and the names that lead nowhere."""
    lists = part.node_lists[: len(part.jobs)]
    names = list(chain.from_iterable(lists))
    rows = node_rows(names)
    sizes = np.zeros(len(part.jobs), dtype=np.int32)
    sizes[: len(lists)] = list(map(len, lists))
    owner = np.repeat(np.arange(len(part.jobs), dtype=np.int32), sizes)
    known = rows >= 0
    missed = tuple(dict.fromkeys(names[place] for place in np.flatnonzero(~known).tolist()))
    rows, owner, masks = rows[known], owner[known], _masks(part, sizes)[known]
    held = held_gpus(topology, rows, masks)
    gpu_job = jobs.gpu_job.copy()
    gpu_job[held[0]] = owner[held[1]]
    starts = np.searchsorted(owner, np.arange(len(part.jobs) + 1)).astype(np.int32)
    return replace(jobs, gpu_job=gpu_job, node_starts=starts, node_rows=rows), missed


def _masks(part: JobsPart, sizes: Rows) -> NDArray[np.int64]:
    """Return the mask of each node of each job; what is not told is all of a node's GPUs."""
    if len(part.gpu_masks) == len(sizes) and list(map(len, part.gpu_masks)) == sizes.tolist():
        return np.fromiter(chain.from_iterable(part.gpu_masks), dtype=np.int64, count=int(sizes.sum()))
    padded = (
        (*part.gpu_masks[i][: len(names)], *[ALL_GPUS] * (len(names) - len(part.gpu_masks[i])))
        if i < len(part.gpu_masks)
        else (ALL_GPUS,) * len(names)
        for i, names in enumerate(part.node_lists[: len(part.jobs)])
    )
    return np.fromiter(chain.from_iterable(padded), dtype=np.int64, count=int(sizes.sum()))


def held_gpus(
    topology: SiteTopology, nodes: Rows, masks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the GPU rows in the masks of some nodes (a node may come twice), and the place in `nodes` of each."""
    first = topology.node_gpus[nodes].astype(np.int64)
    sizes = topology.node_gpus[nodes + 1] - first
    place = np.repeat(np.arange(len(nodes)), sizes)
    gpu = np.arange(len(place)) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    slots = np.minimum(topology.gpu_slot[gpu].astype(np.int64), LAST_BIT)
    held = (masks[place] >> slots & 1).astype(bool)
    return gpu[held], place[held]


def all_jobs(by_source: Mapping[str, Placed], gpus: int) -> Jobs:
    """Return the jobs of all schedulers of a site, one after the other; where two claim a GPU the later one has it."""
    if len(by_source) == 1:
        return next(iter(by_source.values())).jobs
    gpu_job = np.full(gpus, -1, dtype=np.int32)
    before = 0
    starts, node_rows = [np.zeros(1, dtype=np.int32)], [np.zeros(0, dtype=np.int32)]
    for each in by_source.values():
        jobs = each.jobs
        gpu_job = np.where(jobs.gpu_job >= 0, jobs.gpu_job + np.int32(before), gpu_job)
        named = jobs.node_starts[1:] if len(jobs.node_starts) else np.zeros(len(jobs.rows), dtype=np.int32)
        starts.append(starts[-1][-1] + named)
        node_rows.append(jobs.node_rows)
        before += len(jobs.rows)
    rows = tuple(job for each in by_source.values() for job in each.jobs.rows)
    at = max((each.jobs.at for each in by_source.values()), default=0.0)
    return Jobs(rows, gpu_job, at, "+".join(by_source), np.concatenate(starts), np.concatenate(node_rows))


def jobs_remapped(old: Placed, gpu_rows: Rows, node_rows: Rows) -> Placed:
    """Return placements in a new topology's order; the rows are the old GPU and node of each new one, -1 for none."""
    jobs = old.jobs
    if not len(jobs.gpu_job):
        gpu_job = np.full(len(gpu_rows), -1, dtype=np.int32)
    else:
        gpu_job = np.where(gpu_rows >= 0, jobs.gpu_job[np.maximum(gpu_rows, 0)], -1).astype(np.int32)
    starts, named = _nodes_remapped(jobs, node_rows)
    return replace(old, jobs=replace(jobs, gpu_job=gpu_job, node_starts=starts, node_rows=named))


def _nodes_remapped(jobs: Jobs, node_rows: Rows) -> tuple[Rows, Rows]:
    """Return where each job's nodes start and their new rows; nodes that are gone are left out."""
    if not len(jobs.node_rows):
        return jobs.node_starts, jobs.node_rows
    moved = np.full(max(int(jobs.node_rows.max()), int(node_rows.max(initial=-1))) + 1, -1, dtype=np.int32)
    there = np.flatnonzero(node_rows >= 0)
    moved[node_rows[there]] = there
    rows = moved[jobs.node_rows]
    kept = np.concatenate(([0], np.cumsum(rows >= 0))).astype(np.int32)
    return kept[jobs.node_starts], rows[rows >= 0]
