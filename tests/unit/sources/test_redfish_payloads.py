from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from console.config.values import SiteConfig, SourceConfig
from console.model.reading import ColumnPart, FactsPart, GpuKeys, NamedKeys
from console.sources.redfish import readings
from console.sources.redfish.gpus import metric_of, uuid_of
from console.sources.redfish.readings import Found
from console.sources.redfish.source import RedfishSource
from tests.support.fake_redfish import PREFIX, FakeBmc, collect, transport

PAYLOADS = Path(__file__).parents[3].parent / "shared" / "payloads" / "redfish"
pytestmark = [
    pytest.mark.payload,
    pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no captured payloads beside the checkout"),
]


def resources(pattern: str) -> dict[str, dict[str, Any]]:
    """Return captured resources by the path that they give themselves."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(PAYLOADS.glob(pattern)):
        resource = json.loads(path.read_text())
        named = PREFIX + path.stem.partition("__rv1")[2].replace("__", "/")
        place = resource.get("@odata.id", named).rstrip("/")
        found[f"{PREFIX}/" if place == PREFIX else place] = resource
    assert found
    return found


class Told:
    """What a source says of one BMC."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.names: set[str] = set()
        self.gpus: GpuKeys | None = None
        self.facts: dict[str, str] = {}


async def told(found: dict[str, dict[str, Any]]) -> Told:
    config = SourceConfig("redfish", "bmc", options={"targets": ["bmc"]})
    source = RedfishSource(SiteConfig("muc1"), config, transport=transport({"bmc": FakeBmc(found)}))
    out = Told()
    for part in (await source.read()).decode():
        if isinstance(part, ColumnPart):
            out.values[part.metric] = [round(float(each), 2) for each in part.values]
            if isinstance(part.keys, GpuKeys):
                out.gpus = part.keys
            elif isinstance(part.keys, NamedKeys):
                out.names |= set(part.keys.names)
        elif isinstance(part, FactsPart):
            out.facts[part.fact] = part.values[0]
    await source.aclose()
    return out


async def test_the_gb300_tray() -> None:
    found = resources("smc-gb300/*.json")
    detectors = [each for each in found if "LeakDetectors/" in each]
    for name in ("Chassis_0_LeakDetector_1_ColdPlate", "Chassis_0_LeakDetector_1_Manifold"):
        place = f"{detectors[0].rpartition('/')[0]}/{name}"
        found[place] = {**found[detectors[0]], "@odata.id": place}
    at = await told(found)
    assert at.values["leak"] == [0]
    assert at.values["node_power_w"] == [1349.26]
    assert at.values["inlet_c"] == [24.44]
    # The margin to the limit looks like a temperature, and its name does not tell.
    assert at.values["temp_c"] == [32.94]
    assert at.values["temp_margin_c"] == [54.06]
    assert at.values["mem_temp_c"] == [32.13]
    assert at.values["power_w"] == [232.16]
    assert at.gpus is not None
    assert (at.gpus.uuid_high[0], at.gpus.models) == (0xFFD6582A64DEB17E, ("NVIDIA GB300",))
    assert at.facts == {"vbios": "97.10.3E.00.05", "bmc_serial": "S964512X5913271"}


async def test_the_gb300_tray_with_detectors_that_were_not_captured_is_not_called_dry() -> None:
    at = await told(resources("smc-gb300/*.json"))
    assert math.isnan(at.values.get("leak", [math.nan])[0])


async def test_gpus_under_two_systems_are_one() -> None:
    at = await told(resources("lambda/gb300_happypath*.json"))
    assert at.facts["vbios"] == "97.10.3E.00.05"
    config = SourceConfig("redfish", "bmc", options={"targets": ["bmc"]})
    bmc = FakeBmc(resources("lambda/gb300_happypath*.json"))
    source = RedfishSource(SiteConfig("muc1"), config, transport=transport({"bmc": bmc}))
    await source.read()
    said = await source.diagnose()
    assert said["gpus"] == "2 seen by BMCs"
    await source.aclose()


async def test_a_power_shelf() -> None:
    found = resources("lambda/powershelf_delta*.json")
    sensors = found[f"{PREFIX}/Chassis/PowerShelf_0/Sensors"]["Members"]
    at = await told({**found, **{each["@odata.id"]: each for each in sensors}})
    assert at.values == {"shelf_power_w": [1674]}
    assert at.names == {"bmc"}


async def test_a_manager_alone_tells_its_firmware() -> None:
    at = await told(resources("lambda/manager_happypath*.json"))
    assert at.facts == {"bmc_firmware": "2.10.0"}


async def test_the_standards_own_example() -> None:
    at = await told(
        {**resources("dmtf-rackmount1/*.json"), f"{PREFIX}/": resources("dmtf-rackmount1/index.json")[f"{PREFIX}/"]}
    )
    assert at.values["inlet_c"] == [25]
    assert at.values["psu_failed"] == [1]
    assert at.values["fan_failed"] == [0]
    assert at.facts["bmc_serial"] == "437XR1138R2"


@pytest.mark.parametrize(("maker", "watts", "inlet"), [("dell", 429.0, None), ("hp", 221.0, 19.0)])
def test_older_machines(maker: str, watts: float, inlet: float | None) -> None:
    found = Found()
    power = json.loads((PAYLOADS / f"telegraf/{maker}__{maker}_power.json").read_text())
    thermal = json.loads((PAYLOADS / f"telegraf/{maker}__{maker}_thermal.json").read_text())
    for kind, resource in (("power", power), ("old_supplies", power), ("old_inlet", thermal), ("old_fans", thermal)):
        readings.read(kind, [resource], found)
    values = found.values()
    assert (values["node_power_w"], values["psu_failed"], values["fan_failed"]) == (watts, 0, 0)
    assert math.isnan(values["inlet_c"]) if inlet is None else values["inlet_c"] == inlet


async def test_a_machine_that_reads_nothing_is_unknown() -> None:
    found = resources("smc-x10/*.json")
    collect(found, "/Systems", ["1"])
    at = await told(found)
    assert at.values == {}
    assert at.facts["bios"] == "1.2"


async def test_a_bmc_with_little_to_say() -> None:
    at = await told(resources("idrac/*.json"))
    assert at.values == {}


def test_every_captured_resource_can_be_read() -> None:
    files = [line.split("\t")[0] for line in (PAYLOADS / "INDEX.tsv").read_text().splitlines()[1:]]
    assert len(files) > 100
    for name in files:
        resource = json.loads((PAYLOADS / name).read_text())
        for kind in readings._READERS:
            found = Found()
            readings.read(kind, [resource], found)
            assert all(isinstance(each, float) for each in found.values().values())
        assert metric_of(resource) in ("", "temp_c", "mem_temp_c", "temp_margin_c", "power_w")
        assert uuid_of(resource) == "" or uuid_of(resource).startswith("GPU-")
