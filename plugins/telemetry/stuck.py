"""Sensors that repeat one value exactly while the GPU's load clearly changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from console.plugin import Severity, StateColumn

from .telling import Book, Fault, is_due, of_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.plugin import Column, DetectorState, Finding, Frame, SiteFrame

MOST = 255
# NVML's clock event reasons: power cap, slowdowns of hardware and software, power brake.
HELD = 0x4 | 0x8 | 0x20 | 0x40 | 0x80
# More often tells no more: a look over a million GPUs takes 50 ms.
EVERY_S = 2.0


@dataclass(frozen=True)
class Sensor:
    """A sensor and the loads that move it, of which the first that a site has is taken.

    A sample counts when the load is away from what it was at the value's first sight by its step or more, and by its
    part of the larger of both. Stuck is a value that came in `same` samples or more, `moved` of which count; only
    values from `low` to `high` can be stuck (a GPU may well be at 0 or 100 % for hours).
    """

    name: str
    loads: tuple[tuple[str, float, float], ...]
    same: int
    moved: int
    low: float = -np.inf
    high: float = np.inf

    @property
    def fault(self) -> Fault:
        """What a finding of this sensor is called."""
        return Fault("telemetry", f"stuck-{self.name}", Severity.WARNING, f"{self.name} does not change with the load")


SENSORS = (
    # A step of 100 W moves any die by a degree at least within seconds.
    Sensor("temp_c", (("power_w", 100.0, 0.3),), same=20, moved=10),
    Sensor("power_w", (("sm_active_ratio", 0.3, 0.0), ("util_pct", 40.0, 0.0)), same=20, moved=10, low=1.0),
    # Kernels may keep 95 % of all time slots for hours, whatever they take.
    Sensor("util_pct", (("power_w", 100.0, 0.3),), same=30, moved=15, low=5.0, high=90.0),
)


class Stuck:
    """Remembers of each sensor its last value, the load at its first sight, and how many samples told it again."""

    state_columns = tuple(
        StateColumn(f"{sensor.name}_{what}", dtype, fill)
        for sensor in SENSORS
        for what, dtype, fill in (
            ("value", "float32", float("nan")),
            ("load", "float32", float("nan")),
            ("same", "uint8", 0.0),
            ("moved", "uint8", 0.0),
        )
    )

    def __init__(self) -> None:
        self._book = Book()
        self._looked: dict[tuple[str, str], float] = {}

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return the sensors that are stuck now."""
        found: list[Finding] = []
        for site in frame.sites:
            for sensor in SENSORS if not site.stale else ():
                column = site.columns.get(sensor.name)
                load = next((each for each in sensor.loads if each[0] in site.columns), None)
                if column is not None and load is not None and len(column.values) == site.topology.gpus:
                    found += self._sensor(site, sensor, column, load, state[site.site])
        return self._book.dated(found, frame.at)

    def _sensor(
        self, site: SiteFrame, sensor: Sensor, column: Column, by: tuple[str, float, float], state: DetectorState
    ) -> list[Finding]:
        load = site.columns[by[0]]
        value, base, same, moved = (
            _writable(state[f"{sensor.name}_{what}"]) for what in ("value", "load", "same", "moved")
        )
        newest, key = column.newest_at(), (site.site, sensor.name)
        before = self._looked.get(key, 0.0)
        if is_due(before, newest, EVERY_S):
            self._looked[key] = newest
            take(column, load, before, sensor, by[1:], (value, base, same, moved))
        stuck = free_to_move(site, sensor, np.flatnonzero((same >= sensor.same) & (moved >= sensor.moved)))

        def text(row: int) -> tuple[str, tuple[str, ...]]:
            count = f"{same[row]}{' or more' if same[row] == MOST else ''}"
            said = f"{sensor.name} says {value[row]:g} in {count} samples"
            return f"{said}; {by[0]} was far from {base[row]:.3g} in {moved[row]} of them", (f"source {column.source}",)

        return of_gpus(site, sensor.fault, stuck, column.source, text)


def take(
    column: Column,
    load: Column,
    before: float,
    sensor: Sensor,
    limits: tuple[float, float],
    state: tuple[Any, Any, Any, Any],
) -> None:
    """Take a new sample of every GPU into the state; those without a new one, or without a load, stay as they are."""
    value, base, same, moved = state
    there = ~(np.isnan(column.values) | np.isnan(load.values))
    if column.at.strides != (0,):
        there &= column.at > before
    changed = column.values != value
    anew, again = there & changed, there & ~changed
    np.copyto(value, column.values, where=anew)
    np.copyto(base, load.values, where=anew)
    same[anew] = 0
    moved[anew] = 0
    again &= (value >= sensor.low) & (value <= sensor.high)
    same += again & (same < MOST)
    step, part = limits
    away_enough = np.abs(load.values - base) >= np.maximum(step, part * np.maximum(load.values, base))
    moved += again & away_enough & (moved < MOST)


def free_to_move(site: SiteFrame, sensor: Sensor, rows: NDArray[np.intp]) -> list[int]:
    """Return the rows but those whose power is held at a cap now: there it is right not to move."""
    events = site.columns.get("clock_events")
    if sensor.name != "power_w" or events is None or not len(rows):
        return [int(row) for row in rows]
    held = np.nan_to_num(events.values[rows]).astype(np.int64) & HELD != 0
    return [int(row) for row in rows[~held]]


def _writable(column: NDArray[np.generic]) -> Any:
    """Return a state column as what it is: an array of numbers that a detector may write."""
    return column


DETECTOR = Stuck()
