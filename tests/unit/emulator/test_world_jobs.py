from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.emulator.fleet import FleetPlan
from console.emulator.free_runs import FreeRuns
from console.emulator.world import World
from console.model.jobs import JobState

T0 = 1_790_000_000.0
HOLDING = {JobState.RUNNING, JobState.COMPLETING}
LEGAL = HOLDING | {
    JobState.PENDING,
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.TIMEOUT,
    JobState.NODE_FAIL,
    JobState.OUT_OF_MEMORY,
    JobState.PREEMPTED,
}
FOLLOWS = {
    JobState.PENDING: {JobState.RUNNING, JobState.CANCELLED, JobState.COMPLETING},
    JobState.RUNNING: {JobState.COMPLETING, JobState.FAILED, JobState.NODE_FAIL},
    JobState.COMPLETING: LEGAL - {JobState.PENDING, JobState.RUNNING},
}


@pytest.fixture(scope="module")
def storm():
    """States of a busy site, a minute apart for three hours."""
    world = World(FleetPlan(gpus=20_000, sites=1, scenario="storm"), T0)
    return world.topology("muc1"), [world.state("muc1", T0 + 60 * minute) for minute in range(180)]


def test_gpus_of_jobs_are_counted_and_never_shared(storm):
    _topology, states = storm
    for state in states:
        held = np.bincount(state.gpu_job[state.gpu_job >= 0], minlength=len(state.jobs))
        for row, job in enumerate(state.jobs):
            assert held[row] == (job.gpus if job.state in HOLDING else 0), job
        assert len(state.jobs) <= 2_000


def test_states_are_slurms_and_follow_each_other(storm):
    _, states = storm
    before = {}
    seen = Counter()
    for state in states:
        for job in state.jobs:
            seen[job.state] += 1
            assert job.state in LEGAL
            last = before.get(job.id)
            if last is not None and last is not job.state:
                reachable = FOLLOWS.get(last, set()) | (FOLLOWS[JobState.COMPLETING] if last not in FOLLOWS else set())
                later = set().union(*(FOLLOWS.get(step, set()) for step in reachable))
                assert job.state in reachable | later, (last, job)
            before[job.id] = job.state
    assert {JobState.RUNNING, JobState.PENDING, JobState.COMPLETED, JobState.FAILED, JobState.NODE_FAIL} <= set(seen)


def test_times_of_jobs_make_sense(storm):
    _, states = storm
    for state in states[::10]:
        for job in state.jobs:
            assert 0 < job.submit_at <= state.at
            assert (
                bool(job.reason) == (job.state in (JobState.PENDING, JobState.NODE_FAIL))
                or job.state is JobState.FAILED
            )
            if job.state is not JobState.PENDING and job.start_at:
                assert job.submit_at <= job.start_at <= state.at
            if job.end_at:
                assert job.start_at <= job.end_at <= state.at


def test_site_stays_busy():
    world = World(FleetPlan(gpus=20_000, sites=1), T0)
    states = [world.state("muc1", T0 + 60 * minute) for minute in range(90)]
    occupancy = [float((state.gpu_job >= 0).mean()) for state in states]
    assert 0.90 <= np.mean(occupancy) <= 0.95
    assert min(occupancy) > 0.82


def test_storm_leaves_most_of_a_site_at_work(storm):
    _, states = storm
    assert np.mean([float((state.gpu_job >= 0).mean()) for state in states]) > 0.7


def test_jobs_are_heavy_tailed_and_for_many_purposes():
    world = World(FleetPlan(gpus=100_000, sites=1), T0)
    running = [job for job in world.state("muc1", T0).jobs if job.state is JobState.RUNNING]
    sizes = np.sort([job.gpus for job in running])[::-1]
    assert sizes[0] >= 2_048
    assert sizes[: len(sizes) // 10].sum() > 0.6 * sizes.sum()
    purposes = {job.purpose for job in running}
    assert {"pretraining", "finetuning", "inference", "medicine", "climate", "robotics"} <= purposes
    assert sum(job.gpus for job in running if job.purpose == "pretraining") > 0.4 * sizes.sum()
    assert all(job.cluster == "muc1" and job.user and job.account and job.partition for job in running)


def test_most_whole_node_jobs_lie_side_by_side():
    world = World(FleetPlan(gpus=100_000, sites=1, scenario="calm"), T0)
    state = world.state("muc1", T0)
    runs = np.flatnonzero(np.diff(state.gpu_job))
    running = sum(job.state is JobState.RUNNING for job in state.jobs)
    assert len(runs) < 1.2 * running


def test_memory_follows_the_jobs():
    world = World(FleetPlan(gpus=8_000, sites=1, scenario="calm"), T0)
    state = world.state("muc1", T0)
    used, free = state.columns["mem_used_bytes"], state.columns["mem_free_bytes"]
    busy = state.gpu_job >= 0
    assert used[busy].min() > 0.3 * (used + free)[busy].max()
    assert used[~busy].max() < 0.01 * (used + free).max()
    assert len(np.unique(np.round((used + free) / 1e6))) == 1


def test_bigger_sites_have_bigger_jobs_not_more_rows():
    world = World(FleetPlan(gpus=800_000, sites=1), T0)
    assert len(world.state("muc1", T0).jobs) <= 2_000


@settings(max_examples=60, deadline=None)
@given(nodes=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_free_runs_never_hand_a_node_out_twice(nodes, seed):
    rng = Random(seed)
    runs, taken, down = FreeRuns(10, 10 + nodes), [], set()
    for _ in range(60):
        choice = rng.random()
        if choice < 0.5:
            spans = runs.take(rng.randint(1, 12))
            taken += spans
        elif choice < 0.85 and taken:
            runs.give(*taken.pop(rng.randrange(len(taken))))
        else:
            node = rng.randrange(10, 10 + nodes)
            used = any(first <= node < last for first, last in taken)
            assert runs.remove(node) == (not used and node not in down)
            if not used:
                down.add(node)
        held = [node for first, last in taken for node in range(first, last)]
        assert len(held) == len(set(held))
        assert not down & set(held)
        assert runs.count == nodes - len(held) - len(down)
    for span in taken:
        runs.give(*span)
    spans = runs.take(runs.count) if runs.count else []
    assert {node for first, last in spans for node in range(first, last)} == set(range(10, 10 + nodes)) - down
