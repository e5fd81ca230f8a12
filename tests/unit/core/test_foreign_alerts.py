from __future__ import annotations

import pytest

from console.core.alert_counts import alert_counts
from console.core.alert_places import alerts_by_site
from console.core.foreign_alerts import MOST_ALERTS_A_SOURCE, ForeignAlerts
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.events import Alert, AlertState
from console.model.levels import Level, Severity
from console.model.reading import AlertsPart
from console.model.snapshot import Frame, Snapshot
from tests.support.fleets import NOW, node, small_site, uuid

SITE = small_site()  # muc1: 2 halls, 4 racks, n0001 to n0012 with 4 GPUs each


def alert(number: int = 0, site: str = "muc1", state: AlertState = AlertState.FIRING, **labels: str) -> Alert:
    pairs = tuple(sorted(labels.items()))
    return Alert(f"{number}", state, Severity.CRITICAL, "GpuXid", site, "", NOW, origin="pager", labels=pairs)


def merged(*alerts: Alert, **by_source: tuple[Alert, ...]) -> SiteMerger:
    merger = SiteMerger(SITE, BUILTIN)
    for source, told in {"pager": alerts, **by_source}.items():
        merger.apply(AlertsPart(told), source=source, stale_after_s=60.0, received_at=NOW)
    return merger


@pytest.mark.parametrize(
    ("labels", "path", "gpus"),
    [
        ({"Hostname": "n0005"}, "muc1/h1/r002/n0005", 4),
        ({"instance": "n0005.muc1.example:9100"}, "muc1/h1/r002/n0005", 4),
        ({"node": "n0005", "gpu": "2"}, "muc1/h1/r002/n0005/g2", 1),
        ({"node": "n0005", "gpu": "nvidia3"}, "muc1/h1/r002/n0005/g3", 1),
        ({"node": "n0005", "gpu": "77"}, "muc1/h1/r002/n0005", 4),
        ({"UUID": uuid(19), "Hostname": "dcgm-exporter-x7"}, "muc1/h1/r002/n0005/g2", 1),
        ({"UUID": uuid(999), "Hostname": "n0001"}, "muc1/h1/r001/n0001", 4),
        ({"instance": "web1:80", "host": "n0001"}, "muc1/h1/r001/n0001", 4),
        ({"instance": "web1"}, "muc1", 0),
        ({}, "muc1", 0),
    ],
)
def test_labels_lead_to_a_place_or_the_site_alone(labels: dict[str, str], path: str, gpus: int) -> None:
    (found,) = merged(alert(**labels)).frame(NOW).alerts
    assert (found.path, found.gpus) == (path, gpus)


def test_a_list_takes_the_place_of_the_last_one_of_its_source() -> None:
    merger = merged(alert(1), alert(2), other=(alert(3),))
    merger.apply(AlertsPart((alert(2),)), source="pager", stale_after_s=60.0, received_at=NOW)
    assert [each.id for each in merger.frame(NOW).alerts] == ["2", "3"]
    merger.apply(AlertsPart(()), source="pager", stale_after_s=60.0, received_at=NOW)
    assert [each.id for each in merger.frame(NOW).alerts] == ["3"]


def test_what_two_tell_is_there_once() -> None:
    assert len(merged(alert(1), alert(2), twin=(alert(1), alert(2))).frame(NOW).alerts) == 2


def test_places_follow_the_topology() -> None:
    merger = SiteMerger(small_site(nodes=1), BUILTIN)
    merger.apply(AlertsPart((alert(Hostname="n0005"),)), source="pager", stale_after_s=60.0, received_at=NOW)
    assert merger.frame(NOW).alerts[0].path == "muc1"
    alerts = ForeignAlerts()
    alerts.take("pager", (alert(Hostname="n0005"),))
    assert alerts.listed(small_site(nodes=1), lambda _: -1)[0].path == "muc1"
    assert alerts.listed(SITE, lambda _: 4)[0].path == "muc1/h1/r002/n0005"


def test_a_frame_without_news_has_the_same_alerts() -> None:
    merger = merged(alert(1))
    assert merger.frame(NOW).alerts is merger.frame(NOW + 1).alerts


def test_a_flood_is_cut() -> None:
    assert len(merged(*(alert(i) for i in range(3000))).frame(NOW).alerts) == MOST_ALERTS_A_SOURCE


def test_an_alert_that_names_another_site_is_shown_there() -> None:
    alerts = (alert(1), alert(2, site="muc1", datacenter="hel1"), alert(3, dc="mars"))
    found = alerts_by_site(alerts, "muc1", ("muc1", "hel1", "osl1"))
    assert {site: [each.id for each in told] for site, told in found.items()} == {
        "muc1": ["1", "3"],
        "hel1": ["2"],
        "osl1": [],
    }
    assert found["hel1"][0].site == "hel1"


def test_open_alerts_count_at_every_level_above_them() -> None:
    quiet = alert(3, state=AlertState.SILENCED, Hostname="n0009")
    frame = merged(alert(1, Hostname="n0005", gpu="2"), alert(2, Hostname="n0005"), quiet).frame(NOW)
    snapshot = Snapshot(1, Frame(NOW, "t", BUILTIN, (frame,)), alerts=frame.alerts)
    counts = {level: alert_counts(snapshot, frame, level).tolist() for level in (Level.SITE, Level.HALL, Level.RACK)}
    assert counts == {Level.SITE: [2], Level.HALL: [2, 0], Level.RACK: [0, 2, 0, 0]}
    assert alert_counts(snapshot, frame, Level.NODE).tolist() == [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    assert alert_counts(snapshot, frame, Level.GPU).nonzero()[0].tolist() == [18]


def test_an_alias_leads_there_too() -> None:
    from console.core.inventory import build_topology

    topology = build_topology("muc1", [node("n1", aliases=("10.0.0.7",))], declared=True)
    merger = SiteMerger(topology, BUILTIN)
    told = AlertsPart((alert(instance="10.0.0.7:9100"),))
    merger.apply(told, source="pager", stale_after_s=60.0, received_at=NOW)
    assert merger.frame(NOW).alerts[0].path == "muc1/h1/r1/n1"
