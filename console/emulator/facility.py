"""The power of a site beside its GPUs: hosts, shelves, network, cooling plant and losses, and what the meters show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.emulator.cooling import Cooling
from console.emulator.domains import liquid_zones, shelf_racks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.emulator.blueprint import Blueprint
    from console.emulator.chance import Chance
    from console.emulator.weather import Weather

PLANT_TAU_S = 120.0
# Part of IT power that the cooling plant takes: fans and pumps always, compressors as it gets warm outside.
AIR_BASE, AIR_WARM, AIR_FROM_C, AIR_SPAN_C = 0.15, 0.10, 8.0, 24.0
LIQUID_BASE, LIQUID_WARM, LIQUID_FROM_C, LIQUID_SPAN_C = 0.035, 0.055, 22.0, 16.0
HOT_DAY_C = 32.0
# What liquid leaves to the air of its hall.
LIQUID_HALL_C, LIQUID_HALL_RISE_K = 22.0, 2.5


class Facility:
    """Meters and cooling loops of one site."""

    def __init__(self, blueprint: Blueprint, weather: Weather, rng: Chance) -> None:
        self.cooling = Cooling(blueprint, rng)
        self._blueprint = blueprint
        self._weather = weather
        topology = blueprint.topology
        nodes = len(topology.nodes)
        self._host_idle = np.empty(nodes, dtype=np.float32)
        self._host_slope = np.empty(nodes, dtype=np.float32)
        for block in blueprint.blocks:
            platform, rows = block.platform, block.nodes
            gpus = np.diff(topology.node_gpus)[rows].astype(np.float32)
            part = gpus / platform.node_gpus
            spread = 1 + 0.02 * rng.normals(rows.stop - rows.start)
            slope = (platform.host_full_w - platform.host_idle_w) / (
                platform.node_gpus * (platform.limit_w - platform.idle_w)
            )
            self._host_slope[rows] = slope
            self._host_idle[rows] = (platform.host_idle_w * part - slope * platform.idle_w * gpus) * spread
        self._cdus = liquid_zones(blueprint.blocks)
        self._shelf_racks = shelf_racks(blueprint.blocks)
        shelves = len(self._shelf_racks)
        self._shelf_part = (1 + 0.02 * rng.normals(shelves)).astype(np.float32)
        if shelves:
            racks, inverse = np.unique(self._shelf_racks, return_inverse=True)
            total = np.bincount(inverse, weights=self._shelf_part, minlength=len(racks))
            self._shelf_part /= total[inverse].astype(np.float32)
        self._cooling_w = 0.0

    def settle(self, at: float, gpu_power: NDArray[np.float32], dead_nodes: NDArray[np.intp]) -> None:
        """Put plant and loops where they would be after long at this load."""
        node_w, _ = self._node_power(gpu_power, dead_nodes)
        outdoor = self._weather.outdoor_c(at)
        self.cooling.settle(self._zone_heat(node_w), _warm(outdoor))
        self._cooling_w = sum(self._plant(node_w, outdoor))

    def step(
        self, at: float, dt: float, gpu_power: NDArray[np.float32], dead_nodes: NDArray[np.intp]
    ) -> dict[str, NDArray[np.float32]]:
        """Go on by `dt` seconds to `at`; return the columns of nodes, halls, CDUs, shelves and the site."""
        node_w, host_w = self._node_power(gpu_power, dead_nodes)
        outdoor = self._weather.outdoor_c(at)
        self.cooling.step(dt, self._zone_heat(node_w), _warm(outdoor))
        wanted = sum(self._plant(node_w, outdoor))
        self._cooling_w += (wanted - self._cooling_w) * float(-np.expm1(-dt / PLANT_TAU_S))
        columns = {"host_power_w": host_w, **self._loops(), **self._shelves(node_w)}
        columns.update((name, np.array([value], dtype=np.float32)) for name, value in self._site(at, node_w, outdoor))
        return columns

    def _node_power(
        self, gpu_power: NDArray[np.float32], dead_nodes: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """W of each node with its GPUs, and of its host alone (NaN where the node is down and does not say)."""
        gpu_w = np.add.reduceat(gpu_power, self._blueprint.topology.node_gpus[:-1])
        host_w = gpu_w * self._host_slope
        host_w += self._host_idle
        host_w[dead_nodes] = np.nan
        node_w = gpu_w + host_w
        node_w[dead_nodes] = 0.0
        return node_w, host_w

    def _zone_heat(self, node_w: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = self._blueprint.topology.rack_nodes[self._blueprint.zone_racks[:-1]]
        return np.add.reduceat(node_w, starts)

    def _plant(self, node_w: NDArray[np.float32], outdoor_c: float) -> list[float]:
        """W that the cooling plant takes for each section at this load and weather."""
        needed = []
        for block in self._blueprint.blocks:
            it_w = float(node_w[block.nodes].sum()) * (1 + block.platform.network_ratio)
            needed.append(it_w * cooling_ratio(block.platform.liquid, outdoor_c))
        return needed

    def _loops(self) -> dict[str, NDArray[np.float32]]:
        cooling, cdus = self.cooling, self._cdus
        residual = LIQUID_HALL_C + LIQUID_HALL_RISE_K * cooling.flow
        inlet = np.where(cooling.liquid, residual, cooling.supply).astype(np.float32)
        halls = len(self._blueprint.topology.halls)
        hall_c = np.zeros(halls, dtype=np.float32)
        np.maximum.at(hall_c, self._blueprint.zone_hall, inlet)
        columns = {"hall_inlet_c": hall_c}
        if len(cdus):
            columns["cdu_flow_lpm"] = cooling.flow_lpm()[cdus]
            columns["cdu_supply_c"] = cooling.supply[cdus]
            columns["cdu_return_c"] = cooling.back[cdus]
        return columns

    def _shelves(self, node_w: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        if not len(self._shelf_racks):
            return {}
        rack_w = np.add.reduceat(node_w, self._blueprint.topology.rack_nodes[:-1])
        return {"shelf_power_w": rack_w[self._shelf_racks] * self._shelf_part}

    def _site(self, at: float, node_w: NDArray[np.float32], outdoor_c: float) -> list[tuple[str, float]]:
        it_w = losses_w = 0.0
        for block in self._blueprint.blocks:
            part_w = float(node_w[block.nodes].sum()) * (1 + block.platform.network_ratio)
            it_w += part_w
            losses_w += part_w * block.platform.loss_ratio
        facility_w = it_w + losses_w + self._cooling_w
        cooling = self.cooling
        weight = cooling.design_w * cooling.flow
        return [
            ("it_power_w", it_w),
            ("cooling_power_w", self._cooling_w),
            ("facility_power_w", facility_w),
            ("pue", facility_w / it_w if it_w > 0 else float("nan")),
            ("supply_c", float(np.average(cooling.supply, weights=weight))),
            ("return_c", float(np.average(cooling.back, weights=weight))),
            ("outdoor_c", outdoor_c),
            ("grid_g_kwh", self._weather.grid_g_kwh(at)),
        ]


def cooling_ratio(liquid: bool, outdoor_c: float) -> float:
    """Return cooling power as a part of IT power at an outdoor temperature."""
    base, warm, start, span = (
        (LIQUID_BASE, LIQUID_WARM, LIQUID_FROM_C, LIQUID_SPAN_C)
        if liquid
        else (AIR_BASE, AIR_WARM, AIR_FROM_C, AIR_SPAN_C)
    )
    part = min(max((outdoor_c - start) / span, 0.0), 1.0)
    return base + warm * part * part * (3 - 2 * part)


def _warm(outdoor_c: float) -> float:
    """K by which the plant misses its set point on a very hot day."""
    return max(0.0, 0.25 * (outdoor_c - HOT_DAY_C))
