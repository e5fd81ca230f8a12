"""Carries out the one-off parts of a scenario at one site."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import Level, Severity

if TYPE_CHECKING:
    from console.emulator.blueprint import Blueprint
    from console.emulator.cooling import Cooling
    from console.emulator.faults import Faults
    from console.emulator.scenarios import Scenario

COOLING_LOSS_S = 1_200.0


class Script:
    """What a scenario does to one site, and when. `ends_at` is when its telemetry stops."""

    def __init__(
        self, scenario: Scenario, began_at: float, blueprint: Blueprint, cooling: Cooling, faults: Faults
    ) -> None:
        self._blueprint = blueprint
        self._cooling = cooling
        self._faults = faults
        after_s = scenario.cooling_loss_after_s
        self._lost_at = math.inf if after_s is None else began_at + after_s
        self._back_at = self._lost_at + COOLING_LOSS_S
        self.ends_at = math.inf if scenario.blackout_after_s is None else began_at + scenario.blackout_after_s
        zones = np.flatnonzero(cooling.liquid) if cooling.liquid.any() else np.arange(len(cooling.liquid))
        self._zone = int(zones[min(3, len(zones) - 1)])

    def step(self, now: float) -> None:
        """Do what is due."""
        if now >= self._lost_at:
            self._lost_at = math.inf
            self._cooling.lost[self._zone] = True
            self._tell(now, "cooling-flow-lost", Severity.CRITICAL, "flow lost")
        if now >= self._back_at:
            self._back_at = math.inf
            self._cooling.lost[self._zone] = False
            self._tell(now, "cooling-flow-back", Severity.INFO, "flow is back")

    def _tell(self, now: float, kind: str, severity: Severity, what: str) -> None:
        liquid = self._cooling.liquid
        first = int(np.flatnonzero(liquid)[0]) if liquid.any() else 0
        name = f"CDU c{self._zone - first + 1}" if liquid.any() else f"air handlers of row {self._zone + 1}"
        path = self._blueprint.topology.path(Level.HALL, int(self._blueprint.zone_hall[self._zone]))
        self._faults.tell(now, path, kind, severity, f"{name}: {what}")
