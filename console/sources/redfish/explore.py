"""Finds out what a BMC has, by following its links: once, and again after hours; what is empty is not asked again."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from console.sources.redfish import readings
from console.sources.redfish.asker import check_essential
from console.sources.redfish.firmware import facts_of
from console.sources.redfish.gpus import gpus_of
from console.sources.redfish.logs import entries_of
from console.sources.redfish.readings import Found
from console.sources.redfish.resources import INLET, is_there, link, listed, name_of, text
from console.sources.redfish.values import Plan, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.sources.redfish.asker import Asker
    from console.sources.redfish.resources import Resource

# A chassis that stands for a machine, before those that stand for a part of one.
MACHINES = ("RackMount", "Shelf", "StandAlone", "Blade", "Sled", "Enclosure", "Rack", "Drawer")
PARTS = ("Component", "Card", "Cartridge")
_POWER = re.compile(r"total.*power|power.*total|system.*power|sys_?pwr|pwr_?consumption", re.IGNORECASE)
_SHELF_POWER = re.compile(r"total_?power_?out$", re.IGNORECASE)
MOST_CHASSIS = 64


async def explore(asker: Asker, who: tuple[str, str]) -> Plan:
    """Return what there is to ask at each visit; raises SourceError where a BMC does not answer."""
    root = await asker.root()
    systems = await asker.members(link(root, "Systems")) or []
    chassis = await asker.members(link(root, "Chassis")) or []
    managers = await asker.members(link(root, "Managers")) or []
    first = next((path for each in (*systems, *_ranked(chassis), *managers) if (path := link(each, "@odata.id"))), "")
    essential = first or link(root, "Chassis") or link(root, "Systems") or link(root, "@odata.id")
    check_essential(await asker.need(essential), asker, who, essential)
    machines = [each for each in _ranked(chassis) if each.get("ChassisType") not in PARTS][:MOST_CHASSIS]
    shelf = not systems and ("PowerEquipment" in root or any("shelf" in _name(each) for each in chassis))
    steps = await _steps(asker, machines, shelf=shelf)
    gpus = await gpus_of(asker, systems)
    serials = _serials([*systems, *machines[:1]])
    return Plan(
        essential=essential,
        steps=steps,
        logs=await entries_of(asker, [*systems, *managers]),
        gpus=gpus,
        serial=serials[0] if serials else "",
        serials=serials,
        facts=await facts_of(asker, root, systems, managers, gpus),
        shelf=shelf,
        expand=asker.expand,
    )


def _name(chassis: Resource) -> str:
    return f"{chassis.get('Id')} {chassis.get('Name')}".lower()


def _ranked(chassis: Iterable[Resource]) -> list[Resource]:
    def rank(each: Resource) -> tuple[bool, int]:
        kind = str(each.get("ChassisType"))
        systems = isinstance(each.get("Links"), dict) and bool(listed(each["Links"].get("ComputerSystems")))
        return not systems, MACHINES.index(kind) if kind in MACHINES else len(MACHINES)

    return sorted((each for each in chassis if is_there(each)), key=rank)


def _serials(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Return everything that tells one machine from another; Dell's service tag is its SKU."""
    told = (text(each.get(key)) for each in resources for key in ("SerialNumber", "SKU", "UUID"))
    return tuple(dict.fromkeys(each for each in told if each))


async def _steps(asker: Asker, machines: Sequence[Resource], *, shelf: bool) -> tuple[Step, ...]:
    steps: list[Step] = []
    for each in machines:
        steps += await _thermal(asker, each)
        steps += await _supplies(asker, each)
    kinds = {step.kind for step in steps}
    power = "shelf_sensor" if shelf else "power"
    for each in machines:
        if power not in kinds and not shelf:
            steps += await _power(asker, each)
        kinds = {step.kind for step in steps}
        if not kinds & {power, "power_sensor"} or not kinds & {"inlet", "old_inlet", "inlet_sensor"}:
            steps += await _sensors(asker, each, kinds, shelf=shelf)
        kinds = {step.kind for step in steps}
    return tuple(steps)


async def _thermal(asker: Asker, chassis: Resource) -> list[Step]:
    """Return what there is of leaks, fans and inlet: of the newer resources, and of the older one what those lack."""
    steps: list[Step] = []
    thermal = await asker.get(link(chassis, "ThermalSubsystem"))
    if thermal is not None:
        detection = await asker.get(link(thermal, "LeakDetection"))
        steps += await _filled(asker, "leaks", link(detection, "LeakDetectors"))
        steps += await _filled(asker, "fans", link(thermal, "Fans"))
        steps += await _telling(asker, "inlet", link(thermal, "ThermalMetrics"))
    kinds = {step.kind for step in steps}
    older = link(chassis, "Thermal")
    if "fans" not in kinds:
        steps += await _telling(asker, "old_fans", older)
    if "inlet" not in kinds:
        steps += await _telling(asker, "old_inlet", older)
    return steps


async def _supplies(asker: Asker, chassis: Resource) -> list[Step]:
    power = await asker.get(link(chassis, "PowerSubsystem"))
    steps = await _filled(asker, "supplies", link(power, "PowerSupplies"))
    return steps or await _telling(asker, "old_supplies", link(chassis, "Power"))


async def _power(asker: Asker, chassis: Resource) -> list[Step]:
    steps = await _telling(asker, "power", link(chassis, "EnvironmentMetrics"))
    return steps or await _telling(asker, "power", link(chassis, "Power"))


async def _filled(asker: Asker, kind: str, path: str) -> list[Step]:
    """Return the step of a collection that has members, or that could not be read just now."""
    if not path:
        return []
    before = len(asker.skipped)
    members = await asker.members(path)
    unread = members is None and len(asker.skipped) > before and kind == "leaks"
    return [Step(kind, path, whole=True)] if members or unread else []


async def _telling(asker: Asker, kind: str, path: str) -> list[Step]:
    """Return the step of a resource that says something now."""
    resource = await asker.get(path)
    if resource is None:
        return []
    found = Found()
    readings.read(kind, [resource], found)
    told = not all(math.isnan(each) for each in found.values().values())
    return [Step(kind, path)] if told else []


async def _sensors(asker: Asker, chassis: Resource, kinds: set[str], *, shelf: bool) -> list[Step]:
    """Return single sensors for what nothing else tells, found by their names."""
    wanted = [("shelf_sensor", _SHELF_POWER)] if shelf else []
    if not shelf and "power" not in kinds:
        wanted.append(("power_sensor", _POWER))
    if not shelf and not kinds & {"inlet", "old_inlet"}:
        wanted.append(("inlet_sensor", INLET))
    path = link(chassis, "Sensors")
    page = await asker.get(path) if wanted else None
    names = [link(each, "@odata.id") for each in listed((page or {}).get("Members"))]
    found = [next(((kind, each) for each in names if form.search(name_of(each))), None) for kind, form in wanted]
    return [Step(*each) for each in found if each is not None]
