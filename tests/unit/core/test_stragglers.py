from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.core.job_query import select_jobs
from console.core.stragglers import LEAST_NODES, SIGNALS, group_medians, pairs_of, scores, slowest, stragglers
from console.model.columns import Column, same_time
from console.model.jobs import Job, Jobs, JobState
from console.model.levels import Level
from tests.support.panels import NOW, site_frame, snapshot

NODES, GPUS = 24, 8


def frame(jobs=(range(24),), slow=(), **values):
    """Return a site whose jobs hold these nodes whole; `slow` are (metric, GPU rows, factor)."""
    site = site_frame("muc1")
    gpu_job = np.full(site.topology.gpus, -1, dtype=np.int32)
    for number, nodes in enumerate(jobs):
        for node in nodes:
            gpu_job[node * GPUS : (node + 1) * GPUS] = number
    rng = np.random.default_rng(3)
    columns = dict(site.columns)
    for metric, value in {"sm_clock_mhz": 1980.0, "power_w": 600.0, "util_pct": 99.0, **values}.items():
        column = np.full(site.topology.gpus, value) * (1 + 0.002 * rng.standard_normal(site.topology.gpus))
        for name, rows, factor in slow:
            if name == metric:
                column[rows] *= factor
        columns[metric] = Column(metric, column.astype(np.float32), same_time(NOW, len(column)), 30.0, "dcgm")
    rows = tuple(Job(str(i), f"llm-{i}", "ada", JobState.RUNNING, 8 * len(n), len(n)) for i, n in enumerate(jobs))
    return replace(site, columns=columns, jobs=Jobs(rows, gpu_job, NOW, "slurm"))


@pytest.mark.parametrize("place", range(len(SIGNALS)))
def test_a_node_that_is_behind_its_peers_is_the_straggler_and_the_signal_is_named(place):
    site = frame(slow=[(SIGNALS[place].metric, slice(40, 48), 0.7)])
    found = stragglers(site, NOW)
    assert found.node.tolist() == [5]
    assert found.slow.tolist() == [True]
    assert found.signal.tolist() == [place]
    assert found.deficit[0] == pytest.approx(0.3, abs=0.01)


def test_equals_have_a_slowest_node_but_no_straggler():
    found = stragglers(frame(), NOW)
    assert found.node[0] >= 0
    assert found.slow.tolist() == [False]


def test_a_job_that_slows_down_as_a_whole_has_no_straggler():
    found = stragglers(frame(jobs=(range(12), range(12, 24)), slow=[("power_w", slice(0, 96), 0.3)]), NOW)
    assert found.slow.tolist() == [False, False]


def test_one_gpu_of_eight_that_throttles_is_enough():
    found = stragglers(frame(slow=[("sm_clock_mhz", slice(40, 41), 0.4)]), NOW)
    assert (found.node[0], found.slow[0]) == (5, True)


def test_jobs_of_too_few_nodes_have_no_peers():
    found = stragglers(frame(jobs=(range(LEAST_NODES - 1), range(5, 5 + LEAST_NODES))), NOW)
    assert found.node[0] == -1
    assert np.isnan(found.z[0])
    assert not found.slow[0]
    assert found.node[1] >= 5


def test_gpus_of_another_model_are_compared_with_their_own():
    site = frame(slow=[("power_w", slice(0, 96), 0.5)])
    codes = np.where(np.arange(site.topology.gpus) < 96, 1, 0).astype(np.uint8)
    mixed = replace(site, topology=replace(site.topology, models=("H100", "A100"), model_code=codes))
    assert stragglers(mixed, NOW).slow.tolist() == [False]


def test_missing_values_neither_accuse_nor_excuse():
    site = frame(slow=[("power_w", slice(40, 48), 0.5), ("power_w", slice(80, 88), np.nan)])
    found = stragglers(site, NOW)
    assert (found.node[0], found.slow[0]) == (5, True)
    silent = stragglers(replace(site, stale=True), NOW)
    assert silent.node.tolist() == [-1]
    old = stragglers(frame(), NOW + 3600)
    assert old.node.tolist() == [-1]


def test_gpus_of_one_node_that_two_jobs_share_stay_apart():
    gpu_job = np.array([1, 0, 1, 0, -1, 0, 1, 1], dtype=np.int32)
    pairs = pairs_of(gpu_job, np.repeat(np.arange(2, dtype=np.int32), 4))
    assert list(zip(pairs.node.tolist(), pairs.job.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    means = pairs.means(np.arange(8, dtype=np.float32))
    assert means.tolist() == [2.0, 1.0, 5.0, 6.5]


def test_the_order_of_nodes_changes_nothing():
    rng = np.random.default_rng(11)
    for _ in range(50):
        size = int(rng.integers(3, 60))
        job, node = rng.integers(0, 5, size), np.arange(size)
        values = [np.round(rng.normal(1000, 60, size)) for _ in SIGNALS]
        values[1][rng.random(size) < 0.2] = np.nan
        order = rng.permutation(size)
        first = slowest(job, node, job, values, 5)
        second = slowest(job[order], node[order], job[order], [each[order] for each in values], 5)
        assert first.node.tolist() == second.node.tolist()
        np.testing.assert_array_equal(first.z, second.z)
        np.testing.assert_array_equal(first.signal, second.signal)


def test_the_score_is_that_of_the_books():
    values = np.array([100.0, 90, 101, 99, 100])
    z, deficit = scores(np.zeros(5, dtype=np.int64), values, 0.0)
    assert z[1] == pytest.approx(0.6745 * 10 / 1.0)
    assert deficit[1] == pytest.approx(0.1)


def test_rows_tell_the_slowest_node_and_what_has_no_peers_is_missing():
    site = frame(jobs=(range(4), range(10, 11)), slow=[("power_w", slice(8, 16), 0.5)])
    rows = select_jobs(snapshot((site,)), sort="id")
    first, second = rows.to_dicts()
    assert first["slowest_node"] == site.topology.path(Level.NODE, 1)
    assert (first["slowest_by"], first["straggler"]) == ("power", 1)
    assert first["slowdown_pct"] == pytest.approx(50, abs=1)
    assert (second["slowest_node"], second["slowest_by"], second["slowdown_pct"]) == (None, None, None)
    slow = select_jobs(snapshot((site,)), where="straggler == 1")
    assert list(slow.ids) == ["job:muc1/0"]


def test_medians_of_groups_are_those_of_each_group_alone():
    rng = np.random.default_rng(5)
    for _ in range(50):
        size = int(rng.integers(1, 40))
        groups = rng.integers(0, 6, size)
        values = rng.normal(0, 1000, size).astype(np.float32).astype(np.float64)
        median, count = group_medians(groups, values)
        for group in set(groups.tolist()):
            here = groups == group
            assert set(count[here].tolist()) == {int(here.sum())}
            assert set(median[here].tolist()) == {float(np.median(values[here]))}


def test_what_is_told_follows_every_new_sweep_and_every_age():
    site = frame()
    before = stragglers(site, NOW)
    assert stragglers(replace(site), NOW + 1) is before
    slow = frame(slow=[("power_w", slice(40, 48), 0.5)]).columns["power_w"]
    after = stragglers(replace(site, columns={**site.columns, "power_w": slow}), NOW + 1)
    assert (before.slow.tolist(), after.slow.tolist(), after.node.tolist()) == ([False], [True], [5])
    assert stragglers(replace(site), NOW + 3600).node.tolist() == [-1]
