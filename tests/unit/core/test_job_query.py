from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from console.core.expr import compile_expression
from console.core.job_query import SHOWN, select_jobs
from console.core.registry import JOB, UnknownFieldError
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ExpressionError, TargetError
from console.model.jobs import Job, Jobs, JobState
from console.model.levels import Level
from tests.support import panels

NOW = panels.NOW
HOUR = 3600.0
ROWS = (
    Job("1", "small", "ada", JobState.RUNNING, 8, 1, cluster="a", submit_at=NOW - 3 * HOUR, start_at=NOW - 2 * HOUR),
    Job("2", "wide", "bob", JobState.PENDING, 64, 8, cluster="a", reason="Resources", submit_at=NOW - HOUR),
    Job("3", "done", "ada", JobState.FAILED, 4, 1, cluster="a", submit_at=NOW - 9 * HOUR, start_at=NOW - 8 * HOUR,
        end_at=NOW - 6 * HOUR),
    Job("4", "large", "eve", JobState.RUNNING, 16, 2, cluster="a", submit_at=NOW - HOUR, start_at=NOW - HOUR,
        time_limit_s=float("inf")),
    Job("5", "ending", "eve", JobState.COMPLETING, 8, 1, cluster="a", submit_at=NOW - HOUR, start_at=NOW - HOUR),
    Job("6_[1-8]", "sweep", "bob", JobState.PENDING, 1, 1, cluster="a", submit_at=NOW - 60, tasks=8, array="6"),
)  # fmt: skip


def site(name="muc1", rows=ROWS, **more):
    """Job 1 holds the first node's GPUs, job 4 the next two nodes'; job 3 ran on the fourth."""
    frame = panels.site_frame(name, **more)
    gpu_job = np.full(frame.topology.gpus, -1, dtype=np.int32)
    gpu_job[:8], gpu_job[8:24] = 0, 3
    nodes = np.array([0, 3, 1, 2], dtype=np.int32)
    starts = np.array([0, 1, 1, 2, 4, 4, 4][: len(rows) + 1], dtype=np.int32)
    return dataclasses.replace(frame, jobs=Jobs(rows, gpu_job, NOW, "slurm", starts, nodes))


def ids(rows):
    return [each.rpartition("/")[2] for each in rows.ids]


def test_running_jobs_come_first_large_before_small_then_what_waits_then_what_has_ended():
    assert ids(select_jobs(panels.snapshot([site()]))) == ["4", "1", "5", "2", "6_[1-8]", "3"]


def test_times_waits_and_gpu_hours():
    rows = select_jobs(panels.snapshot([site()]), sort="job_id")
    told = {row["job_id"]: row for row in rows.to_dicts()}
    assert {id: told[id]["time_s"] for id in "123"} == {"1": 7200, "2": None, "3": 7200}
    assert {id: told[id]["wait_s"] for id in "123"} == {"1": 3600, "2": 3600, "3": 3600}
    assert {id: told[id]["gpu_hours"] for id in "123"} == {"1": 16.0, "2": None, "3": 8.0}
    assert told["1"]["start_at"] == int(NOW - 2 * HOUR)
    assert told["4"]["limit_s"] is None
    assert told["6_[1-8]"]["tasks"] == 8
    assert set(told["1"]) == set(SHOWN)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('state == "PENDING"', ["2", "6_[1-8]"]),
        ('user == "ada" and gpus > 4', ["1"]),
        ('name =~ "^(wide|sweep)$" and wait_s > 600', ["2"]),
        ("gpu_hours > 10", ["4", "1"]),
        ('reason == ""', ["4", "1", "5", "6_[1-8]", "3"]),
        ("missing(end_at)", ["4", "1", "5", "2", "6_[1-8]"]),
        ('site == "nowhere"', []),
        ('job in ["large", "done"]', ["4", "3"]),
    ],
)
def test_a_filter_speaks_of_jobs(where, found):
    assert ids(select_jobs(panels.snapshot([site()]), where=where)) == found


def test_a_filter_over_gpus_keeps_the_jobs_that_have_one_of_them():
    frame = site(hot=9)
    expression = compile_expression("temp_c > 90", BUILTIN, Level.GPU)
    assert ids(select_jobs(panels.snapshot([frame]), where=expression)) == ["4"]


@pytest.mark.parametrize(
    ("within", "found"),
    [
        ("muc1", ["4", "1", "5", "2", "6_[1-8]", "3"]),
        ("muc1/h1/r001", ["4", "1"]),
        ("muc1/h1/r001/n0001", ["1"]),
        ("muc1/h1/r001/n0002/g3", ["4"]),
        ("muc1/h1/r001/n0004", []),
        ("muc1/h2", []),
        ("muc1/nothing", []),
    ],
)
def test_a_place_has_the_jobs_that_hold_something_of_it(within, found):
    assert ids(select_jobs(panels.snapshot([site()]), within=within)) == found


def test_sorting_by_a_number_by_a_text_and_the_rest_after_an_id():
    of = panels.snapshot([site()])
    assert ids(select_jobs(of, sort="-gpus"))[:2] == ["2", "4"]
    assert ids(select_jobs(of, sort="user"))[:2] == ["1", "3"]
    assert ids(select_jobs(of, sort="-time_s"))[-2:] == ["2", "6_[1-8]"]
    first = select_jobs(of, sort="job_id", limit=4)
    assert (ids(first), first.total) == (["1", "2", "3", "4"], 6)
    assert ids(select_jobs(of, sort="job_id", after=first.ids[-1])) == ["5", "6_[1-8]"]
    everything, after = [], ""
    while page := select_jobs(of, limit=2, after=after).ids:
        everything += page
        after = page[-1]
    assert everything == list(select_jobs(of).ids)


def test_two_sites_and_two_clusters_of_one_site_keep_their_jobs_apart():
    twins = (ROWS[0], dataclasses.replace(ROWS[0], cluster="b"), dataclasses.replace(ROWS[0], cluster="b"))
    rows = select_jobs(panels.snapshot([site(), site("bcn1", twins)]), where='job_id == "1"')
    assert sorted(rows.ids) == ["job:bcn1/1@a", "job:bcn1/1@b", "job:bcn1/1@b~2", "job:muc1/1"]


def test_no_site_no_jobs():
    assert len(select_jobs(panels.snapshot())) == 0


def test_what_is_not_there_is_named():
    of = panels.snapshot([site()])
    with pytest.raises(TargetError, match="no site elsewhere"):
        select_jobs(of, within="elsewhere/h1")
    with pytest.raises(TargetError, match="job:muc1/99"):
        select_jobs(of, after="job:muc1/99")
    with pytest.raises(UnknownFieldError, match="state"):
        select_jobs(of, sort="-stat")
    with pytest.raises(ExpressionError, match="temp_c is measured at a gpu; a job has no such field"):
        compile_expression("temp_c > 80", BUILTIN, JOB)
    with pytest.raises(ExpressionError, match="finer"):
        compile_expression("any(gpu.temp_c > 80)", BUILTIN, JOB)
