from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.model.jobs import Job, JobState
from console.model.reading import JobsPart, NamedKeys, NodeReportsPart, TopologyPart
from console.model.scheduling import NodeReason, NodeState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.topology import SiteTopology

NOW = 1_800_000_000.0
IDLE, DRAINED = NodeState("IDLE"), NodeState("IDLE", ("DRAIN",))


def topology(*nodes: str, version: int = 1) -> SiteTopology:
    return build_topology("muc1", [NodeSpec(node, gpus=4) for node in nodes], version=version, declared=True)


def report(names: Sequence[str], codes: Sequence[int], **more: object) -> NodeReportsPart:
    count = len(names)
    columns = {"gpus": np.full(count, 4, dtype=np.int16), "gpus_allocated": np.arange(count, dtype=np.int16)}
    return NodeReportsPart(
        NamedKeys("node", tuple(names)),
        (IDLE, DRAINED),
        np.array(codes, dtype=np.int32),
        **{**columns, **more},  # type: ignore[arg-type]
    )


def merger(*nodes: str) -> SiteMerger:
    return SiteMerger(topology(*nodes), BUILTIN)


def apply(to: SiteMerger, part: object, source: str = "slurm") -> None:
    to.apply(part, source=source, stale_after_s=60.0, received_at=NOW)  # type: ignore[arg-type]


def test_reports_stand_on_the_rows_of_their_nodes_whatever_order_they_come_in() -> None:
    site = merger("n1", "n2", "n3")
    why = NodeReason("XID 79", NOW - 60, "ada")
    apply(site, report(["n3", "n1.example.org"], [1, 0], reasons={0: why}))
    reports = site.frame(NOW).reports["slurm"]
    assert [reports.report(row) and reports.report(row).state.text for row in range(3)] == [  # type: ignore[union-attr]
        "IDLE",
        None,
        "IDLE+DRAIN",
    ]
    assert reports.report(2).reason == why  # type: ignore[union-attr]
    assert reports.gpus_allocated.tolist() == [1, -1, 0]
    assert reports.having("DRAIN").tolist() == [False, False, True]
    assert reports.having("IDLE").tolist() == [True, False, True]


def test_reports_follow_their_nodes_into_another_topology() -> None:
    site = merger("n1", "n2")
    apply(site, report(["n1", "n2"], [0, 1], reasons={1: NodeReason("fan")}))
    apply(site, TopologyPart(topology("n0", "n2", "n9", version=2)), "inventory")
    reports = site.frame(NOW).reports["slurm"]
    assert reports.codes.tolist() == [-1, 1, -1]
    assert reports.reasons == {1: NodeReason("fan")}


def test_nodes_that_nobody_knows_are_listed() -> None:
    site = merger("n1")
    apply(site, report(["n1", "ghost"], [0, 0]))
    (unjoined,) = site.frame(NOW).unjoined
    assert "ghost" in str(unjoined.names)


def test_a_report_that_makes_no_sense_changes_nothing() -> None:
    site = merger("n1")
    for part in (report(["n1"], [7]), report(["n1"], [0, 0]), report(["n1"], [-2])):
        apply(site, part)
    assert not site.frame(NOW).reports


def job(number: int) -> Job:
    return Job(str(number), f"llm-{number}", "ada", JobState.RUNNING, 2, 1)


def test_jobs_share_a_node_by_the_slots_they_hold() -> None:
    site = merger("n1", "n2")
    lists, masks = (("n1",), ("n1", "n2"), ("n2",), ("n2",)), ((0b0011,), (0b1000, -1), (0,), (0b0100,))
    apply(site, JobsPart(tuple(map(job, range(4))), node_lists=lists, gpu_masks=masks, at=NOW))
    jobs = site.frame(NOW).jobs
    assert jobs.gpu_job.tolist() == [0, 0, -1, 1, 1, 1, 3, 1]
    assert [jobs.nodes_of(index, site.topology).tolist() for index in range(4)] == [[0], [0, 1], [1], [1]]


def test_the_nodes_of_jobs_follow_into_another_topology_and_stand_beside_another_scheduler_s() -> None:
    site = merger("n1", "n2", "n3")
    apply(site, JobsPart((job(1), job(2)), node_lists=(("n1", "n3"), ("n2",)), at=NOW))
    apply(site, TopologyPart(topology("n3", "n0", "n2", version=2)), "inventory")
    apply(site, JobsPart((job(7), job(8)), node_lists=(("n0",),), at=NOW), "other")
    frame = site.frame(NOW)
    assert [frame.jobs.nodes_of(i, frame.topology).tolist() for i in range(4)] == [[2], [1], [0], []]
    assert [frame.topology.nodes[row] for row in (2, 1, 0)] == ["n3", "n2", "n0"]


def test_nodes_of_a_job_that_names_none_are_those_of_its_gpus() -> None:
    site = merger("n1", "n2")
    gpu_job = np.array([-1, 0, -1, -1, -1, -1, 0, -1], dtype=np.int32)
    apply(site, JobsPart((job(1),), gpu_job=gpu_job, version=1, at=NOW))
    frame = site.frame(NOW)
    assert frame.jobs.nodes_of(0, frame.topology).tolist() == [0, 1]
