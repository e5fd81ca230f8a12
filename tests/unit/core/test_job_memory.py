from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core import job_memory
from console.core.job_memory import KEPT_S, JobMemories, JobMemory
from console.model.jobs import Job, Jobs, JobState
from tests.support.panels import NOW, topology

if TYPE_CHECKING:
    import pytest

SITE = topology("muc1")
RUNNING = Job("7", "llm", "ada", JobState.RUNNING, 16, 2, start_at=NOW - 3600, restarts=0)


def held(*jobs: Job, nodes: int = 2, at: float = NOW) -> Jobs:
    """Return jobs of which the first holds the GPUs of the first nodes, as the emulator tells it."""
    gpus = nodes * 8 if jobs and jobs[0].state is JobState.RUNNING else 0
    return Jobs(jobs, np.where(np.arange(SITE.gpus) < gpus, 0, -1).astype(np.int32), at)


def test_a_job_that_ends_keeps_the_nodes_that_it_had() -> None:
    memory = JobMemory()
    failed = replace(RUNNING, state=JobState.NODE_FAIL, end_at=NOW + 20)
    memory.take(None, held(RUNNING), SITE, NOW)
    memory.take(held(RUNNING), held(failed), SITE, NOW + 30)
    (run,) = memory.listed()
    assert (run.job, run.nodes, run.again) == (failed, ("n0001", "n0002"), False)
    memory.take(held(failed), held(), SITE, NOW + 60)
    (run,) = memory.listed()
    assert (run.job, run.nodes) == (failed, ("n0001", "n0002"))


def test_a_job_that_is_gone_between_two_lists_ended_unseen() -> None:
    memory = JobMemory()
    memory.take(held(RUNNING), held(), SITE, NOW + 30)
    (run,) = memory.listed()
    assert (run.job.state, run.end_at, run.nodes) == (JobState.RUNNING, NOW, ("n0001", "n0002"))


def test_a_job_that_is_started_anew_leaves_its_earlier_run() -> None:
    memory = JobMemory()
    again = replace(RUNNING, start_at=NOW + 10, restarts=1)
    memory.take(held(RUNNING), held(again), SITE, NOW + 30)
    (run,) = memory.listed()
    assert (run.again, run.job.start_at, run.end_at) == (True, NOW - 3600, NOW)


def test_waiting_jobs_and_unchanged_ones_leave_nothing() -> None:
    memory, waiting = JobMemory(), replace(RUNNING, state=JobState.PENDING, start_at=0.0)
    memory.take(held(RUNNING, waiting), held(RUNNING), SITE, NOW)
    assert memory.listed() == ()


def test_the_memory_is_bounded_in_time_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_memory, "MOST_RUNS", 3)
    memory = JobMemory()
    for number in range(5):
        memory.take(held(replace(RUNNING, id=str(number))), held(), SITE, NOW)
    assert [run.job.id for run in memory.listed()] == ["2", "3", "4"]
    memory.take(held(), held(), SITE, NOW + KEPT_S + 1)
    assert memory.listed() == ()


def test_lists_are_compared_when_somebody_asks_and_none_is_passed_over() -> None:
    memories = JobMemories()
    later = replace(RUNNING, id="8")
    memories.note("slurm", None, held(RUNNING), SITE, NOW)
    assert memories.listed() == ()
    memories.note("slurm", held(RUNNING), held(later), SITE, NOW + 30)
    memories.note("slurm", held(later), held(), SITE, NOW + 60)
    memories.note("other", held(replace(RUNNING, id="9")), held(), SITE, NOW + 60)
    assert [run.job.id for run in memories.listed()] == ["7", "8", "9"]
    assert memories.listed() is memories.listed()


def test_jobs_that_only_moved_in_their_list_are_still_there() -> None:
    memory = JobMemory()
    others = [replace(RUNNING, id=str(number)) for number in range(8, 12)]
    gone, stays = others[1], [others[0], *others[2:], RUNNING]
    memory.take(held(RUNNING, *others), held(*stays), SITE, NOW + 30)
    assert [run.job for run in memory.listed()] == [gone]
    memory.take(held(*stays), held(RUNNING, *stays), SITE, NOW + 60)
    assert [run.job for run in memory.listed()] == [gone]
