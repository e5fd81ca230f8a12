from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import socket
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from console.model.events import Alert, AlertState, CheckResult, Finding
from console.model.incidents import Acknowledgement, Note, SharedView
from console.model.levels import Level, Severity
from console.model.reading import AlertsPart, FactsPart, NamedKeys, NodeReportsPart, ReservationsPart
from console.model.scheduling import NodeReason, NodeState, Reservation
from console.model.voices import VoiceRecord
from console.serve.answers import Answers
from console.serve.hub import Hub
from console.serve.routes import Routes
from tests.support.openapi import answers_of, as_json, check, paths
from tests.support.remembered import acknowledged, incident
from tests.support.scripted_session import NOW, SITE, ScriptedSession
from tests.support.serving import Served, emulated_session, listening, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

READS = {path: name for path, name in answers_of("serve").items() if path != "/ready"}
OWN = {"/health", "/ready", "/metrics"}
NODE = f"{SITE}/h1/r001/muc1-n0002"


def told() -> ScriptedSession:
    """A session that knows something of everything."""
    session = ScriptedSession()
    session.start()
    session.members = {
        "incidents": (incident(), acknowledged("fault:gpu-off-bus")),
        "findings": (
            Finding("bus", "gpu-off-bus", SITE, Level.GPU, "GPU-1", NODE, Severity.CRITICAL, "gone", ("x",), NOW),
            Finding("bus", "gpu-off-bus", "elsewhere", Level.GPU, "GPU-2", "elsewhere/x", Severity.CRITICAL, "gone"),
        ),
        "notes": (Note("n-1", SITE, "node:muc1/muc1-n0002", "ada", NOW, "loose cable"),),
        "views": (SharedView("hot", "ada", NOW, "panel=fleet"),),
        "checks": (
            CheckResult("hot", Severity.WARNING, 3, 1, 48, NOW, (NODE,), "3 of 48", warning=1, by_site=((SITE, 3, 1),)),
        ),
    }
    nodes = NamedKeys("node", session.world.topology(SITE).nodes)
    counts = np.full(6, 8, dtype=np.int16)
    session.publish(
        NodeReportsPart(
            nodes,
            (NodeState("IDLE"), NodeState("IDLE", ("DRAIN",))),
            np.array([0, 0, 1, 0, 0, -1], dtype=np.int32),
            counts,
            counts,
            {2: NodeReason("bad cable", NOW, "root")},
            NOW,
        ),
        FactsPart("driver", nodes, ("570.86",) * 5 + ("",), NOW),
        ReservationsPart((Reservation("maint", ("muc1-n0001",), NOW, NOW + 60, ("MAINT",)),), NOW),
        AlertsPart((Alert("a1", AlertState.FIRING, Severity.WARNING, "NodeDown", SITE, NODE, NOW, origin="am"),)),
    )
    session.note({"event": "source_failed", "site": SITE, "source": "slurm", "error": "no answer"})
    session.note({"event": "source_failed", "site": "elsewhere", "source": "slurm", "error": "no answer"})
    return session


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(told()) as running:
        yield running


async def get(served: Served, path: str, **headers: str) -> Any:
    async with served.client() as client:
        return await client.get(path if path.startswith("/") else f"{served.site}/{path}", headers=headers)


def _asked(path: str) -> str:
    more = f"?subject={NODE}" if path.endswith("/records") else ""
    return path.replace("{site}", SITE) + more


@pytest.mark.parametrize(("path", "schema"), READS.items(), ids=READS.values())
async def test_every_body_is_as_the_document_has_it_in_json_and_in_msgpack(
    served: Served, path: str, schema: str
) -> None:
    served.session.voices = {"slurm": _record("slurm", "NodeName=muc1-n0002")}
    response = await get(served, _asked(path), **{"accept-encoding": ""})
    assert response.headers["content-type"] == "application/json"
    check(schema, response.json())
    packed = await get(served, _asked(path), accept="application/msgpack")
    assert packed.headers["content-type"] == "application/msgpack"
    assert as_json(msgspec.msgpack.decode(packed.content)) == response.json()
    assert len(response.content) > len(b'{"site":"muc1"}')


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    table = Routes(Hub({}), Answers()).table()  # type: ignore[arg-type]  # no metric is looked at
    served = {route.path: (route.methods or set()) - {"HEAD"} for route in table}
    documented = {
        path: {verb.upper() for verb in item if verb in ("get", "post")} for path, item in paths("serve").items()
    }
    assert served == {path: verbs for path, verbs in documented.items() if path not in OWN}


async def test_each_list_has_what_the_snapshot_says_of_this_site(served: Served) -> None:
    bodies = {
        name: (await get(served, name)).json()
        for name in ("incidents", "findings", "notes", "views", "checks", "alerts", "plans")
    }
    assert [each["state"] for each in bodies["incidents"]["incidents"]] == ["firing", "acknowledged"]
    assert bodies["incidents"]["incidents"][1]["acknowledgement"] == msgspec.to_builtins(
        Acknowledgement("sre07", 110.0, Severity.WARNING, "on it")
    )
    assert [each["site"] for each in bodies["findings"]["findings"]] == [SITE]
    assert bodies["notes"]["notes"][0]["text"] == "loose cable"
    assert bodies["views"]["views"][0]["name"] == "hot"
    assert bodies["checks"]["checks"][0]["matches"] == 3
    assert bodies["alerts"]["alerts"][0]["origin"] == "am"
    assert bodies["plans"]["plans"] == []


async def test_what_schedulers_say_stands_in_node_rows(served: Served) -> None:
    (report,) = (await get(served, "reports")).json()["reports"]
    assert report["states"] == [["IDLE"], ["IDLE", "DRAIN"]]
    np.testing.assert_array_equal(_ints(report["codes"]), [0, 0, 1, 0, 0, -1])
    assert report["reasons"] == [[2, "bad cable", NOW, "root"]]
    (fact,) = (await get(served, "facts")).json()["facts"]
    assert (fact["fact"], fact["texts"]) == ("driver", ["570.86"])
    (voice,) = (await get(served, "reservations")).json()["reservations"]
    assert voice["reservations"][0]["name"] == "maint"


async def test_a_known_topology_is_not_sent_again(served: Served) -> None:
    first = await get(served, "topology")
    tag = first.headers["etag"]
    assert tag == f'"{first.headers["gigadeck-topology"]}"'
    again = await get(served, "topology", **{"if-none-match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")


async def test_rows_and_places_narrow_the_telemetry(served: Served) -> None:
    whole = (await get(served, "telemetry?metrics=power_w")).json()["columns"][0]
    rows = (await get(served, "telemetry?metrics=power_w&level=gpu&rows=16:24")).json()["columns"][0]
    assert (rows["start"], rows["length"]) == (16, 8)
    np.testing.assert_array_equal(_floats(rows), _floats(whole)[16:24])
    place = (await get(served, f"telemetry?within={NODE}")).json()["columns"]
    by_metric = {column["metric"]: column for column in place}
    assert (by_metric["power_w"]["start"], by_metric["power_w"]["length"]) == (16, 8)
    assert (by_metric["host_power_w"]["start"], by_metric["host_power_w"]["length"]) == (2, 1)
    assert not {"it_power_w", "hall_inlet_c", "cdu_flow_lpm"} & by_metric.keys()
    beyond = (await get(served, "telemetry?level=gpu&rows=40:4000")).json()
    assert beyond["columns"] == []


async def test_gzip_is_given_where_it_is_accepted(served: Served) -> None:
    plain = await get(served, "telemetry", **{"accept-encoding": ""})
    assert "content-encoding" not in plain.headers
    async with served.client() as client:
        request = client.stream("GET", f"{served.site}/telemetry", headers={"accept-encoding": "gzip"})
        async with request as response:
            assert response.headers["content-encoding"] == "gzip"
            raw = b"".join([piece async for piece in response.aiter_raw()])
    assert gzip.decompress(raw) == plain.content


async def test_who_asks_the_same_of_one_snapshot_shares_the_answer() -> None:
    session = ScriptedSession()
    with serving(session) as served:
        async with served.client() as client:
            first = [client.get(f"{served.site}/telemetry") for _ in range(20)]
            bodies = {answer.content for answer in await asyncio.gather(*first)}
            assert len(bodies) == 1
            session.publish()
            assert (await client.get(f"{served.site}/telemetry")).content not in bodies


async def test_events_have_the_numbers_of_the_stream() -> None:
    session = ScriptedSession()
    with serving(session) as served:
        async with listening(served) as stream:
            while not stream.seq:
                await stream.next()
            for number in range(4):
                session.happen(f"e{number}")
            told: dict[int, str] = {}
            while len(told) < 4:
                record = await asyncio.wait_for(stream.until("events"), 10)
                told.update({each["seq"]: each["text"] for each in record["events"]})
        body = (await get(served, "events?after=2&limit=2")).json()
        assert [(each["seq"], each["text"]) for each in body["events"]] == [(3, told[3]), (4, told[4])]
        assert (body["log"], body["oldest"], body["last"]) == (stream.seen[0]["log"], 1, 5)


async def test_records_are_asked_once_for_all_who_ask(served: Served) -> None:
    session = served.session
    waiting: Future[Any] = Future()
    session.asked_of.clear()
    session.voices = {"bmc": waiting, "slurm": _record("slurm", "State=IDLE"), "ssh": _record("ssh", error="refused")}
    path = f"records?subject={SITE}/h1/r000/muc1-n0000"
    asked = [asyncio.create_task(get(served, path)) for _ in range(5)]
    await until(lambda: bool(session.asked_of))
    waiting.set_result(VoiceRecord(SITE, "bmc", "redfish", text=""))
    bodies = [answer.json() for answer in await asyncio.gather(*asked)]
    assert bodies == [{"slurm": "State=IDLE", "ssh": "(no record: refused)"}] * 5
    assert len(session.asked_of) == 1


async def test_the_journal_has_what_was_noted_of_this_site(served: Served) -> None:
    body = (await get(served, "journal")).json()
    assert [(each["seq"], each["event"]) for each in body["entries"]] == [(1, "source_failed")]
    assert body["last"] == 2
    assert (await get(served, "journal?after=1")).json()["entries"] == []


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/site/v1/osl9/info", 404, "no site named 'osl9'; there are: muc1"),
        ("/site/v1/osl9/stream", 404, "no site named"),
        ("/site/v1/osl9/records?subject=osl9/x", 404, "no site named"),
        ("/site/v1/muc1/nothing", 404, "there is no '/site/v1/muc1/nothing'"),
        ("/site/v2/muc1/info", 404, "this server speaks version 1 of the site API (/site/v1), not 'v2'"),
        ("/site/v1/muc1/events?after=-1", 400, "after='-1' is not a number"),
        ("/site/v1/muc1/stream?after=x", 400, "is not a number"),
        ("/site/v1/muc1/stream?stream=2", 400, "this server speaks version 1 of the stream, not '2'"),
        ("/site/v1/muc1/telemetry?level=gpu&rows=9:3", 400, "is not start:stop"),
        ("/site/v1/muc1/telemetry?rows=0:3", 400, "needs level="),
        ("/site/v1/muc1/telemetry?within=muc1/h9", 404, "there is no 'muc1/h9' at muc1"),
        ("/site/v1/muc1/records", 400, "say of what"),
        ("/site/v1/muc1/records?subject=bcn1/h1", 404, "no node, GPU or job of this site"),
        ("/site/v1/muc1/deeds", 405, "Method Not Allowed"),
        ("/nothing", 404, "there is no '/nothing'"),
    ],
)
async def test_errors_are_json_whatever_was_asked_for(served: Served, path: str, status: int, text: str) -> None:
    response = await get(served, path, accept="application/msgpack")
    assert response.status_code == status
    check("Error", response.json())
    assert text in response.json()["error"]


async def test_a_media_type_that_we_do_not_speak_is_refused(served: Served) -> None:
    response = await get(served, "info", accept="text/html")
    assert response.status_code == 406
    check("Error", response.json())


async def test_another_version_of_the_api_is_refused_with_those_that_are_spoken(served: Served) -> None:
    assert (await get(served, "info", **{"gigadeck-api": "1"})).status_code == 200
    response = await get(served, "info", **{"gigadeck-api": "2"})
    assert (response.status_code, response.headers["gigadeck-api"]) == (426, "1")
    assert "you speak version '2' of the site API (header Gigadeck-Api)" in response.json()["error"]
    assert "this server speaks 1" in response.json()["error"]


async def test_what_takes_too_long_is_told_as_such() -> None:
    session = ScriptedSession()
    session.voices = {"bmc": Future()}
    with serving(session, answer_s=0.2) as served:
        response = await get(served, f"records?subject={NODE}")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert "no answer within 0.2 s" in response.json()["error"]


async def test_there_is_an_end_to_requests_under_way() -> None:
    session = ScriptedSession()
    waiting: Future[Any] = Future()
    session.voices = {"bmc": waiting}
    with serving(session, requests=1) as served:
        slow = asyncio.create_task(get(served, f"records?subject={NODE}"))
        await until(lambda: bool(session.asked_of))
        refused = await get(served, "info")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        waiting.set_result(VoiceRecord(SITE, "bmc", "redfish", text="{}"))
        assert (await slow).json() == {"bmc": "{}"}
        assert (await get(served, "info")).status_code == 200
        async with listening(served):  # an open stream is no request under way
            assert (await get(served, "info")).status_code == 200


async def test_who_does_not_read_a_plain_answer_is_cut_off() -> None:
    with serving(ScriptedSession(nodes=500), answer_s=0.3) as served, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(15)
        line.connect(("127.0.0.1", served.port))
        line.sendall(f"GET {served.site}/telemetry HTTP/1.1\r\nHost: t\r\nX-Author: ada\r\n\r\n".encode())
        await until(lambda: served.bounds_under_way() == 1)
        await until(lambda: served.bounds_under_way() == 0)

        def rest() -> int:
            size = 0
            with contextlib.suppress(ConnectionResetError):
                while piece := line.recv(65536):
                    size += len(piece)
            return size

        whole = len((await get(served, "telemetry", **{"accept-encoding": ""})).content)
        assert await asyncio.to_thread(rest) < whole


async def test_two_sites_have_a_stream_each() -> None:
    with serving(emulated_session(names=("muc1", "bcn1")), sites=("muc1", "bcn1")) as served:
        names = [each["site"] for each in (await get(served, "/site/v1/sites")).json()["sites"]]
        assert names == ["muc1", "bcn1"]
        for name in names:
            async with listening(served, site=name) as stream:
                record = await stream.until("topology")
                assert stream.seen[0]["site"] == name
                info = (await get(served, f"/site/v1/{name}/info")).json()
                assert (info["site"], info["topology"]) == (name, record["tag"])


async def test_head_of_a_stream_ends(served: Served) -> None:
    async with served.client() as client:
        response = await client.head(f"{served.site}/stream")
    assert response.headers["content-type"] == "application/vnd.gigadeck.stream"
    assert served.hub.statistics()["streams"] == 0


def _record(source: str, text: str = "", error: str = "") -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(VoiceRecord(SITE, source, source, text=text, error=error))
    return future


def _floats(column: dict[str, Any]) -> Any:
    return np.frombuffer(base64.b64decode(column["data"]), dtype="<f4")


def _ints(column: dict[str, Any]) -> Any:
    return np.frombuffer(base64.b64decode(column["data"]), dtype="<i4")
