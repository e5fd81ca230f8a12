from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from console.model.levels import Level
from console.model.ports import Subject
from console.model.snapshot import SourceState
from console.wiring import open_fleet
from tests.servers.redfish import PASSWORD, USER, bmcs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.model.snapshot import Snapshot
    from console.sources.redfish.source import RedfishSource
    from console.wiring import Fleet
    from tests.servers.redfish import SushyBmc

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("redfish")]
WAIT_S = 60.0
UUIDS = [f"00000000-0000-0000-0000-00000000000{i}" for i in range(1, 4)]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[SushyBmc]]:
    with bmcs(tmp_path, UUIDS) as running:
        yield running


def fleet_of(tmp_path: Path, addresses: list[str], password: str = PASSWORD) -> Fleet:
    (tmp_path / "nodes.csv").write_text(
        "node,bmc,serial,gpus\n"
        + "".join(f"n{i + 1},{url},{uuid},8\n" for i, (url, uuid) in enumerate(zip(addresses, UUIDS, strict=True)))
    )
    (tmp_path / "pw").write_text(password)
    auth = {"basic": {"user": USER, "password": {"file": "pw"}}}
    source = {"kind": "redfish", "name": "bmc", "auth": auth}
    told = {"fleet": "f", "sites": [{"name": "muc1", "inventory": {"file": "nodes.csv"}, "sources": [source]}]}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(told))
    return open_fleet(str(tmp_path / "fleet.yaml"), with_plugins=False)


def seen(fleet: Fleet, good: Callable[[Snapshot], bool]) -> Snapshot:
    return fleet.session.wait(good, WAIT_S)


def inlets(snapshot: Snapshot) -> list[float]:
    (site,) = snapshot.frame.sites
    found = site.values("inlet_c", snapshot.at)
    return [] if found is None else [float(each) for each in found]


def serials(snapshot: Snapshot) -> dict[str, str]:
    (site,) = snapshot.frame.sites
    facts = site.facts.get(("bmc", "bmc_serial"))
    if facts is None:
        return {}
    return {node: facts.texts[code] for node, code in zip(site.topology.nodes, facts.codes, strict=True) if code >= 0}


def test_bmcs_of_a_site_are_read_through_the_whole_console(servers: list[SushyBmc], tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, [each.url for each in servers])
    fleet.session.start()
    try:
        snapshot = seen(fleet, lambda each: inlets(each) == [25.0, 25.0, 25.0])
        (site,) = snapshot.frame.sites
        assert serials(snapshot) == dict(zip(("n1", "n2", "n3"), UUIDS, strict=True))
        assert site.facts["bmc", "bmc_firmware"].texts == ("1.00",)
        assert site.values("fan_failed", snapshot.at) is not None
        assert site.rollups["inlet_c"].maxima[Level.SITE].tolist() == [25.0]
        (status,) = snapshot.sources
        assert status.state is SourceState.OK
        assert status.notes["bmcs"] == "3 of 3 answer"
    finally:
        fleet.session.close()


def test_swapped_bmcs_are_found_by_their_serials(servers: list[SushyBmc], tmp_path: Path) -> None:
    one, two, three = (each.url for each in servers)
    fleet = fleet_of(tmp_path, [two, one, three])
    fleet.session.start()
    try:
        snapshot = seen(fleet, lambda each: len(each.alerts) + len(each.frame.sites[0].alerts) >= 2)
        assert serials(snapshot) == dict(zip(("n1", "n2", "n3"), UUIDS, strict=True))
        paths = {alert.path for alert in snapshot.frame.sites[0].alerts}
        assert paths == {"muc1/-/-/n1", "muc1/-/-/n2"}
    finally:
        fleet.session.close()


async def test_one_dead_bmc_leaves_the_others_and_a_visit_is_not_repeated(
    servers: list[SushyBmc], tmp_path: Path
) -> None:
    servers[1].stop()
    fleet = fleet_of(tmp_path, [each.url for each in servers])
    source: RedfishSource = fleet.sources["muc1", "bmc"]  # type: ignore[assignment]
    reading = await source.read()
    assert reading.notes["bmcs"] == "2 of 3 answer"
    assert any("1 of 3 BMCs" in text and "cannot connect" in text for text in reading.warnings)
    asked = servers[0].requests()
    assert 0 < asked < 30
    record = await source.record(Subject("muc1", "muc1/-/-/n1", "n1"))
    assert "Chassis Intake Temp" in record
    await source.read()
    assert servers[0].requests() == asked
    await source.aclose()


async def test_a_wrong_password_is_told(servers: list[SushyBmc], tmp_path: Path) -> None:
    from console.model.errors import Unauthorized

    fleet = fleet_of(tmp_path, [each.url for each in servers], password="wrong")
    source = fleet.sources["muc1", "bmc"]
    with pytest.raises(Unauthorized, match=r"muc1/bmc: none of 3 BMCs answers; .*HTTP 401"):
        await source.read()
    await source.aclose()
