import math
from collections import Counter

import numpy as np
import pytest

from console.emulator.blueprint import build_site
from console.emulator.chance import Chance
from console.emulator.fault_kinds import FAULTS
from console.emulator.faults import Faults
from console.emulator.fleet import FleetPlan
from console.emulator.ledger import COUNTERS, Ledger
from console.emulator.physics import GpuBank
from console.emulator.scheduler import Scheduler
from console.emulator.world import World
from console.model.levels import Level

T0 = 1_790_000_000.0
DAY_S = 86_400.0
KINDS = {kind.name: kind for kind in FAULTS}


class Bench:
    """The fault process of one small site, with everything that it writes to."""

    def __init__(self, gpus=16_000, seed=1):
        self.blueprint = build_site(FleetPlan(gpus=gpus, sites=1).site_plans()[0], seed)
        self.bank = GpuBank(self.blueprint, Chance(seed))
        self.ledger = Ledger(self.blueprint)
        self.scheduler = Scheduler(self.blueprint, self.bank.slot, Chance(seed))
        self.faults = Faults(self.blueprint, self.bank, self.ledger, self.scheduler, Chance(seed))

    def columns(self):
        self.scheduler.apply_memory(self.ledger)
        return self.ledger.publish()


def test_rates_are_the_published_ones():
    """400 simulated days of 16,000 GPUs without jobs: each kind's count within 4 sigma of a Poisson process."""
    bench, days = Bench(), 400
    for hour in range(24 * days):
        bench.faults.step(T0 + 3600.0 * hour, 3600.0, 1.0)
    for kind in FAULTS:
        expected = kind.rate / 1000 * 16_000 * days
        assert abs(bench.faults.counts[kind.name] - expected) < 4 * math.sqrt(expected), kind.name


def test_rates_sum_to_what_llama_3_reports():
    """Hardware and host causes of the 419 interruptions in 884,736 GPU-days: about 0.4 each 1,000 GPU-days."""
    assert sum(kind.rate for kind in FAULTS) == pytest.approx(0.395, abs=0.02)


def test_few_nodes_carry_many_faults():
    bench = Bench()
    nodes = Counter(int(node) for node in (bench.faults._node() for _ in range(20_000)))
    top = sum(count for _, count in nodes.most_common(len(bench.blueprint.topology.nodes) * 15 // 1000))
    assert 0.25 < top / 20_000 < 0.40


def test_gpu_off_the_bus_vanishes_ends_its_job_and_comes_back():
    bench = Bench()
    for _ in bench.scheduler.populate(T0):
        pass
    before = {name: values.copy() for name, values in bench.columns().items()}
    bench.faults.strike(KINDS["gpu-off-bus"], T0)
    (gpu,) = bench.faults.silent
    after = bench.columns()
    assert all(np.isnan(values[gpu]) for values in after.values())
    node = bench.scheduler.placement.node_of(int(gpu))
    rows = bench.blueprint.topology.node_gpus[node : node + 2]
    assert (bench.bank.slot[rows[0] : rows[1]] == 0).all()
    event = bench.faults.events[-1]
    assert event.kind == "xid-79"
    assert event.path == bench.blueprint.topology.path(Level.GPU, int(gpu))
    assert "79, GPU has fallen off the bus" in event.text
    bench.faults.step(T0 + 100 * DAY_S, 0.0, 0.0)
    repaired = bench.columns()
    assert not np.isnan(repaired["xid"]).any()
    assert repaired["remapped_rows"][gpu] == before["remapped_rows"][gpu]
    assert repaired["xid"][gpu] == 0


def test_uncorrectable_error_shows_in_every_counter_of_it():
    bench = Bench()
    bench.columns()
    bench.faults.strike(KINDS["hbm-uncorrectable"], T0)
    columns = bench.columns()
    (gpu,) = np.flatnonzero(columns["xid"])
    shown = {name: float(columns[name][gpu]) for name in ("xid", "ecc_dbe", "remapped_rows", "remap_pending")}
    assert shown == {"xid": 94, "ecc_dbe": 1, "remapped_rows": 1, "remap_pending": 1}
    assert [event.kind for event in bench.faults.events] == ["xid-48", "xid-63", "xid-94"]
    bench.faults.step(T0 + 100 * DAY_S, 0.0, 0.0)
    after = bench.columns()
    assert after["remap_pending"][gpu] == 0
    assert after["remapped_rows"][gpu] == 1


def test_node_crash_silences_all_of_its_gpus_and_its_host():
    world = World(FleetPlan(gpus=8_000, sites=1, scenario="calm"), T0)
    world.state("muc1", T0)
    world._sites["muc1"]._simulation.faults.strike(KINDS["node-crash"], T0)
    columns = world.state("muc1", T0 + 1).columns
    (node,) = np.flatnonzero(np.isnan(columns["host_power_w"]))
    silent = np.flatnonzero(np.isnan(columns["temp_c"]))
    np.testing.assert_array_equal(silent, np.arange(8 * node, 8 * node + 8))
    for name in (*COUNTERS, "power_w", "util_pct", "mem_used_bytes"):
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(columns[name])), silent, err_msg=name)


def test_two_faults_of_one_node_are_repaired_one_by_one():
    bench = Bench(gpus=8)
    for _ in range(3):
        bench.faults.strike(KINDS["node-crash"], T0)
    assert len(bench.faults.silent) == 8
    assert len(bench.faults.dead_nodes) == 1
    bench.faults.step(T0 + 100 * DAY_S, 0.0, 0.0)
    assert len(bench.faults.silent) == len(bench.faults.dead_nodes) == 0
    assert bench.scheduler.placement.take_nodes(8) == [(0, 1)]


def test_degraded_thermal_interface_makes_one_gpu_hot_at_the_same_power():
    bench = Bench()
    before = bench.bank.resistance.copy()
    bench.faults.strike(KINDS["thermal-interface"], T0)
    (gpu,) = np.flatnonzero(bench.bank.resistance != before)
    assert bench.bank.resistance[gpu] / before[gpu] > 1.2
    bench.faults.step(T0 + 100 * DAY_S, 0.0, 0.0)
    np.testing.assert_array_equal(bench.bank.resistance, before)


def test_a_few_parts_are_broken_at_the_start_and_none_in_calm():
    world = World(FleetPlan(), T0)
    silent = hot = degraded = 0
    for site in world.site_names[:2]:
        state = world.state(site, T0)
        columns = state.columns
        degraded += sum(event.kind == "thermal-interface" for event in state.events)
        silent += int(np.isnan(columns["temp_c"]).sum())
        hot += int((columns["temp_c"] >= 84).sum())
        assert np.nanmax(columns["temp_c"]) <= 89
    assert 0.0002 <= silent / 200_000 <= 0.001
    assert 8 <= degraded <= 50
    assert 0 < hot < 50
    calm = World(FleetPlan(gpus=100_000, sites=1, scenario="calm"), T0)
    state = calm.state("muc1", T0 + 300)
    assert not any(np.isnan(values).any() for values in state.columns.values())
    assert not state.events
    assert not state.columns["ecc_dbe"].any()


def test_events_are_bounded_and_in_order_of_their_telling():
    world = World(FleetPlan(gpus=40_000, sites=1, scenario="storm"), T0)
    seen = []
    for minute in range(0, 240, 5):
        state = world.state("muc1", T0 + 60 * minute)
        new = state.event_count - len(seen)
        seen += state.events[-new:] if new else ()
        assert len(state.events) <= 256
    assert len(seen) == state.event_count > 30
    assert all(event.site == "muc1" and event.path.startswith("muc1") and event.text for event in seen)
