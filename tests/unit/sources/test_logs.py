from __future__ import annotations

import asyncio
import threading
import time
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from console.config.values import SourceConfig, Timeouts
from console.core.inventory import build_topology
from console.core.kernel_signs import WORDS
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.errors import BadPayload, NotOffered, RateLimited, SourceError, Unauthorized
from console.model.inventory import NodeSpec
from console.model.levels import Severity
from console.model.ports import LogKeeper, Source, Subject
from console.model.reading import EventsPart
from console.sources.logs import source as logs
from console.sources.logs.lines import log_line
from console.sources.logs.source import LogsSource
from console.sources.logs.stores import Ask, Loki, VictoriaLogs, time_ns
from tests.servers.logs import LogStore
from tests.support.bad_http import answer, bad_server

if TYPE_CHECKING:
    from console.engine.log_stream import LogStream
    from console.model.events import Event
    from console.model.voices import VoiceLine
    from tests.support.bad_http import BadServer

NOW = 1_784_000_000.0
XID = "NVRM: Xid (PCI:0000:9b:00): 79, pid=1234, name=python, GPU has fallen off the bus."
OOM = "Out of memory: Killed process 12345 (python3) total-vm:900kB"
LABELS = {"job": "kernel", "host": "n0001"}


@pytest.fixture(params=["loki", "victorialogs"])
def store(request: pytest.FixtureRequest) -> LogStore:
    return LogStore(request.param)


class Clock:
    def __init__(self) -> None:
        self.now = NOW
        self.slept = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += seconds
        await asyncio.sleep(0)


def opened(server: BadServer, clock: Clock | None = None, **more: object) -> LogsSource:
    config = {"timeouts": Timeouts(1.0, 1.0, 3.0), **more}
    clock = clock or Clock()
    return LogsSource("muc1", SourceConfig("logs", "logs", server.url, **config), clock=clock, sleep=clock.sleep)  # type: ignore[arg-type]


async def events_of(source: LogsSource) -> tuple[Event, ...]:
    reading = await source.read()
    parts = [part for part in reading.decode() if isinstance(part, EventsPart)]
    return tuple(event for part in parts for event in part.events)


async def test_xids_and_kills_of_the_fleet_become_events_of_their_nodes(store: LogStore) -> None:
    store.add(XID, NOW - 30, job="kernel", host="n0001")
    store.add(OOM, NOW - 20, job="kernel", host="n0002")
    store.add("usb 1-1: new device", NOW - 10, job="kernel", host="n0003")
    store.add(XID, NOW - 10, job="nginx", host="n0004")
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        assert isinstance(source, Source)
        assert isinstance(source, LogKeeper)
        found = await events_of(source)
        assert [(each.path, each.kind, each.at) for each in found] == [
            ("muc1/n0001", "xid", NOW - 30),
            ("muc1/n0002", "oom", NOW - 20),
        ]
        assert found[0].severity is Severity.CRITICAL
        await source.aclose()


async def test_a_line_is_read_once_however_windows_overlap_and_late_ones_are_not_missed(store: LogStore) -> None:
    clock = Clock()
    store.add(XID, NOW - 5, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server, clock)
        assert len(await events_of(source)) == 1
        clock.now += 10
        store.add(OOM, NOW - 20, **LABELS)  # came late: older than what was read already
        assert [each.kind for each in await events_of(source)] == ["oom"]
        clock.now += 10
        assert await events_of(source) == ()
        starts = [int(each["start"]) / 1e9 for each in store.queries]
        assert starts[-1] > NOW - 100  # not all from the beginning again
        await source.aclose()


async def test_a_page_that_is_full_is_followed_by_the_next(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES_A_PAGE", 10)
    monkeypatch.setattr(logs, "PAGES_A_TURN", 3)
    for number in range(25):
        store.add(XID.replace("79", str(100 + number)), NOW - 200 + number, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        assert [each.at for each in await events_of(source)] == [NOW - 200 + number for number in range(25)]
        await source.aclose()


async def test_a_storm_is_bounded_goes_on_where_it_stopped_and_is_told(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_A_PAGE", 10)
    monkeypatch.setattr(logs, "PAGES_A_TURN", 2)
    for number in range(60):
        store.add(f"{XID} {number}", NOW - 120 + number, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        reading = await source.read()
        list(reading.decode())
        assert len(store.queries) <= 3
        assert reading.warnings[0].startswith("more than 20 lines a turn: 1")
        for _ in range(3):
            reading = await source.read()
        assert reading.warnings == ()
        assert reading.notes["lines"] == "60"
        await source.aclose()


async def test_what_makes_us_late_for_ever_is_left_out_and_said(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_A_PAGE", 10)
    monkeypatch.setattr(logs, "PAGES_A_TURN", 1)
    for number in range(100):
        store.add(f"{XID} {number}", NOW - 800 + number, **LABELS)
    store.add(OOM, NOW - 1, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        reading = await source.read()
        assert "were left out; narrow `selector`" in reading.warnings[0]
        list(reading.decode())
        assert [each.kind for each in await events_of(source)] == ["oom"]
        await source.aclose()


async def test_a_page_of_one_moment_alone_does_not_stop_the_reading(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_A_PAGE", 5)
    for number in range(9):
        store.add(f"{XID} {number}", NOW - 50, **LABELS)
    store.add(OOM, NOW - 10, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        assert [each.kind for each in await events_of(source)] == ["xid", "oom"]
        await source.aclose()


async def test_a_storm_of_one_fault_is_one_event_and_the_next_counts_it(store: LogStore) -> None:
    for second in range(90):
        store.add(XID, NOW - 200 + second, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        found = await events_of(source)
        assert [each.at for each in found] == [NOW - 200, NOW - 140]
        assert "came 59 more times" in found[1].text
        await source.aclose()


async def test_the_node_is_named_by_the_label_that_the_fleet_file_says(store: LogStore) -> None:
    store.add(XID, NOW - 5, job="kernel", host="collector", rack_node="n7")
    async with bad_server(store.behaviour) as server:
        source = opened(server, options={"node_label": "rack_node", "flavor": store.flavour})
        assert [each.path for each in await events_of(source)] == ["muc1/n7"]
        await source.aclose()


async def test_a_line_without_a_node_is_the_site_s_and_is_counted(store: LogStore) -> None:
    store.add(XID, NOW - 5, job="kernel")
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        reading = await source.read()
        parts = list(reading.decode())
        assert [each.path for part in parts for each in part.events] == ["muc1"]  # type: ignore[union-attr]
        assert reading.notes["not placed"] == "1 lines name no node: set `node_label`"
        await source.aclose()


async def test_a_gpu_is_found_by_the_uuid_that_the_driver_tells_beside_its_first_xid(store: LogStore) -> None:
    uuid = "GPU-509665ad-b600-ac93-3616-d754b23d636d"
    store.add(f"NVRM: GPU at PCI:0000:9b:00: {uuid}", NOW - 6, **LABELS)
    store.add(XID, NOW - 5, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        assert [each.path for each in await events_of(source)] == [f"muc1/n0001/{uuid}"]
        await source.aclose()


async def test_reading_without_decoding_loses_nothing(store: LogStore) -> None:
    clock = Clock()
    store.add(XID, NOW - 5, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server, clock)
        await source.read()
        clock.now += 10
        assert len(await events_of(source)) == 1
        await source.aclose()


# Which store, which streams


async def test_auto_finds_the_store_and_loki_s_kernel_streams(store: LogStore) -> None:
    store.add(XID, NOW - 5, job="systemd-journal", transport="kernel", host="n0001")
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        reading = await source.read()
        assert reading.notes["store"] == store.flavour
        if store.flavour == "loki":
            assert reading.notes["selector"] == '{transport=~"kernel"}'
        assert reading.notes["lines"] == "1"
        await source.aclose()


async def test_a_loki_whose_kernel_lines_are_among_others_is_asked_for_those(store: LogStore) -> None:
    if store.flavour != "loki":
        pytest.skip("VictoriaLogs has no streams to choose")
    store.add(XID, NOW - 5, job="integrations/journal.x", host="n0001")
    store.add(XID, NOW - 5, job="nginx", host="n0002")
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        assert [each.path for each in await events_of(source)] == ["muc1/n0001"]
        await source.aclose()


async def test_a_loki_without_kernel_streams_says_what_to_set() -> None:
    store = LogStore("loki")
    store.add("GET /", NOW - 5, app="web", pod="web-1")
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        with pytest.raises(NotOffered, match=r"labels of the last hour are: app, pod; set `selector`"):
            await source.read()
        await source.aclose()


async def test_a_selector_of_the_fleet_file_is_used_as_it_is(store: LogStore) -> None:
    store.add(XID, NOW - 5, stream_of="dmesg", host="n0001")
    store.add(XID, NOW - 5, job="kernel", host="n0002")
    selector = '{stream_of="dmesg"}' if store.flavour == "loki" else 'stream_of:="dmesg"'
    async with bad_server(store.behaviour) as server:
        source = opened(server, options={"selector": selector})
        assert [each.path for each in await events_of(source)] == ["muc1/n0001"]
        await source.aclose()


async def test_a_selector_that_the_store_refuses_is_told_with_what_to_look_at() -> None:
    async with bad_server(LogStore("loki").behaviour) as server:
        source = opened(server, options={"selector": "job=kernel", "flavor": "loki"})
        with pytest.raises(SourceError, match="check `selector` and `node_label`"):
            await source.read()
        await source.aclose()


async def test_a_tenant_is_named_in_each_store_s_way() -> None:
    loki = LogStore("loki", tenant="ops")
    loki.add(XID, NOW - 5, **LABELS)
    async with bad_server(loki.behaviour) as server:
        source = opened(server)
        with pytest.raises(Unauthorized, match="a multi-tenant store needs `tenant`"):
            await source.read()
        await source.aclose()
        source = opened(server, tenant="ops")
        assert len(await events_of(source)) == 1
        await source.aclose()
    victoria = LogStore("victorialogs")
    async with bad_server(victoria.behaviour) as server:
        source = opened(server, tenant="12:34", options={"flavor": "victorialogs"})
        await source.read()
        assert (victoria.headers[-1]["accountid"], victoria.headers[-1]["projectid"]) == ("12", "34")
        await source.aclose()


async def test_what_is_neither_store_is_named_as_such() -> None:
    async with bad_server(answer("404 page not found", 404, "text/plain")) as server:
        source = opened(server)
        with pytest.raises(NotOffered, match="neither a Loki nor a VictoriaLogs answers"):
            await source.read()
        await source.aclose()


async def test_a_store_that_asks_to_wait_is_left_alone(store: LogStore) -> None:
    store.failing = 429
    async with bad_server(store.behaviour) as server:
        source = opened(server, options={"flavor": store.flavour, "selector": "x"})
        with pytest.raises(RateLimited):
            await source.read()
        await source.aclose()


@pytest.mark.parametrize(
    "body",
    ['{"status":"success","data":{"resultType":"matrix","result":[]}}', "[]", '{"status":"success"}', "\x00",
     '{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["x","y"]]}]}}',
     '{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["1"]]}]}}'],
)  # fmt: skip
async def test_an_answer_of_another_shape_is_refused_by_name(body: str) -> None:
    store = LogStore("loki")
    store.add(XID, NOW - 5, **LABELS)
    async with bad_server(answer(body)) as server:
        source = opened(server, options={"flavor": "loki", "selector": "{}"})
        with pytest.raises(BadPayload):
            await source.read()
        await source.aclose()


# Following a node


async def test_a_node_s_lines_are_followed_live_under_all_its_names(store: LogStore) -> None:
    clock = Clock()
    for number in range(3):
        store.add(f"line {number}", NOW - 30 + number, job="kernel", host="n0001.muc1.example")
    store.add("of another", NOW - 20, job="kernel", host="n00011")
    store.add("too old", NOW - 900, job="kernel", host="n0001")
    async with bad_server(store.behaviour) as server:
        source = opened(server, clock)
        subject = Subject("muc1", "muc1/h1/r1/n0001", "n0001", ("10.0.0.1",))
        async with aclosing(source.follow(subject, NOW - 600)) as lines:
            first = [await anext(lines) for _ in range(3)]
            assert first == [f"03:32:{50 + number}Z line {number}" for number in range(3)]
            store.add("just now", clock.now, job="kernel", host="10.0.0.1:9100")
            assert await anext(lines) == "03:33:20Z just now"
            assert clock.slept == 1
        await source.aclose()


async def test_the_first_look_back_at_a_noisy_node_is_bounded(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FOLLOW_LINES", 10)
    for number in range(50):
        store.add(f"line {number}", NOW - 60 + number, **LABELS)
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        async with aclosing(source.follow(Subject("muc1", "p", "n0001"), NOW - 600)) as lines:
            assert [(await anext(lines)).partition(" ")[2] for _ in range(10)] == [f"line {n}" for n in range(40, 50)]
        await source.aclose()


async def test_the_kernels_of_a_job_s_nodes_are_followed_together(store: LogStore) -> None:
    store.add("of the first", NOW - 20, job="kernel", host="n0001")
    store.add("of the second", NOW - 10, job="kernel", host="n0002")
    store.add("of another", NOW - 5, job="kernel", host="n0003")
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        subject = Subject("muc1", "job:muc1/7", job="7", nodes=("n0001", "n0002"))
        async with aclosing(source.follow(subject, NOW - 600)) as lines:
            assert [await anext(lines) for _ in range(2)] == [
                "03:33:00Z n0001: of the first",
                "03:33:10Z n0002: of the second",
            ]
        await source.aclose()


async def test_a_job_without_nodes_has_no_kernel_log(store: LogStore) -> None:
    async with bad_server(store.behaviour) as server:
        source = opened(server)
        assert [line async for line in source.follow(Subject("muc1", "p", job="4711"), NOW)] == []
        assert store.asked == []
        await source.aclose()


async def test_a_node_name_is_never_a_pattern() -> None:
    ask = Ask(1, 2, 3, nodes=('a.b"|.*',))
    assert r"a\\.b\"\\|\\.\\*" in dict(Loki('{job="k"}', "host").question(ask).params)["query"]
    assert r"a\\.b\"\\|\\.\\*" in dict(VictoriaLogs().question(ask).params)["query"]


# Lines


@pytest.mark.parametrize("of", [Loki('{job="kernel"}'), VictoriaLogs()])
def test_a_question_for_faults_fits_in_a_url(of: Loki | VictoriaLogs) -> None:
    ask = Ask(10**18, 10**18 + 1, 2000, words=WORDS)
    assert len(urlencode(of.question(ask).params)) < 2000


@pytest.mark.parametrize(
    ("labels", "text", "node", "said"),
    [
        ({"instance": "n1:9100"}, "x", "n1", "x"),
        ({"host": "n1:9100"}, "x", "n1:9100", "x"),
        ({}, "May 19 07:08:57 n0001 kernel: [1.0] x", "n0001", "May 19 07:08:57 n0001 kernel: [1.0] x"),
        ({}, "<4>2026-05-19T07:08:57+02:00 n0001 kernel: x", "n0001", "<4>2026-05-19T07:08:57+02:00 n0001 kernel: x"),
        ({}, '{"MESSAGE":"NVRM: x","_HOSTNAME":"n2"}', "n2", "NVRM: x"),
        ({"host": "n1"}, '{"MESSAGE":"NVRM: x","_HOSTNAME":"n2"}', "n1", "NVRM: x"),
        ({}, '{"a": ', "", '{"a": '),
        ({}, '{"MESSAGE": 5}', "", '{"MESSAGE": 5}'),
    ],
)
def test_a_line_tells_its_node_however_it_is_wrapped(labels: dict[str, str], text: str, node: str, said: str) -> None:
    assert log_line(7, labels, text) == (7, node, said)


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("2026-07-14T03:33:20Z", 1_784_000_000 * 10**9),
        ("2026-07-14T03:33:20.123456789Z", 1_784_000_000 * 10**9 + 123_456_789),
        ("2026-07-14T05:33:20.5+02:00", 1_784_000_000 * 10**9 + 500_000_000),
    ],
)
def test_times_keep_their_nanoseconds(text: str, at_ns: int) -> None:
    assert time_ns(text) == at_ns


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="is no time"):
        time_ns("yesterday")


# Through the engine


def first_lines(stream: LogStream) -> tuple[VoiceLine, ...]:
    deadline = time.monotonic() + 10
    while not (lines := stream.take()) and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    return lines


async def test_events_reach_the_site_with_their_addresses_and_a_node_is_followed_through_the_session() -> None:
    store = LogStore("loki")
    store.add(OOM, time.time() - 5, job="kernel", host="n1.muc1.example:9100")
    spec = NodeSpec("n1", hall="h1", rack="r1", aliases=("n1.muc1.example",))
    async with bad_server(store.behaviour) as server:
        config = SourceConfig("logs", "logs", server.url, options={"node_label": "host"})
        setup = SourceSetup("logs", "logs", server.url, LogsSource("muc1", config), cadence_s=0.1)
        site = SiteSetup("muc1", topology=build_topology("muc1", [spec], declared=True), sources=(setup,))
        session = Session(SessionConfig("test", sites=(site,), snapshot_hz=20.0))
        session.start()
        try:
            seen = await asyncio.to_thread(session.wait, lambda each: bool(each.frame.sites[0].events), 10.0)
            event = seen.frame.sites[0].events[0]
            assert (event.path, event.kind) == ("muc1/h1/r1/n1", "oom")
            stream = session.follow("muc1/h1/r1/n1")
            lines = await asyncio.to_thread(first_lines, stream)
            assert lines[0].source == "logs"
            assert lines[0].text.endswith(OOM)
            stream.close()
        finally:
            await asyncio.to_thread(session.close, 2.0)
