import numpy as np
import pytest

from console.core.inventory import build_topology, empty_topology
from console.core.layout import Layout
from console.core.learning import learn
from console.model.errors import ConfigErrors
from console.model.levels import Level
from tests.support.fleets import gpu_keys, keys_of, node, small_site, uuid


def owners(topology):
    return {topology.uuid(row): topology.path(Level.GPU, row) for row in range(topology.gpus) if topology.uuid(row)}


def test_rows_stand_in_natural_order_of_hall_rack_node_and_slot():
    specs = [node("n10", "h2/r1"), node("n9", "h10/r2"), node("n2", "h2/r1"), node("n1", "h2/r11"), node("n3", "h2/r2")]
    topology = build_topology("muc1", specs, declared=True)
    assert topology.halls == ("h2", "h10")
    assert [topology.path(Level.NODE, row) for row in range(5)] == [
        "muc1/h2/r1/n2", "muc1/h2/r1/n10", "muc1/h2/r2/n3", "muc1/h2/r11/n1", "muc1/h10/r2/n9",
    ]  # fmt: skip
    assert topology.path(Level.GPU, 3) == "muc1/h2/r1/n10/g1"
    assert topology.resolve("muc1/h10/r2/n9/g0") == (Level.GPU, 8)


def test_racks_of_one_name_in_two_halls_are_two_racks():
    topology = build_topology("muc1", [node("a", "h1/r1"), node("b", "h2/r1"), node("c", "h1/r1")])
    assert topology.racks == ("r1", "r1")
    assert topology.nodes == ("a", "c", "b")


def test_a_node_without_a_place_has_every_level_all_the_same():
    topology = build_topology("muc1", [node("n1", "/"), node("n2", "h1/")])
    assert topology.path(Level.NODE, 0) == "muc1/-/-/n1"
    assert topology.path(Level.NODE, 1) == "muc1/h1/-/n2"


def test_a_slash_in_a_name_does_not_break_the_address():
    topology = build_topology("muc1", [node("rack/7")])
    assert topology.resolve("muc1/h1/r1/rack_7") == (Level.NODE, 0)
    assert topology.node_row("rack/7") == 0


def test_domains_are_many_to_many_with_names_in_natural_order():
    specs = [node("n2", domains={"feed": ("f10", "f9")}), node("n1", domains={"feed": ("f9",), "cdu": ("c1",)})]
    topology = build_topology("muc1", specs)
    feed = topology.domains["feed"]
    assert feed.names == ("f9", "f10")
    assert feed.members.tolist() == [0, 1, 1]
    assert feed.starts.tolist() == [0, 2, 3]
    assert feed.of(1) == ("f9", "f10")
    assert topology.domains["cdu"].of(1) == ()


def test_aliases_serials_and_bmcs_lead_to_the_node():
    specs = [node("n2", aliases=("pod-7",), serial="S2", bmc="10.0.0.2"), node("n1", serial="S1")]
    topology = build_topology("muc1", specs)
    assert [topology.node_row(name) for name in ("pod-7", "S2", "10.0.0.2", "S1", "n9")] == [1, 1, 1, 0, None]
    assert topology.serials == ("S1", "S2")


def test_every_name_that_two_nodes_claim_is_told_with_both():
    specs = [node("n1", aliases=("x",)), node("n2", aliases=("x", "n1")), node("n2", "h2/r2")]
    with pytest.raises(ConfigErrors) as caught:
        build_topology("muc1", specs)
    text = str(caught.value)
    assert "'x' is claimed by two nodes, n1 and n2" in text
    assert "'n1' is claimed by two nodes, n1 and n2" in text
    assert "'n2' is declared twice (hall h1, rack r1 and hall h2, rack r2)" in text


def test_two_machines_of_one_serial_are_not_told_apart_by_it():
    topology = build_topology("muc1", [node("n1", serial="S"), node("n2", serial="S")])
    assert topology.node_row("S") is None


def test_an_empty_site_has_no_rows_but_is_there():
    topology = empty_topology("muc1")
    assert (topology.gpus, topology.count(Level.NODE), topology.count(Level.SITE)) == (0, 0, 1)
    assert topology.resolve("muc1") == (Level.SITE, 0)


def test_a_voice_fills_in_the_uuids_that_are_not_known():
    topology = build_topology("muc1", [node("n1"), node("n2")], declared=True)
    learnt, rows = learn(topology, keys_of([("n2", 1, 7), ("n1", 0, 8)]))
    assert rows.tolist() == [3, 0]
    assert learnt.version == topology.version + 1
    assert owners(learnt) == {uuid(8): "muc1/h1/r1/n1/g0", uuid(7): "muc1/h1/r1/n2/g1"}
    assert learn(learnt, keys_of([("n2", 1, 7)]))[0] is learnt


def test_another_uuid_in_a_slot_is_a_swap_and_one_in_another_slot_a_move():
    topology = build_topology("muc1", [node("n1", uuids=(1, 2)), node("n2", uuids=(3, 4))], declared=True)
    swapped, rows = learn(topology, keys_of([("n1", 0, 9)]))
    assert (rows.tolist(), owners(swapped)[uuid(9)]) == ([0], "muc1/h1/r1/n1/g0")
    assert uuid(1) not in owners(swapped)
    moved, rows = learn(topology, keys_of([("n1", 0, 3), ("n2", 0, 1)]))
    assert rows.tolist() == [0, 2]
    assert owners(moved)[uuid(3)] == "muc1/h1/r1/n1/g0"
    assert owners(moved)[uuid(1)] == "muc1/h1/r1/n2/g0"


def test_a_body_that_contradicts_itself_does_not_make_the_site_flap():
    topology = build_topology("muc1", [node("n1", uuids=(1, 2)), node("n2", uuids=(3, 4))], declared=True)
    # An old series lives on beside the new one for a while: the known GPU keeps its slot.
    same, rows = learn(topology, keys_of([("n1", 0, 9), ("n1", 0, 1), ("n2", 1, 2), ("n1", 1, 2)]))
    assert same is topology
    assert rows.tolist() == [-1, 0, -1, 1]


def test_a_declared_site_does_not_grow_and_joins_by_uuid_under_any_name():
    topology = build_topology("muc1", [node("n1", uuids=(1, 2))], declared=True)
    same, rows = learn(topology, keys_of([("exporter-x7", 0, 2), ("n7", 0, 70), ("n1", 5, 71)]))
    assert same is topology
    assert rows.tolist() == [1, -1, -1]


def test_a_discovered_site_grows_by_nodes_and_slots_and_keeps_what_it_knew():
    first, _ = learn(empty_topology("muc1"), keys_of([("n10:9400", 0, 1), ("n2:9400", 1, 2)]))
    assert [first.path(Level.GPU, row) for row in range(first.gpus)] == [
        "muc1/-/-/n2/g0", "muc1/-/-/n2/g1", "muc1/-/-/n10/g0",
    ]  # fmt: skip
    second, rows = learn(first, keys_of([("n3", 0, 3), ("n10:9400", 2, 4), ("", 0, 5)]))
    assert second.nodes == ("n2", "n3", "n10")
    assert owners(second)[uuid(1)] == "muc1/-/-/n10/g0"
    assert owners(second)[uuid(4)] == "muc1/-/-/n10/g2"
    assert rows.tolist() == [2, 5, -1]


def test_host_names_ports_and_first_labels_lead_to_one_node():
    topology = build_topology("muc1", [node("n1"), node("n2.muc1.example")], declared=True)
    said = [("n1.muc1.example:9400", 0, 0), ("n2", 1, 0), ("n2.muc1.example", 0, 0), ("10.0.0.1:9400", 0, 0)]
    assert learn(topology, keys_of(said))[1].tolist() == [0, 3, 2, -1]


def test_a_layout_tells_hall_rack_and_name_of_a_discovered_node():
    layout = Layout(r"(?P<hall>h\d+)-(?P<rack>r\d+)-(?P<node>n\d+)")
    topology, rows = learn(empty_topology("muc1"), keys_of([("h1-r7-n3.example:9400", 0, 1), ("odd", 0, 2)]), layout)
    assert [topology.path(Level.GPU, row) for row in rows] == ["muc1/h1/r7/n3/g0", "muc1/-/-/odd/g0"]
    again, same = learn(topology, keys_of([("h1-r7-n3.example:9400", 1, 3), ("h1-r7-n3", 0, 1)]), layout)
    assert again.nodes == topology.nodes
    assert again.path(Level.GPU, int(same[1])) == "muc1/h1/r7/n3/g0"


def test_a_voice_without_gpu_numbers_fills_free_slots():
    topology = build_topology("muc1", [node("n1", gpus=2, uuids=(1,))], declared=True)
    _, rows = learn(topology, keys_of([("n1", -1, 5), ("n1", -1, 1), ("n1", -1, 6)]))
    assert rows.tolist() == [1, 0, -1]
    grown, rows = learn(empty_topology("muc1"), keys_of([("n1", -1, 5), ("n1", -1, 6), ("n1", -1, 5)]))
    assert (grown.gpus, rows.tolist()) == (2, [0, 1, 0])


def test_domains_and_serials_stay_with_their_nodes_when_a_site_grows():
    base = build_topology("muc1", [node("n5", serial="S5", domains={"cdu": ("c1",)})])
    grown, _ = learn(base, keys_of([("n1", 0, 1)]))
    row = grown.node_row("n5")
    assert grown.domains["cdu"].of(row) == ("c1",)
    assert grown.serials[row] == "S5"
    assert grown.node_row("S5") == row


def test_a_site_learnt_from_its_own_keys_is_the_same_site():
    declared = small_site()
    learnt, rows = learn(empty_topology("muc1"), gpu_keys(declared))
    assert learnt.nodes == declared.nodes
    np.testing.assert_array_equal(learnt.uuid_high[rows], declared.uuid_high)
