"""A console that hears the stream of a real emulated site shows what its server shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.core.rollup import reporting_counts
from console.core.site_api.scales import column_scale
from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.model.builtin_metrics import BUILTIN
from console.model.levels import Level
from console.model.metrics import RollUp
from console.sources.emulator import open_emulator
from tests.support.fleets import NOW
from tests.support.streams import Listener, Server

if TYPE_CHECKING:
    from console.emulator.world import World as AnyWorld

GPUS, SWEEP_S = 1600, 8.0


def server_of(world: AnyWorld, at: float) -> Server:
    server = Server(world.topology("muc1"), sweep_s=SWEEP_S)
    server.at = at
    return server


class Emulated:
    def __init__(self) -> None:
        self.at = NOW
        self.world = World(FleetPlan(gpus=GPUS, sites=1, seed=11, name="muc1"), NOW)
        self.source = open_emulator(self.world, "muc1", lambda: self.at)
        self.server = server_of(self.world, NOW)

    def step(self, dt: float = 1.0):
        self.at += dt
        reading = asyncio.run(self.source.read())
        return self.server.step(*reading.decode(), dt=dt, stale_after_s=10.0, source="emulator")


def test_an_attached_console_shows_what_the_server_shows() -> None:
    emulated = Emulated()
    emulated.step()
    always, late = Listener(), Listener()
    always.hear(emulated.server.encoder.opening())
    for second in range(1, 31):
        records = emulated.step()
        always.hear(records)
        always.holds_what(emulated.server)
        late.hear(emulated.server.encoder.opening() if second == 17 else records if second > 17 else [])
    late.holds_what(emulated.server)
    emulated.step(dt=0.0)
    for metric in ("temp_c", "power_w", "sm_clock_mhz"):
        ours = emulated.server.frame.columns[metric].values
        theirs = always.merger.frame(emulated.at).columns[metric].values
        assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    for each in (always, late):
        _same_totals(emulated, each)
    assert always.merger.frame(emulated.at).jobs.rows == emulated.server.encoder._jobs._rows.told
    assert always.merger.frame(emulated.at).events == emulated.server.frame.events
    assert late.merger.frame(emulated.at).facts.keys() == emulated.server.frame.facts.keys()


def _same_totals(emulated: Emulated, console: Listener) -> None:
    ours, theirs = emulated.server.frame, console.merger.frame(emulated.at)
    for level in (Level.SITE, Level.HALL):
        assert reporting_counts(theirs, level).tolist() == reporting_counts(ours, level).tolist()
        for name, how, slack in (
            ("power_w", RollUp.SUM, 0.02),
            ("temp_c", RollUp.MAX, 0.03),
            ("util_pct", RollUp.MEAN, 0.1),
        ):
            told, truth = theirs.rollups[name].get(level, how), ours.rollups[name].get(level, how)
            assert told == pytest.approx(truth, rel=slack), (name, level)


def test_each_column_is_near_the_truth_when_it_is_told() -> None:
    emulated = Emulated()
    emulated.step()
    console = Listener()
    console.hear(emulated.server.encoder.opening())
    heard = set()
    for _ in range(int(SWEEP_S) + 2):
        parts = console.hear(emulated.step())
        truth = emulated.server.frame.columns
        for part in parts:
            name = getattr(part, "metric", "")
            if not name:
                continue
            heard.add(name)
            scale = column_scale(BUILTIN[name])
            far = np.abs(part.values.astype(np.float64) - truth[name].current(emulated.at))
            slack = 0.0 if scale.exact else 0.75 * scale.quantum
            assert np.nanmax(far, initial=0.0) <= slack + 1e-6 * np.nanmax(np.abs(part.values), initial=0.0), name
            assert np.array_equal(np.isnan(part.values), np.isnan(truth[name].values)), name
    assert heard == set(emulated.server.frame.columns)
