from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import yaml

from console.model.events import AlertState
from console.model.levels import Severity
from console.model.snapshot import SourceState
from console.wiring import open_fleet
from tests.servers.alertmanager import Alertmanager, alertmanager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.model.events import Alert
    from console.model.snapshot import Snapshot
    from console.wiring import Fleet

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("alertmanager")]
WAIT_S = 40.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path) as running:
        yield running


@pytest.fixture
def fleet(server: Alertmanager, tmp_path: Path) -> Iterator[Fleet]:
    listed = "node,rack,gpus\n" + "".join(f"gpu-{n:02d},r{n // 4},8\n" for n in range(12))
    (tmp_path / "nodes.csv").write_text(listed)
    told = {"kind": "alertmanager", "name": "pager", "url": server.url, "cadence": "300ms"}
    sites = [
        {"name": "muc1", "inventory": {"file": "nodes.csv"}, "sources": [told]},
        {"name": "hel1", "sources": [{"kind": "emulator", "gpus": 8}]},
    ]
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"fleet": "t", "sites": sites}))
    opened = open_fleet(str(tmp_path / "fleet.yaml"), with_plugins=False)
    opened.session.start()
    yield opened
    opened.session.close()


def until(fleet: Fleet, wanted: Callable[[dict[str, Alert]], bool]) -> dict[str, Alert]:
    """Return the alerts by what they are about, as soon as they are as wanted."""

    def by_name(snapshot: Snapshot) -> dict[str, Alert]:
        return {dict(alert.labels).get("id", alert.title): alert for alert in snapshot.alerts}

    return by_name(fleet.session.wait(lambda snapshot: wanted(by_name(snapshot)), WAIT_S))


def xid(node: int, gpu: int, **more: str) -> dict[str, str]:
    labels = {"alertname": "GpuXid", "severity": "critical", "Hostname": f"gpu-{node:02d}.example", "gpu": str(gpu)}
    return {**labels, "id": f"{node}/{gpu}", **more}


def test_alerts_come_with_origin_place_and_severity(server: Alertmanager, fleet: Fleet) -> None:
    server.fire([xid(3, 5)], annotations={"summary": "XID 79 on gpu-03"})
    server.fire([{"alertname": "Certificate", "severity": "info"}, {"alertname": "Fan", "instance": "gpu-07:9100"}])
    server.fire([xid(0, 0, id="there", site="hel1"), {"alertname": "Disk", "severity": "page", "instance": "web1"}])
    alerts = until(fleet, lambda found: len(found) == 5)
    assert {alert.origin for alert in alerts.values()} == {"pager"}
    assert (alerts["3/5"].path, alerts["3/5"].gpus) == ("muc1/-/r0/gpu-03/g5", 1)
    assert alerts["3/5"].text == "XID 79 on gpu-03"
    assert (alerts["Fan"].path, alerts["Fan"].gpus, alerts["Fan"].severity) == ("muc1/-/r1/gpu-07", 8, Severity.WARNING)
    assert (alerts["Disk"].path, alerts["Disk"].severity) == ("muc1", Severity.CRITICAL)
    assert alerts["Certificate"].severity is Severity.INFO
    assert (alerts["there"].site, alerts["there"].path) == ("hel1", "hel1")


def test_a_gpu_s_alerts_are_shown_as_the_server_sent_them(server: Alertmanager, fleet: Fleet) -> None:
    server.fire([xid(5, 5), xid(5, 6), {"alertname": "Fan", "instance": "gpu-05:9100"}])
    until(fleet, lambda found: {"5/5", "5/6", "Fan"} <= found.keys())
    told = fleet.session.records("muc1/-/r1/gpu-05/g5")["pager"].result(WAIT_S)
    assert told.error == ""
    assert '"id": "5/5"' in told.text
    assert '"alertname": "Fan"' in told.text
    assert '"id": "5/6"' not in told.text
    assert '"receivers"' in told.text


def test_a_silence_and_an_inhibition_are_told_and_end(server: Alertmanager, fleet: Fleet) -> None:
    began = datetime.fromtimestamp(time.time() - 90, UTC).isoformat()
    server.fire([xid(1, 0, rack="r0"), xid(2, 0, rack="r0"), xid(9, 0, rack="r9")], startsAt=began)
    server.fire([{"alertname": "RackDown", "rack": "r9"}])
    until(fleet, lambda found: len(found) == 4)
    matcher = {"name": "Hostname", "value": "gpu-01.example", "isRegex": False, "isEqual": True}
    now = time.time()
    silence = {
        "matchers": [matcher],
        "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
        "endsAt": datetime.fromtimestamp(now + 3600, UTC).isoformat(),
        "createdBy": "kim",
        "comment": "rack work",
    }
    made = server.post("silences", silence)["silenceID"]
    alerts = until(fleet, lambda found: found["1/0"].silenced_by[:1] != () and "kim" in found["1/0"].silenced_by[0])
    assert alerts["1/0"].state is AlertState.SILENCED
    assert alerts["1/0"].silenced_by[0].endswith(": rack work")
    assert alerts["2/0"].state is AlertState.FIRING
    assert alerts["9/0"].state is AlertState.INHIBITED
    assert alerts["2/0"].since == pytest.approx(now - 90, abs=5)  # not when it will be resolved by itself
    server.post("silences", {**silence, "id": made, "endsAt": datetime.fromtimestamp(time.time() + 1, UTC).isoformat()})
    until(fleet, lambda found: found["1/0"].state is AlertState.FIRING)
    resolved = datetime.fromtimestamp(time.time() - 1, UTC).isoformat()
    server.fire([xid(2, 0, rack="r0")], startsAt=began, endsAt=resolved)
    until(fleet, lambda found: "2/0" not in found)


def test_down_keeps_what_was_heard_and_a_restart_recovers(server: Alertmanager, fleet: Fleet) -> None:
    server.fire([xid(3, 5)])
    heard_at = until(fleet, lambda found: "3/5" in found)["3/5"].heard_at
    server.kill()
    failing = (SourceState.FAILING, SourceState.STALE)
    down = fleet.session.wait(lambda snapshot: snapshot.sources[0].state in failing, WAIT_S)
    assert [alert.path for alert in down.alerts] == ["muc1/-/r0/gpu-03/g5"]
    assert "cannot connect" in down.sources[0].last_error
    server.start()
    server.fire([xid(4, 1)])
    alerts = until(fleet, lambda found: "4/1" in found)
    assert alerts["4/1"].heard_at > heard_at
    up = fleet.session.wait(lambda snapshot: snapshot.sources[0].state in (SourceState.OK, SourceState.SLOW), WAIT_S)
    assert up.sources[0].notes["alerts"].endswith("firing")


def test_two_thousand_alerts_are_one_reading(server: Alertmanager, fleet: Fleet) -> None:
    server.fire([xid(n % 12, n % 8, id=str(n)) for n in range(2000)])
    alerts = until(fleet, lambda found: len(found) == 2000)
    assert {alert.path.rsplit("/", 1)[0] for alert in alerts.values()} == {
        f"muc1/-/r{n // 4}/gpu-{n:02d}" for n in range(12)
    }
