from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from console.config.values import SiteConfig, SourceConfig
from console.emulator.app import make_app
from console.emulator.wire.feed import Feed
from console.link.http import HttpLink
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.events import Event
from console.model.jobs import JobState
from console.model.levels import Level, Severity
from console.model.reading import ColumnPart, EventsPart, JobsPart, Part, TopologyPart
from console.sources.registry import open_source
from console.sources.site import SiteSource
from tests.support.toy_world import ToyWorld, toy_topology

MSGPACK = "application/msgpack"
Change = Callable[[Any], Any]


@dataclass
class Rig:
    """A source over the real application in process; answers can be altered on their way, time is in our hands."""

    world: ToyWorld = field(default_factory=ToyWorld)
    there: str = "muc1"
    site: str = "muc1"
    changes: dict[str, Change] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.restart()
        link = HttpLink(
            self.site,
            SourceConfig("site", "api", "http://api.example"),
            transport=httpx.MockTransport(self.answer),
            clock=lambda: self.now,
        )
        self.source = SiteSource(self.site, "api", self.there, BUILTIN, [link], monotonic=lambda: self.now)

    def restart(self) -> None:
        self.feed = Feed(self.world, lambda: self.now, 1.0)
        self.app = httpx.ASGITransport(make_app(self.feed))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        what = request.url.path.rpartition("/")[2]
        self.asked.append(what)
        if what in self.statuses:
            return httpx.Response(self.statuses[what], json={"error": "told to fail"})
        request.headers["accept-encoding"] = "identity"
        response = await self.app.handle_async_request(request)
        content = await response.aread()
        if what in self.changes:
            content = msgspec.msgpack.encode(self.changes[what](msgspec.msgpack.decode(content)))
        kept = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, content=content, headers={**kept, **self.headers.get(what, {})})

    async def parts(self) -> list[Part]:
        return list((await self.source.read()).decode())


def columns(parts: list[Part]) -> dict[str, ColumnPart]:
    return {part.metric: part for part in parts if isinstance(part, ColumnPart)}


def one(parts: list[Part], kind: type) -> Any:
    (found,) = [part for part in parts if isinstance(part, kind)]
    return found


async def test_every_column_arrives_in_topology_order() -> None:
    rig = Rig()
    parts = await rig.parts()
    state = rig.feed.sample("muc1").state
    found = columns(parts)
    assert set(found) == set(state.columns)
    for name, part in found.items():
        metric = BUILTIN[name]
        expected = state.columns[name].copy()
        expected[(expected < metric.low) | (expected > metric.high)] = np.nan
        np.testing.assert_array_equal(part.values, expected)
        assert (part.keys.level, part.keys.version, len(part.keys)) == (metric.level, 1, len(expected))
        assert part.full
        assert set(part.at.tolist()) == {state.at}


async def test_the_topology_is_the_servers_to_the_last_array() -> None:
    rig = Rig(site="here")
    got = one(await rig.parts(), TopologyPart).topology
    theirs = rig.world.topology("muc1")
    assert got.site == "here"
    for name in ("halls", "racks", "nodes", "models", "aliases", "serials", "bmcs", "geo", "declared", "version"):
        assert getattr(got, name) == getattr(theirs, name)
    for name in ("hall_racks", "rack_nodes", "node_gpus", "gpu_slot", "uuid_high", "uuid_low", "model_code"):
        np.testing.assert_array_equal(getattr(got, name), getattr(theirs, name))
        assert getattr(got, name).dtype == getattr(theirs, name).dtype
    cdu = got.domains["cdu"]
    assert (cdu.names, cdu.unit) == (("c0", "c1"), Level.NODE)
    np.testing.assert_array_equal(cdu.starts, theirs.domains["cdu"].starts)


async def test_jobs_and_events_come_under_our_name_of_the_site() -> None:
    rig = Rig(site="here")
    parts = await rig.parts()
    jobs = one(parts, JobsPart)
    assert jobs.jobs == rig.feed.sample("muc1").state.jobs
    assert jobs.jobs[0].state is JobState.RUNNING
    np.testing.assert_array_equal(jobs.gpu_job, rig.feed.sample("muc1").state.gpu_job)
    assert jobs.version == 1
    (event,) = one(parts, EventsPart).events
    assert (event.site, event.path) == ("here", "here/h1/r000/muc1-n0000")


async def test_topology_jobs_and_events_are_asked_for_only_when_they_are_due() -> None:
    rig = Rig()
    await rig.parts()
    rig.asked.clear()
    rig.now += 1
    parts = await rig.parts()
    assert rig.asked == ["telemetry"]
    assert not any(isinstance(part, (TopologyPart, JobsPart, EventsPart)) for part in parts)
    rig.now += 20
    rig.asked.clear()
    await rig.parts()
    assert rig.asked == ["telemetry", "jobs", "events"]


async def test_a_reading_that_is_dropped_loses_nothing() -> None:
    rig = Rig()
    await rig.source.read()
    rig.now += 1
    kinds = {type(part) for part in await rig.parts()}
    assert {TopologyPart, JobsPart, EventsPart, ColumnPart} <= kinds


async def test_a_changed_topology_comes_before_the_columns_that_need_it() -> None:
    rig = Rig()
    await rig.parts()
    rig.world.rename("muc1", version=2)
    rig.now += 1
    parts = await rig.parts()
    assert isinstance(parts[0], TopologyPart)
    assert parts[0].topology.nodes[0] == "muc1-n0000x"
    assert parts[0].topology.version == columns(parts)["temp_c"].keys.version == 2
    assert one(parts, JobsPart).version == 2


async def test_a_server_that_counts_versions_anew_does_not_go_back() -> None:
    rig = Rig()
    rig.world.topologies["muc1"] = toy_topology("muc1", version=7)
    await rig.parts()
    rig.world.topologies["muc1"] = toy_topology("muc1", nodes=4, version=1)
    rig.restart()
    rig.now += 1
    parts = await rig.parts()
    assert one(parts, TopologyPart).topology.version == columns(parts)["temp_c"].keys.version == 8


async def test_events_are_followed_and_a_new_log_is_read_from_its_start() -> None:
    rig = Rig()
    await rig.parts()
    rig.world.more_events = (Event(1001.0, "muc1", "muc1", "door", Severity.INFO, "opened"),)
    rig.now += 6
    assert [event.text for event in one(await rig.parts(), EventsPart).events] == ["opened"]
    rig.restart()
    rig.now += 6
    assert [event.text for event in one(await rig.parts(), EventsPart).events] == ["XID 79", "opened"]


async def test_events_that_were_lost_are_told() -> None:
    rig = Rig()
    await rig.source.read()
    rig.changes["events"] = lambda body: {**body, "oldest": 40, "last": 40, "events": []}
    rig.now += 6
    assert (await rig.source.read()).warnings == ("events: 38 events were lost",)


async def test_values_outside_the_range_and_infinities_are_missing() -> None:
    def spoil(body: Any) -> Any:
        for column in body["columns"]:
            if column["metric"] == "temp_c":
                values = np.frombuffer(column["data"], dtype="<f4").copy()
                values[:5] = [np.inf, -np.inf, np.nan, 1e9, 151]
                column["data"] = values.tobytes()
        return body

    rig = Rig(changes={"telemetry": spoil})
    values = columns(await rig.parts())["temp_c"].values
    assert np.isnan(values[:5]).all()
    assert np.isfinite(values[5:]).all()


async def test_a_clock_that_is_an_hour_off_is_told_and_taken_out_of_the_times() -> None:
    rig = Rig(now=100_000.5)
    ahead = {"date": formatdate(103_600.0, usegmt=True)}
    rig.headers = {"telemetry": ahead}
    rig.changes["telemetry"] = lambda body: {
        **body, "columns": [{**column, "at": 103_600.5} for column in body["columns"]]
    }  # fmt: skip
    reading = await rig.source.read()
    assert reading.clock_skew_s == pytest.approx(3600, abs=2)
    assert reading.warnings == ("the server's clock is 3600 s ahead",)
    at = columns(list(reading.decode()))["temp_c"].at
    assert at[0] == pytest.approx(100_000, abs=2)


async def test_a_second_of_difference_is_no_skew() -> None:
    rig = Rig(now=100_000.0)
    rig.headers = {"telemetry": {"date": formatdate(99_999.0, usegmt=True)}}
    reading = await rig.source.read()
    assert (reading.clock_skew_s, reading.warnings) == (0.0, ())


async def test_the_cadence_is_the_servers() -> None:
    rig = Rig(changes={"info": lambda body: {**body, "cadence_s": 7.0}})
    assert (await rig.source.read()).cadence_s == 7.0


async def test_failing_jobs_leave_the_telemetry_alone() -> None:
    rig = Rig(statuses={"jobs": 500})
    reading = await rig.source.read()
    assert [text for text in reading.warnings if text.startswith("jobs: ")]
    assert columns(list(reading.decode()))


async def test_a_site_that_the_server_does_not_have_lists_those_it_has() -> None:
    rig = Rig(there="osl1", site="osl1")
    with pytest.raises(errors.NotOffered, match=r"osl1/api: the server has no site 'osl1'; it has: 'muc1'; set"):
        await rig.source.read()


async def test_a_metric_that_the_fleet_does_not_know_is_left_out() -> None:
    def add(body: Any) -> Any:
        return {**body, "columns": [{**body["columns"][0], "metric": "fan_rpm"}, *body["columns"]]}

    rig = Rig(changes={"telemetry": add})
    assert "fan_rpm" not in columns(await rig.parts())


def _column(**changed: Any) -> Change:
    def change(body: Any) -> Any:
        return {**body, "columns": [{**body["columns"][0], **changed}, *body["columns"][1:]]}

    return change


def _block(name: str, **changed: Any) -> Change:
    return lambda body: {**body, name: {**body[name], **changed}}


def _set(**changed: Any) -> Change:
    return lambda body: {**body, **changed}


def _int32(*values: int) -> dict[str, Any]:
    return {"encoding": "int32-le", "length": len(values), "data": np.array(values, dtype="<i4").tobytes()}


BAD = [
    ("info", lambda body: [1, 2], "info"),
    ("info", _set(api=2), "version 2"),
    ("info", _set(cadence_s=float("nan")), "cadence"),
    ("telemetry", lambda body: "x", "telemetry is not as"),
    ("telemetry", lambda body: {"columns": []}, "telemetry is not as"),
    ("telemetry", _set(topology="another"), "tag"),
    ("telemetry", _column(encoding="float64-le"), "encoding 'float64-le'"),
    ("telemetry", _column(length=-1), "says -1 values"),
    ("telemetry", _column(length=47), "47 values and carries 192 bytes"),
    ("telemetry", _column(length=2, data=b"12345678"), "2 values for 48 rows"),
    ("telemetry", _column(level="node"), "measured by gpu, not by 'node'"),
    ("telemetry", _column(at=1.7e12), "no time"),
    ("telemetry", _column(at=float("nan")), "no time"),
    ("telemetry", _column(metric="temp_c"), "twice"),
    ("topology", _set(nodes=["a"]), "instead of 2"),
    ("topology", _set(nodes=["a"] * 6), "twice"),
    ("topology", _set(nodes=["a" * 5000, *"bcdef"]), "4096 characters"),
    ("topology", _set(nodes=7), "topology's nodes"),
    ("topology", _set(topology="another"), "tag"),
    ("topology", _set(uuids=b"1"), "uuids are 1 bytes"),
    ("topology", _set(aliases={"names": ["x"], "rows": _int32(6)}), "aliases point beyond"),
    ("topology", _set(aliases={"names": ["x"], "rows": _int32()}), "aliases.rows has 0 values instead of 1"),
    ("topology", _set(aliases={"x": 1}), "aliases is not as"),
    ("topology", _set(serials=["a"]), "serials are 1 instead of 6"),
    ("topology", _set(hall_racks=_int32(0, 4)), "hall_racks are not offsets"),
    ("topology", _set(rack_nodes=_int32(0, 4, 2, 6)), "rack_nodes are not offsets"),
    ("topology", _set(node_gpus=_int32(1, 8, 16, 24, 32, 40, 48)), "node_gpus are not offsets"),
    ("topology", _block("gpu_slot", encoding="int32-le"), "gpu_slot has encoding"),
    ("topology", _set(models=[]), "model_code points beyond"),
    ("topology", _set(domains={"cdu": {"unit": "hall"}}), "domains.cdu is not as"),
    (
        "topology",
        _set(domains={"cdu": {"unit": "hall", "names": [], "members": _int32(), "starts": _int32(0)}}),
        "instead of node or gpu",
    ),
    (
        "topology",
        _set(domains={"cdu": {"unit": "node", "names": ["a"], "members": _int32(6), "starts": _int32(0, 1)}}),
        "members beyond",
    ),
    ("jobs", _set(gpu_job=_int32(0)), "gpu_job has 1 values for 48"),
    ("jobs", _set(jobs=[]), "gpu_job points beyond"),
    ("jobs", lambda body: {**body, "jobs": [{**job, "state": "DANCING"} for job in body["jobs"]]}, "'DANCING'"),
]


@pytest.mark.parametrize(("what", "change", "message"), BAD, ids=[f"{what}-{text[:24]}" for what, _, text in BAD])
async def test_a_malformed_answer_is_one_clear_error_and_is_got_over(what: str, change: Change, message: str) -> None:
    rig = Rig()
    rig.changes[what] = change
    with pytest.raises(errors.BadPayload) as caught:
        await rig.parts()
    assert str(caught.value).startswith("muc1/api: ")
    assert message in str(caught.value)
    rig.changes.clear()
    rig.now += 20
    parts = await rig.parts()
    assert len(columns(parts)) == len(rig.feed.sample("muc1").state.columns)
    assert one(parts, JobsPart).jobs


@pytest.mark.parametrize(
    "change", [_set(events=[{"seq": 5}]), lambda body: {**body, "events": body["events"] * 2}, _set(log=None)]
)
async def test_malformed_events_are_a_warning(change: Change) -> None:
    rig = Rig(changes={"events": change})
    reading = await rig.source.read()
    assert [text for text in reading.warnings if text.startswith("events: ")]
    assert columns(list(reading.decode()))


async def test_telemetry_without_a_tag_is_refused() -> None:
    rig = Rig(headers={"telemetry": {"gigadeck-topology": ""}})
    with pytest.raises(errors.BadPayload, match="gigadeck-topology"):
        await rig.source.read()


async def test_a_topology_that_never_holds_still_is_given_up() -> None:
    rig = Rig(headers={"telemetry": {"gigadeck-topology": "other"}})
    with pytest.raises(errors.BadPayload, match="changes faster"):
        await rig.source.read()
    assert rig.asked.count("telemetry") == 3


async def test_hostile_names_are_kept_as_they_are() -> None:
    rig = Rig(world=ToyWorld(nodes=1))
    name = "\x1b[31m[b]\u202en" + "x" * 300
    rig.world.topologies["muc1"] = replace(rig.world.topology("muc1"), nodes=(name,))
    assert one(await rig.parts(), TopologyPart).topology.nodes == (name,)


def test_the_registry_opens_this_kind() -> None:
    config = SourceConfig("site", "api", "http://api.example", options={"site": "there"})
    source = open_source(SiteConfig("here"), config, BUILTIN)
    assert isinstance(source, SiteSource)
