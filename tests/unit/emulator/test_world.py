import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.emulator.fleet import MOST_GPUS, FleetPlan
from console.emulator.world import World
from console.model.builtin_metrics import BUILTIN, FACILITY_METRICS
from console.model.levels import Level

T0 = 1_790_000_000.0
SMALL = FleetPlan(gpus=2_500, sites=4, seed=7)


def lengths(topology):
    sizes = {level.value: topology.count(level) for level in Level}
    return sizes | {kind: len(domain.names) for kind, domain in topology.domains.items()}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"gpus": 0}, "gpus must be 1 to 10,000,000"),
        ({"gpus": MOST_GPUS + 1}, "gpus must be"),
        ({"sites": 0}, "sites must be"),
        ({"seed": -1}, "seed must be"),
        ({"scenario": "doom"}, "default, calm, cdu, blackout, storm, lies"),
    ],
)
def test_bad_plan_is_refused_with_what_would_be_good(wrong, says):
    with pytest.raises(ValueError, match=says):
        FleetPlan(**wrong)


@settings(max_examples=60, deadline=None)
@given(gpus=st.integers(1, MOST_GPUS), sites=st.integers(1, 60))
def test_sites_sum_to_the_plan(gpus, sites):
    plans = FleetPlan(gpus=gpus, sites=sites).site_plans()
    assert sum(plan.gpus for plan in plans) == gpus
    assert len(plans) == min(gpus, sites)
    assert all(plan.gpus > 0 and all(section.gpus > 0 for section in plan.sections) for plan in plans)
    assert len({plan.name for plan in plans}) == len(plans)


@settings(max_examples=25, deadline=None)
@given(gpus=st.integers(1, 3_000), sites=st.integers(1, 5))
def test_any_count_gives_whole_sites_with_columns_of_their_levels(gpus, sites):
    world = World(FleetPlan(gpus=gpus, sites=sites), T0)
    total = 0
    for site in world.site_names:
        topology, state = world.topology(site), world.state(site, T0)
        total += topology.gpus
        sizes = lengths(topology)
        for name, values in state.columns.items():
            assert values.dtype == np.float32
            assert len(values) == sizes[BUILTIN[name].level], name
        assert len(state.gpu_job) == topology.gpus
        assert state.gpu_job.max() < len(state.jobs)
        for domain in topology.domains.values():
            assert domain.starts[-1] == len(domain.members)
            assert (np.diff(domain.starts) > 0).all()
    assert total == gpus


def test_ten_million_gpus_are_planned_without_building_them():
    world = World(FleetPlan(gpus=MOST_GPUS, sites=100), T0)
    assert len(world.site_names) == 100


def test_first_sites_are_named_and_placed():
    world = World(SMALL, T0)
    assert world.site_names == ("muc1", "bcn1", "osl1", "hel1")
    assert [world.topology(site).geo.country for site in world.site_names] == ["DE", "ES", "NO", "FI"]
    assert all(world.topology(site).declared for site in world.site_names)


def test_same_seed_and_times_give_the_same_states_and_another_seed_others():
    def run(seed):
        world = World(FleetPlan(gpus=2_500, seed=seed, scenario="storm"), T0)
        for second in range(0, 60, 3):
            state = world.state("osl1", T0 + second)
        return world.topology("osl1"), state

    topology, first = run(3)
    _, again = run(3)
    other_topology, other = run(4)
    assert first.jobs == again.jobs
    assert first.events == again.events
    for name, values in first.columns.items():
        np.testing.assert_array_equal(values, again.columns[name], err_msg=name)
    assert not np.array_equal(first.columns["power_w"], other.columns["power_w"])
    assert not np.array_equal(topology.uuid_high, other_topology.uuid_high)


def test_same_time_gives_the_same_object_and_later_another():
    world = World(SMALL, T0)
    state = world.state("muc1", T0)
    assert world.state("muc1", T0) is state
    later = world.state("muc1", T0 + 1)
    assert later is not state
    assert later.at == T0 + 1


def test_held_state_is_unchanged_after_100_ticks():
    world = World(FleetPlan(gpus=2_500, scenario="storm"), T0)
    held = world.state("bcn1", T0)
    copies = {name: values.copy() for name, values in held.columns.items()}
    jobs, placement = held.jobs, held.gpu_job.copy()
    for second in range(1, 101):
        world.state("bcn1", T0 + second)
    for name, copy in copies.items():
        np.testing.assert_array_equal(held.columns[name], copy, err_msg=name)
    assert held.jobs == jobs
    np.testing.assert_array_equal(held.gpu_job, placement)


def test_slow_columns_stay_the_same_object_between_ticks():
    world = World(FleetPlan(gpus=2_500, scenario="calm"), T0)
    first, second = world.state("muc1", T0), world.state("muc1", T0 + 1)
    for name in ("power_limit_w", "ecc_dbe", "pcie_width", "xid", "remapped_rows"):
        assert first.columns[name] is second.columns[name], name
    assert first.columns["power_w"] is not second.columns["power_w"]


def test_slices_lead_to_the_same_state_and_an_abandoned_walk_harms_nobody():
    world, straight = World(SMALL, T0), World(SMALL, T0)
    walk = world.advance_steps("osl1", T0)
    next(walk)
    del walk
    for _ in world.advance_steps("osl1", T0):
        pass
    state, expected = world.state("osl1", T0), straight.state("osl1", T0)
    np.testing.assert_array_equal(state.columns["temp_c"], expected.columns["temp_c"])


def test_threads_share_a_world():
    world = World(SMALL, T0)
    states = []

    def look():
        states.append(world.state("muc1", T0))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(states) == 4
    assert len({id(state) for state in states}) == 1


def test_long_gap_is_caught_up_in_bounded_work():
    world = World(SMALL, T0)
    world.state("muc1", T0)
    slices = sum(1 for _ in world.advance_steps("muc1", T0 + 30 * 86_400))
    assert slices < 100
    assert world.state("muc1", T0 + 30 * 86_400).at == T0 + 30 * 86_400


def test_columns_are_telemetry_and_nothing_but_telemetry():
    world = World(SMALL, T0)
    for site in world.site_names:
        columns = world.state(site, T0).columns
        assert set(columns) <= set(BUILTIN)
        liquid = "cdu" in world.topology(site).domains
        expected = {m.name for m in FACILITY_METRICS if liquid or m.level not in ("cdu", "shelf")}
        assert expected <= set(columns)


def test_columns_stay_in_their_metrics_range():
    world = World(FleetPlan(gpus=4_000, scenario="storm"), T0)
    for second in range(0, 30, 2):
        for site in world.site_names:
            for name, values in world.state(site, T0 + second).columns.items():
                metric = BUILTIN[name]
                good = values[~np.isnan(values)]
                assert ((good >= metric.low) & (good <= metric.high)).all(), name


def test_blackout_stops_one_site_alone():
    world = World(FleetPlan(gpus=800, scenario="blackout"), T0)
    states = {site: world.state(site, T0 + 60) for site in world.site_names}
    assert {site: world.state(site, T0 + 90).at for site in states} == {
        "muc1": T0 + 90,
        "bcn1": T0 + 20,
        "osl1": T0 + 90,
        "hel1": T0 + 90,
    }


def test_events_from_before_the_start_are_in_order():
    events = World(FleetPlan(gpus=100_000, sites=1), T0).state("muc1", T0).events
    assert len(events) > 5
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert all(T0 - 30 * 86_400 < event.at <= T0 for event in events)


def test_blackout_freezes_data_at_its_moment():
    world = World(FleetPlan(gpus=800, scenario="blackout"), T0)
    world.state("bcn1", T0)
    assert world.state("bcn1", T0 + 60).at == T0 + 20
    assert world.state("bcn1", T0 + 61) is world.state("bcn1", T0 + 62)


def test_unknown_site_is_a_key_error():
    with pytest.raises(KeyError):
        World(SMALL, T0).topology("nowhere")


def test_columns_of_gpus_are_never_written_again():
    world = World(FleetPlan(gpus=2_000, sites=1, scenario="lies"), T0)
    site = world.site_names[0]
    for second in (0, 1, 30, 31):
        state = world.state(site, T0 + second)
        gpus = [values for name, values in state.columns.items() if BUILTIN[name].level == "gpu"]
        assert gpus
        assert not any(values.flags.writeable for values in gpus)
        assert all(values.flags.owndata for values in gpus)
