from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.hostlist import expand, fold
from console.model.jobs import JobState
from console.sources.slurm.gres import gpus
from console.sources.slurm.jobs import task_count
from console.sources.slurm.nodelist import names
from console.sources.slurm.words import Number, job_state, minutes_s, node_state, number, split, when

NAN, INFINITE = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (None, NAN),
        (0, 0.0),
        (3600, 3600.0),
        (4294967294, NAN),
        (4294967295, INFINITE),
        (18446744073709551614, NAN),
        (18446744073709551615, INFINITE),
        (-9223372036854775296, NAN),
        (Number(set=True, number=7), 7.0),
        (Number(set=False, number=7), NAN),
        (Number(set=False, infinite=True), INFINITE),
        (Number(set=True, infinite=True, number=3), INFINITE),
        (Number(set=False, number=0.0), NAN),
        (Number(set=True, number=4294967294), NAN),
    ],
)
def test_a_number_means_the_same_in_every_notation(value: object, meaning: float) -> None:
    found = number(value)  # type: ignore[arg-type]
    assert found == meaning or (math.isnan(found) and math.isnan(meaning))


@pytest.mark.parametrize(
    "value", [None, 0, -1, 4294967294, 4294967295, 1 << 63, 10**30, Number(), Number(infinite=True), Number(set=True)]
)
def test_what_is_no_time_is_never(value: object) -> None:
    assert when(value) == 0.0  # type: ignore[arg-type]


def test_times_and_limits() -> None:
    assert when(1_800_000_000) == when(Number(set=True, number=1_800_000_000)) == 1_800_000_000.0
    assert minutes_s(90) == minutes_s(Number(set=True, number=90)) == 5400.0
    assert minutes_s(4294967295) == minutes_s(Number(infinite=True)) == INFINITE
    assert minutes_s(None) == minutes_s(4294967294) == minutes_s(Number()) == 0.0


@pytest.mark.parametrize(
    ("words", "state", "shown"),
    [
        ("RUNNING", JobState.RUNNING, ""),
        (("RUNNING",), JobState.RUNNING, ""),
        (("PENDING", "REQUEUED"), JobState.REQUEUED, "PENDING+REQUEUED"),
        (("COMPLETED", "COMPLETING"), JobState.COMPLETING, "COMPLETED+COMPLETING"),
        (("RUNNING", "LAUNCH_FAILED"), JobState.RUNNING, "RUNNING+LAUNCH_FAILED"),
        ("running", JobState.RUNNING, ""),
        (("DANCING",), None, "DANCING"),
        ((), None, ""),
        (None, None, ""),
    ],
)
def test_a_job_s_state_is_the_one_that_slurm_shows(words: object, state: JobState | None, shown: str) -> None:
    assert job_state(split(words)) == (state, shown)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "flags", "text"),
    [
        ("idle", ("DRAIN",), "IDLE+DRAIN"),
        (("IDLE", "DRAIN"), None, "IDLE+DRAIN"),
        ("IDLE+DRAIN", None, "IDLE+DRAIN"),
        (("NOT_RESPONDING", "DOWN"), None, "DOWN+NOT_RESPONDING"),
        (("MIXED", "PLANNED", "DRAIN"), None, "MIXED+PLANNED+DRAIN"),
        (("POWERED_DOWN",), None, "POWERED_DOWN"),
        ((), (), "UNKNOWN"),
        (None, None, "UNKNOWN"),
    ],
)
def test_a_node_s_state_keeps_every_flag(words: object, flags: object, text: str) -> None:
    assert node_state(split(words), split(flags)).text == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "number", "slots"),
    [
        ("gpu:h100:4(IDX:0-3)", 4, {0, 1, 2, 3}),
        ("gpu:h100:2(IDX:0-1),gpu:h200:4(IDX:2-5)", 6, {0, 1, 2, 3, 4, 5}),
        ("gpu:3(IDX:0,4-5)", 3, {0, 4, 5}),
        ("gpu:h100:0(IDX:N/A),gpu:h200:0(IDX:N/A)", 0, set()),
        ("gpu:8(S:0-1)", 8, set()),
        ("gpu:h100:2(S:0-1),gpu:h200:4", 6, set()),
        ("cpu=8,mem=1G,gres/gpu=8,gres/gpu:h100=8", 8, set()),
        ("gres/gpu:h100:1,gres/gpu:h200:1", 2, set()),
        ("gres:gpu:2", 2, set()),
        ("gpu", 1, set()),
        ("gpu:1g.10gb:7(S:0)", 7, set()),
        ("craynetwork:4,gpu:1", 1, set()),
        ("gpu_mem:80G,gpumem:2", 0, set()),
        ("(null)", 0, set()),
        ("", 0, set()),
        ("gpu:4(IDX:0-999999)", 4, set()),
    ],
)
def test_gpus_are_counted_and_named(text: str, number: int, slots: set[int]) -> None:
    count, mask = gpus(text)
    assert count == number
    assert {slot for slot in range(64) if mask >> slot & 1} == slots


def test_names_come_in_slurm_s_order() -> None:
    assert names("n[2-3,1]") == ("n2", "n3", "n1")
    assert names("cn[004-006,9]-ib") == ("cn004-ib", "cn005-ib", "cn006-ib", "cn9-ib")
    assert names("r[1-2]n[01-02],login") == ("r1n01", "r1n02", "r2n01", "r2n02", "login")
    assert len(names("n[0001-4000]")) == 4000


@pytest.mark.parametrize("text", ["", "(null)", "None assigned"])
def test_no_nodes(text: str) -> None:
    assert names(text) == ()


@pytest.mark.parametrize("text", ["n[1-", "n[3-1]", "n[1-9999999999]", "a!b,c[1-2]", "n[x]", "@all,n1"])
def test_a_list_that_cannot_be_read_stays_as_it_is(text: str) -> None:
    assert names(text) == (text,)


@given(st.sets(st.from_regex(r"[a-z]{1,3}[0-9]{1,4}(-ib)?", fullmatch=True), min_size=1, max_size=30))
@settings(deadline=None, max_examples=60)
def test_a_host_list_has_the_same_names_as_our_own_reader_finds(nodes: set[str]) -> None:
    folded = fold(nodes)
    assert set(names(folded)) == set(expand(folded)) == nodes


@pytest.mark.parametrize(
    ("text", "tasks"), [("1-3", 3), ("1-3%2", 3), ("1,5,7-9", 5), ("0-20:5", 5), ("7", 1), ("1-100,...", 100), ("", 1)]
)
def test_waiting_tasks_of_an_array_are_counted(text: str, tasks: int) -> None:
    assert task_count(text) == tasks
