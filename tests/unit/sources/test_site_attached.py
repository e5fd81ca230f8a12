from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from console.config.values import Auth, Secret, SiteConfig, SourceConfig, Timeouts
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.incidents import Deed, DeedKind
from console.model.ports import Keeper, Subject, Witness
from console.model.reading import AggregatePart, ColumnPart, TopologyPart
from console.sources.registry import open_source
from console.sources.site import SiteSource
from tests.support.fake_serve import FakeServe, fake_serve, record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from console.model.reading import Part, Reading

LIMITS = Timeouts(connect_s=1.0, read_s=2.0, total_s=5.0)
WAIT_S = 10.0


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a silent stream dead soon, look for the first server soon, and never rest."""
    monkeypatch.setattr("console.sources.site_connection.BEAT_S", 0.1)
    monkeypatch.setattr("console.sources.site_servers.HOME_EVERY_S", 0.05)
    monkeypatch.setattr("console.sources.site_following.LONGEST_REST_S", 0.0)
    monkeypatch.setattr("console.sources.site_deeds.FIRST_REST_S", 0.01)


@dataclass
class Console:
    """A source, what it gave, and the site as it is known through it."""

    source: SiteSource
    merger: SiteMerger = field(default_factory=lambda: SiteMerger(empty_topology("muc1"), BUILTIN))
    readings: list[Reading] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    errors: list[errors.SourceError] = field(default_factory=list)

    async def read(self) -> Reading:
        reading = await self.source.read()
        self.readings.append(reading)
        for part in reading.decode():
            self.parts.append(part)
            self.merger.apply(part, source="src", stale_after_s=60.0, received_at=reading.received_at)
        return reading

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Read until something is so; failures are kept."""
        async with asyncio.timeout(WAIT_S):
            while not wanted():
                try:
                    await self.read()
                except errors.SourceError as error:
                    self.errors.append(error)
                    await asyncio.sleep(0.02)

    def temp_c(self) -> float:
        column = self.merger.frame(time.time()).columns.get("temp_c")
        return float(np.nanmax(column.values)) if column is not None and len(column.values) else np.nan

    def of(self, kind: type) -> list[Any]:
        return [part for part in self.parts if isinstance(part, kind)]


def source_of(url: str, **more: Any) -> SiteSource:
    config = SourceConfig("site", "src", url, timeouts=LIMITS, **{"options": {}, **more})
    source = open_source(SiteConfig("muc1"), config, BUILTIN)
    assert isinstance(source, SiteSource)
    return source


@dataclass
class Bench:
    """Stand-ins and consoles of one test, closed at its end."""

    stack: AsyncExitStack

    async def serve(self, of: FakeServe | None = None, **more: Any) -> tuple[FakeServe, str]:
        serving, server = await self.stack.enter_async_context(fake_serve(of, **more))
        return serving, server.url

    def console(self, url: str, **more: Any) -> Console:
        source = source_of(url, **more)
        self.stack.push_async_callback(source.aclose)
        return Console(source)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(stack)


async def test_the_first_picture_is_there_and_what_follows_comes_on_the_same_connection(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    await console.until(lambda: console.temp_c() == 61)
    assert len(console.of(TopologyPart)) == 1
    assert console.of(AggregatePart)[0].field == "temp_c_max"
    of.warm(77)
    await console.until(lambda: console.temp_c() == 77)
    assert len(of.streams) == 1
    assert of.asked == ["info", "stream"]
    assert [each.requests for each in console.readings][:2] == [2, 0]
    assert {each.latency_s for each in console.readings} == {console.readings[0].latency_s} != {None}
    assert console.errors == []


async def test_columns_stay_good_for_two_sweeps_and_the_rest_for_less(bench: Bench) -> None:
    _, url = await bench.serve()
    console = bench.console(url)
    await console.until(lambda: console.temp_c() == 61)
    assert console.readings[-1].stale_after_s == 30
    assert {part.stale_after_s for part in console.of(ColumnPart)} == {150}


async def test_data_stays_good_for_as_long_as_the_servers_own_sources_take(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    slow = {"site": "muc1", "name": "prom", "kind": "prometheus", "state": "ok", "data_at": 1.0, "stale_after_s": 90.0}
    never = {**slow, "name": "logs", "data_at": 0.0, "stale_after_s": 600.0}
    await console.until(lambda: console.temp_c() == 61)
    of.tell("judged", at=time.time(), keeper="serve-a", sources={"full": True, "rows": [slow, never]})
    of.warm(62)
    await console.until(lambda: console.temp_c() == 62)
    await console.read()
    assert console.readings[-1].stale_after_s == 90
    assert console.of(ColumnPart)[-1].stale_after_s == 210


async def test_what_a_server_says_at_the_end_is_told_where_the_stream_was_short(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    await console.until(lambda: console.temp_c() == 61)
    of.send(record(0, "bye", reason="the server ends", leader=""))
    of.hang_up()
    await console.until(lambda: bool(console.errors))
    assert console.errors[0].message == f"{url} ended the stream: the server ends"


async def test_what_the_engine_drops_comes_with_the_next_reading(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    await console.source.read()
    of.warm(70)
    await console.source.read()
    await console.until(lambda: console.temp_c() == 70)


async def test_a_cut_line_is_joined_where_it_broke(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    of.warm(62)
    await console.until(lambda: console.temp_c() == 62)
    of.hang_up()
    missed = of.warm(63)
    await console.until(lambda: console.temp_c() == 63)
    assert of.streams[1] == {"stream": "1", "log": "log-1", "after": str(missed - 2)}
    assert len(console.of(TopologyPart)) == 1
    assert "1 resumed" in console.readings[-1].notes["stream"]


async def test_a_server_that_began_anew_is_read_from_its_start(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    of.warm(62)
    await console.until(lambda: console.temp_c() == 62)
    of.temp_c = 40
    of.restart("log-2")
    await console.until(lambda: console.temp_c() == 40)
    assert len(of.streams) == 2
    assert "1 begun anew" in console.readings[-1].notes["stream"]


async def test_a_silent_stream_counts_as_dead_after_three_beats(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    await console.until(lambda: console.temp_c() == 61)
    of.talks.clear()
    of.send(of.beat(0))
    await console.until(lambda: len(of.streams) == 2)
    of.talks.set()
    await console.until(lambda: len(of.streams) >= 3 and console.temp_c() == 61)


async def test_garbage_in_the_stream_is_one_error_and_then_all_comes_anew(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    of.warm(62)
    await console.until(lambda: console.temp_c() == 62)
    of.send(b"\x00\x00\x00\x05\x00nope")
    of.temp_c = 44
    await console.until(lambda: console.temp_c() == 44)
    assert len(of.streams) == 2
    assert of.streams[1] == {"stream": "1"}


async def test_a_record_that_cannot_be_decoded_makes_the_stream_begin_anew(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    await console.until(lambda: console.temp_c() == 61)
    of.tell("column", metric="temp_c", level="gpu", version=1, at=time.time(), data="no")
    await console.until(lambda: bool(console.errors))
    assert isinstance(console.errors[0], errors.BadPayload)
    of.temp_c = 45
    await console.until(lambda: console.temp_c() == 45)
    assert of.streams[-1] == {"stream": "1"}


async def test_a_reader_that_is_too_slow_drops_all_and_begins_anew(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url, max_body_bytes=100_000)
    await console.until(lambda: console.temp_c() == 61)
    for _ in range(40):
        of.tell("noise", data=b"x" * 4000)
    of.temp_c = 50
    async with asyncio.timeout(WAIT_S):
        while len(of.streams) < 2:
            with suppress(errors.SourceError):
                await console.source.read()  # and nobody decodes
    await console.until(lambda: console.temp_c() == 50)
    assert of.streams[-1] == {"stream": "1"}


async def test_where_the_first_server_is_dead_the_second_is_read_until_the_first_is_back(bench: Bench) -> None:
    second, url = await bench.serve(FakeServe(keeper="serve-b", role="follower", leader="serve-a", temp_c=50))
    async with fake_serve() as (_, gone):
        port = gone.port
    console = bench.console(f"http://127.0.0.1:{port}", options={"also": (url,)})
    await console.until(lambda: console.temp_c() == 50)
    assert console.readings[-1].notes["serve"] == "serve-b (follower, serve-a leads)"
    assert "is not read (cannot connect" in console.readings[-1].warnings[0]
    assert console.errors == []
    await bench.serve(FakeServe(temp_c=51), port=port)
    await console.until(lambda: console.temp_c() == 51)
    assert console.readings[-1].warnings == ()
    assert console.readings[-1].notes["serve"] == "serve-a (leader)"
    async with asyncio.timeout(WAIT_S):
        while second.listeners:  # a line that nobody holds any more breaks when something is written to it
            second.send(second.beat(0))
            await asyncio.sleep(0.01)


async def test_over_a_unix_socket(bench: Bench, tmp_path: Path) -> None:
    path = str(tmp_path / "muc1.sock")
    of, _ = await bench.serve(socket=path)
    console = bench.console("", options={"socket": path})
    await console.until(lambda: console.temp_c() == 61)
    assert await console.source.keep(deed()) == "did acknowledge"
    assert len(of.streams) == 1


async def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = source_of("", options={"socket": str(tmp_path / "no.sock")})
    with pytest.raises(errors.Unreachable, match=r"muc1/src: cannot connect to the socket .*no\.sock: no such file"):
        await source.read()
    await source.aclose()


async def test_a_server_of_another_version_is_refused_with_which_side_is_older(bench: Bench) -> None:
    for api, side in ((2, "here"), (0, "on the server")):
        _, url = await bench.serve(FakeServe(api=api))
        console = bench.console(url)
        with pytest.raises(
            errors.BadPayload, match=f"speaks version {api} of the site API, we speak 1; update .* {side}"
        ):
            await console.read()


async def test_a_server_of_another_stream_is_refused_and_not_polled(bench: Bench) -> None:
    of, url = await bench.serve(FakeServe(stream=2))
    console = bench.console(url)
    with pytest.raises(errors.BadPayload, match="speaks version 2 of the stream, we speak 1; update gigadeck here"):
        await console.read()
    assert of.asked == ["info"]


async def test_a_hello_of_another_version_is_refused(bench: Bench) -> None:
    of, url = await bench.serve()
    of.hello = lambda **_: FakeServe.hello(of, stream=3)  # type: ignore[method-assign]
    console = bench.console(url)
    with pytest.raises(errors.BadPayload, match="speaks version 3 of the stream, we speak 1; update gigadeck here"):
        await console.read()


async def test_where_the_user_looks_is_told_to_the_server_under_its_own_name(bench: Bench) -> None:
    of, url = await bench.serve(FakeServe(site="there"))
    console = bench.console(url, options={"site": "there"})
    console.source.focus("muc1/h1")
    await console.until(lambda: bool(of.focused))
    assert of.focused == [{"stream": "s1", "path": "there/h1"}]
    console.source.focus("muc1/h1/r000")
    await console.until(lambda: len(of.focused) == 2)
    assert of.focused[-1] == {"stream": "s1", "path": "there/h1/r000"}


async def test_the_place_is_told_again_on_a_new_connection(bench: Bench) -> None:
    of, url = await bench.serve()
    console = bench.console(url)
    console.source.focus("muc1/h1")
    await console.until(lambda: len(of.focused) == 1)
    of.hang_up()
    await console.until(lambda: len(of.focused) == 2)
    assert of.focused[-1] == {"stream": "s2", "path": "muc1/h1"}


async def test_a_record_shows_each_voice_of_the_server(bench: Bench) -> None:
    of, url = await bench.serve()
    of.voices = {"slurm": "NodeName=n1\n", "prometheus": "up 1"}
    console = bench.console(url)
    await console.until(lambda: console.temp_c() == 61)
    assert isinstance(console.source, Witness)
    told = await console.source.record(Subject("muc1", "muc1/h1/r000/muc1-n0000", node="muc1-n0000"))
    assert told == "── slurm ──\nNodeName=n1\n\n── prometheus ──\nup 1\n"


def deed(subject: str = "muc1-1a2b3c4d", kind: DeedKind = DeedKind.ACKNOWLEDGE) -> Deed:
    return Deed("id-1", kind, "muc1", subject, "on it")


async def test_a_deed_is_brought_and_its_outcome_told(bench: Bench) -> None:
    of, url = await bench.serve(FakeServe(site="there"))
    console = bench.console(url, options={"site": "there"})
    assert isinstance(console.source, Keeper)
    assert await console.source.keep(deed()) == "did acknowledge"
    assert await console.source.keep(deed("node:muc1/n1", DeedKind.NOTE)) == "did note"
    assert of.deeds == [
        {"id": "id-1", "kind": "acknowledge", "subject": "muc1-1a2b3c4d", "text": "on it"},
        {"id": "id-1", "kind": "note", "subject": "node:there/n1", "text": "on it"},
    ]


REFUSALS: Iterable[tuple[int, dict[str, str], type[Exception], str]] = [
    (401, {"error": "no token"}, errors.Unauthorized, "no token; check the source's `auth`"),
    (403, {"error": "viewer may not"}, errors.RefusedError, "viewer may not (docs/operations.md"),
    (404, {"error": "no such incident"}, errors.RefusedError, "no such incident"),
    (409, {"error": "is resolved"}, errors.RefusedError, "is resolved"),
    (413, {}, errors.RefusedError, "HTTP 413"),
    (421, {"error": "b leads", "leader": "http://10.0.0.9:1"}, errors.RefusedError, "add http://10.0.0.9:1 to `also`"),
    (422, {"error": "no kind"}, errors.RefusedError, "no kind"),
    (429, {"error": "slower"}, errors.RateLimited, "slower; too many at once"),
    (503, {"error": "the disk is full"}, errors.StateError, "cannot write it down: the disk is full"),
]


@pytest.mark.parametrize(("status", "told", "kind", "words"), REFUSALS, ids=[str(each[0]) for each in REFUSALS])
async def test_a_refusal_says_what_to_do(
    bench: Bench, status: int, told: dict[str, str], kind: type[Exception], words: str
) -> None:
    of, url = await bench.serve()
    of.refusals = [(status, told, {})] * 20
    console = bench.console(url)
    with pytest.raises(kind) as caught:
        await console.source.keep(deed())
    assert words in str(caught.value)
    assert str(caught.value).startswith("muc1/src: ")
    assert len(of.deeds) == (6 if status == 503 else 1)


async def test_a_deed_goes_to_who_leads(bench: Bench) -> None:
    leader, leads_at = await bench.serve()
    follower, url = await bench.serve(FakeServe(role="follower"))
    follower.refusals = [(421, {"error": "serve-a leads", "leader": leads_at}, {})] * 9
    console = bench.console(url, options={"also": ("http://127.0.0.1:9", leads_at)})
    assert await console.source.keep(deed()) == "did acknowledge"
    assert (len(follower.deeds), len(leader.deeds)) == (1, 1)


async def test_a_deed_outlives_a_passing_trouble_and_keeps_its_id(bench: Bench) -> None:
    of, url = await bench.serve()
    of.refusals = [(503, {"error": "database restarts"}, {}), (429, {"error": "slower"}, {"Retry-After": "0"})]
    console = bench.console(url)
    assert await console.source.keep(deed()) == "did acknowledge"
    assert {each["id"] for each in of.deeds} == {"id-1"}
    assert len(of.deeds) == 3


async def test_a_credential_goes_with_every_request_and_into_no_message(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "s3cret")
    of = FakeServe()
    seen: list[str] = []
    plain = of.behaviour

    async def noting(request: Any, writer: Any) -> None:
        seen.append(request.headers.get("authorization", ""))
        await plain(request, writer)

    of.behaviour = noting  # type: ignore[method-assign]
    _, url = await bench.serve(of)
    console = bench.console(url, auth=Auth(bearer=Secret(env="A_TOKEN")))
    console.source.focus("muc1")
    await console.until(lambda: bool(of.focused))
    await console.source.keep(deed())
    assert set(seen) == {"Bearer s3cret"}
    assert "s3cret" not in repr(console.readings[-1].notes)


async def test_a_server_without_a_stream_is_polled_and_keeps_nothing(bench: Bench) -> None:
    of, url = await bench.serve(FakeServe(stream=0))
    console = bench.console(url)
    with pytest.raises(errors.NotOffered):
        await console.read()
    assert of.asked == ["info", "telemetry"]
    await console.source._servers.current.know([])
    of.refusals = [(404, {"error": "no such route"}, {})]
    with pytest.raises(errors.RefusedError, match="remembers nothing"):
        await console.source.keep(deed())


def test_the_links_of_a_source_are_its_servers_in_order() -> None:
    from console.sources.site_servers import links_of

    config = SourceConfig("site", "src", "https://a", options={"also": ("https://b/x", "/run/c.sock")})
    links = links_of(SiteConfig("muc1"), config)
    assert [each.endpoint.shown_url for each in links] == ["https://a", "https://b/x", "the socket /run/c.sock"]
