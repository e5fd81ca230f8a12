from __future__ import annotations

import importlib
from types import MappingProxyType

import numpy as np
import pytest

from console.core.merge import SiteMerger
from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.engine.detectors import _Hosted, _fit_state
from console.model.builtin_metrics import BUILTIN
from console.model.snapshot import Frame
from console.sources.emulator import EmulatorSource
from tests.support.panels import load_panel

T0 = 1_800_000_000.0
NAMES = ("stuck", "lost", "backwards", "bus", "gaps")


def load(name):
    load_panel("fleet")  # makes the package of the built-in plugins
    import sys
    import types

    from tests.support.panels import ROOT

    package = "gigadeck_plugins.telemetry"
    if package not in sys.modules:
        made = types.ModuleType(package)
        made.__path__ = [str(ROOT / "plugins" / "telemetry")]
        sys.modules[package] = made
    return importlib.import_module(f"{package}.{name}")


class Watch:
    """All detectors of the plugin over one emulated site, second by second."""

    def __init__(self, scenario, *, gpus=2_000, seed=1):
        self.now = T0
        self.world = World(FleetPlan(gpus=gpus, sites=1, scenario=scenario, seed=seed), T0)
        self.site = self.world.site_names[0]
        self.source = EmulatorSource(self.world, self.site, clock=lambda: self.now)
        self.merger = None
        classes = {name: type(load(name).DETECTOR) for name in NAMES}
        self.hosted = [_Hosted(name, made()) for name, made in classes.items()]

    async def run(self, seconds):
        found = {}
        for _ in range(seconds):
            self.now += 1.0
            for finding in await self.step():
                found.setdefault(finding.fault, {})[finding.path] = finding
        return found

    async def step(self):
        reading = await self.source.read()
        for part in reading.decode():
            if self.merger is None:
                from console.core.inventory import empty_topology

                self.merger = SiteMerger(empty_topology(self.site), BUILTIN)
            self.merger.apply(part, source="emulator", stale_after_s=60.0, received_at=self.now)
        frame = Frame(self.now, "f", BUILTIN, (self.merger.frame(self.now),))
        return [each for hosted in self.hosted for each in self.update(hosted, frame)]

    def update(self, hosted, frame):
        _fit_state(hosted, frame, tuple(hosted.detector.state_columns))
        return hosted.detector.update(frame, MappingProxyType(hosted.state))

    def paths(self, kind):
        topology = self.world.topology(self.site)
        from console.model.levels import Level

        lies = self.world._sites[self.site]._simulation._lies
        return {topology.path(Level.GPU, int(row)) for row in lies.rows[kind]}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_found_where_nothing_lies(seed):
    assert await Watch("calm", seed=seed).run(150) == {}


async def test_every_lie_is_found_and_named():
    watch = Watch("lies")
    found = await watch.run(150)
    assert watch.paths("lost") <= set(found["samples-lost"])
    assert watch.paths("sentinel") <= set(found["samples-lost"])
    assert set(found["counter-backwards-pcie_replays"]) == watch.paths("backwards")
    assert set(found["scrape-gap"]) == {watch.site}
    assert "no sample for" in found["scrape-gap"][watch.site].text
    for sensor in ("temp_c", "power_w"):
        # A GPU whose load does not change may have a good sensor that says the same.
        stuck = found[f"stuck-{sensor}"]
        assert set(stuck) <= watch.paths(f"stuck-{sensor}")
        assert all(finding.source == "emulator" for finding in stuck.values())
    assert set(found) == {
        "samples-lost", "counter-backwards-pcie_replays", "scrape-gap", "stuck-temp_c", "stuck-power_w", "gpu-off-bus",
    } - ({"gpu-off-bus"} - set(found))  # fmt: skip
