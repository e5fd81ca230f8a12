from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from console.config.values import SourceConfig
from console.model.errors import BadPayload
from console.model.events import AlertState
from console.model.levels import Severity
from console.model.reading import AlertsPart
from console.sources.alertmanager import MOST_ALERTS, AlertmanagerSource, severity_of

PAYLOADS = Path(__file__).parents[4] / "shared" / "payloads" / "alertmanager"


def alert(number: int = 0, **more: object) -> dict[str, object]:
    usual = {
        "fingerprint": f"{number:016x}",
        "labels": {"alertname": "GpuXid", "severity": "critical", "Hostname": f"n{number}"},
        "annotations": {"summary": "XID 79"},
        "startsAt": "2026-11-24T12:00:00Z",
        "endsAt": "2063-01-01T00:00:00Z",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    }
    return {**usual, **more}


class Server:
    """An Alertmanager that answers with these lists, and counts what it is asked."""

    def __init__(self, alerts: object = (), silences: object = ()) -> None:
        self.alerts, self.silences = alerts, silences
        self.asked: list[httpx.URL] = []
        self.now = 1000.0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        if request.url.path.endswith("/silences"):
            if self.silences is None:
                return httpx.Response(500)
            return httpx.Response(200, json=self.silences)
        content = self.alerts if isinstance(self.alerts, bytes) else json.dumps(self.alerts).encode()
        return httpx.Response(200, content=content, headers={"content-type": "application/json"})

    def open(self, **options: object) -> AlertmanagerSource:
        config = SourceConfig("alertmanager", "pager", "http://am.example/prefix", options=options)
        transport = httpx.MockTransport(self.answer)
        return AlertmanagerSource("muc1", config, transport=transport, monotonic=lambda: self.now)


async def read(server: Server, source: AlertmanagerSource | None = None, **options: object):
    opened = source or server.open(**options)
    reading = await opened.read()
    parts = list(reading.decode())
    if source is None:
        await opened.aclose()
    (part,) = [each for each in parts if isinstance(each, AlertsPart)]
    return reading, part.alerts


async def test_states_and_words_of_silences() -> None:
    states = [
        {"state": "active", "silencedBy": [], "inhibitedBy": []},
        {"state": "suppressed", "silencedBy": ["s1", "s2"], "inhibitedBy": ["x"]},
        {"state": "suppressed", "silencedBy": [], "inhibitedBy": ["x"]},
        {"state": "suppressed", "silencedBy": [], "inhibitedBy": [], "mutedBy": ["nights"]},
        {"state": "unprocessed"},
    ]
    silences = [{"id": "s1", "createdBy": "kim", "comment": "rack work", "endsAt": "2063-01-01T00:00:00.000Z"}]
    server = Server([alert(i, status=status) for i, status in enumerate(states)], silences)
    reading, alerts = await read(server)
    found = {int(each.id, 16): each for each in alerts}
    inhibited = AlertState.INHIBITED
    expected = [AlertState.FIRING, AlertState.SILENCED, inhibited, inhibited, AlertState.FIRING]
    assert [found[i].state for i in range(5)] == expected
    assert found[1].silenced_by == ("kim until 2063-01-01 00:00Z: rack work", "s2")
    assert reading.notes == {"alerts": "2 firing, 1 silenced, 2 inhibited"}


@pytest.mark.parametrize(
    ("text", "epoch_s"),
    [
        ("2026-11-24T12:00:00Z", 1795521600.0),
        ("2026-11-24T14:00:00.123456789+02:00", 1795521600.123457),
        ("2026-11-24T06:30:00.5-05:30", 1795521600.5),
        ("0001-01-01T00:00:00Z", 0.0),
    ],
)
async def test_it_began_at_its_start_in_whatever_zone(text: str, epoch_s: float) -> None:
    _, alerts = await read(Server([alert(startsAt=text)]))
    assert alerts[0].since == pytest.approx(epoch_s, abs=1e-5)


async def test_an_alert_in_several_groups_is_there_once() -> None:
    groups = [{"labels": {}, "receiver": {"name": name}, "alerts": [alert(1), alert(2)]} for name in ("a", "b")]
    _, alerts = await read(Server(groups))
    assert [each.id for each in alerts] == ["0000000000000001", "0000000000000002"]


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.CRITICAL),
        ("Page", Severity.CRITICAL),
        ("error", Severity.CRITICAL),
        ("warning", Severity.WARNING),
        ("", Severity.WARNING),
        ("somewhat bad", Severity.WARNING),
        ("info", Severity.INFO),
        ("none", Severity.INFO),
    ],
)
def test_severity_labels(word: str, severity: Severity) -> None:
    assert severity_of(word) is severity


async def test_another_severity_label_and_filters() -> None:
    server = Server([alert(labels={"alertname": "A", "priority": "P1"})])
    _, alerts = await read(server, severity_label="priority", filter=('site="muc1"', 'team=~"gpu|net"'))
    assert alerts[0].severity is Severity.CRITICAL
    assert server.asked[0].path == "/prefix/api/v2/alerts"
    assert server.asked[0].params.get_list("filter") == ['site="muc1"', 'team=~"gpu|net"']


async def test_silences_are_read_when_one_is_new_and_not_again_for_one_that_is_gone() -> None:
    server = Server([alert()])
    source = server.open()
    for _ in range(3):
        await read(server, source)
    assert sum(url.path.endswith("silences") for url in server.asked) == 1
    server.alerts = [alert(status={"state": "suppressed", "silencedBy": ["s1"]})]
    _, alerts = await read(server, source)
    assert alerts[0].silenced_by == ("s1",)
    for _ in range(3):
        await read(server, source)
    assert sum(url.path.endswith("silences") for url in server.asked) == 2
    server.now += 301
    server.silences = [{"id": "s1", "comment": "x"}]
    _, alerts = await read(server, source)
    assert alerts[0].silenced_by == ("somebody: x",)
    await source.aclose()


async def test_silences_that_cannot_be_read_are_a_warning() -> None:
    reading, alerts = await read(Server([alert()], None))
    assert len(alerts) == 1
    assert reading.warnings[0].startswith("silences: HTTP 500")


async def test_too_many_are_cut_to_the_worst_and_it_is_said() -> None:
    mild = {"alertname": "A", "severity": "info"}
    crowd = [alert(i, labels=mild) for i in range(MOST_ALERTS)] + [alert(90_000), alert(90_001)]
    reading, alerts = await read(Server(crowd))
    assert len(alerts) == MOST_ALERTS
    assert [each.severity for each in alerts[:3]] == [Severity.CRITICAL, Severity.CRITICAL, Severity.INFO]
    assert reading.notes["alerts"] == "2,002 firing; the 2,000 worst are kept"


async def test_fields_may_be_missing_and_odd_text_is_bounded() -> None:
    odd = {"labels": {"x": "\x1b[31m" + "y" * 5000, **{f"l{i}": "v" for i in range(100)}}, "extra": 1}
    _, alerts = await read(Server([odd]))
    assert (alerts[0].title, alerts[0].since, alerts[0].text) == ("alert", 0.0, "")
    assert len(alerts[0].labels) == 40
    assert max(len(value) for _, value in alerts[0].labels) <= 300


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"labels": 3}]', b'[{"labels": {}, "startsAt": "noon"}]', b"[{"]
)
async def test_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(BadPayload, match="muc1/pager: the alerts are not what the API v2 promises"):
        await read(Server(content))


def captured(pattern: str) -> list[object]:
    found = sorted(PAYLOADS.glob(pattern))
    skip = pytest.mark.skip(reason="the captured payloads are not beside the project")
    return [pytest.param(path, id=path.name) for path in found] or [pytest.param(None, marks=skip, id="none")]


@pytest.mark.payload
@pytest.mark.parametrize("path", captured("*_alerts_groups.json"))
def test_captured_answers_are_read(path: Path) -> None:
    groups = json.loads(path.read_bytes())
    silences = json.loads(path.with_name(path.name.replace("alerts_groups", "silences")).read_bytes())
    _, alerts = asyncio.run(read(Server(groups, silences)))
    told = {each["fingerprint"]: each for group in groups for each in group["alerts"]}
    assert {each.id for each in alerts} == told.keys()
    for each in alerts:
        assert dict(each.labels) == told[each.id]["labels"]
        assert (each.state is AlertState.SILENCED) == bool(told[each.id]["status"]["silencedBy"])
        assert all("john@example.com until 2063-01-01" in words for words in each.silenced_by)
        assert each.since > 1.6e9


@pytest.mark.payload
@pytest.mark.parametrize("path", captured("*_metrics"))
def test_a_page_of_its_own_metrics_is_refused(path: Path) -> None:
    with pytest.raises(BadPayload, match="not what the API v2 promises"):
        asyncio.run(read(Server(path.read_bytes())))
