"""Whatever slurmrestd sends, a list is read or refused as a bad payload; it never ends in another error."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.errors import BadPayload
from console.sources.slurm import bodies
from console.sources.slurm.bodies import JOBS, NODES, Who
from console.sources.slurm.jobs import JobBook
from console.sources.slurm.nodes import NodeBook
from tests.support.fake_slurm import FakeSlurm, job, node

WHO = Who("muc1", "slurm")
FEW = settings(deadline=None, max_examples=120)
numbers = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.fixed_dictionaries({"set": st.booleans(), "infinite": st.booleans(), "number": st.integers(0, 2**64)}),
)
words = st.one_of(
    st.text(max_size=12), st.lists(st.sampled_from(["RUNNING", "PENDING", "COMPLETING", "X"]), max_size=3)
)
texts = st.one_of(
    st.none(), st.text(max_size=30), st.sampled_from(["gpu:h100:8(IDX:0-7)", "n[1-3]", "n[3-", "gres/gpu=8"])
)
JOB_NUMBERS = ("node_count", "tasks", "submit_time", "start_time", "end_time", "time_limit", "array_job_id",
               "array_task_id", "het_job_id", "het_job_offset", "user_id")  # fmt: skip
JOB_TEXTS = ("name", "user_name", "nodes", "tres_alloc_str", "tres_per_job", "tres_per_task", "state_reason", "cluster",
             "array_task_string")  # fmt: skip
jobs = st.fixed_dictionaries(
    {"job_id": numbers, "job_state": words},
    optional={
        **dict.fromkeys(JOB_NUMBERS, numbers),
        **dict.fromkeys(JOB_TEXTS, texts),
        "gres_detail": st.lists(st.text(max_size=20), max_size=3),
    },
)
nodes = st.fixed_dictionaries(
    {"name": st.text(max_size=10), "state": words},
    optional={
        "reason_changed_at": numbers,
        **dict.fromkeys(("reason", "gres", "gres_used", "tres", "tres_used", "reason_set_by_user"), texts),
    },
)


def drained(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


@FEW
@given(st.lists(jobs, max_size=6), st.sampled_from([None, 0, 2]))
def test_jobs_of_any_values_are_read_one_for_one(rows: list[Any], indent: int | None) -> None:
    answer = drained(JOBS.read(json.dumps({"jobs": rows}, indent=indent).encode(), WHO))
    book = JobBook("", {"n1": 8})
    book.add(answer.rows)
    told = book.part(1.0)
    assert len(told.jobs) + sum(book.strange.values()) == len(rows)
    assert len(told.jobs) == len(told.node_lists) == len(told.gpu_masks)
    for each, held, masks in zip(told.jobs, told.node_lists, told.gpu_masks, strict=True):
        assert len(held) == len(masks)
        assert each.gpus >= 0
        assert all(0 <= at < 4.3e9 for at in (each.submit_at, each.start_at, each.end_at))
        assert each.time_limit_s >= 0


@FEW
@given(st.lists(nodes, max_size=6))
def test_nodes_of_any_values_are_read_one_for_one(rows: list[Any]) -> None:
    answer = drained(NODES.read(json.dumps({"nodes": rows}).encode(), WHO))
    book = NodeBook()
    book.add(answer.rows)
    told = book.part(1.0)
    assert len(told.keys) == len(told.codes) == len(rows)
    assert all(0 <= code < len(told.states) for code in told.codes)


@FEW
@given(st.data())
def test_a_damaged_list_is_read_or_refused(data: st.DataObject) -> None:
    of = FakeSlurm([node("n1"), node("n2")], [job(1), job(2), job(3)], pretty=data.draw(st.booleans()))
    _, _, text = of.respond("http://x/slurm/v0.0.41/jobs", {})
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=4))
    with suppress(BadPayload):
        JobBook("", {}).add(drained(JOBS.read(bytes(content), WHO)).rows)


@FEW
@given(st.lists(jobs, max_size=12), st.sampled_from([None, 2]), st.sampled_from([1, 200]), st.booleans())
def test_rows_that_are_taken_by_the_slice_are_those_of_the_whole_list(
    rows: list[Any], indent: int | None, slice_bytes: int, nested: bool
) -> None:
    if nested and rows:  # a row inside a row, of which the slices make nothing
        rows = [*rows, {"job_id": 1, "job_state": "RUNNING", "more": [{"job_id": 2}, {"job_id": 3}]}, *rows]
    content = json.dumps({"jobs": rows}, indent=indent).encode()
    whole = drained(JOBS.read(content, WHO)).rows
    taken: list[Any] = []
    with patch.object(bodies, "SLICE_BYTES", slice_bytes):
        rest = drained(JOBS.read(content, WHO, taken.extend)).rows
    assert [*taken, *rest] == whole
