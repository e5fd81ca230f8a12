from __future__ import annotations

import dataclasses
import importlib
from types import MappingProxyType

import numpy as np
import pytest

from console.core.merge import SiteMerger
from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.engine.detectors import _fit_state, _Hosted
from console.model.builtin_metrics import BUILTIN
from console.model.columns import Column, same_time
from console.model.snapshot import Frame
from console.sources.emulator import EmulatorSource
from tests.support import panels
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


@pytest.mark.parametrize("seed", [1, 4])
async def test_faults_of_hardware_are_no_lies_but_a_gpu_that_is_gone(seed):
    found = await Watch("storm", gpus=20_000, seed=seed).run(120)
    assert set(found) <= {"gpu-off-bus"}


class Counters:
    """The detector of falling counters over one small site whose counters a test sets."""

    def __init__(self):
        self.site = panels.site_frame("muc1")
        self.hosted = _Hosted("backwards", type(load("backwards").DETECTOR)())
        self.now = panels.NOW

    def say(self, **counters):
        """Take the counters of GPU 0 of the first node (and `other` of GPU 1); return the faults found."""
        self.now += 1.0
        columns = dict(self.site.columns)
        for name, values in counters.items():
            column = np.zeros(self.site.topology.gpus, dtype=np.float32)
            column[: len(values)] = values
            columns[name] = Column(name, column, same_time(self.now, len(column)), 30.0, "dcgm")
        self.site = dataclasses.replace(self.site, columns=columns, data_at=self.now)
        frame = Frame(self.now, "f", BUILTIN, (self.site,))
        _fit_state(self.hosted, frame, tuple(self.hosted.detector.state_columns))
        return [each.fault for each in self.hosted.detector.update(frame, MappingProxyType(self.hosted.state))]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"ecc_sbe": [50], "pcie_replays": [9]}, {"ecc_sbe": [0], "pcie_replays": [0]}, []),
        ({"ecc_sbe": [50], "pcie_replays": [9]}, {"ecc_sbe": [2], "pcie_replays": [0]}, []),
        ({"ecc_sbe": [50], "pcie_replays": [9]}, {"ecc_sbe": [2], "pcie_replays": [9]}, ["counter-backwards-ecc_sbe"]),
        ({"ecc_sbe": [50, 7]}, {"ecc_sbe": [2, 7]}, ["counter-backwards-ecc_sbe"]),
        ({"ecc_sbe": [50]}, {"ecc_sbe": [43]}, ["counter-backwards-ecc_sbe"]),
        ({"remapped_rows": [3]}, {"remapped_rows": [0]}, ["counter-backwards-remapped_rows"]),
        ({"ecc_sbe": [50]}, {"ecc_sbe": [np.nan]}, []),
        ({"ecc_sbe": [50]}, {"ecc_sbe": [51]}, []),
    ],
    ids=[
        "restart",
        "restart, some since",
        "one alone",
        "another GPU stays",
        "a little",
        "lasting",
        "missing",
        "up",
    ],
)
def test_a_counter_that_falls_is_told_from_a_restart(before, after, found):
    counters = Counters()
    assert counters.say(**before) == []
    assert counters.say(**after) == found


def test_a_gpu_that_is_swapped_brings_its_own_counters():
    counters = Counters()
    counters.say(remapped_rows=[5])
    old = counters.site.topology
    high = old.uuid_high.copy()
    high[0] = 999_999
    counters.site = dataclasses.replace(counters.site, topology=dataclasses.replace(old, uuid_high=high, version=2))
    assert counters.say(remapped_rows=[0]) == []


def test_a_counter_that_was_missing_for_a_while_is_compared_with_what_it_told_before():
    counters = Counters()
    counters.say(ecc_sbe=[50, 7])
    assert counters.say(ecc_sbe=[np.nan, 7]) == []
    assert counters.say(ecc_sbe=[np.nan, 8]) == []
    assert counters.say(ecc_sbe=[43, 8]) == ["counter-backwards-ecc_sbe"]


def test_counters_follow_their_gpu_to_another_row():
    counters = Counters()
    counters.say(remapped_rows=[5, 2], ecc_sbe=[np.nan, 9])
    counters.say(remapped_rows=[np.nan, 2], ecc_sbe=[np.nan, 9])
    old = counters.site.topology
    high, low = old.uuid_high.copy(), old.uuid_low.copy()
    high[[0, 1]], low[[0, 1]] = high[[1, 0]], low[[1, 0]]
    swapped = dataclasses.replace(old, uuid_high=high, uuid_low=low, version=2)
    counters.site = dataclasses.replace(counters.site, topology=swapped)
    assert counters.say(remapped_rows=[2, 5], ecc_sbe=[9, np.nan]) == []
    assert counters.say(remapped_rows=[2, 4], ecc_sbe=[9, np.nan]) == ["counter-backwards-remapped_rows"]


def test_a_clock_that_goes_back_blinds_no_detector():
    site = panels.site_frame("muc1")
    reporting = site.reporting.copy()
    reporting[:] = True
    reporting[0] = False
    hosted = _Hosted("bus", type(load("bus").DETECTOR)())
    for now in (T0, T0 + 5, T0 - 86_400, T0 - 86_390):
        seen = dataclasses.replace(site, reporting=reporting, data_at=now, stale=False)
        frame = Frame(now, "f", BUILTIN, (seen,))
        _fit_state(hosted, frame, tuple(hosted.detector.state_columns))
        found = hosted.detector.update(frame, MappingProxyType(hosted.state))
    assert [each.fault for each in found] == ["gpu-off-bus"]
