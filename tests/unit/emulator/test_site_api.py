from __future__ import annotations

import base64
import gzip
import json
import re

import httpx
import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from console.core.site_api.packing import MediaType, accepts_gzip, preferred
from console.core.site_api.topology import topology_tag
from console.emulator.app import Routes, make_app
from console.emulator.wire.feed import EVENTS_KEPT, EventLog, Feed
from console.model.events import Event
from console.model.levels import Severity
from tests.support.openapi import DOCUMENT, as_json, check, paths
from tests.support.toy_world import ToyWorld, toy_topology

MSGPACK = {"accept": "application/msgpack"}


class Api:
    """The application in process, with a clock of our own."""

    def __init__(self, world: ToyWorld | None = None) -> None:
        self.now = 5000.0
        self.world = world or ToyWorld(("muc1", "bcn1"))
        self.feed = Feed(self.world, lambda: self.now, 1.0)
        transport = httpx.ASGITransport(make_app(self.feed))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://t", headers={"accept-encoding": ""})

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)


BODIES = {
    "/site/v1/sites": "Sites",
    "/site/v1/muc1/info": "Info",
    "/site/v1/muc1/topology": "Topology",
    "/site/v1/muc1/telemetry": "Telemetry",
    "/site/v1/muc1/jobs": "Jobs",
    "/site/v1/muc1/facility": "Facility",
    "/site/v1/muc1/events": "Events",
}


@pytest.mark.parametrize(("path", "schema"), BODIES.items(), ids=BODIES.values())
async def test_every_json_body_is_as_the_document_has_it(path: str, schema: str) -> None:
    response = await Api().get(path)
    assert response.headers["content-type"] == "application/json"
    check(schema, response.json())


@pytest.mark.parametrize(("path", "schema"), BODIES.items(), ids=BODIES.values())
async def test_msgpack_says_the_same_in_binary(path: str, schema: str) -> None:
    api = Api()
    plain = (await api.get(path)).json()
    response = await api.get(path, **MSGPACK)
    assert response.headers["content-type"] == "application/msgpack"
    assert as_json(msgspec.msgpack.decode(response.content)) == plain


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    served = {route.path for route in Routes(Api().feed).table()}
    assert served == set(paths("emulate"))


def test_every_schema_is_a_schema_and_is_used() -> None:
    text = json.dumps(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in DOCUMENT["components"]["schemas"]


async def test_columns_carry_the_worlds_numbers() -> None:
    api = Api()
    body = (await api.get("/site/v1/muc1/telemetry?metrics=temp_c,no_such")).json()
    (column,) = body["columns"]
    values = np.frombuffer(base64.b64decode(column["data"]), dtype="<f4")
    np.testing.assert_array_equal(values, api.feed.sample("muc1").state.columns["temp_c"])
    assert (column["level"], column["length"], column["at"]) == ("gpu", 48, 5000.0)


async def test_a_level_narrows_the_telemetry() -> None:
    body = (await Api().get("/site/v1/muc1/telemetry?level=cdu")).json()
    assert [column["metric"] for column in body["columns"]] == ["cdu_flow_lpm"]


async def test_the_facility_names_its_rows_and_says_null_for_missing() -> None:
    rows = (await Api().get("/site/v1/muc1/facility")).json()["facility"]
    by_name = {row["metric"]: row for row in rows}
    assert by_name["cdu_flow_lpm"]["names"] == ["c0", "c1"]
    assert by_name["cdu_flow_lpm"]["values"] == [900.0, None]
    assert by_name["hall_inlet_c"]["names"] == ["h1"]
    assert by_name["it_power_w"]["names"] == ["muc1"]


async def test_a_known_topology_is_not_sent_again() -> None:
    api = Api()
    first = await api.get("/site/v1/muc1/topology")
    tag = first.headers["etag"]
    assert tag == f'"{first.headers["gigadeck-topology"]}"'
    again = await api.get("/site/v1/muc1/topology", **{"if-none-match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    api.world.rename("muc1", version=2)
    api.now += 2
    changed = await api.get("/site/v1/muc1/topology", **{"if-none-match": tag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.headers["etag"] != tag


async def test_gzip_is_given_where_it_is_accepted() -> None:
    api = Api()
    plain = await api.get("/site/v1/muc1/telemetry")
    for path in ("/site/v1/muc1/telemetry", "/site/v1/muc1/topology", "/metrics"):
        async with api.client.stream("GET", path, headers={"accept-encoding": "gzip"}) as response:
            assert response.headers["content-encoding"] == "gzip"
            raw = b"".join([piece async for piece in response.aiter_raw()])
        if path.endswith("telemetry"):
            assert gzip.decompress(raw) == plain.content


async def test_an_answer_of_one_cadence_is_one_sample() -> None:
    api = Api()
    first = (await api.get("/site/v1/muc1/info")).json()["at"]
    api.now += 0.9
    assert (await api.get("/site/v1/muc1/info")).json()["at"] == first
    api.now += 0.2
    assert (await api.get("/site/v1/muc1/info")).json()["at"] == api.now


async def test_events_are_numbered_once_and_paged() -> None:
    api = Api()
    new = tuple(Event(2000.0 + i, "muc1", "muc1", "door", Severity.INFO, f"e{i}") for i in range(4))
    await api.get("/site/v1/muc1/events")
    api.world.more_events = new
    api.now += 2
    body = (await api.get("/site/v1/muc1/events?after=1&limit=3")).json()
    assert [(event["seq"], event["text"]) for event in body["events"]] == [(2, "e0"), (3, "e1"), (4, "e2")]
    assert (body["oldest"], body["last"], body["after"]) == (1, 5, 1)
    assert (await api.get("/site/v1/muc1/events?after=5")).json()["events"] == []


def test_an_event_log_is_bounded_and_says_where_it_begins() -> None:
    log = EventLog("x")
    log.add(Event(float(i), "s", "s", "k", Severity.INFO, "t") for i in range(EVENTS_KEPT + 5))
    assert (log.oldest, log.last, len(log.kept)) == (6, EVENTS_KEPT + 5, EVENTS_KEPT)
    assert log.after(EVENTS_KEPT + 3, 10)[0][0] == EVENTS_KEPT + 4


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/site/v1/osl9/info", 404, "no site named 'osl9'; there are: muc1, bcn1"),
        ("/site/v1/osl9/events", 404, "no site named"),
        ("/site/v1/muc1/events?after=-1", 400, "after='-1' is not a number"),
        ("/site/v1/muc1/events?after=9999999999999999999999999", 400, "is not a number"),
        ("/site/v1/muc1/nothing", 404, "Not Found"),
    ],
)
async def test_errors_of_the_api_are_json_whatever_was_asked_for(path: str, status: int, text: str) -> None:
    response = await Api().get(path, **MSGPACK)
    assert response.status_code == status
    check("Error", response.json())
    assert text in response.json()["error"]


async def test_a_media_type_that_we_do_not_speak_is_refused() -> None:
    response = await Api().get("/site/v1/muc1/info", accept="text/html")
    assert response.status_code == 406
    check("Error", response.json())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/metrics?shard=2&shards=2", 400),
        ("/metrics?shards=0", 400),
        ("/metrics?shards=x", 400),
        ("/metrics?site=osl9", 404),
        ("/metrics?hostname=odd", 400),
        ("/node/nobody/metrics", 404),
        ("/facility", 400),
        ("/inventory", 400),
    ],
)
async def test_errors_of_the_text_pages_are_one_line(path: str, status: int) -> None:
    response = await Api().get(path)
    assert response.status_code == status
    assert response.text.count("\n") == 1


async def test_a_node_is_found_at_its_site_by_name_or_alias() -> None:
    api = Api()
    by_name = await api.get("/node/bcn1-n0002/metrics")
    assert by_name.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert set(re.findall('Hostname="([^"]*)"', by_name.text)) == {"bcn1-n0002"}
    zipped = await api.get("/node/bcn1-n0002/metrics", **{"accept-encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.text == by_name.text
    by_alias = await api.get("/node/bmc-2/metrics?site=bcn1&hostname=lower")
    assert set(re.findall('hostname="([^"]*)"', by_alias.text)) == {"bcn1-n0002"}


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", MediaType.JSON),
        ("*/*", MediaType.JSON),
        ("application/json", MediaType.JSON),
        ("application/msgpack;q=1, */*", MediaType.MSGPACK),
        ("application/x-msgpack", MediaType.MSGPACK),
        ("text/html", None),
    ],
)
def test_the_media_type_follows_accept(accept: str, media: MediaType | None) -> None:
    assert preferred(accept) is media


@pytest.mark.parametrize(
    ("header", "answer"),
    [("", False), ("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("br", False)],
)  # fmt: skip
def test_gzip_follows_accept_encoding(header: str, answer: bool) -> None:
    assert accepts_gzip(header) is answer


def test_a_topologys_tag_changes_with_anything_in_it() -> None:
    base = toy_topology()
    others = [toy_topology(nodes=5), toy_topology(gpus=4), toy_topology(version=2), toy_topology(site="bcn1")]
    world = ToyWorld()
    world.rename("muc1", 1)
    tags = [topology_tag(each) for each in (base, *others, world.topology("muc1"))]
    assert len(set(tags)) == len(tags)
    assert topology_tag(toy_topology()) == tags[0]
