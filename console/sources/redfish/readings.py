"""What resources say, in our terms: leaks, power supplies, fans, air inlet, power."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.sources.redfish.resources import (
    NAN,
    called,
    celsius,
    is_bad,
    is_inlet,
    is_there,
    listed,
    number,
    state_of,
    watts,
)
from console.sources.redfish.values import METRICS, SHELF_POWER, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from console.sources.redfish.resources import Resource

# The standard's DetectorState is OK, Warning or Critical; makers write others (`LeakDetected`): all but OK is a leak.
DRY = "OK"
MOST_NAMES = 8


@dataclass(eq=False)
class Found:
    """What the steps of one visit found so far; `None` in `counted` is a part that could not be asked."""

    inlets: list[float] = field(default_factory=list)
    node_w: float = NAN
    shelf_w: float = NAN
    leaks: list[str] = field(default_factory=list)
    supplies: list[str] = field(default_factory=list)
    fans: list[str] = field(default_factory=list)
    counted: dict[str, int | None] = field(default_factory=dict)

    def count(self, what: str, more: int | None) -> None:
        """Note how many parts of one sort told of themselves; None once stays."""
        had = self.counted.get(what, 0)
        self.counted[what] = None if had is None or more is None else had + more

    def values(self) -> Mapping[str, float]:
        """Return the values by metric; what could not be asked is unknown, never good."""
        inlet_c = max((each for each in self.inlets if not math.isnan(each)), default=NAN)
        failed = [self._failed("supplies", self.supplies), self._failed("fans", self.fans)]
        leak = 1.0 if self.leaks else self._failed("leaks", self.leaks)
        told = dict(zip(METRICS, (inlet_c, self.node_w, *failed, leak), strict=True))
        return {**UNKNOWN, **told, SHELF_POWER: self.shelf_w}

    def _failed(self, what: str, names: Sequence[str]) -> float:
        return float(len(names)) if self.counted.get(what) else NAN


def read(kind: str, resources: Sequence[Resource], found: Found) -> None:
    """Take what one step's resources say."""
    _READERS[kind](resources, found)


def missed(kind: str, found: Found) -> None:
    """Take note of a step that could not be read."""
    what = {"leaks": "leaks", "supplies": "supplies", "fans": "fans", "old_fans": "fans", "old_supplies": "supplies"}
    if kind in what:
        found.count(what[kind], None)


def _leaks(resources: Sequence[Resource], found: Found) -> None:
    for each in resources:
        said = str(each.get("DetectorState") or "")
        if said and said != DRY:
            found.leaks.append(f"{called(each)}: {said}"[:80])
        elif is_bad(each):
            found.leaks.append(f"{called(each)}: {state_of(each)[1]}"[:80])
        # A detector that is off or says nothing leaves it unknown whether it is dry.
        found.count("leaks", 1 if said == DRY and is_there(each) else None)


def _parts(what: str, names: Callable[[Found], list[str]]) -> Callable[[Iterable[Resource], Found], None]:
    def read_parts(resources: Iterable[Resource], found: Found) -> None:
        there = [each for each in resources if is_there(each)]
        found.count(what, len(there))
        names(found).extend(called(each) for each in there if is_bad(each))

    return read_parts


_supplies = _parts("supplies", lambda found: found.supplies)
_fans = _parts("fans", lambda found: found.fans)


def _temperatures(key: str, reading: str) -> Callable[[Sequence[Resource], Found], None]:
    def read_inlet(resources: Sequence[Resource], found: Found) -> None:
        found.inlets.append(celsius([each for one in resources for each in listed(one.get(key))], reading))

    return read_inlet


def _node_power(resources: Sequence[Resource], found: Found) -> None:
    for each in resources:
        control = listed(each.get("PowerControl"))
        told = watts(each.get("PowerWatts")) if "PowerWatts" in each else watts(_first(control, "PowerConsumedWatts"))
        found.node_w = told if not math.isnan(told) else found.node_w


def _first(rows: Sequence[Resource], key: str) -> object:
    return rows[0].get(key) if rows else None


def _inlet_sensor(resources: Sequence[Resource], found: Found) -> None:
    found.inlets += [number(each.get("Reading")) for each in resources if is_inlet(each) and is_there(each)]


def _power_sensor(resources: Sequence[Resource], found: Found) -> None:
    found.node_w = watts(_first(resources, "Reading"))


def _shelf_sensor(resources: Sequence[Resource], found: Found) -> None:
    # A shelf without load gives 0 W, and that is true.
    found.shelf_w = number(_first(resources, "Reading"))


_READERS: Mapping[str, Callable[[Sequence[Resource], Found], None]] = {
    "leaks": _leaks,
    "supplies": _supplies,
    "fans": _fans,
    "old_supplies": lambda resources, found: _supplies(_inner(resources, "PowerSupplies"), found),
    "old_fans": lambda resources, found: _fans(_inner(resources, "Fans"), found),
    "inlet": _temperatures("TemperatureReadingsCelsius", "Reading"),
    "old_inlet": _temperatures("Temperatures", "ReadingCelsius"),
    "power": _node_power,
    "inlet_sensor": _inlet_sensor,
    "power_sensor": _power_sensor,
    "shelf_sensor": _shelf_sensor,
}


def _inner(resources: Sequence[Resource], key: str) -> list[Resource]:
    return [each for one in resources for each in listed(one.get(key))]
