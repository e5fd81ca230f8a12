"""The cooling loops of a site, one a zone: a CDU with its racks, or the air of a row of racks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.chance import Chance

# Water: 1 l/min carries 69.8 W per K. Air: one 8-GPU node moves about 1,880 m3/h, 630 W per K.
WATER_W_PER_K_LPM = 69.8
AIR_W_PER_K_NODE = 630.0
DESIGN_LPM_PER_KW = 1.5
LEAST_FLOW = 0.45
LOST_FLOW = 0.04
LOOP_J_PER_K_RACK = 50 * 4190.0
AIR_J_PER_K_NODE = 6.0e4
SUPPLY_TAU_S = 90.0
PUMP_TAU_S = 12.0
# The GPUs see the supply and a part of the rise of what flows past them; the rest of the heat leaves by air.
SEEN_RISE = 0.35
LIQUID_SHARE = 0.85
EXCHANGER = 0.97


class Cooling:
    """Every zone's flow (0..1 of design), supply and return temperature; float32[zones]."""

    def __init__(self, blueprint: Blueprint, rng: Chance) -> None:
        topology = blueprint.topology
        zones = len(blueprint.zone_racks) - 1
        racks = np.diff(blueprint.zone_racks)
        nodes = np.diff(topology.rack_nodes[blueprint.zone_racks])
        gpus = np.diff(blueprint.zone_gpus)
        self.liquid = np.zeros(zones, dtype=bool)
        self.setpoint = np.empty(zones, dtype=np.float32)
        self.design_w = np.empty(zones, dtype=np.float32)
        for block in blueprint.blocks:
            platform, rows = block.platform, block.zones
            self.liquid[rows] = platform.liquid
            self.setpoint[rows] = platform.supply_c + 0.3 * rng.normals(rows.stop - rows.start)
            node_w = platform.host_full_w + platform.node_gpus * platform.limit_w
            self.design_w[rows] = gpus[rows] * node_w / platform.node_gpus
        self.design_lpm = np.where(self.liquid, self.design_w / 1000.0 * DESIGN_LPM_PER_KW, 0.0).astype(np.float32)
        self._full_w_per_k = np.where(self.liquid, self.design_lpm * WATER_W_PER_K_LPM, nodes * AIR_W_PER_K_NODE)
        self._j_per_k = np.where(self.liquid, racks * LOOP_J_PER_K_RACK, nodes * AIR_J_PER_K_NODE)
        self._share = np.where(self.liquid, LIQUID_SHARE, 1.0)
        self.lost = np.zeros(zones, dtype=bool)
        self.flow = np.full(zones, 0.8, dtype=np.float32)
        self.supply = self.setpoint.copy()
        self.back = self.setpoint + np.float32(8.0)

    def settle(self, heat_w: NDArray[np.float32], warm_c: float) -> None:
        """Put every loop where it would be after long at this heat."""
        self.flow = self._wanted_flow(heat_w)
        self.supply = self.setpoint + np.float32(warm_c)
        self.back = (self.supply + heat_w * self._share / (self.flow * self._full_w_per_k)).astype(np.float32)

    def step(self, dt: float, heat_w: NDArray[np.float32], warm_c: float) -> None:
        """Go on by `dt` seconds with float32[zones] of heat; `warm_c` is how far the plant misses its set point."""
        self.flow += (self._wanted_flow(heat_w) - self.flow) * np.float32(-np.expm1(-dt / PUMP_TAU_S))
        carried = self.flow * self._full_w_per_k
        kept = dt / self._j_per_k
        self.back = ((self.back + kept * (heat_w * self._share + carried * self.supply)) / (1 + kept * carried)).astype(
            np.float32
        )
        # Without flow the exchanger does nothing, and what is supplied is what came back.
        works = EXCHANGER * np.minimum(self.flow / LEAST_FLOW, 1.0)
        target = (self.setpoint + warm_c) * works + self.back * (1 - works)
        target = np.where(self.lost, target, self.setpoint + warm_c)
        self.supply += ((target - self.supply) * -np.expm1(-dt / SUPPLY_TAU_S)).astype(np.float32)

    def inlet_c(self) -> NDArray[np.float32]:
        """Return what the GPUs of each zone see."""
        inlet: NDArray[np.float32] = self.supply + np.float32(SEEN_RISE) * (self.back - self.supply)
        return inlet

    def flow_lpm(self) -> NDArray[np.float32]:
        """Return each CDU's flow, 0 for air."""
        flow: NDArray[np.float32] = self.flow * self.design_lpm
        return flow

    def _wanted_flow(self, heat_w: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pumps and fans follow the load down to a minimum."""
        wanted = np.clip(heat_w / self.design_w, LEAST_FLOW, 1.0)
        return np.where(self.lost, LOST_FLOW, wanted).astype(np.float32)
