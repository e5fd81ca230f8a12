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


def tray(serial: str = "S1", gpus: int = 4, number: int = 0, *, expands: bool = True) -> dict[str, dict[str, Any]]:
    """Return the resources of a liquid-cooled tray: two systems that list the same GPUs, leak detectors, an event log."""
    root = f"{PREFIX}"
    found: dict[str, dict[str, Any]] = {}

    def put(path: str, **more: Any) -> str:
        found[root + path] = {"@odata.id": root + path, "Id": path.rpartition("/")[2] or "Root", **more}
        return root + path

    def ref(path: str) -> dict[str, str]:
        return {"@odata.id": root + path}

    def collect(path: str, names: list[str]) -> None:
        put(path, Members=[ref(f"{path}/{name}") for name in names], **{"Members@odata.count": len(names)})

    offered = {"ExpandAll": True, "Levels": True, "NoLinks": True} if expands else {}
    put(
        "/",
        RedfishVersion="1.17.0",
        ProtocolFeaturesSupported={"ExpandQuery": offered},
        Links={"Sessions": ref("/SessionService/Sessions")},
        **{name: ref(f"/{name}") for name in ("Systems", "Chassis", "Managers", "UpdateService")},
    )
    collect("/Systems", ["System_0", "HGX_0"])
    put(
        "/Systems/System_0",
        SerialNumber=serial,
        BiosVersion="1.2.3",
        PowerState="On",
        Status={"State": "Enabled", "Health": "OK"},
        Processors=ref("/Systems/System_0/Processors"),
        LogServices=ref("/Systems/System_0/LogServices"),
        Links={"ManagedBy": [ref("/Managers/BMC_0")]},
    )
    put("/Systems/HGX_0", SerialNumber=f"board-{serial}", Processors=ref("/Systems/HGX_0/Processors"))
    for system, name in (("System_0", "GPU_SXM_{}"), ("HGX_0", "GPU_{}")):
        first = 1 if system == "System_0" else 0
        names = ["CPU_0", *(name.format(i + first) for i in range(gpus))]
        collect(f"/Systems/{system}/Processors", names)
        put(f"/Systems/{system}/Processors/CPU_0", ProcessorType="CPU")
        for i, each in enumerate(names[1:]):
            put(
                f"/Systems/{system}/Processors/{each}",
                ProcessorType="GPU",
                Model="NVIDIA GB300",
                FirmwareVersion="97.10.3E.00.05",
                SerialNumber="board",
                UUID=UUID.format(number * 64 + i + 1),
                Links={"Chassis": ref(f"/Chassis/GPU_{i}")},
            )
    collect("/Chassis", ["Chassis_0", *(f"GPU_{i}" for i in range(gpus))])
    put(
        "/Chassis/Chassis_0",
        ChassisType="Shelf",
        SerialNumber=f"chassis-{serial}",
        ThermalSubsystem=ref("/Chassis/Chassis_0/ThermalSubsystem"),
        PowerSubsystem=ref("/Chassis/Chassis_0/PowerSubsystem"),
        EnvironmentMetrics=ref("/Chassis/Chassis_0/EnvironmentMetrics"),
        Links={"ComputerSystems": [ref("/Systems/System_0")]},
    )
    thermal = "/Chassis/Chassis_0/ThermalSubsystem"
    put(
        thermal,
        LeakDetection=ref(f"{thermal}/LeakDetection"),
        Fans=ref(f"{thermal}/Fans"),
        ThermalMetrics=ref(f"{thermal}/ThermalMetrics"),
    )
    put(f"{thermal}/LeakDetection", LeakDetectors=ref(f"{thermal}/LeakDetection/LeakDetectors"))
    collect(f"{thermal}/LeakDetection/LeakDetectors", ["ColdPlate", "Manifold"])
    well = {"State": "Enabled", "Health": "OK"}
    for name in ("ColdPlate", "Manifold"):
        put(f"{thermal}/LeakDetection/LeakDetectors/{name}", Name=name, DetectorState="OK", Status=well)
    collect(f"{thermal}/Fans", ["Fan_1", "Fan_2"])
    for name in ("Fan_1", "Fan_2"):
        put(f"{thermal}/Fans/{name}", Name=name, Status=well)
    readings = [
        {"DeviceName": "Front_IO_Temp_0", "Reading": 24.5},
        {"DeviceName": "GPU_0_TEMP_1", "PhysicalContext": "GPU", "Reading": 54.0},
        {"DeviceName": "SSD", "Reading": None},
    ]
    put(f"{thermal}/ThermalMetrics", TemperatureReadingsCelsius=readings)
    put("/Chassis/Chassis_0/PowerSubsystem", PowerSupplies=ref("/Chassis/Chassis_0/PowerSubsystem/PowerSupplies"))
    collect("/Chassis/Chassis_0/PowerSubsystem/PowerSupplies", ["PSU_1", "PSU_2", "PSU_3"])
    for name in ("PSU_1", "PSU_2"):
        put(f"/Chassis/Chassis_0/PowerSubsystem/PowerSupplies/{name}", Name=name, Status=well)
    put("/Chassis/Chassis_0/PowerSubsystem/PowerSupplies/PSU_3", Name="PSU_3", Status={"State": "Absent"})
    put("/Chassis/Chassis_0/EnvironmentMetrics", PowerWatts={"Reading": 1349.25})
    for i in range(gpus):
        sensors = f"/Chassis/GPU_{i}/Sensors"
        put(f"/Chassis/GPU_{i}", ChassisType="Component", Sensors=ref(sensors))
        collect(sensors, [f"GPU_{i}_TEMP_0", f"GPU_{i}_TEMP_1", f"GPU_{i}_DRAM_0_Temp_0", f"GPU_{i}_Power_0"])
        heat = {"ReadingType": "Temperature", "PhysicalContext": "GPU"}
        put(f"{sensors}/GPU_{i}_TEMP_0", Reading=40.0 + i, **heat)
        put(f"{sensors}/GPU_{i}_TEMP_1", Reading=50.0 - i, ReadingBasis="Headroom", **heat)
        put(f"{sensors}/GPU_{i}_DRAM_0_Temp_0", Reading=44.0 + i, **heat)
        put(f"{sensors}/GPU_{i}_Power_0", Reading=300.0 + i, ReadingType="Power")
    collect("/Managers", ["HGX_BMC_0", "BMC_0"])
    put("/Managers/HGX_BMC_0", ManagerType="BMC", FirmwareVersion="hgx-9")
    put("/Managers/BMC_0", ManagerType="BMC", FirmwareVersion="2.10.0")
    put("/UpdateService", FirmwareInventory=ref("/UpdateService/FirmwareInventory"))
    collect("/UpdateService/FirmwareInventory", ["BMC", "CX8_0", "CX8_1", "IRoT_CX8_0"])
    for name, version in (("BMC", "2.10.0"), ("CX8_0", "40.44.1036"), ("CX8_1", "40.44.1036"), ("IRoT_CX8_0", "1")):
        put(f"/UpdateService/FirmwareInventory/{name}", Version=version)
    services = "/Systems/System_0/LogServices"
    collect(services, ["Dump", "EventLog"])
    put(f"{services}/Dump", LogEntryType="OEM", Entries=ref(f"{services}/Dump/Entries"))
    put(f"{services}/EventLog", LogEntryType="Event", Entries=ref(f"{services}/EventLog/Entries"))
    put(f"{services}/EventLog/Entries", Members=[], **{"Members@odata.count": 0})
    return found


LEAK = f"{PREFIX}/Chassis/Chassis_0/ThermalSubsystem/LeakDetection/LeakDetectors/Manifold"
ENTRIES = f"{PREFIX}/Systems/System_0/LogServices/EventLog/Entries"
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
