"""BMCs that are not there: resources in a dict, with sessions, expansion and the quirks that a test asks for."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.bad_http import answer

if TYPE_CHECKING:
    from tests.support.bad_http import Behaviour, Request, Writer

PREFIX = "/redfish/v1"
UUID = "aaaaaaaa-0000-0000-0000-{:012x}"


Resources = dict[str, dict[str, Any]]
WELL = {"State": "Enabled", "Health": "OK"}
CHASSIS = "/Chassis/Chassis_0"
THERMAL = f"{CHASSIS}/ThermalSubsystem"
SERVICES = "/Systems/System_0/LogServices"


def put(found: Resources, path: str, **more: Any) -> None:
    found[PREFIX + path] = {"@odata.id": PREFIX + path, "Id": path.rpartition("/")[2] or "Root", **more}


def ref(path: str) -> dict[str, str]:
    return {"@odata.id": PREFIX + path}


def collect(found: Resources, path: str, names: list[str]) -> None:
    members = [ref(f"{path}/{name}") for name in names]
    put(found, path, Members=members, **{"Members@odata.count": len(names)})


def tray(serial: str = "S1", gpus: int = 4, number: int = 0, *, expands: bool = True) -> Resources:
    """Return the resources of a liquid-cooled tray: two systems with the same GPUs, leak detectors, an event log."""
    found: Resources = {}
    offered = {"ExpandAll": True, "Levels": True, "NoLinks": True} if expands else {}
    put(
        found,
        "/",
        RedfishVersion="1.17.0",
        ProtocolFeaturesSupported={"ExpandQuery": offered},
        Links={"Sessions": ref("/SessionService/Sessions")},
        **{name: ref(f"/{name}") for name in ("Systems", "Chassis", "Managers", "UpdateService")},
    )
    _systems(found, serial, gpus, number)
    _chassis(found, serial, gpus)
    for i in range(gpus):
        _gpu(found, i)
    _managed(found)
    return found


def _systems(found: Resources, serial: str, gpus: int, number: int) -> None:
    collect(found, "/Systems", ["System_0", "HGX_0"])
    put(
        found,
        "/Systems/System_0",
        SerialNumber=serial,
        BiosVersion="1.2.3",
        PowerState="On",
        Status=WELL,
        Processors=ref("/Systems/System_0/Processors"),
        LogServices=ref(SERVICES),
        Links={"ManagedBy": [ref("/Managers/BMC_0")]},
    )
    put(found, "/Systems/HGX_0", SerialNumber=f"board-{serial}", Processors=ref("/Systems/HGX_0/Processors"))
    for system, name, first in (("System_0", "GPU_SXM_{}", 1), ("HGX_0", "GPU_{}", 0)):
        names = [name.format(i + first) for i in range(gpus)]
        collect(found, f"/Systems/{system}/Processors", ["CPU_0", *names])
        put(found, f"/Systems/{system}/Processors/CPU_0", ProcessorType="CPU")
        for i, each in enumerate(names):
            put(
                found,
                f"/Systems/{system}/Processors/{each}",
                ProcessorType="GPU",
                Model="NVIDIA GB300",
                FirmwareVersion="97.10.3E.00.05",
                SerialNumber="board",
                UUID=UUID.format(number * 64 + i + 1),
                Links={"Chassis": ref(f"/Chassis/GPU_{i}")},
            )


def _chassis(found: Resources, serial: str, gpus: int) -> None:
    collect(found, "/Chassis", ["Chassis_0", *(f"GPU_{i}" for i in range(gpus))])
    put(
        found,
        CHASSIS,
        ChassisType="Shelf",
        SerialNumber=f"chassis-{serial}",
        ThermalSubsystem=ref(THERMAL),
        PowerSubsystem=ref(f"{CHASSIS}/PowerSubsystem"),
        EnvironmentMetrics=ref(f"{CHASSIS}/EnvironmentMetrics"),
        Links={"ComputerSystems": [ref("/Systems/System_0")]},
    )
    parts = {name: ref(f"{THERMAL}/{name}") for name in ("LeakDetection", "Fans", "ThermalMetrics")}
    put(found, THERMAL, **parts)
    put(found, f"{THERMAL}/LeakDetection", LeakDetectors=ref(f"{THERMAL}/LeakDetection/LeakDetectors"))
    collect(found, f"{THERMAL}/LeakDetection/LeakDetectors", ["ColdPlate", "Manifold"])
    for name in ("ColdPlate", "Manifold"):
        put(found, f"{THERMAL}/LeakDetection/LeakDetectors/{name}", Name=name, DetectorState="OK", Status=WELL)
    collect(found, f"{THERMAL}/Fans", ["Fan_1", "Fan_2"])
    readings = [
        {"DeviceName": "Front_IO_Temp_0", "Reading": 24.5},
        {"DeviceName": "GPU_0_TEMP_1", "PhysicalContext": "GPU", "Reading": 54.0},
        {"DeviceName": "SSD", "Reading": None},
    ]
    put(found, f"{THERMAL}/ThermalMetrics", TemperatureReadingsCelsius=readings)
    supplies = f"{CHASSIS}/PowerSubsystem/PowerSupplies"
    put(found, f"{CHASSIS}/PowerSubsystem", PowerSupplies=ref(supplies))
    collect(found, supplies, ["PSU_1", "PSU_2", "PSU_3"])
    for path in (f"{THERMAL}/Fans/Fan_1", f"{THERMAL}/Fans/Fan_2", f"{supplies}/PSU_1", f"{supplies}/PSU_2"):
        put(found, path, Name=path.rpartition("/")[2], Status=WELL)
    put(found, f"{supplies}/PSU_3", Name="PSU_3", Status={"State": "Absent"})
    put(found, f"{CHASSIS}/EnvironmentMetrics", PowerWatts={"Reading": 1349.25})


def _gpu(found: Resources, i: int) -> None:
    sensors = f"/Chassis/GPU_{i}/Sensors"
    put(found, f"/Chassis/GPU_{i}", ChassisType="Component", Sensors=ref(sensors))
    collect(found, sensors, [f"GPU_{i}_TEMP_0", f"GPU_{i}_TEMP_1", f"GPU_{i}_DRAM_0_Temp_0", f"GPU_{i}_Power_0"])
    heat = {"ReadingType": "Temperature", "PhysicalContext": "GPU"}
    put(found, f"{sensors}/GPU_{i}_TEMP_0", Reading=40.0 + i, **heat)
    put(found, f"{sensors}/GPU_{i}_TEMP_1", Reading=50.0 - i, ReadingBasis="Headroom", **heat)
    put(found, f"{sensors}/GPU_{i}_DRAM_0_Temp_0", Reading=44.0 + i, **heat)
    put(found, f"{sensors}/GPU_{i}_Power_0", Reading=300.0 + i, ReadingType="Power")


def _managed(found: Resources) -> None:
    collect(found, "/Managers", ["HGX_BMC_0", "BMC_0"])
    put(found, "/Managers/HGX_BMC_0", ManagerType="BMC", FirmwareVersion="hgx-9")
    put(found, "/Managers/BMC_0", ManagerType="BMC", FirmwareVersion="2.10.0")
    inventory = "/UpdateService/FirmwareInventory"
    put(found, "/UpdateService", FirmwareInventory=ref(inventory))
    versions = {"BMC": "2.10.0", "CX8_0": "40.44.1036", "CX8_1": "40.44.1036", "IRoT_CX8_0": "1"}
    collect(found, inventory, list(versions))
    for name, version in versions.items():
        put(found, f"{inventory}/{name}", Version=version)
    collect(found, SERVICES, ["Dump", "EventLog"])
    put(found, f"{SERVICES}/Dump", LogEntryType="OEM", Entries=ref(f"{SERVICES}/Dump/Entries"))
    put(found, f"{SERVICES}/EventLog", LogEntryType="Event", Entries=ref(f"{SERVICES}/EventLog/Entries"))
    collect(found, f"{SERVICES}/EventLog/Entries", [])


LEAK = f"{PREFIX}{THERMAL}/LeakDetection/LeakDetectors/Manifold"
FAN = f"{PREFIX}{THERMAL}/Fans/Fan_2"
SUPPLY = f"{PREFIX}{CHASSIS}/PowerSubsystem/PowerSupplies/PSU_2"
ENTRIES = f"{PREFIX}{SERVICES}/EventLog/Entries"
SESSIONS = f"{PREFIX}/SessionService/Sessions"


def entry(number: int, created: str, message: str, severity: str = "OK") -> dict[str, Any]:
    path = f"{ENTRIES}/{number}"
    return {
        "@odata.id": path, "Id": str(number), "Created": created, "Message": message, "Severity": severity
    }  # fmt: skip


@dataclass
class FakeBmc:
    """One BMC. `password` empty: anybody may read; `most_sessions` 0: sessions are not offered."""

    resources: dict[str, dict[str, Any]]
    password: str = ""
    most_sessions: int = 4
    broken: dict[str, int] = field(default_factory=dict)
    dead: bool = False
    sessions: dict[str, str] = field(default_factory=dict)
    opened: int = 0
    deleted: int = 0
    asked: list[str] = field(default_factory=list)

    def log(self, *entries: dict[str, Any]) -> None:
        """Write entries, in the order that they have."""
        page = self.resources[ENTRIES]
        page["Members"] = [*page["Members"], *entries]
        page["Members@odata.count"] = len(page["Members"])

    def respond(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        path, _, query = target.partition("?")
        self.asked.append(f"{method} {target}")
        if method == "POST" and path.rstrip("/") == SESSIONS:
            return self._open(body)
        if method == "DELETE":
            token = headers.get("x-auth-token", "")
            self.deleted += self.sessions.pop(token, "") == path
            return 204, {}, b""
        key = path if path == f"{PREFIX}/" else path.rstrip("/")
        if key != f"{PREFIX}/" and self.password and not self._may(headers):
            return 401, {}, _error("Base.1.0.NoValidSession", "There is no valid session")
        if key in self.broken:
            return self.broken[key], {}, _error("Base.1.0.InternalError", "The BMC cannot do that now")
        if key not in self.resources:
            return 404, {}, _error("Base.1.0.ResourceMissingAtURI", "not there")
        return 200, {}, json.dumps(self._shown(key, query)).encode()

    def _open(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        said = json.loads(body)
        if not self.most_sessions:
            return 404, {}, _error("Base.1.0.ResourceMissingAtURI", "not there")
        if said != {"UserName": "sre", "Password": self.password}:
            return 401, {}, _error("Base.1.0.ResourceAtUriUnauthorized", "wrong user or password")
        if len(self.sessions) >= self.most_sessions:
            text = "The session establishment failed due to the number of simultaneous sessions exceeding the limit."
            return 503, {}, _error("Base.1.0.SessionLimitExceeded", text)
        self.opened += 1
        token, place = f"token-{self.opened}", f"{SESSIONS}/{self.opened}"
        self.sessions[token] = place
        return 201, {"X-Auth-Token": token, "Location": place}, json.dumps({"@odata.id": place}).encode()

    def _may(self, headers: Any) -> bool:
        import base64

        if headers.get("x-auth-token", "") in self.sessions:
            return True
        pair = base64.b64encode(f"sre:{self.password}".encode()).decode()
        return bool(headers.get("authorization", "") == f"Basic {pair}")

    def _shown(self, key: str, query: str) -> dict[str, Any]:
        found = copy.copy(self.resources[key])
        members = found.get("Members")
        asked = dict(each.partition("=")[::2] for each in query.replace("%24", "$").split("&") if each)
        if members is not None and "$skip" in asked:
            members = members[int(asked["$skip"]) :]
        if members is not None and "$top" in asked:
            members = members[: int(asked["$top"])]
        if members is not None and "$expand" in asked:
            members = [self.resources.get(each["@odata.id"], each) for each in members]
        return found if members is None else {**found, "Members": members}

    @property
    def behaviour(self) -> Behaviour:
        async def act(request: Request, writer: Writer) -> None:
            status, headers, body = self.respond(request.method, request.target, request.headers, request.body)
            await answer(body, status, headers=headers)(request, writer)

        return act


def _error(code: str, message: str) -> bytes:
    more = [{"MessageId": code, "Message": message}]
    return json.dumps({"error": {"code": code, "message": "see extended", "@Message.ExtendedInfo": more}}).encode()


def transport(bmcs: dict[str, FakeBmc]) -> httpx.MockTransport:
    """Return a network of BMCs by host; hosts that are not there and dead ones refuse the connection."""

    def handle(request: httpx.Request) -> httpx.Response:
        bmc = bmcs.get(request.url.host)
        if bmc is None or bmc.dead:
            raise httpx.ConnectError("refused")
        target = request.url.raw_path.decode()
        status, headers, body = bmc.respond(request.method, target, request.headers, request.content)
        return httpx.Response(status, headers={"content-type": "application/json", **headers}, content=body)

    return httpx.MockTransport(handle)
