import numpy as np
import pytest

from console.core.history import HistoryRings
from console.core.inventory import build_topology
from console.core.ring import Ring
from console.model.builtin_metrics import BUILTIN
from console.model.reading import TopologyPart
from tests.support.fleets import NOW, column, fleet_frame, gpu_keys, merger, named, node, small_site, tell

HOUR_S = 3600.0
# Nodes and racks are kept as float16.
HALF = 1 / 2048


def run(rings, site, ticks, *, start=NOW, step_s=1.0, base=40.0):
    """Let every GPU row report `base` + its row + the tick; return when the last sample was."""
    for tick in range(ticks):
        at = start + tick * step_s
        topology = site.topology
        values = base + tick + np.arange(topology.gpus) / 100
        tell(site, column("temp_c", gpu_keys(topology), values, at), at=at)
        tell(site, column("it_power_w", named("site", "x"), [1e6 + tick], at), source="facility", at=at)
        rings.append(fleet_frame(site.frame(at), at=at))
    return at


def started(ticks=3, **site):
    rings, one = HistoryRings(BUILTIN), merger(small_site(**site))
    run(rings, one, ticks)
    return rings, one


@pytest.mark.parametrize(
    ("path", "field", "last"),
    [
        ("muc1", "it_power_w", 1e6 + 2),
        ("muc1", "temp_c_max", 42.47),
        ("muc1/h2", "temp_c_max", 42.47),
        ("muc1/h1", "temp_c_avg", 42.115),
        ("muc1/h1/r002", "temp_c_max", 42.23),
        ("muc1/h1/r001/n0001", "temp_c_max", 42.03),
    ],
)
def test_fields_of_nodes_and_wider_are_kept(path, field, last):
    rings, _ = started()
    at, values = rings.get(path, field, HOUR_S)
    assert at.tolist() == [NOW, NOW + 1, NOW + 2]
    assert values[-1] == pytest.approx(last, rel=HALF)
    assert (at.dtype, values.dtype) == (np.float64, np.float32)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("", "temp_c_max"), ("hel1", "temp_c_max"), ("muc1/h9", "temp_c_max"), ("muc1", "temp_c"), ("muc1", "no_field"),
        ("muc1/h1/r001/n0001", "it_power_w"), ("muc1/h1/r001/n0001/g0", "temp_c"),
    ],
)  # fmt: skip
def test_what_is_not_kept_is_empty(path, field):
    rings, _ = started()
    at, values = rings.get(path, field, HOUR_S)
    assert (len(at), len(values)) == (0, 0)


def test_a_span_cuts_and_a_copy_is_given():
    rings, _ = started(10)
    at, values = rings.get("muc1", "temp_c_max", 3.0)
    assert at.tolist() == [NOW + 6, NOW + 7, NOW + 8, NOW + 9]
    values[:] = 0
    assert rings.get("muc1", "temp_c_max", 3.0)[1].min() > 0


def test_data_that_did_not_move_is_no_new_sample():
    rings, site = started()
    for later in (3, 4, 5):
        rings.append(fleet_frame(site.frame(NOW + later), at=NOW + later))
    assert len(rings.get("muc1", "temp_c_max", HOUR_S)[0]) == 3


def test_a_field_that_is_missing_is_a_gap():
    rings, _ = started()
    assert np.isnan(rings.get("muc1", "util_pct", HOUR_S)[1]).all()


def test_a_site_that_turns_stale_leaves_one_gap():
    rings, site = started()
    for later in (40, 41, 42):
        rings.append(fleet_frame(site.frame(NOW + later), at=NOW + later))
    run(rings, site, 1, start=NOW + 60)
    at, values = rings.get("muc1", "temp_c_max", HOUR_S)
    assert at.tolist() == [NOW, NOW + 1, NOW + 2, NOW + 40, NOW + 60]
    assert np.isnan(values).tolist() == [False, False, False, True, False]


def test_gpus_are_kept_from_when_somebody_looks():
    rings, site = started()
    rings.watch("muc1/h1/r001/n0002/g1")
    run(rings, site, 2, start=NOW + 10)
    at, values = rings.get("muc1/h1/r001/n0002/g3", "temp_c", HOUR_S)
    assert at.tolist() == [NOW + 10, NOW + 11]
    assert values[-1] == pytest.approx(41.07, abs=0.001)
    assert len(rings.get("muc1/h1/r001/n0001/g0", "temp_c", HOUR_S)[0]) == 0


def test_watching_is_bounded_and_the_first_looked_at_make_place():
    rings, site = started(racks=20, nodes=4, gpus=8)
    before = rings.memory_bytes
    rings.watch("muc1")
    rings.watch("muc1/h1")
    rings.watch("nowhere/at/all")
    assert rings.memory_bytes == before
    for rack in range(1, 12):
        rings.watch(f"muc1/h1/r{rack:03}")
        run(rings, site, 1, start=NOW + 10 * rack)
    assert rings.memory_bytes - before < 8e6
    assert len(rings.get("muc1/h1/r001/n0001/g0", "temp_c", HOUR_S)[0]) == 0
    assert len(rings.get("muc1/h1/r004/n0013/g0", "temp_c", HOUR_S)[0]) == 8
    assert len(rings.get("muc1/h1/r011/n0041/g0", "temp_c", HOUR_S)[0]) == 1


def test_history_follows_the_key_not_the_path():
    rings = HistoryRings(BUILTIN)
    before = [node("n1", "h1/r1", uuids=(1, 2)), node("n2", "h1/r2", uuids=(3, 4))]
    site = merger(build_topology("muc1", before, declared=True))
    run(rings, site, 1)
    rings.watch("muc1/h1/r1")
    run(rings, site, 2, start=NOW + 10)
    after = [node("n2", "h1/r1", uuids=(3, 2)), node("n1", "h1/r2", uuids=(1, 4)), node("n0", "h1/r1", uuids=(8, 9))]
    tell(site, TopologyPart(build_topology("muc1", after, version=2, declared=True)), source="site")
    run(rings, site, 1, start=NOW + 20, base=70)
    n1 = rings.get("muc1/h1/r2/n1", "temp_c_max", HOUR_S)[1]
    assert n1[:3].tolist() == pytest.approx([40.01, 40.01, 41.01], rel=HALF)
    assert np.isnan(rings.get("muc1/h1/r1/n0", "temp_c_max", HOUR_S)[1][:3]).all()
    moved = rings.get("muc1/h1/r1/n2/g1", "temp_c", HOUR_S)[1]
    assert moved.tolist() == pytest.approx([40.01, 41.01, 70.03])
    assert len(rings.get("muc1/h1/r2/n1/g1", "temp_c", HOUR_S)[0]) == 0


def test_memory_is_stated_and_a_site_that_goes_frees_its_own():
    rings, site = started()
    nodes, racks = 12 * 4 * 60 * 2, 4 * 4 * 90 * 2
    assert rings.memory_bytes >= nodes + racks
    rings.append(fleet_frame(at=NOW + 9))
    assert rings.memory_bytes == 0
    assert len(rings.get("muc1", "temp_c_max", HOUR_S)[0]) == 0
    assert site.topology.gpus == 48


def fill(ring, times):
    for at in times:
        if ring.wants(at):
            ring.begin(at)
            ring.put(0, at)


def test_a_ring_grows_coarser_before_it_forgets():
    ring = Ring(60, 60.0, 1, 1)
    fill(ring, np.arange(1.0, 200.0))
    at, values = ring.series(0, 0, 1e9)
    assert at[0] <= 8
    assert at[-1] >= 196
    assert len(at) >= 30
    np.testing.assert_array_equal(at, values)


def test_a_long_life_shows_its_last_hour_evenly():
    ring = Ring(60, 60.0, 1, 1)
    fill(ring, np.arange(1.0, 30_000.0))
    at, _ = ring.series(0, 0, 1e9)
    steps = np.diff(at)
    assert len(at) == 60
    assert steps.min() == steps.max()
    assert 42 <= steps[0] <= 84
    assert at[-1] > 30_000 - 84


def test_a_sample_of_the_past_is_not_taken():
    ring = Ring(4, 60.0, 1, 1)
    fill(ring, [100.0, 99.0, 100.0])
    assert ring.series(0, 0, 1e9)[0].tolist() == [100.0]


@pytest.mark.parametrize(
    ("value", "kept"), [(0.5, 0.5), (9_999.0, 9_999.0), (130_000.0, 130_000.0), (5e6, 65_504.0 * 64), (np.nan, np.nan)]
)
def test_half_floats_are_true_to_their_last_bit_and_never_infinite(value, kept):
    ring = Ring(4, 60.0, 2, 3, (1.0, 64.0))
    ring.begin(1.0)
    ring.put(1, np.full(3, value, dtype=np.float32))
    values = ring.series(1, 2, HOUR_S)[1]
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [kept], rtol=HALF)


def test_the_power_of_a_large_rack_is_kept():
    rings, site = HistoryRings(BUILTIN), merger(small_site(racks=1, nodes=40, gpus=4))
    watts = np.full(site.topology.gpus, 2_500.0)
    tell(site, column("power_w", gpu_keys(site.topology), watts, NOW), at=NOW)
    rings.append(fleet_frame(site.frame(NOW), at=NOW))
    assert rings.get("muc1/h1/r001", "gpu_power_w_sum", HOUR_S)[1].tolist() == pytest.approx([400_000.0], rel=HALF)


def test_the_memory_of_a_ring_is_taken_at_once():
    assert np.isnan(Ring(4, 60.0, 2, 3)._values).all()
