"""Jobs as slurmctld lists them: one row a job or task, the waiting tasks of an array in one row, as in squeue."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from console.core.job_states import HOLDING, WAITING
from console.model.jobs import Job, JobState
from console.model.reading import JobsPart
from console.sources.slurm.gres import gpus
from console.sources.slurm.nodelist import names
from console.sources.slurm.words import count, job_state, minutes_s, number, split, when

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.sources.slurm.bodies import WireExit, WireJob
    from console.sources.slurm.words import Loose

ALL_GPUS, NO_GPUS = -1, 0
MOST_TASKS = 10_000_000
MOST_STATUS = 0xFFFF
Known = dict[int | float, "tuple[WireJob, Told]"]
_TASKS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?(?::([1-9][0-9]{0,8}))?")


class Told(NamedTuple):
    """A job, the nodes that it has or had, and the GPUs that it holds on each of them now (masks)."""

    job: Job
    nodes: tuple[str, ...]
    masks: tuple[int, ...]


class JobBook:
    """Gathers the jobs of one list; `cluster` names the cluster where Slurm's own name is not wanted.

    `node_gpus` are the GPUs of each node, which tell whether a job holds all of them. Jobs that did not change since
    the list before (`known`) are taken over from there.
    """

    def __init__(self, cluster: str, node_gpus: Mapping[str, int], known: Known | None = None) -> None:
        self._cluster = cluster
        self._node_gpus = node_gpus
        self._before = known or {}
        self._told_all: list[Told] = []
        self.known: Known = {}
        self.strange: dict[str, int] = {}

    def add(self, rows: Iterable[WireJob]) -> None:
        """Take some jobs; those in states that Slurm does not have are counted in `strange`."""
        look_up, known, keep = self._before.get, self.known, self._told_all.append
        for row in rows:
            key = row.job_id if row.job_id.__class__ is int else count(row.job_id)
            kept = look_up(key)
            if kept is None or kept[0] != row:
                told = self._told(row)
                if told is None:
                    continue
                kept = row, told
            known[key] = kept
            keep(kept[1])

    def part(self, at: float) -> JobsPart:
        """Return all of them."""
        jobs, lists, masks = zip(*self._told_all, strict=True) if self._told_all else ((), (), ())
        return JobsPart(jobs, None, lists, masks, at=at)

    def _told(self, row: WireJob) -> Told | None:
        words = split(row.job_state)
        state, shown = job_state(words)
        if state is None:
            name = "+".join(words)[:40] or "(none)"
            self.strange[name] = self.strange.get(name, 0) + 1
            return None
        held = names(row.nodes) if row.nodes else ()
        total, masks = self._gpus(row, state, held)
        return Told(_job(row, state, shown, total, len(held), self._cluster), held, masks)

    def _gpus(self, row: WireJob, state: JobState, held: tuple[str, ...]) -> tuple[int, tuple[int, ...]]:
        """Return a job's GPUs and the mask of those that it holds on each of its nodes now."""
        details = row.gres_detail
        if details and len(details) == len(held) and state in HOLDING:
            found = [gpus(text) for text in details]
            named = zip(held, found, strict=True)
            masks = tuple(mask or self._unnamed(node, number) for node, (number, mask) in named)
            return sum(number for number, _ in found), masks
        total = _asked(row, len(held) or count(row.node_count) or 1)
        if state not in HOLDING or not total:
            return total, (NO_GPUS,) * len(held)
        share, rest = divmod(total, len(held) or 1)
        return total, tuple(NO_GPUS if rest else self._unnamed(name, share) for name in held)

    def _unnamed(self, node: str, number: int) -> int:
        """Return the mask of GPUs that are counted but not named: it can only be told where they are all there are."""
        return ALL_GPUS if 0 < self._node_gpus.get(node, 0) <= number else NO_GPUS


def _asked(row: WireJob, nodes: int) -> int:
    """Return the GPUs that a job got, or else asks for: of all, of each node, of each task."""
    for text, times in (
        (row.tres_alloc_str, 1),
        (row.tres_per_job, 1),
        (row.tres_req_str, 1),
        (row.tres_per_node, nodes),
        (row.tres_per_task, 0),
    ):
        if text and "gpu" in text:
            return gpus(text)[0] * (times or count(row.tasks) or 1)
    return 0


def _job(row: WireJob, state: JobState, words: str, total: int, nodes: int, cluster: str) -> Job:
    id, array, tasks = _identity(row)
    waiting, holding = state in WAITING, state in HOLDING
    code, signal = (-1, -1) if waiting or holding else _exit(row.exit_code)
    return Job(
        id=id,
        name=row.name or "",
        user=row.user_name or (str(count(row.user_id)) if row.user_id is not None else ""),
        state=state,
        gpus=total,
        nodes=nodes or count(row.node_count),
        account=row.account or "",
        partition=row.partition or "",
        cluster=cluster or row.cluster or "",
        reason=_reason(row),
        submit_at=when(row.submit_time),
        # Of a waiting job they are guesses, of a running one the end is.
        start_at=0.0 if waiting else when(row.start_time),
        end_at=0.0 if waiting or holding else when(row.end_time),
        time_limit_s=minutes_s(row.time_limit),
        tasks=tasks,
        words=words,
        array=array,
        restarts=-1 if row.restart_cnt is None else count(row.restart_cnt),
        exit_code=code,
        exit_signal=signal,
        requeue=row.requeue if isinstance(row.requeue, bool) else bool(count(row.requeue)) if row.requeue else None,
        output=row.standard_output or "",
        comment=row.comment or "",
        features=row.features or "",
        reservation=row.resv_name or "",
    )


def _exit(told: int | WireExit | None) -> tuple[int, int]:
    """Return exit code and signal, -1 where not told; v0.0.38 gives what wait(2) does."""
    if isinstance(told, int):
        return (told >> 8 & 0xFF, told & 0x7F) if 0 <= told <= MOST_STATUS else (-1, -1)
    if told is None:
        return -1, -1
    code, signal = _or_unset(told.return_code), told.signal
    # Where a program did end, and no signal is told, there was none.
    return code, _or_unset(signal.id or signal.signal_id, 0 if code >= 0 else -1) if signal else -1


def _or_unset(value: Loose, unset: int = -1) -> int:
    found = number(value)
    return int(found) if math.isfinite(found) else unset


def _reason(row: WireJob) -> str:
    reason = row.state_reason if row.state_reason not in (None, "None") else ""
    return ": ".join(part for part in (reason, row.state_description) if part)


def _identity(row: WireJob) -> tuple[str, str, int]:
    """Return a job's id as squeue writes it, the id of its array, and how many tasks the row stands for.

    An `array_job_id` of 0 says that there is no array; `array_task_id` is unset in the row of the waiting tasks.
    """
    array = count(row.array_job_id) if row.array_job_id else 0
    if array:
        task = row.array_task_id
        waiting = row.array_task_string
        if waiting:
            return f"{array}_[{waiting}]", str(array), task_count(waiting)
        if task is not None and (isinstance(task, int | float) or task.set):
            return f"{array}_{count(task)}", str(array), 1
    het = count(row.het_job_id) if row.het_job_id else 0
    if het:
        return f"{het}+{count(row.het_job_offset)}", "", 1
    return str(row.job_id if row.job_id.__class__ is int else count(row.job_id)), "", 1


def task_count(text: str) -> int:
    """Return how many tasks `1-3,7,10-20:5%2` names; of a list that Slurm cut short, those that it shows."""
    total = 0
    for first, last, step in _TASKS.findall(text.partition("%")[0]):
        total += max(0, int(last or first) - int(first)) // int(step or 1) + 1
    return min(max(total, 1), MOST_TASKS)
