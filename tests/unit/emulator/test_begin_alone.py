from __future__ import annotations

from console.emulator import world as world_module
from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.model.reading import TopologyPart
from console.sources.emulator import open_emulator

T0 = 1_800_000_000.0


def small():
    return World(FleetPlan(gpus=400, sites=2), T0)


async def test_sites_read_in_turns_are_there_one_after_the_other():
    world = small()
    ended = []
    decodes = {}
    for name in world.site_names:
        reading = await open_emulator(world, name, lambda: T0).read()
        decodes[name] = reading.decode()
    topologies = []
    while decodes:
        for name, parts in list(decodes.items()):
            part = next(parts, None)
            if part is None:
                del decodes[name]
                ended.append((name, len(topologies)))
            elif isinstance(part, TopologyPart):
                topologies.append(name)
    first, second = world.site_names
    assert ended == [(first, 1), (second, 2)]


async def test_a_reading_that_is_dropped_half_way_lets_the_next_one_begin():
    world = small()
    first, second = world.site_names
    dropped = (await open_emulator(world, first, lambda: T0).read()).decode()
    next(dropped)
    dropped.close()
    parts = list((await open_emulator(world, second, lambda: T0).read()).decode())
    assert any(isinstance(part, TopologyPart) for part in parts)


def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(world_module, "MOST_PATIENCE", 3)
    world = small()
    first, second = world.site_names
    assert len(list(world.begin_alone(first))) == 0
    assert len(list(world.begin_alone(second))) == 3
