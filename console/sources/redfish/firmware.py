"""What a machine runs below its operating system: BMC, BIOS, VBIOS and NIC firmware, as facts of its node."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.core.naming import natural_sorted
from console.sources.redfish.resources import link, listed, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.sources.redfish.asker import Asker
    from console.sources.redfish.resources import Resource
    from console.sources.redfish.values import GpuPlan

_NIC = re.compile(r"\bnic|_nic|connect-?x|_?cx[0-9]|bluefield|_?bf[23]|network|ethernet|mellanox", re.IGNORECASE)
_BIOS = re.compile(r"bios|uefi|fw_cpu", re.IGNORECASE)
_NO_NIC = re.compile(r"rot\b|rot_|^previous|^available", re.IGNORECASE)
_WANTED = re.compile(f"{_NIC.pattern}|{_BIOS.pattern}", re.IGNORECASE)
MOST_VERSIONS = 4


async def facts_of(
    asker: Asker, root: Resource, systems: Sequence[Resource], managers: Sequence[Resource], gpus: Sequence[GpuPlan]
) -> Mapping[str, str]:
    """Return versions by fact, without those that are not told; raises SourceError for what ends the visit."""
    service = await asker.get(link(root, "UpdateService"))
    inventory = await asker.members(link(service, "FirmwareInventory"), _WANTED) or []
    told = {
        "bmc_firmware": _manager(managers, systems),
        "bios": _joined(text(each.get("BiosVersion")) for each in systems) or _joined(_versions(inventory, _BIOS)),
        "vbios": _joined(gpu.firmware for gpu in gpus),
        "nic_firmware": _joined(_versions(inventory, _NIC)),
    }
    return {fact: version for fact, version in told.items() if version}


def _manager(managers: Sequence[Resource], systems: Sequence[Resource]) -> str:
    """Return the firmware of the BMC that manages the first system, else of the first one; a board has one too."""
    links = systems[0].get("Links") if systems else None
    by = {link(each, "@odata.id") for each in listed(links.get("ManagedBy"))} if isinstance(links, dict) else set()
    order = sorted(managers, key=lambda each: (link(each, "@odata.id") not in by, each.get("ManagerType") != "BMC"))
    return next((found for each in order if (found := text(each.get("FirmwareVersion")))), "")


def _versions(inventory: Iterable[Resource], form: re.Pattern[str]) -> Iterable[str]:
    for each in inventory:
        said = f"{each.get('Id')} {each.get('Name')}"
        if form.search(said) and not _NO_NIC.search(said):
            yield text(each.get("Version"))


def _joined(versions: Iterable[str]) -> str:
    """Return the versions that there are, each once: of several alike parts one is enough."""
    found = natural_sorted({each for each in versions if each})
    more = f", and {len(found) - MOST_VERSIONS} more" if len(found) > MOST_VERSIONS else ""
    return ", ".join(found[:MOST_VERSIONS]) + more
