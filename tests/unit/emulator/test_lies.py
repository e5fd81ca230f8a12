from __future__ import annotations

import numpy as np

from console.emulator.fleet import FleetPlan
from console.emulator.lies import KINDS, SENTINEL, Lies
from console.emulator.world import World
from console.model.builtin_metrics import BUILTIN

T0 = 1_800_000_000.0
PLAN = FleetPlan(gpus=2_000, sites=1, scenario="lies")


def lies_of(world: World) -> Lies:
    world.state("muc1", T0)
    lies = world._sites["muc1"]._simulation._lies  # type: ignore[union-attr]
    assert lies is not None
    return lies


def test_nothing_lies_at_first_and_the_same_gpus_lie_in_the_same_world() -> None:
    world, again = World(PLAN, T0), World(PLAN, T0)
    rows, others = lies_of(world).rows, lies_of(again).rows
    assert all((rows[kind] == others[kind]).all() and len(rows[kind]) == 3 for kind in KINDS)
    early = world.state("muc1", T0 + 10).columns
    assert all(np.nanmax(early[name]) <= BUILTIN[name].high for name in ("power_w", "temp_c"))


def test_each_lie_is_told_from_its_time_on() -> None:
    world = World(PLAN, T0)
    rows = lies_of(world).rows
    first, later = (world.state("muc1", T0 + seconds).columns for seconds in (25, 55))
    for name in ("temp_c", "power_w"):
        stuck = rows[f"stuck-{name}"]
        assert np.array_equal(first[name][stuck], later[name][stuck], equal_nan=True)
    assert np.isnan(later["power_w"][rows["lost"]]).all()
    assert set(later["power_w"][rows["sentinel"]]) <= {np.float32(SENTINEL)}
    fell = first["pcie_replays"][rows["backwards"]] - later["pcie_replays"][rows["backwards"]]
    assert (fell > 0).all()


def test_the_gap_holds_all_samples_back_and_ends() -> None:
    world = World(PLAN, T0)
    at = [world.state("muc1", T0 + seconds).at - T0 for seconds in (0, 59, 65, 90, 96)]
    assert at == [0, 59, 60, 60, 96]


def test_other_scenarios_tell_the_truth() -> None:
    state = World(FleetPlan(gpus=2_000, sites=1), T0)
    state.state("muc1", T0)
    assert state._sites["muc1"]._simulation._lies is None  # type: ignore[union-attr]
