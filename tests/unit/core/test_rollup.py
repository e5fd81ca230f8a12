import numpy as np
import pytest

from console.core.folding import Fold, Pyramid
from console.core.inventory import build_topology
from console.core.rollup import by_domain, level_values, reporting_counts, roll_up
from console.model.builtin_metrics import BUILTIN
from console.model.levels import Level
from console.model.metrics import RollUp
from console.model.reading import InOrder
from tests.support.fleets import NOW, column, gpu_keys, merger, named, node, small_site, tell

NAN = float("nan")


def starts(*sizes):
    return np.cumsum([0, *sizes]).astype(np.int32)


def uneven(count):
    """Sizes with so many changes that no fold by runs is made of them."""
    return [1 + i % 3 for i in range(count)]


@pytest.mark.parametrize("sizes", [[2, 2, 2], [2, 0, 3], [0, 0], [1], [], uneven(60), [*uneven(60), 0, 0], [300, 1]])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_fold_of_any_shape_counts_sums_and_finds_the_largest(sizes, gaps):
    values = np.random.default_rng(1).uniform(1, 9, sum(sizes)).astype(np.float32)
    if gaps:
        values[::3] = np.nan
    given = values.copy()
    counts, sums, maxima = Fold(starts(*sizes)).bottom(values)
    np.testing.assert_array_equal(values, given)
    at = starts(*sizes)
    for i in range(len(sizes)):
        group = values[at[i] : at[i + 1]]
        group = group[~np.isnan(group)]
        assert counts[i] == len(group)
        assert sums[i] == pytest.approx(float(group.sum(dtype=np.float64)))
        assert maxima[i] == (group.max() if len(group) else -np.inf)


def test_a_sum_over_a_whole_site_keeps_the_digits_that_float32_can_show():
    topology = build_topology("big", [node(f"n{i}", f"h{i % 4}/r{i // 40}", 8) for i in range(6000)])
    values = np.full(topology.gpus, 699.9, dtype=np.float32)
    total = roll_up(topology, BUILTIN["power_w"], values).sums[Level.SITE][0]
    assert total == np.float32(topology.gpus * float(np.float32(699.9)))


def test_where_nothing_reports_there_is_no_number_and_no_zero():
    topology = small_site(halls=1, racks=2, nodes=1, gpus=2)
    found = roll_up(topology, BUILTIN["util_pct"], np.array([NAN, NAN, 40, NAN], dtype=np.float32))
    assert found.counts[Level.RACK].tolist() == [0, 1]
    for how in RollUp:
        assert np.isnan(found.get(Level.RACK, how)).tolist() == [True, False]
    assert found.get(Level.SITE, RollUp.MEAN).tolist() == [40]


def test_an_empty_site_rolls_up_to_nothing():
    topology = build_topology("muc1", ())
    found = roll_up(topology, BUILTIN["util_pct"], np.zeros(0, dtype=np.float32))
    assert found.counts[Level.SITE].tolist() == [0]
    assert np.isnan(found.sums[Level.SITE]).all()
    assert len(found.sums[Level.NODE]) == 0


def test_a_node_metric_rolls_up_from_nodes_and_a_hall_metric_from_halls():
    topology = small_site()
    rolled = Pyramid(topology).roll_up("hall_inlet_c", Level.HALL, np.array([20, 24], dtype=np.float32))
    assert set(rolled.sums) == {Level.SITE}
    assert rolled.get(Level.SITE, RollUp.MAX).tolist() == [24]
    power = roll_up(topology, BUILTIN["host_power_w"], np.ones(12, dtype=np.float32))
    assert power.sums[Level.HALL].tolist() == [6, 6]


def test_level_values_are_the_columns_at_the_own_level_and_roll_ups_above():
    topology = small_site()
    frame = tell(merger(topology), column("temp_c", InOrder("gpu", 1, 48), np.arange(48.0))).frame(NOW)
    metric = BUILTIN["temp_c"]
    assert level_values(frame, metric, RollUp.MAX, Level.GPU, NOW).tolist() == list(range(48))
    assert level_values(frame, metric, RollUp.MAX, Level.RACK, NOW).tolist() == [11, 23, 35, 47]
    assert level_values(frame, metric, RollUp.MEAN, Level.RACK, NOW).tolist() == [5.5, 17.5, 29.5, 41.5]
    assert level_values(frame, BUILTIN["pue"], RollUp.MEAN, Level.SITE, NOW) is None
    assert level_values(frame, BUILTIN["util_pct"], RollUp.MEAN, Level.RACK, NOW) is None


def test_reporting_counts_add_up_the_gpus_that_report():
    topology = small_site()
    values = np.full(48, 50.0)
    values[[0, 1, 47]] = NAN
    frame = tell(merger(topology), column("temp_c", gpu_keys(topology), values)).frame(NOW)
    assert reporting_counts(frame, Level.HALL).tolist() == [22, 23]
    assert reporting_counts(frame, Level.GPU)[:3].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("field", "wanted", "counts"),
    [("temp_c_max", [23, 47], [24, 24]), ("temp_c_avg", [11.5, 35.5], [24, 24])],
)
def test_any_field_by_domain(field, wanted, counts):
    topology = small_site()
    frame = tell(merger(topology), column("temp_c", InOrder("gpu", 1, 48), np.arange(48.0))).frame(NOW)
    found = by_domain(frame, "cdu", field, BUILTIN, NOW)
    assert found.names == ("c1", "c2")
    assert found.values.tolist() == wanted
    assert found.counts.tolist() == counts


def test_a_node_of_two_domains_counts_in_both_and_an_empty_one_has_no_number():
    specs = [node("n1", gpus=1, domains={"feed": ("a", "b")}), node("n2", gpus=1, domains={"feed": ("b", "c")})]
    topology = build_topology("muc1", specs)
    frame = tell(merger(topology), column("power_w", InOrder("gpu", 1, 2), [100, NAN])).frame(NOW)
    found = by_domain(frame, "feed", "gpu_power_w_sum", BUILTIN, NOW)
    assert found.values[:2].tolist() == [100, 100]
    assert np.isnan(found.values[2])
    assert found.counts.tolist() == [1, 1, 0]


def test_a_domains_own_metric_and_what_a_site_does_not_have():
    frame = tell(merger(small_site()), column("cdu_flow_lpm", named("cdu", "c2"), [70])).frame(NOW)
    found = by_domain(frame, "cdu", "cdu_flow_lpm", BUILTIN, NOW)
    assert np.isnan(found.values[0])
    assert (found.values[1], found.counts.tolist()) == (70, [0, 1])
    assert by_domain(frame, "feed", "temp_c_max", BUILTIN, NOW) is None
    assert by_domain(frame, "cdu", "temp_c_max", BUILTIN, NOW) is None
    assert by_domain(frame, "cdu", "no_such_field", BUILTIN, NOW) is None
    assert by_domain(frame, "cdu", "it_power_w", BUILTIN, NOW) is None
