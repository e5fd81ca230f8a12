from console.core.inventory import build_topology
from console.model.levels import Level
from console.model.topology import SMALL_RACK
from tests.support.fleets import node


def site(nodes):
    specs = [node(f"n{i:04}", f"h1/r{i % 2 + 1}", uuids=(2 * i + 1, 2 * i + 2)) for i in range(nodes)]
    return build_topology("muc1", specs, declared=True)


def test_every_node_is_found_at_its_path_without_a_table_of_all():
    topology = site(6)
    for row in range(6):
        assert topology.resolve(topology.path(Level.NODE, row)) == (Level.NODE, row)
    assert "_node_rows" not in vars(topology)


def test_a_node_is_not_found_in_another_rack():
    topology = site(6)
    assert topology.resolve("muc1/h1/r1/n0001") is None
    assert topology.resolve("muc1/h1/r1/n9999") is None


def test_nodes_of_racks_without_end_are_found_by_the_table():
    topology = site(2 * SMALL_RACK + 4)
    assert topology.resolve(topology.path(Level.NODE, SMALL_RACK + 3)) == (Level.NODE, SMALL_RACK + 3)
    assert "_node_rows" in vars(topology)
