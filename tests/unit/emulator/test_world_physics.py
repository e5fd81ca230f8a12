from dataclasses import replace

import numpy as np
import pytest

from console.emulator.blueprint import build_site
from console.emulator.chance import Chance
from console.emulator.facility import Facility
from console.emulator.fleet import FleetPlan, Section, SitePlan
from console.emulator.hardware import GB200, H100
from console.emulator.physics import DYNAMIC, GpuBank
from console.emulator.places import LOCALES
from console.emulator.signals import Signals
from console.emulator.weather import Weather
from console.emulator.world import World

T0 = 1_790_000_000.0
NOBODY = np.zeros(0, dtype=np.intp)


def site_of(platform, gpus):
    return build_site(SitePlan(0, "muc1", LOCALES[0], (Section(platform, gpus),)), 1)


def signals_of(activity, context=1.0):
    one = np.array([0.0, activity], dtype=np.float32)
    return Signals(one, one * 100, one * 0.5, np.array([0.0, context], dtype=np.float32))


class Rig:
    """GPUs of one kind under one load, without jobs and faults."""

    def __init__(self, platform, gpus=512, activity=0.0, inlet_c=25.0):
        self.blueprint = site_of(platform, gpus)
        self.bank = GpuBank(self.blueprint, Chance(1))
        self.bank.slot[:] = 1
        self.inlet = np.full(len(self.blueprint.zone_racks) - 1, inlet_c, dtype=np.float32)
        self.tick = 0
        self.signals = signals_of(activity)
        self.bank.settle(self.signals, self.inlet)

    def step(self, seconds=1.0, count=1):
        for _ in range(count):
            self.tick += 1
            out = {name: np.empty(self.blueprint.topology.gpus, dtype=np.float32) for name in DYNAMIC}
            for _ in self.bank.step(seconds, self.tick, self.signals, self.inlet, out):
                pass
        return out


@pytest.mark.parametrize("platform", [H100, GB200])
def test_power_lies_between_idle_and_limit(platform):
    rig = Rig(platform, activity=1.0)
    full = rig.step(count=30)["power_w"]
    assert full.max() <= platform.limit_w
    assert full.mean() > 0.93 * platform.limit_w
    rig.signals = signals_of(0.0)
    context = rig.step(count=60)["power_w"]
    assert context.mean() == pytest.approx(platform.context_w, rel=0.08)
    rig.bank.slot[:] = 0
    idle = rig.step(count=60)["power_w"]
    assert idle.mean() == pytest.approx(platform.idle_w, rel=0.15)
    assert idle.min() > 0.8 * platform.idle_w


def test_power_cap_shows_its_bit_and_costs_clock():
    rig = Rig(H100, activity=1.0)
    rig.bank.cap[:] = 400.0
    capped = rig.step(count=30)
    assert capped["power_w"].max() <= 400.5
    assert (capped["clock_events"].astype(int) & 0x4).all()
    assert capped["sm_clock_mhz"].mean() < 0.9 * H100.boost_mhz
    assert set(capped["sm_clock_mhz"] % 15) == {0.0}


def test_idle_gpu_says_so():
    rig = Rig(H100)
    rig.bank.slot[:] = 0
    idle = rig.step(count=5)
    assert set(idle["clock_events"]) == {1.0}
    assert set(idle["sm_clock_mhz"]) == {345.0}


def test_load_step_has_a_fast_and_a_slow_pole():
    """A measured H100 trace: 123 W and 48 C at rest, 5 to 6 K up within 4 s, most of the rest over minutes."""
    rig = Rig(H100)
    before = rig.step(count=1)
    assert before["power_w"].mean() == pytest.approx(123, abs=8)
    rig.signals = signals_of(0.52)
    start = rig.bank.die.mean()
    rig.step(count=4)
    after_4_s = rig.bank.die.mean() - start
    power = rig.bank.power.mean() - before["power_w"].mean()
    assert 250 < power < 350
    assert 3.5 < after_4_s < 9.0
    rig.step(count=300)
    settled = rig.bank.die.mean() - start
    assert settled == pytest.approx(power * H100.k_per_w, rel=0.12)
    assert after_4_s < 0.5 * settled


def test_liquid_settles_faster_than_air():
    def part_after_20_s(platform):
        rig = Rig(platform)
        start = rig.bank.die.mean()
        rig.signals = signals_of(0.6)
        rig.step(count=20)
        early = rig.bank.die.mean() - start
        rig.step(count=600)
        return early / (rig.bank.die.mean() - start)

    assert part_after_20_s(GB200) > 0.85
    assert part_after_20_s(H100) < 0.70


def test_long_steps_lead_where_short_ones_do():
    short, long = Rig(H100, activity=0.2), Rig(H100, activity=0.2)
    short.signals = long.signals = signals_of(0.7)
    short.step(count=600)
    long.step(seconds=300.0, count=2)
    assert long.bank.die.mean() == pytest.approx(short.bank.die.mean(), abs=1.0)


def test_memory_is_hotter_than_the_die_most_at_rest():
    rig = Rig(H100)
    idle = rig.step()
    rig.signals = signals_of(1.0)
    loaded = rig.step(count=120)
    assert 10 <= (idle["mem_temp_c"] - idle["temp_c"]).mean() <= 16
    assert 3 <= (loaded["mem_temp_c"] - loaded["temp_c"]).mean() <= 7


def test_hot_inlet_brings_thermal_slowdown_below_shutdown_and_it_lets_go():
    rig = Rig(H100, activity=1.0, inlet_c=25.0)
    rig.inlet += np.float32(22.0)
    hot = rig.step(count=240)
    events = hot["clock_events"].astype(int)
    slowed = (events & 0x20) > 0
    assert slowed.mean() > 0.5
    assert hot["power_w"][slowed].mean() < 0.95 * H100.limit_w
    assert hot["temp_c"].max() < H100.shutdown_c
    assert (events[hot["temp_c"] > H100.hard_limit_c] & 0x48 == 0x48).all()
    rig.inlet -= np.float32(22.0)
    cool = rig.step(count=300)
    assert not (cool["clock_events"].astype(int) & 0x68).any()
    assert rig.bank.throttle.held() == 0


def test_gpu_over_the_shutdown_temperature_is_named():
    rig = Rig(H100, activity=1.0, inlet_c=100.0)
    rig.step()
    assert len(rig.bank.throttle.too_hot) == 512


def full_site(platform, gpus=20_000):
    blueprint = site_of(platform, gpus)
    weather = Weather.of(LOCALES[0], Chance(1))
    facility = Facility(blueprint, weather, Chance(2))
    power = np.full(gpus, platform.limit_w, dtype=np.float32)
    facility.settle(T0, power, NOBODY)
    return facility.step(T0, 1.0, power, NOBODY), gpus


def test_100_000_h100_at_full_load_take_about_150_mw():
    columns, gpus = full_site(H100)
    site_mw = float(columns["facility_power_w"][0]) / gpus * 100_000 / 1e6
    assert site_mw == pytest.approx(150, rel=0.10)
    node_w = 8 * H100.limit_w + columns["host_power_w"].mean()
    assert node_w == pytest.approx(8_450, rel=0.03)


def test_gb200_takes_120_kw_a_rack_and_1_8_kw_a_gpu_of_the_site():
    columns, gpus = full_site(GB200)
    assert float(columns["facility_power_w"][0]) / gpus == pytest.approx(1_810, rel=0.07)
    assert columns["shelf_power_w"][:8].sum() == pytest.approx(120_000, rel=0.05)


@pytest.mark.parametrize(("platform", "low", "high"), [(H100, 1.15, 1.35), (GB200, 1.05, 1.15)])
def test_power_balance_and_pue(platform, low, high):
    columns, _ = full_site(platform)
    it, cooling, facility = (float(columns[name][0]) for name in ("it_power_w", "cooling_power_w", "facility_power_w"))
    assert facility == pytest.approx(it + cooling + platform.loss_ratio * it, rel=1e-4)
    assert float(columns["pue"][0]) == pytest.approx(facility / it, rel=1e-4)
    assert low <= facility / it <= high


def test_it_power_is_gpus_hosts_and_network():
    world = World(FleetPlan(gpus=20_000, sites=1, scenario="calm"), T0)
    columns = world.state("muc1", T0).columns
    servers = columns["power_w"].sum(dtype=float) + columns["host_power_w"].sum(dtype=float)
    assert float(columns["it_power_w"][0]) == pytest.approx(servers * (1 + H100.network_ratio), rel=0.01)


def test_coolant_carries_the_heat_of_its_racks():
    world = World(FleetPlan(gpus=20_000, sites=2, scenario="calm"), T0)
    columns, topology = world.state("bcn1", T0).columns, world.topology("bcn1")
    rise = columns["cdu_return_c"] - columns["cdu_supply_c"]
    carried_w = columns["cdu_flow_lpm"] * 69.8 * rise
    rack_w = columns["shelf_power_w"].reshape(-1, 8).sum(axis=1)
    assert len(rack_w) == len(topology.racks)
    assert carried_w.sum() == pytest.approx(0.85 * rack_w.sum(), rel=0.05)
    assert (rise > 2).all()
    assert (rise < 12).all()


def test_lost_flow_warms_the_racks_of_one_cdu_and_then_slows_or_stops_them():
    plan = FleetPlan(gpus=10_000, sites=2, scenario="cdu")
    world, calm = World(plan, T0), World(replace(plan, scenario="calm"), T0)
    for second in range(0, 260, 2):
        state, other = world.state("bcn1", T0 + second), calm.state("bcn1", T0 + second)
    domain = world.topology("bcn1").domains["cdu"]
    lost = int(state.columns["cdu_flow_lpm"].argmin())
    assert state.columns["cdu_flow_lpm"][lost] < 0.2 * other.columns["cdu_flow_lpm"][lost]
    nodes = domain.members[domain.starts[lost] : domain.starts[lost + 1]]
    starts = world.topology("bcn1").node_gpus
    mine = np.zeros(5_000, dtype=bool)
    mine[starts[nodes[0]] : starts[nodes[-1] + 1]] = True
    temp = state.columns["temp_c"]
    troubled = np.isnan(temp) | (state.columns["clock_events"] >= 0x20) | (temp > 80)
    assert troubled[mine].mean() > 0.5
    assert (troubled & ~np.isnan(temp))[~mine].mean() < 0.02
    assert any(event.kind == "cooling-flow-lost" and f"c{lost + 1}:" in event.text for event in state.events)


def test_training_makes_site_power_swing_from_second_to_second():
    world = World(FleetPlan(gpus=20_000, sites=1, scenario="calm"), T0)
    power = np.array([world.state("muc1", T0 + second).columns["power_w"].sum() for second in range(40)])
    assert 0.003 < power.std() / power.mean() < 0.25


def test_weather_and_grid_follow_season_and_hour():
    weather = Weather.of(LOCALES[0], Chance(1))
    year = np.arange(0, 365 * 86_400, 3_600.0) + 1_767_225_600.0  # 2026
    outdoor = np.array([weather.outdoor_c(at) for at in year])
    grid = np.array([weather.grid_g_kwh(at) for at in year])
    assert outdoor.mean() == pytest.approx(9.7, abs=1.0)
    assert outdoor[4_000:5_500].mean() - outdoor[:1_400].mean() > 10
    days = outdoor.reshape(-1, 24)
    assert days[:, 14].mean() - days[:, 4].mean() > 4
    assert grid.mean() == pytest.approx(381, rel=0.10)
    assert grid.min() >= 0.3 * 381
    assert grid.max() <= 2 * 381
