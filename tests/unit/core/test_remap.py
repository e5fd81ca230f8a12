from console.core.inventory import build_topology, empty_topology
from console.core.remap import is_identity, named_map, row_map
from console.model.levels import Level
from tests.support.fleets import node, small_site


def gpu_rows(before, after):
    return row_map(build_topology("muc1", before), build_topology("muc1", after), Level.GPU).tolist()


def test_an_unchanged_site_maps_onto_itself():
    topology = small_site()
    for level in Level:
        assert is_identity(row_map(topology, small_site(), level), topology.count(level))


def test_gpus_follow_their_uuid_through_exchange_and_rack():
    before = [node("n1", "h1/r1", uuids=(1, 2)), node("n2", "h1/r2", uuids=(3, 4))]
    after = [node("n2", "h0/r1", uuids=(3, 1)), node("n1", "h1/r1", uuids=(4, 2))]
    assert gpu_rows(before, after) == [2, 0, 3, 1]


def test_a_replaced_gpu_inherits_nothing():
    assert gpu_rows([node("n1", uuids=(1, 2))], [node("n1", uuids=(9, 2))]) == [-1, 1]


def test_a_slot_stands_for_its_gpu_while_no_uuid_is_known():
    assert gpu_rows([node("n1")], [node("n0"), node("n1", uuids=(1, 2))]) == [-1, -1, 0, 1]
    assert gpu_rows([node("n1", uuids=(1, 2))], [node("n1")]) == [0, 1]


def test_one_gpu_is_never_at_two_places():
    # GPU 1 moved to n2; the slot that it left is empty now and must not inherit from it.
    before = [node("n1", uuids=(1, 2)), node("n2", uuids=(3, 4))]
    after = [node("n1", gpus=2), node("n2", uuids=(1, 4))]
    assert gpu_rows(before, after) == [-1, 1, 0, 3]


def test_racks_are_known_by_hall_and_name_and_domains_by_name():
    before = build_topology("muc1", [node("a", "h1/r1", domains={"cdu": ("c1",)}), node("b", "h2/r1")])
    after = build_topology("muc1", [node("b", "h2/r1", domains={"cdu": ("c0", "c1")}), node("c", "h3/r1")])
    assert row_map(before, after, Level.RACK).tolist() == [1, -1]
    assert row_map(before, after, Level.HALL).tolist() == [1, -1]
    assert row_map(before, after, Level.NODE).tolist() == [1, -1]
    assert named_map(before, after, "cdu").tolist() == [-1, 0]
    assert named_map(before, after, "feed").tolist() == []


def test_a_site_that_begins_or_ends_empty():
    topology = small_site()
    assert (row_map(empty_topology("muc1"), topology, Level.GPU) == -1).all()
    assert len(row_map(topology, empty_topology("muc1"), Level.GPU)) == 0
