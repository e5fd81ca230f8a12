"""What BMCs of many makers mean by the same property: links, numbers, texts, states and health of Redfish resources."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from console.link.redfish import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]
NAN = math.nan
_GONE = ("Absent", "Disabled", "UnavailableOffline", "StandbyOffline")
_BAD = ("Warning", "Critical")
# What stands where nobody wrote anything: DMI texts of Supermicro, Dell, HPE and others.
_NOTHING = re.compile(r"[\s0x.:-]*|n/?a|none|null|unknown|redacted|default string|not specified|to be filled.*", re.I)
# The air that a machine takes in, by name: where no PhysicalContext says so.
INLET = re.compile(r"inlet|intake|ambient|front[ _]?io[ _]?temp", re.I)
# Where air is warm already, whatever the name says: a GPU module's inlet is behind the fans.
_INSIDE = frozenset(
    ("Accelerator", "CPU", "CPUSubsystem", "Exhaust", "GPU", "GPUSubsystem", "Memory", "NetworkingDevice",
     "PowerSubsystem", "PowerSupply", "StorageDevice")
)  # fmt: skip
_LONGEST = 200


def link(resource: Mapping[str, Any] | None, *names: str) -> str:
    """Return the path under a property (of a property, ...), empty where there is none."""
    found: Any = resource
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return path_of(found)


def listed(value: Any) -> list[Resource]:
    """Return the objects of a list, nothing for anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def name_of(path: str) -> str:
    """Return the last part of a path."""
    return path.partition("?")[0].rstrip("/").rpartition("/")[2]


def text(value: Any) -> str:
    """Return a text without what stands for nothing (`N/A`, `To be filled by O.E.M.`)."""
    said = " ".join(str(value).split()) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return "" if _NOTHING.fullmatch(said) else said[:_LONGEST]


def number(value: Any) -> float:
    """Return a number, or the `Reading` of an excerpt, as a float; NaN for everything else."""
    if isinstance(value, dict):
        value = value.get("Reading")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return NAN
    return float(value)


def state_of(resource: Mapping[str, Any]) -> tuple[str, str]:
    """Return state and health, each empty where not said."""
    status = resource.get("Status")
    if not isinstance(status, dict):
        return "", ""
    return str(status.get("State") or ""), str(status.get("Health") or "")


def is_there(resource: Mapping[str, Any]) -> bool:
    """Whether a part is there and switched on, as far as it says."""
    return state_of(resource)[0] not in _GONE


def is_bad(resource: Mapping[str, Any]) -> bool:
    """Whether a part that is there says that it is not well, or has lost its input."""
    if not is_there(resource):
        return False
    lost = resource.get("LineInputStatus") in ("LossOfInput", "OutOfRange")
    return lost or state_of(resource)[1] in _BAD


def called(resource: Mapping[str, Any]) -> str:
    """Return how people call a resource."""
    names = (resource.get(key) for key in ("Name", "FanName", "DeviceName", "Id", "MemberId"))
    return next((found for each in names if (found := text(each))), "") or name_of(link(resource, "@odata.id"))


def is_inlet(sensor: Mapping[str, Any]) -> bool:
    """Whether a temperature is that of the air taken in; headroom is no temperature."""
    if sensor.get("ReadingBasis") in ("Headroom", "Delta"):
        return False
    context = sensor.get("PhysicalContext")
    if context == "Intake" or (isinstance(context, str) and context in _INSIDE):
        return context == "Intake"
    said = " ".join(str(sensor.get(key) or "") for key in ("Name", "DeviceName", "Id"))
    return INLET.search(f"{said} {name_of(str(sensor.get('DataSourceUri') or ''))}") is not None


def celsius(sensors: Iterable[Resource], key: str) -> float:
    """Return the warmest inlet of some temperatures, NaN where none tells."""
    told = [number(each.get(key)) for each in sensors if is_inlet(each) and is_there(each)]
    return max((each for each in told if not math.isnan(each)), default=NAN)


def watts(value: Any) -> float:
    """Return a power; 0 is what BMCs say that have no meter, for they take some watts themselves."""
    found = number(value)
    return found if found > 0 else NAN


def epoch_s(value: Any) -> float:
    """Return a time as epoch seconds, 0 for none, and for a BMC's clock that was never set."""
    try:
        at = datetime.fromisoformat(str(value))
        told = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return told if told > 1e9 else 0.0
