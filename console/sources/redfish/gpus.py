"""The GPUs that a BMC sees, each once: the same one may stand under two systems, and some are counted from 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.core.naming import natural_key
from console.sources.redfish.resources import is_there, link, listed, name_of, number, text
from console.sources.redfish.values import GpuPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.sources.redfish.asker import Asker
    from console.sources.redfish.resources import Resource

MOST_GPUS = 32
_PROCESSOR = re.compile(r"gpu|accel|sxm|oam", re.IGNORECASE)
_MEMORY = re.compile(r"dram|hbm|mem", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class _Key:
    uuid: str
    serial: str
    name: str


async def gpus_of(asker: Asker, systems: Sequence[Resource]) -> tuple[GpuPlan, ...]:
    """Return the GPUs of all systems in natural order of their names; raises SourceError."""
    found: dict[_Key, GpuPlan] = {}
    for system in systems:
        for each in await asker.members(link(system, "Processors"), _PROCESSOR) or []:
            if each.get("ProcessorType") != "GPU" or not is_there(each) or len(found) >= MOST_GPUS:
                continue
            key = _key(each)
            if key not in found:
                found[key] = await _plan(asker, each, key)
    return tuple(sorted(found.values(), key=lambda gpu: natural_key(gpu.name)))


def uuid_of(processor: Resource) -> str:
    """Return a GPU's UUID as its driver writes it, empty where the BMC does not say."""
    said = text(processor.get("UUID")).lower().removeprefix("gpu-")
    return f"GPU-{said}" if _UUID.fullmatch(said) else ""


def _key(processor: Resource) -> _Key:
    uuid = uuid_of(processor)
    # The GPUs of one board may have the board's serial: it tells two apart only together with the name.
    return _Key(uuid, "", "") if uuid else _Key("", text(processor.get("SerialNumber")), text(processor.get("Id")))


async def _plan(asker: Asker, processor: Resource, key: _Key) -> GpuPlan:
    collection, sensors = "", {}
    for chassis in _chassis_of(processor):
        collection = link(await asker.get(chassis), "Sensors")
        members = await asker.members(collection) or []
        sensors = {metric: link(each, "@odata.id") for each in members if (metric := metric_of(each))}
        if sensors:
            break
    return GpuPlan(
        name=text(processor.get("Id")) or name_of(link(processor, "@odata.id")),
        uuid=key.uuid,
        model=text(processor.get("Model")),
        firmware=text(processor.get("FirmwareVersion")),
        collection=collection,
        sensors=sensors,
    )


def _chassis_of(processor: Resource) -> list[str]:
    links = processor.get("Links")
    found = links.get("Chassis") if isinstance(links, dict) else None
    several = listed(found) if isinstance(found, list) else [found]
    return [path for each in several if (path := link({"at": each}, "at"))][:2]


def metric_of(sensor: Resource) -> str:
    """Return which metric of a GPU a sensor is; the margin to its limit looks like a temperature and is none."""
    kind, memory = sensor.get("ReadingType"), _MEMORY.search(name_of(link(sensor, "@odata.id"))) is not None
    if kind == "Temperature":
        headroom = sensor.get("ReadingBasis") == "Headroom"
        return "temp_margin_c" if headroom else "mem_temp_c" if memory else "temp_c"
    return "power_w" if kind == "Power" and not memory else ""


async def values_of(asker: Asker, gpu: GpuPlan) -> Mapping[str, float]:
    """Return what a GPU's sensors say now by metric; raises SourceError for what ends the visit."""
    if asker.expand and gpu.collection and gpu.sensors:
        members = await asker.members(gpu.collection) or []
        by_path = {link(each, "@odata.id"): number(each.get("Reading")) for each in members}
        return {metric: by_path[path] for metric, path in gpu.sensors.items() if path in by_path}
    told = {metric: await asker.get(path) for metric, path in gpu.sensors.items()}
    return {metric: number(each.get("Reading")) for metric, each in told.items() if each is not None}
