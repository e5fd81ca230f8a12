"""Reader of one Redfish resource at a time: each kind that a visit asks for gives what the visit takes from it.

A whole BMC of them can be visited too, which tells what a visit asks for.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from console.config.values import SiteConfig, SourceConfig
from console.sources.redfish import readings
from console.sources.redfish.gpus import metric_of, uuid_of
from console.sources.redfish.readings import Found
from console.sources.redfish.resources import is_inlet, is_there, link, listed, number, text
from console.sources.redfish.source import RedfishSource
from tests.support.fake_redfish import PREFIX, FakeBmc, transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.payloads.index import Entry

Resource = dict[str, Any]
ROOT = ("Systems", "Chassis", "Managers")
SUBSYSTEMS = ("ThermalSubsystem", "PowerSubsystem", "EnvironmentMetrics", "Sensors", "Thermal", "Power")
THERMAL = ("LeakDetection", "Fans", "ThermalMetrics")


def kind_of(resource: Resource) -> str:
    """Return a resource's type; HPE's chassis was captured without it."""
    named = str(resource.get("@odata.type", "")).removeprefix("#").partition(".")[0]
    return named or ("Chassis" if "ChassisType" in resource else "")


def resource(entry: Entry) -> int:
    """Read a resource by what its type says that it is."""
    found = json.loads(entry.content)
    kind = kind_of(found)
    assert kind in entry.what or "?" in entry.what
    reader = _collection if kind.endswith("Collection") else KINDS[kind]
    told = reader(found)
    assert told is not None
    return told


def _collection(found: Resource) -> int:
    paths = [link(each, "@odata.id") for each in listed(found["Members"])]
    assert all(path.startswith("/redfish/v1/") for path in paths)
    assert len(set(paths)) == len(paths)
    return len(paths)


def _links(*wanted: str) -> Callable[[Resource], int]:
    def read(found: Resource) -> int:
        named = [name for name in wanted if name in found]
        assert all(link(found, name).startswith("/redfish/v1/") for name in named)
        return len(named)

    return read


def _values(*kinds: str) -> Callable[[Resource], int]:
    def read(found: Resource) -> int:
        told = Found()
        for kind in kinds:
            readings.read(kind, [found], told)
        known = [value for value in told.values().values() if not math.isnan(value)]
        assert all(-50 < value < 100_000 for value in known)
        return len(known)

    return read


def _sensor(found: Resource) -> int:
    reading = number(found.get("Reading"))
    kind = found.get("ReadingType")
    if kind == "Temperature":
        assert metric_of(found) in ("temp_c", "mem_temp_c", "temp_margin_c")
        assert is_inlet(found) == (found.get("PhysicalContext") == "Intake")
    return not math.isnan(reading)


def _processor(found: Resource) -> int:
    if found.get("ProcessorType") == "GPU":
        said = found.get("UUID", "").lower()
        assert uuid_of(found) == (f"GPU-{said}" if len(said) == 36 else "")
    else:
        assert found.get("ProcessorType") in ("CPU", "FPGA", None)
    return int(is_there(found))


def _named(*keys: str) -> Callable[[Resource], int]:
    def read(found: Resource) -> int:
        return sum(bool(text(found.get(key))) for key in keys)

    return read


KINDS: dict[str, Callable[[Resource], int]] = {
    "ServiceRoot": _links(*ROOT),
    "Chassis": _links(*SUBSYSTEMS),
    "PowerSubsystem": _links("PowerSupplies"),
    "ThermalSubsystem": _links(*THERMAL),
    "LeakDetection": _links("LeakDetectors"),
    "ComputerSystem": _named("SerialNumber", "SKU", "UUID", "BiosVersion"),
    "Manager": _named("FirmwareVersion"),
    "Processor": _processor,
    "Sensor": _sensor,
    "LeakDetector": _values("leaks"),
    "PowerSupply": _values("supplies"),
    "Fan": _values("fans"),
    "ThermalMetrics": _values("inlet"),
    "EnvironmentMetrics": _values("power"),
    "Power": _values("power", "old_supplies"),
    "Thermal": _values("old_inlet", "old_fans"),
}


# Captures that hold a BMC from its root on.
WHOLE = (
    "dmtf-rackmount1/*", "idrac/*", "smc-gb300/*", "smc-x10/*", "lambda/gb300_happypath__*",
    "lambda/manager_happypath__*", "lambda/powershelf_delta__*", "lambda/powershelf_none__*",
)  # fmt: skip


async def asked(entries: Sequence[Entry]) -> list[Entry]:
    """Visit a BMC that has these resources, and return those that it was asked for."""
    places = {_place(entry): entry for entry in entries}
    found = {path if path != PREFIX else f"{PREFIX}/": json.loads(entry.content) for path, entry in places.items()}
    bmc = FakeBmc(found)
    config = SourceConfig("redfish", "bmc", options={"targets": ["bmc"]})
    source = RedfishSource(SiteConfig("lab"), config, transport=transport({"bmc": bmc}))
    try:
        list((await source.read()).decode())
    finally:
        await source.aclose()
    paths = {each.split(" ")[1].partition("?")[0].rstrip("/") for each in bmc.asked}
    return [entry for path, entry in places.items() if path in paths]


def _place(entry: Entry) -> str:
    named = PREFIX + entry.path.stem.partition("__rv1")[2].replace("__", "/")
    return str(json.loads(entry.content).get("@odata.id", named)).rstrip("/")
