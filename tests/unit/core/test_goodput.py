from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.core.job_query import select_jobs
from console.model.jobs import EndedRun, Job, Jobs, JobState
from tests.support.panels import NOW, site_frame, snapshot

BASE = Job("7", "llm", "ada", JobState.RUNNING, 16, 2, start_at=NOW - 3600, restarts=0)


def told(*jobs, ended=()):
    site = site_frame("muc1")
    free = np.full(site.topology.gpus, -1, dtype=np.int32)
    frame = replace(site, jobs=Jobs(jobs, free, NOW, "slurm"), ended=tuple(ended))
    rows = select_jobs(snapshot((frame,)), fields=("id", "lost_gpu_hours", "ettr_ratio"), sort="id").to_dicts()
    return [(row["lost_gpu_hours"], row["ettr_ratio"]) for row in rows]


@pytest.mark.parametrize("state", ["FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "BOOT_FAIL"])
def test_a_run_that_a_fault_ended_is_lost_as_a_whole(state):
    ended = replace(BASE, state=JobState(state), start_at=NOW - 7200, end_at=NOW - 3600)
    assert told(ended) == [(16.0, 0.0)]


def test_a_job_without_interruption_has_lost_nothing():
    assert told(BASE) == [(0.0, 1.0)]
    assert told(replace(BASE, state=JobState.COMPLETED, end_at=NOW)) == [(0.0, 1.0)]


@pytest.mark.parametrize(
    "job",
    [
        replace(BASE, restarts=-1, state=JobState.CANCELLED, end_at=NOW),
        replace(BASE, state=JobState.TIMEOUT, end_at=NOW),
        replace(BASE, state=JobState.PENDING, start_at=0.0),
        replace(BASE, restarts=2),
        replace(BASE, restarts=-1),
    ],
)
def test_what_nobody_tells_is_missing(job):
    assert told(job) == [(None, None)]


def test_earlier_runs_that_were_seen_count_with_the_time_between_them():
    # An hour of work is lost, half an hour goes by, an hour is worked since: 1 h of 2.5 h.
    first = replace(BASE, start_at=NOW - 9000, end_at=NOW - 5400)
    again = replace(BASE, restarts=1)
    assert told(again, ended=[EndedRun(first, (), NOW, again=True)]) == [(16.0, 0.4)]
    assert told(replace(again, restarts=2), ended=[EndedRun(first, (), NOW, again=True)]) == [(None, None)]
