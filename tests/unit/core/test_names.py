"""Names that do not agree: each voice has its own for a node, and what leads nowhere is listed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.core.inventory import build_topology
from console.core.naming import NodeNames
from console.model.inventory import NodeSpec
from console.model.levels import Level
from console.model.reading import FactsPart, JobsPart, NamedKeys, NodeReportsPart, TopologyPart
from console.model.scheduling import NodeState
from tests.support.fleets import NOW, column, keys_of, merger, tell, uuid

DECLARED = [
    NodeSpec("n1.muc1.example", "h1", "r1", 2, ("gpu-a",), "S1", "10.0.0.1", gpu_uuids=(uuid(1), uuid(2))),
    NodeSpec("n2.muc1.example", "h1", "r2", 2, (), "S2", "https://n2-bmc.mgmt:8443/", gpu_uuids=(uuid(3), uuid(4))),
]


def site():
    return build_topology("muc1", DECLARED, declared=True)


def missed(frame):
    return {each.source: each.names for each in frame.unjoined}


def test_an_exporter_that_names_its_pod_joins_by_the_uuids_of_its_gpus():
    keys = keys_of([("dcgm-exporter-x7k2p", 0, 3), ("dcgm-exporter-x7k2p", 1, 4), ("dcgm-exporter-q4", 0, 9)])
    frame = tell(merger(site()), column("temp_c", keys, [50, 51, 99])).frame(NOW)
    assert frame.columns["temp_c"].values.tolist()[2:] == [50, 51]
    assert np.isnan(frame.columns["temp_c"].values[:2]).all()
    assert frame.topology.uuid(2) == uuid(3)
    ((_, names),) = missed(frame).items()
    assert names == (f"dcgm-exporter-q4/g0 {uuid(9)}",)


@pytest.mark.parametrize(
    "spelling",
    [
        "n1", "n1.muc1.example", "n1.k8s.internal", "n1:9400", "n1.muc1.example:9100", "N1.MUC1.Example", "N1",
        "gpu-a", "GPU-A", "gpu-a.other.domain", "S1", "s1", "10.0.0.1", "10.0.0.1:443",
    ],
)  # fmt: skip
def test_every_voice_finds_the_node_by_its_own_name(spelling):
    assert NodeNames(site()).row(spelling) == 0


@pytest.mark.parametrize("spelling", ["https://n2-bmc.mgmt:8443/", "n2-bmc.mgmt", "n2-bmc.mgmt:8443", "n2-bmc"])
def test_a_bmc_is_found_by_its_address_however_the_inventory_writes_it(spelling):
    assert NodeNames(site()).row(spelling) == 1


@pytest.mark.parametrize("spelling", ["10.0.0.2", "10.0.0", "10", "n11", "n", "", "serial S1 at 10.0.0.1", "muc1"])
def test_what_only_looks_alike_joins_nothing(spelling):
    assert NodeNames(site()).row(spelling) == -1


def test_a_short_name_of_two_nodes_is_nobodys_and_is_listed():
    both = build_topology("muc1", [NodeSpec("n1.a.example"), NodeSpec("n1.b.example")], declared=True)
    frame = tell(merger(both), column("host_power_w", NamedKeys("node", ("n1", "n1.b.example")), [7, 8])).frame(NOW)
    assert np.isnan(frame.columns["host_power_w"].values).tolist() == [True, False]
    assert list(missed(frame).values()) == [("node n1",)]


def test_names_that_differ_in_case_alone_stay_two_nodes():
    names = NodeNames(build_topology("muc1", [NodeSpec("Node1"), NodeSpec("node1")], declared=True))
    assert (names.row("Node1"), names.row("node1"), names.row("NODE1")) == (0, 1, -1)


def test_scheduler_names_of_nodes_join_in_reports_and_jobs_and_strangers_are_listed():
    keys = NamedKeys("node", ("n2", "N1.muc1.example", "n9"))
    counts = np.array([2, 2, 2], dtype=np.int16)
    report = NodeReportsPart(keys, (NodeState("IDLE"),), np.zeros(3, dtype=np.int32), counts, counts, at=NOW)
    frame = tell(merger(site()), report).frame(NOW)
    (said,) = frame.reports.values()
    assert said.codes.tolist() == [0, 0]
    assert list(missed(frame).values()) == [("node n9",)]
    jobs = JobsPart((), node_lists=(), at=NOW)
    assert tell(merger(site()), jobs).frame(NOW).unjoined == ()


def test_a_gpu_that_moved_to_another_node_keeps_its_identity_and_leaves_no_twin():
    at = tell(
        merger(site()),
        column("temp_c", keys_of([("n1", 0, 1), ("n1", 1, 2), ("n2", 0, 3), ("n2", 1, 4)]), [1, 2, 3, 4]),
    )
    moved = keys_of([("n1", 1, 2), ("n2", 0, 1), ("n2", 1, 4)])
    frame = tell(at, column("temp_c", moved, [20, 10, 40], NOW + 5), at=NOW + 5).frame(NOW + 5)
    uuids = [frame.topology.uuid(row) for row in range(4)]
    assert uuids == ["", uuid(2), uuid(1), uuid(4)]
    assert frame.topology.key(Level.GPU, 2) == uuid(1)
    assert frame.columns["temp_c"].values.tolist()[1:] == [20, 10, 40]
    assert np.isnan(frame.columns["temp_c"].values[0])


def test_a_node_that_moved_to_another_rack_takes_everything_with_it():
    at = merger(site())
    tell(at, column("host_power_w", NamedKeys("node", ("n1", "n2")), [7, 8]))
    tell(at, column("temp_c", keys_of([("n1", 0, 1), ("n2", 0, 3)]), [50, 60]))
    tell(at, FactsPart("vbios", NamedKeys("node", ("n1", "n2")), ("v1", "v2"), NOW))
    before = at.frame(NOW).topology
    after = build_topology("muc1", [replace(DECLARED[0], hall="h2", rack="r9"), DECLARED[1]], version=2, declared=True)
    frame = tell(at, TopologyPart(after)).frame(NOW)
    row = frame.topology.node_row("n1.muc1.example")
    assert row == 1
    assert frame.topology.path(Level.NODE, row) == "muc1/h2/r9/n1.muc1.example"
    assert frame.topology.key(Level.NODE, row) == before.key(Level.NODE, 0)
    assert frame.columns["host_power_w"].values.tolist() == [8, 7]
    assert frame.columns["temp_c"].values[[0, 2]].tolist() == [60, 50]
    (facts,) = frame.facts.values()
    assert [facts.texts[code] for code in facts.codes] == ["v2", "v1"]


def test_values_of_one_node_under_two_names_in_one_reading_do_not_make_two_nodes():
    keys = keys_of([("n1", 0, 1), ("gpu-a:9400", 0, 1)])
    frame = tell(merger(site()), column("temp_c", keys, [50, 51])).frame(NOW)
    assert len(frame.topology.nodes) == 2
    assert frame.columns["temp_c"].values[0] == 51


def test_a_site_without_inventory_learns_one_node_from_all_spellings():
    at = merger(build_topology("muc1", ()))
    tell(at, column("temp_c", keys_of([("n1.muc1.example:9400", 0, 1)]), [50]))
    tell(at, column("power_w", keys_of([("n1", 0, 1)]), [300]))
    frame = at.frame(NOW)
    assert len(frame.topology.nodes) == 1
    assert frame.columns["power_w"].values.tolist() == [300]
