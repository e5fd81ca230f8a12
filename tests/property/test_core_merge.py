import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.inventory import empty_topology
from console.model.levels import Level
from console.model.reading import TopologyPart
from tests.support.fleets import NOW, by_key, column, fleet_frame, gpu_keys, merger, small_site, tell


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, 2**32), st.booleans(), st.booleans())
def test_the_order_of_the_keys_does_not_matter(random, seed, declared, with_uuid):
    topology = small_site()
    order = list(range(topology.gpus))
    random.shuffle(order)
    values = np.random.default_rng(seed).uniform(-40, 160, topology.gpus)
    start = topology if declared else empty_topology("muc1")
    straight = tell(merger(start), column("temp_c", gpu_keys(topology, with_uuid=with_uuid), values)).frame(NOW)
    mixed_keys = gpu_keys(topology, order, with_uuid=with_uuid)
    mixed = tell(merger(start), column("temp_c", mixed_keys, values[order])).frame(NOW)
    assert straight.topology.nodes == mixed.topology.nodes
    np.testing.assert_array_equal(straight.columns["temp_c"].values, mixed.columns["temp_c"].values)
    np.testing.assert_array_equal(straight.reporting, mixed.reporting)
    for level in (Level.SITE, Level.RACK, Level.NODE):
        np.testing.assert_array_equal(straight.rollups["temp_c"].sums[level], mixed.rollups["temp_c"].sums[level])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(0, 47), min_size=1, max_size=30), min_size=1, max_size=6))
def test_deltas_leave_the_last_word_of_every_gpu(deltas):
    topology = small_site()
    site, wanted = merger(topology), {}
    for turn, rows in enumerate(deltas):
        values = [20.0 + turn + i / 100 for i in range(len(rows))]
        tell(site, column("temp_c", gpu_keys(topology, rows), values, full=False))
        wanted |= {topology.key(Level.GPU, row): np.float32(value) for row, value in zip(rows, values, strict=True)}
    found = by_key(topology, site.frame(NOW).columns["temp_c"].values)
    assert {key: value for key, value in found.items() if not np.isnan(value)} == wanted


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32))
def test_a_held_frame_is_unchanged_after_a_hundred_more_parts(seed):
    random = np.random.default_rng(seed)
    topology = small_site()
    keys = gpu_keys(topology)
    site = tell(merger(topology), column("temp_c", keys, random.uniform(20, 90, topology.gpus)))
    held = fleet_frame(site.frame(NOW)).sites[0]
    values, at = held.columns["temp_c"].values.copy(), np.array(held.columns["temp_c"].at)
    sums, reporting = held.rollups["temp_c"].sums[Level.NODE].copy(), held.reporting.copy()
    for turn in range(100):
        rows = random.permutation(topology.gpus)[: random.integers(1, topology.gpus)]
        part = column("temp_c", gpu_keys(topology, rows), random.uniform(-90, 200, len(rows)), full=turn % 3 == 0)
        tell(site, part, at=NOW + turn)
        if turn % 40 == 20:
            tell(site, TopologyPart(small_site(racks=2 + turn % 3)), source="site")
        site.frame(NOW + turn)
    assert held.topology is topology
    np.testing.assert_array_equal(held.columns["temp_c"].values, values)
    np.testing.assert_array_equal(held.columns["temp_c"].at, at)
    np.testing.assert_array_equal(held.rollups["temp_c"].sums[Level.NODE], sums)
    np.testing.assert_array_equal(held.reporting, reporting)
    assert not held.columns["temp_c"].values.flags.writeable
