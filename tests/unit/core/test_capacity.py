from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from console.core.capacity import blocks, capacity
from console.core.free_rows import FREE_FIELDS, select_free
from console.core.query import select
from console.model.columns import Column, same_time
from console.model.errors import TargetError, UsageError
from console.model.jobs import Job, Jobs, JobState
from console.model.levels import Level
from console.model.scheduling import NodeReports, NodeState, Reservation
from console.model.topology import Domain
from tests.support.panels import NODES as NODES_A_RACK
from tests.support.panels import NOW, site_frame, snapshot

NODES, GPUS = 24, 8
RACKS = NODES // NODES_A_RACK


def site(states=(), jobs=(), reservations=(), bad=(), silent=(), nvlink=True):
    """Return 6 racks of 4 nodes, a rack an NVLink domain; `jobs` are (nodes, Job), `states` (node, words)."""
    frame = site_frame("muc1")
    gpus = frame.topology.gpus
    gpu_job = np.full(gpus, -1, dtype=np.int32)
    for number, (nodes, _) in enumerate(jobs):
        for node in nodes:
            gpu_job[node * GPUS : (node + 1) * GPUS] = number
    words = [NodeState("IDLE"), *(NodeState(text.split("+")[0], tuple(text.split("+")[1:])) for _, text in states)]
    codes = np.zeros(NODES, dtype=np.int32)
    for place, (node, _) in enumerate(states, 1):
        codes[node] = place
    allocated = np.zeros(NODES, dtype=np.int16)
    reports = NodeReports(tuple(words), codes, np.full(NODES, GPUS, dtype=np.int16), allocated, at=NOW)
    columns = dict(frame.columns)
    pending = np.zeros(gpus, dtype=np.float32)
    for row in bad:
        pending[row] = 1
    columns["remap_pending"] = Column("remap_pending", pending, same_time(NOW, gpus), 30.0, "dcgm")
    reporting = np.ones(gpus, dtype=bool)
    for row in silent:
        reporting[row] = False
    starts = np.arange(0, NODES + 1, NODES_A_RACK, dtype=np.int32)
    domain = Domain(
        "nvlink", tuple(f"d{i}" for i in range(RACKS)), Level.NODE, np.arange(NODES, dtype=np.int32), starts
    )
    domains = {**frame.topology.domains, **({"nvlink": domain} if nvlink else {})}
    return replace(
        frame,
        topology=replace(frame.topology, domains=domains),
        columns=columns,
        reporting=reporting,
        jobs=Jobs(tuple(job for _, job in jobs), gpu_job, NOW, "slurm"),
        reports={"slurm": reports},
        reservations={"slurm": tuple(reservations)},
    )


def job(id="1", limit_s=7200.0):
    return Job(id, f"llm-{id}", "ada", JobState.RUNNING, 8, 1, start_at=NOW - 3600, time_limit_s=limit_s)


def free(frame):
    return np.flatnonzero(capacity(frame, NOW).free).tolist()


def test_idle_healthy_nodes_in_service_are_free():
    assert free(site()) == list(range(NODES))


@pytest.mark.parametrize(
    "words", ["IDLE+DRAIN", "DOWN", "DOWN+NOT_RESPONDING", "IDLE+MAINTENANCE", "IDLE+POWERED_DOWN"]
)
def test_a_node_that_a_scheduler_keeps_out_is_never_free(words):
    assert 5 not in free(site(states=[(5, words)]))
    assert len(free(site(states=[(5, words)]))) == NODES - 1


@pytest.mark.parametrize(
    "frame",
    [
        site(jobs=[([5], job())]),
        site(states=[(5, "ALLOCATED")]),
        site(bad=[5 * GPUS + 3]),
        site(silent=[5 * GPUS]),
        site(reservations=[Reservation("maint", ("n0006",), NOW - 60, NOW + 60)]),
    ],
    ids=["job", "scheduler", "repair", "silent", "reserved"],
)
def test_what_keeps_a_node_from_being_free(frame):
    if frame.reports["slurm"].codes[5]:
        allocated = frame.reports["slurm"].gpus_allocated.copy()
        allocated[5] = 8
        frame = replace(frame, reports={"slurm": replace(frame.reports["slurm"], gpus_allocated=allocated)})
    assert free(frame) == [row for row in range(NODES) if row != 5]


def test_a_reservation_that_is_over_or_to_come_keeps_nothing():
    others = [Reservation("old", ("n0001",), NOW - 60, NOW - 1), Reservation("next", ("n0002",), NOW + 1, NOW + 60)]
    assert len(free(site(reservations=others))) == NODES


def test_nothing_is_free_where_no_scheduler_tells():
    frame = replace(site(), reports={}, jobs=Jobs())
    assert free(frame) == []
    (row,) = select(snapshot((frame,)), Level.SITE, fields=("id", "free_gpus", "free_blocks", "drain_s")).to_dicts()
    assert (row["free_gpus"], row["free_blocks"], row["drain_s"]) == (None, None, None)


def test_a_draining_node_is_empty_when_its_last_job_must_have_ended():
    shared = [([5], job("1", 7200)), ([6], job("2", 10_800)), ([7], job("3", math.inf))]
    has = capacity(site(states=[(5, "MIXED+DRAIN"), (7, "MIXED+DRAIN")], jobs=shared), NOW)
    assert has.drain_at[5] == NOW + 3600
    assert np.isnan(has.drain_at[6])
    assert has.until[6] == NOW + 7200
    assert has.drain_at[7] == np.inf


def test_blocks_are_nvlink_domains_and_nodes_without_one():
    frame = site(jobs=[([0], job())], states=[(4, "IDLE+DRAIN")])
    rows = {row["name"]: row for row in select_free(snapshot((frame,)), everything=True).to_dicts()}
    assert list(rows["d0"]) == list(FREE_FIELDS)
    assert (rows["d0"]["free_nodes"], rows["d0"]["free_gpus"], rows["d0"]["whole"]) == (3, 24, 0)
    assert rows["d0"]["free_at"] == NOW + 3600
    assert (rows["d0"]["why"], rows["d1"]["why"]) == ("1 busy", "1 out of service")
    assert rows["d1"]["free_at"] is None
    assert (rows["d2"]["whole"], rows["d2"]["id"], rows["d2"]["why"]) == (1, "muc1/nvlink:d2", None)
    alone = blocks(site(nvlink=False))
    assert set(alone.kinds) == {"node"}
    assert len(alone.ids) == NODES


def test_free_rows_are_sorted_bounded_and_within_a_place():
    frame = site(jobs=[(range(5), job())])
    first = select_free(snapshot((frame,)), limit=1).to_dicts()
    assert next(first)["name"] == "d2"
    assert len(select_free(snapshot((frame,)))) == RACKS - 1  # d0 is busy as a whole
    here = list(select_free(snapshot((frame,)), within="muc1/h1/r002").to_dicts())
    assert [row["name"] for row in here] == ["d1"]
    with pytest.raises(UsageError, match="no field nonsense"):
        select_free(snapshot((frame,)), fields=("nonsense",))
    with pytest.raises(TargetError):
        select_free(snapshot((frame,)), within="oslo")


def test_status_has_free_gpus_at_every_level_and_by_domain():
    frame = site(jobs=[([0], job())], states=[(0, "MIXED+DRAIN")])
    shot = snapshot((frame, site_frame("bcn1")))
    fields = ("id", "free_gpus", "free_blocks", "drain_s")
    by_id = {row["id"]: row for row in select(shot, Level.RACK, within="muc1", fields=fields).to_dicts()}
    assert by_id["muc1/h1/r001"] == {"id": "muc1/h1/r001", "free_gpus": 24, "free_blocks": 0, "drain_s": 3600}
    assert by_id["muc1/h1/r002"]["free_blocks"] == 1
    domains = list(select(shot, Level.SITE, by="nvlink", where="free_gpus == gpus", fields=fields).to_dicts())
    assert [row["id"] for row in domains] == [f"muc1/nvlink:d{i}" for i in range(1, RACKS)]
    gpus = list(select(shot, Level.GPU, within="muc1/h1/r001", fields=fields).to_dicts())
    assert {row["free_gpus"] for row in gpus[:8]} == {0}
    assert {row["free_gpus"] for row in gpus[8:]} == {1}


def test_no_drained_ill_or_busy_node_is_ever_counted():
    rng = np.random.default_rng(5)
    for _ in range(40):
        picks = rng.integers(0, 4, NODES)
        states = [(int(node), "IDLE+DRAIN") for node in np.flatnonzero(picks == 1)]
        jobs = [([int(node)], job(str(node))) for node in np.flatnonzero(picks == 2)]
        frame = site(states=states, jobs=jobs, bad=(np.flatnonzero(picks == 3) * GPUS).tolist())
        assert free(frame) == np.flatnonzero(picks == 0).tolist()
        rows = list(select_free(snapshot((frame,)), everything=True).to_dicts())
        assert sum(row["free_nodes"] for row in rows) == int((picks == 0).sum())


def test_without_telemetry_the_schedulers_word_alone_counts_and_that_is_told():
    frame = replace(
        site(states=[(5, "IDLE+DRAIN")]), columns={}, reporting=np.zeros(NODES * GPUS, dtype=bool), stale=True
    )
    assert free(frame) == [row for row in range(NODES) if row != 5]
    assert {row["health_told"] for row in select_free(snapshot((frame,))).to_dicts()} == {0}
    silent = replace(site(), reporting=np.zeros(NODES * GPUS, dtype=bool), stale=True)
    assert free(silent) == []
