import numpy as np
import pytest

from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.model.builtin_metrics import BUILTIN
from console.model.reading import ColumnPart, EventsPart, InOrder, JobsPart, TopologyPart
from console.sources.emulator import open_emulator

T0 = 1_790_000_000.0


class Clock:
    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


def source_of(scenario="default", site="bcn1"):
    world, clock = World(FleetPlan(gpus=2_000, scenario=scenario), T0), Clock()
    return world, clock, open_emulator(world, site, clock)


async def parts(source):
    reading = await source.read()
    return reading, list(reading.decode())


async def test_first_reading_brings_topology_columns_jobs_and_events():
    world, _, source = source_of("storm")
    reading, first = await parts(source)
    assert reading.received_at == T0
    assert reading.cadence_s == 1.0
    (topology,) = [part.topology for part in first if isinstance(part, TopologyPart)]
    assert topology is world.topology("bcn1")
    columns = {part.metric: part for part in first if isinstance(part, ColumnPart)}
    state = world.state("bcn1", T0)
    assert set(columns) == set(state.columns)
    for name, part in columns.items():
        assert isinstance(part.keys, InOrder)
        assert (part.keys.level, part.keys.version) == (BUILTIN[name].level, topology.version)
        assert len(part.keys) == len(part.values) == len(part.at)
        assert part.values is state.columns[name]
        assert float(part.at[0]) == state.at
    (jobs,) = [part for part in first if isinstance(part, JobsPart)]
    assert jobs.jobs == state.jobs
    assert jobs.gpu_job is state.gpu_job
    order = [type(part) for part in first]
    assert order.index(TopologyPart) < order.index(ColumnPart)


async def test_later_readings_bring_only_what_is_new():
    _, clock, source = source_of("calm")
    _, first = await parts(source)
    clock.now += 1
    _, second = await parts(source)
    assert not any(isinstance(part, TopologyPart) for part in second)
    before = {part.metric: part for part in first if isinstance(part, ColumnPart)}
    after = {part.metric: part for part in second if isinstance(part, ColumnPart)}
    assert after["power_w"].keys is before["power_w"].keys
    assert after["pcie_width"].values is before["pcie_width"].values
    assert float(after["power_w"].at[0]) == T0 + 1


async def test_each_event_comes_once():
    world, clock, source = source_of("storm")
    told = []
    for _ in range(40):
        clock.now += 600
        _, decoded = await parts(source)
        told += [event for part in decoded if isinstance(part, EventsPart) for event in part.events]
    state = world.state("bcn1", clock.now)
    assert len(told) == state.event_count > 0
    assert told[-1] == state.events[-1]


async def test_jobs_come_again_only_when_they_changed():
    _, clock, source = source_of("calm")
    placements = []
    for _ in range(30):
        clock.now += 1
        _, decoded = await parts(source)
        placements += [part.gpu_job for part in decoded if isinstance(part, JobsPart)]
    assert 1 <= len(placements) < 30
    assert len({id(each) for each in placements}) == len(placements)


async def test_blackout_makes_the_data_grow_old():
    _, clock, source = source_of("blackout")
    await parts(source)
    clock.now = T0 + 100
    _, decoded = await parts(source)
    ages = {clock.now - float(part.at[0]) for part in decoded if isinstance(part, ColumnPart)}
    assert ages == {80.0}


async def test_reading_does_no_work_until_it_is_decoded():
    world, _, source = source_of()
    await source.read()
    assert world._sites["bcn1"]._blueprint is None
    await source.aclose()


def test_unknown_site_is_refused():
    with pytest.raises(KeyError):
        open_emulator(World(FleetPlan(gpus=100), T0), "nowhere")


async def test_world_moves_in_slices_between_empty_parts():
    _, _, source = source_of()
    _, first = await parts(source)
    breaths = [part for part in first if isinstance(part, EventsPart) and not part.events]
    assert len(breaths) >= 4
    assert all(not np.shares_memory(a.values, b.values) for a, b in _pairs(first))


def _pairs(decoded):
    columns = [part for part in decoded if isinstance(part, ColumnPart)]
    return [(a, b) for i, a in enumerate(columns) for b in columns[i + 1 :]]


def test_a_fleet_file_s_emulated_site_bears_its_own_name_and_its_own_gpus():
    from console.config.values import SiteConfig, SourceConfig
    from console.model.builtin_metrics import BUILTIN
    from console.sources.emulator import open as open_named

    topologies = []
    for name in ("lab", "annex"):
        source = open_named(SiteConfig(name), SourceConfig("emulator", options={"gpus": 24}), BUILTIN)
        topologies.append(source._world.topology(name))
    assert [topology.site for topology in topologies] == ["lab", "annex"]
    assert [topology.gpus for topology in topologies] == [24, 24]
    assert not set(topologies[0].uuid_high.tolist()) & set(topologies[1].uuid_high.tolist())


def test_a_scenario_that_does_not_exist_is_said_with_the_ones_that_do():
    import pytest

    from console.config.values import SiteConfig, SourceConfig
    from console.model.builtin_metrics import BUILTIN
    from console.model.errors import ConfigErrors
    from console.sources.emulator import open as open_named

    with pytest.raises(ConfigErrors, match="no scenario named 'x'; there are: default"):
        open_named(SiteConfig("lab"), SourceConfig("emulator", options={"scenario": "x"}), BUILTIN)
