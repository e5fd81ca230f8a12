import numpy as np
import pytest

from console.emulator.blueprint import build_site
from console.emulator.fleet import FleetPlan
from console.emulator.naming import Numbered, numbered
from console.model.levels import Level


@pytest.fixture(scope="module")
def sites():
    return {plan.name: build_site(plan, 1) for plan in FleetPlan(gpus=40_000).site_plans()}


def test_air_racks_hold_four_nodes_of_eight_and_liquid_ones_eighteen_trays_of_four(sites):
    muc, bcn = sites["muc1"].topology, sites["bcn1"].topology
    assert set(np.diff(muc.rack_nodes)[:-1]) == {4}
    assert set(np.diff(muc.node_gpus)[:-1]) == {8}
    assert set(np.diff(bcn.rack_nodes)[:-1]) == {18}
    assert set(np.diff(bcn.node_gpus)[:-1]) == {4}
    assert muc.gpu_model(0) == "NVIDIA H100 80GB HBM3"
    assert bcn.gpu_model(0) == "NVIDIA GB200"


def test_mixed_site_has_both_in_halls_of_their_own(sites):
    osl = sites["osl1"].topology
    halls = osl.parents(Level.GPU, Level.HALL)
    for hall in range(len(osl.halls)):
        assert len(set(osl.model_code[halls == hall])) == 1
    assert set(osl.model_code) == {0, 1}


def test_liquid_domains(sites):
    bcn = sites["bcn1"].topology
    nvlink, cdu, shelf = bcn.domains["nvlink"], bcn.domains["cdu"], bcn.domains["shelf"]
    assert len(nvlink.names) == len(bcn.racks)
    assert len(shelf.names) == 8 * len(bcn.racks)
    assert "c4" in cdu.names
    racks = bcn.parents(Level.NODE, Level.RACK)
    for row in range(len(cdu.names)):
        members = cdu.members[cdu.starts[row] : cdu.starts[row + 1]]
        assert 1 < len(set(racks[members])) <= 8
    for row in (0, 7, 8, len(shelf.names) - 1):
        members = shelf.members[shelf.starts[row] : shelf.starts[row + 1]]
        assert set(racks[members]) == {row // 8}


def test_each_node_has_two_feeds_and_each_gpu_one_leaf(sites):
    for blueprint in sites.values():
        topology = blueprint.topology
        feeds = np.bincount(topology.domains["feed"].members, minlength=len(topology.nodes))
        assert set(feeds) == {2}
        leaf = topology.domains["leaf"]
        np.testing.assert_array_equal(np.sort(leaf.members), np.arange(topology.gpus))
        for row in (0, len(leaf.names) - 1):
            slots = topology.gpu_slot[leaf.members[leaf.starts[row] : leaf.starts[row + 1]]]
            assert len(set(slots)) == 1


def test_uuids_are_unique_over_the_fleet_and_stable(sites):
    seen = np.concatenate([blueprint.topology.uuid_low for blueprint in sites.values()])
    assert len(np.unique(seen)) == 40_000
    again = build_site(FleetPlan(gpus=40_000).site_plans()[0], 1).topology
    np.testing.assert_array_equal(again.uuid_high, sites["muc1"].topology.uuid_high)
    assert sites["muc1"].topology.uuid(5).startswith("GPU-")


def test_addresses_lead_back(sites):
    topology = sites["bcn1"].topology
    path = topology.path(Level.GPU, 4_321)
    assert topology.resolve(path) == (Level.GPU, 4_321)


def test_every_alias_leads_to_its_node_and_nothing_else_does(sites):
    topology = sites["muc1"].topology
    for row in (0, 1, 652, len(topology.nodes) - 1):
        aliases = topology.aliases.spellings(row)
        assert f"{topology.nodes[row]}.muc1.example.net" in aliases
        for alias in aliases:
            assert topology.node_row(alias) == row
    strangers = ("n9999.muc1.example.net", "muc1-x0001", "muc1-n1", "nvidia-dcgm-exporter-bbbbb", "bcn1-n0001", "")
    assert [topology.node_row(name) for name in strangers] == [None] * 6
    assert len(list(topology.aliases)) == len(topology.aliases) == len(set(topology.aliases))


def test_numbered_is_formatting():
    assert numbered("n", 1, 1_205, 4) == tuple(f"n{i:04d}" for i in range(1, 1_206))
    assert numbered("a-", 99_998, 3, 2) == ("a-099998", "a-099999", "a-100000")


@pytest.mark.parametrize(("first", "count", "width"), [(1, 1_205, 4), (99_998, 3, 2), (1, 0, 3)])
def test_numbers_that_are_spelled_when_looked_at_are_the_same(first, count, width):
    names, lazy = numbered("a-", first, count, width), Numbered("a-", first, count, width)
    assert tuple(lazy) == names == lazy
    assert lazy != (*names, "a-1")
    assert len(lazy) == len(names)
    assert [lazy[at] for at in range(count)] == list(names)
    assert lazy[1:3] == names[1:3]
    assert (lazy[-1] == names[-1]) if count else not lazy
    with pytest.raises(IndexError):
        lazy[count]
    assert lazy == Numbered("a-", first, count, width) != Numbered("b-", first, count, width)
