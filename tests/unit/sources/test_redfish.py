from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.config.values import Auth, InventoryConfig, Secret, SiteConfig, SourceConfig
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.events import AlertState
from console.model.inventory import NodeSpec
from console.model.levels import Severity
from console.model.ports import Diagnosable, LogKeeper, Source, Subject, Witness
from console.sources.redfish.source import RedfishSource
from tests.support.fake_redfish import (
    ENTRIES,
    FAN,
    LEAK,
    PREFIX,
    SUPPLY,
    FakeBmc,
    collect,
    entry,
    put,
    ref,
    transport,
    tray,
)

if TYPE_CHECKING:
    from pathlib import Path

    from console.model.snapshot import SiteFrame

NOW = 1_800_000_000.0
ISO = "2027-01-15T07:59:{:02d}+00:00"
SIGN_IN = Auth(basic_user="sre", basic_password=Secret(value="pw"))


@dataclass
class Hall:
    """BMCs, an inventory, a source and what is known through it; a minute passes between reads."""

    folder: Path
    bmcs: dict[str, FakeBmc]
    specs: list[NodeSpec]
    options: dict[str, object] = field(default_factory=dict)
    auth: Auth = SIGN_IN
    passed_s: float = 0.0

    def __post_init__(self) -> None:
        rows = ["node,bmc,serial,gpus,shelf"]
        rows += [f"{s.name},{s.bmc},{s.serial},{s.gpus},{';'.join(s.domains.get('shelf', ()))}" for s in self.specs]
        (self.folder / "nodes.csv").write_text("\n".join(rows))
        config = SourceConfig("redfish", "bmc", options=self.options, auth=self.auth, base_dir=str(self.folder))
        site = SiteConfig("muc1", inventory=InventoryConfig(file="nodes.csv"))
        self.source = RedfishSource(
            site,
            config,
            transport=transport(self.bmcs),
            clock=lambda: NOW + self.passed_s,
            monotonic=lambda: self.passed_s + asyncio.get_running_loop().time(),
        )
        self.merger = SiteMerger(build_topology("muc1", self.specs, declared=True), BUILTIN)
        self.warnings: tuple[str, ...] = ()
        self.notes: dict[str, str] = {}

    async def read(self) -> SiteFrame:
        reading = await self.source.read()
        for part in reading.decode():
            self.merger.apply(part, source="bmc", stale_after_s=reading.stale_after_s, received_at=reading.received_at)
        self.warnings, self.notes = reading.warnings, dict(reading.notes)
        self.passed_s += 61.0
        return self.merger.frame(reading.received_at)

    def values(self, frame: SiteFrame, metric: str) -> list[float | None]:
        found = frame.values(metric, NOW + self.passed_s - 61.0)
        if found is None:
            return []
        return [None if np.isnan(each) else round(float(each), 2) for each in found]


def nodes(count: int) -> list[NodeSpec]:
    return [
        NodeSpec(f"n{i}", gpus=4, bmc=f"bmc-n{i}", serial=f"S{i}", domains={"shelf": ("sh1",)})
        for i in range(1, count + 1)
    ]


def hall(folder: Path, count: int = 2, **more: object) -> Hall:
    bmcs = {f"bmc-n{i}": FakeBmc(tray(f"S{i}", number=i), password="pw") for i in range(1, count + 1)}
    return Hall(folder, bmcs, nodes(count), **more)  # type: ignore[arg-type]


def test_it_is_everything_that_a_source_may_be(tmp_path: Path) -> None:
    source = hall(tmp_path).source
    assert all(isinstance(source, port) for port in (Source, Diagnosable, Witness, LogKeeper))


@pytest.mark.parametrize("expands", [True, False])
async def test_a_tray_is_read_into_metrics_facts_and_gpus(tmp_path: Path, expands: bool) -> None:
    at = hall(tmp_path, 1)
    at.bmcs["bmc-n1"].resources = tray("S1", number=1, expands=expands)
    for _ in range(2):  # the second visit asks only what the first one found
        frame = await at.read()
        told = {
            each: at.values(frame, each) for each in ("inlet_c", "node_power_w", "leak", "psu_failed", "fan_failed")
        }
        assert told == {"inlet_c": [24.5], "node_power_w": [1349.25], "leak": [0], "psu_failed": [0], "fan_failed": [0]}
        assert at.values(frame, "temp_c") == [40, 41, 42, 43]
        assert at.values(frame, "temp_margin_c") == [50, 49, 48, 47]
        assert at.values(frame, "power_w") == [300, 301, 302, 303]
    facts = {fact: each.texts for (_, fact), each in frame.facts.items()}
    assert facts == {
        "bmc_firmware": ("2.10.0",),
        "bios": ("1.2.3",),
        "vbios": ("97.10.3E.00.05",),
        "nic_firmware": ("40.44.1036",),
        "bmc_serial": ("S1",),
    }
    assert frame.unjoined == ()
    await at.source.aclose()


async def test_one_session_a_bmc_is_kept_and_deleted_at_the_end(tmp_path: Path) -> None:
    at = hall(tmp_path)
    for _ in range(4):
        await at.read()
    assert [bmc.opened for bmc in at.bmcs.values()] == [1, 1]
    await at.source.aclose()
    assert [(bmc.deleted, len(bmc.sessions)) for bmc in at.bmcs.values()] == [(1, 0), (1, 0)]


async def test_a_session_that_ended_is_replaced_once(tmp_path: Path) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    await at.read()
    bmc.sessions.clear()  # it was restarted
    assert at.values(await at.read(), "leak") == [0]
    assert bmc.opened == 2
    await at.source.aclose()


async def test_no_free_session_is_told_as_that(tmp_path: Path) -> None:
    at = hall(tmp_path, 1)
    at.bmcs["bmc-n1"].sessions = {str(i): "" for i in range(4)}
    with pytest.raises(errors.RateLimited, match=r"muc1/bmc: bmc-n1 has no free session.*login: basic"):
        await at.read()


async def test_wrong_passwords_are_tried_once_a_visit(tmp_path: Path) -> None:
    at = hall(tmp_path, 1, auth=Auth(basic_user="sre", basic_password=Secret(value="wrong")))
    with pytest.raises(errors.Unauthorized, match=r"bmc-n1 refuses the login.*ReadOnly"):
        await at.read()
    assert sum(each.startswith("POST") for each in at.bmcs["bmc-n1"].asked) == 1


@pytest.mark.parametrize("how", ["not offered", "not wanted"])
async def test_without_sessions_requests_carry_the_credentials(tmp_path: Path, how: str) -> None:
    at = hall(tmp_path, 1, options={"login": "basic"} if how == "not wanted" else {})
    bmc = at.bmcs["bmc-n1"]
    bmc.most_sessions = 0 if how == "not offered" else 4
    assert at.values(await at.read(), "leak") == [0]
    assert bmc.opened == 0
    await at.source.aclose()


async def test_a_bmc_is_visited_once_a_minute_however_often_one_reads(tmp_path: Path) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    await at.read()
    asked = len(bmc.asked)
    at.passed_s -= 61.0
    for _ in range(3):
        at.passed_s += 15.0
        await at.source.read()
    assert len(bmc.asked) == asked
    at.passed_s += 16.0
    await at.source.read()
    assert len(bmc.asked) > asked
    await at.source.aclose()


async def test_a_leak_cannot_be_overlooked(tmp_path: Path) -> None:
    at = hall(tmp_path)
    await at.read()
    at.bmcs["bmc-n2"].resources[LEAK]["DetectorState"] = "LeakDetected"
    frame = await at.read()
    assert at.values(frame, "leak") == [0, 1]
    (event,) = frame.events
    assert (event.kind, event.severity, event.path) == ("leak", Severity.CRITICAL, "muc1/-/-/n2")
    assert "Manifold: LeakDetected" in event.text
    (alert,) = frame.alerts
    assert (alert.title, alert.severity, alert.path) == ("Leak", Severity.CRITICAL, "muc1/-/-/n2")
    assert alert.state is AlertState.FIRING
    frame = await at.read()
    assert (len(frame.events), frame.alerts[0].since) == (1, alert.since)
    at.bmcs["bmc-n2"].resources[LEAK]["DetectorState"] = "OK"
    frame = await at.read()
    assert (frame.alerts, frame.events[-1].severity) == ((), Severity.INFO)
    await at.source.aclose()


@pytest.mark.parametrize("how", ["off", "silent", "broken", "collection"])
async def test_a_detector_that_cannot_be_read_is_unknown_and_not_dry(tmp_path: Path, how: str) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    bmc.resources = tray("S1", number=1, expands=False)
    await at.read()
    if how == "off":
        bmc.resources[LEAK]["Status"] = {"State": "Disabled"}
    elif how == "silent":
        bmc.resources[LEAK]["DetectorState"] = None
    else:
        bmc.broken[LEAK if how == "broken" else LEAK.rpartition("/")[0]] = 500
    assert at.values(await at.read(), "leak") == [None]
    await at.source.aclose()


async def test_failed_supplies_and_fans_are_counted_and_absent_ones_are_not(tmp_path: Path) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    await at.read()
    bmc.resources[SUPPLY]["LineInputStatus"] = "LossOfInput"
    bmc.resources[FAN]["Status"] = {"State": "Enabled", "Health": "Critical"}
    frame = await at.read()
    assert (at.values(frame, "psu_failed"), at.values(frame, "fan_failed")) == ([1], [1])
    assert {alert.title for alert in frame.alerts} == {"PowerSupplyFailed", "FanFailed"}
    await at.source.aclose()


async def test_an_unreadable_bmc_is_unknown_and_the_others_are_fresh(tmp_path: Path) -> None:
    at = hall(tmp_path, 10)
    await at.read()
    for i in (2, 5, 9):
        at.bmcs[f"bmc-n{i}"].dead = True
    for _ in range(5):
        frame = await at.read()
    leak = at.values(frame, "leak")
    assert [i + 1 for i, each in enumerate(leak) if each is None] == [2, 5, 9]
    assert any(text.startswith("3 of 10 BMCs, bmc-n[2,5,9]: cannot connect") for text in at.warnings)
    assert at.notes["bmcs"] == "7 of 10 answer"
    for bmc in at.bmcs.values():
        bmc.dead = False
    for _ in range(3):
        frame = await at.read()
    assert at.values(frame, "leak") == [0] * 10
    await at.source.aclose()


async def test_an_odd_answer_stays_with_its_bmc(tmp_path: Path) -> None:
    at = hall(tmp_path)
    at.bmcs["bmc-n2"].resources[f"{PREFIX}/Systems/System_0"]["Links"] = 7
    at.bmcs["bmc-n2"].resources[f"{PREFIX}/Chassis"]["Members"] = {"odd": True}
    at.bmcs["bmc-n2"].resources[f"{PREFIX}/Managers"] = {"Members": [None, 3, {"@odata.id": 9}, {"@odata.id": "//x/y"}]}
    assert at.values(await at.read(), "leak") == [0, None]
    await at.source.aclose()


async def test_swapped_bmcs_are_found_and_their_values_go_where_they_belong(tmp_path: Path) -> None:
    at = hall(tmp_path)
    one, two = at.bmcs["bmc-n1"].resources, at.bmcs["bmc-n2"].resources
    two[LEAK]["DetectorState"] = "Critical"
    at.bmcs["bmc-n1"].resources, at.bmcs["bmc-n2"].resources = two, one
    frame = await at.read()
    assert at.values(frame, "leak") == [0, 1]
    assert "bmc-n1 is the BMC of n2 by its serial, not of n1" in at.notes["not as declared"]
    swapped = [event for event in frame.events if event.kind == "bmc_swapped"]
    assert {event.path for event in swapped} == {"muc1/-/-/n1", "muc1/-/-/n2"}
    facts = frame.facts["bmc", "bmc_serial"]
    assert [facts.texts[code] for code in facts.codes] == ["S1", "S2"]
    record = await at.source.record(Subject("muc1", "muc1/-/-/n2", "n2"))
    assert '"S2"' in record
    await at.source.aclose()


async def test_a_bmc_of_an_unknown_machine_is_listed_and_nobody_gets_its_values(tmp_path: Path) -> None:
    at = hall(tmp_path)
    at.bmcs["bmc-n1"].resources = tray("S9", number=9)
    frame = await at.read()
    assert at.values(frame, "leak") == [None, 0]
    assert at.values(frame, "temp_c") == [None] * 4 + [40, 41, 42, 43]
    assert "bmc-n1 has serial S9, n1 has another one" in at.notes["not as declared"]
    assert [name for each in frame.unjoined for name in each.names] == ["node serial S9 at bmc-n1"]
    await at.source.aclose()


async def test_two_bmcs_that_claim_one_node_are_told_and_the_one_at_its_address_is_believed(tmp_path: Path) -> None:
    at = hall(tmp_path)
    at.bmcs["bmc-n1"].resources = tray("S2", number=1)
    at.bmcs["bmc-n1"].resources[LEAK]["DetectorState"] = "Critical"
    frame = await at.read()
    assert at.values(frame, "leak") == [None, 0]
    assert "both say that they are of n2" in at.notes["not as declared"]
    await at.read()
    assert any("both say that they are of n2" in text for text in at.warnings)
    await at.source.aclose()


@pytest.mark.parametrize(
    ("created", "message", "severity", "expected"),
    [
        (ISO.format(9), "fan redundancy lost", "Warning", ("bmc_log", Severity.WARNING)),
        (
            ISO.format(9),
            "NVRM: Xid (PCI:0000:9b:00): 79, GPU fell off.",
            "OK",
            ("xid", Severity.CRITICAL),
        ),
        (ISO.format(9), "GPU_SXM_3 XID: 79", "Critical", ("xid", Severity.CRITICAL)),
        (ISO.format(9), "Leakage detected at tray manifold", "Warning", ("leak", Severity.CRITICAL)),
        ("1970-01-01T00:00:09Z", "clock was never set", "Critical", ("bmc_log", Severity.CRITICAL)),
    ],
)
async def test_new_log_entries_become_events(
    tmp_path: Path, created: str, message: str, severity: str, expected: tuple[str, Severity]
) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    bmc.log(entry(1, "2020-01-01T00:00:00Z", "years ago", "Critical"))
    assert (await at.read()).events == ()
    bmc.log(entry(2, created, message, severity))
    (event,) = (await at.read()).events
    assert (event.kind, event.severity) == expected
    assert event.path == "muc1/-/-/n1"
    assert len((await at.read()).events) == 1
    bmc.resources[ENTRIES]["Members"] = []
    bmc.log(entry(1, ISO.format(50), "log cleared", "OK"))
    assert [each.text for each in (await at.read()).events][1:] == ["log cleared"]
    await at.source.aclose()


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_long_log_is_read_at_its_end(tmp_path: Path, newest_first: bool) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    order = range(400, 0, -1) if newest_first else range(1, 401)
    bmc.log(*(entry(i, f"2020-01-01T{i // 60:02d}:{i % 60:02d}:00Z", f"old {i}") for i in order))
    await at.read()
    new = entry(401, ISO.format(30), "new")
    page = bmc.resources[ENTRIES]
    page["Members"] = [new, *page["Members"]] if newest_first else [*page["Members"], new]
    page["Members@odata.count"] = 401
    assert [event.text for event in (await at.read()).events] == ["new"]
    asked = [each for each in bmc.asked if ENTRIES in each]
    assert len(asked) <= 4
    await at.source.aclose()


async def test_what_visits_saw_is_the_record_and_asks_nothing(tmp_path: Path) -> None:
    at = hall(tmp_path)
    await at.read()
    asked = len(at.bmcs["bmc-n2"].asked)
    record = await at.source.record(Subject("muc1", "muc1/-/-/n2", "n2", aliases=("bmc-n2",)))
    assert len(at.bmcs["bmc-n2"].asked) == asked
    assert f"# GET {PREFIX}/Systems" in record
    body = record.partition(f"# GET {LEAK.rpartition('/')[0]}?$expand=.($levels=1)\n")[2].partition("\n\n# GET")[0]
    assert json.loads(body)["Members"][1]["DetectorState"] == "OK"
    assert await at.source.record(Subject("muc1", "muc1/-/-/n7", "n7")) == ""
    await at.source.aclose()


async def test_the_record_of_a_bmc_that_never_answered_says_why(tmp_path: Path) -> None:
    at = hall(tmp_path)
    at.bmcs["bmc-n2"].dead = True
    await at.read()
    with pytest.raises(errors.Unreachable, match="bmc-n2"):
        await at.source.record(Subject("muc1", "muc1/-/-/n2", "n2"))
    await at.source.aclose()


async def test_a_log_is_followed_from_what_is_there_to_what_visits_find(tmp_path: Path) -> None:
    at = hall(tmp_path, 1)
    bmc = at.bmcs["bmc-n1"]
    bmc.log(entry(1, ISO.format(1), "too old"), entry(2, ISO.format(20), "before", "Warning"))
    await at.read()
    lines = at.source.follow(Subject("muc1", "muc1/-/-/n1", "n1"), NOW - 45.0)
    assert await anext(lines) == "2027-01-15T07:59:20Z warning  before"
    waiting = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0)
    bmc.log(entry(3, ISO.format(40), "after", "Critical"))
    await at.read()
    assert await waiting == "2027-01-15T07:59:40Z critical after"
    await lines.aclose()
    await at.source.aclose()


async def test_power_shelves_tell_their_power(tmp_path: Path) -> None:
    shelf: dict[str, dict[str, object]] = {}
    sensors = "/Chassis/PowerShelf_0/Sensors"
    put(shelf, "/", RedfishVersion="1.17.0", Chassis=ref("/Chassis"), PowerEquipment=ref("/PowerEquipment"))
    collect(shelf, "/Chassis", ["PowerShelf_0"])
    put(shelf, "/Chassis/PowerShelf_0", ChassisType="RackMount", Sensors=ref(sensors))
    collect(shelf, sensors, ["total_power_in", "total_power_out", "ps1_output_power"])
    put(shelf, f"{sensors}/total_power_out", Reading=1674, ReadingUnits="W")
    at = hall(tmp_path, 1, options={"targets": ["bmc-{node}"], "shelves": ["pmc-{shelf}"]})
    at.bmcs["pmc-sh1"] = FakeBmc(shelf)
    frame = await at.read()
    assert at.values(frame, "shelf_power_w") == [1674]
    assert at.values(frame, "leak") == [0]
    assert frame.unjoined == ()
    await at.source.aclose()


async def test_gpus_are_left_to_those_who_look_more_often(tmp_path: Path) -> None:
    at = hall(tmp_path, 1)
    at.source._site = SiteConfig("muc1", inventory=InventoryConfig(file="nodes.csv"), sources=(SourceConfig("dcgm"),))
    frame = await at.read()
    assert at.values(frame, "temp_c") == []
    assert frame.facts["bmc", "vbios"].texts == ("97.10.3E.00.05",)
    await at.source.aclose()


async def test_what_fails_is_what_the_doctor_says(tmp_path: Path) -> None:
    at = hall(tmp_path)
    at.bmcs["bmc-n2"].dead = True
    await at.read()
    said = await at.source.diagnose()
    assert said["bmcs"] == "1 of 2 answer"
    assert said["leak detectors"] == "on 1 of 1"
    assert "bmc-n2" in said["advice"]
    await at.source.aclose()


async def test_no_answer_at_all_is_one_error_that_names_an_example(tmp_path: Path) -> None:
    at = hall(tmp_path)
    for bmc in at.bmcs.values():
        bmc.dead = True
    with pytest.raises(errors.Unreachable, match=r"muc1/bmc: none of 2 BMCs answers; bmc-n1: cannot connect"):
        await at.read()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"targets": ["bmc-n[1-"]}, "a ] is missing"),
        ({"targets": ["http://x/?y=1"]}, "no address of a BMC"),
        ({"targets": ["https://{nod}-bmc"]}, "{nod} stands for nothing; {node} stands for each node"),
    ],
)
async def test_bad_targets_are_named(tmp_path: Path, options: dict[str, object], text: str) -> None:
    at = hall(tmp_path, options=options)
    with pytest.raises(errors.ConfigErrors, match=text):
        await at.read()
