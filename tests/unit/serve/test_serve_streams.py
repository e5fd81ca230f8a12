from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from console.core.site_api.stream import SiteEncoder
from console.serve.app import RoleWord
from console.serve.stream_limits import StreamLimits
from tests.support.scripted_session import ScriptedSession
from tests.support.serving import SITE, VIEWER, WAIT_S, Records, Served, listening, serving, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = StreamLimits(streams=60, ring_bytes=400_000, lag_bytes=100_000, stall_s=1.5, slice_bytes=16_384)


@pytest.fixture
def session() -> ScriptedSession:
    return ScriptedSession()


@pytest.fixture
def served(session: ScriptedSession) -> Iterator[Served]:
    with serving(session) as running:
        yield running


async def publishing_until(session: ScriptedSession, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.to_thread(session.publish)


async def opened(stream: Any) -> None:
    """Read the whole opening: its last record has the number that the stream is at."""
    while not stream.seq:
        assert await stream.next() is not None


async def text_of(stream: Any, text: str) -> dict[str, Any]:
    """Read on until an event of this text."""
    async with asyncio.timeout(WAIT_S):
        while True:
            record: dict[str, Any] = await stream.until("events")
            if any(event["text"] == text for event in record["events"]):
                return record


async def test_what_happens_reaches_who_listens(served: Served, session: ScriptedSession) -> None:
    async with listening(served) as stream:
        await opened(stream)
        session.happen("the door opens")
        record = await text_of(stream, "the door opens")
        assert record["seq"] == stream.seq > 0


async def test_a_client_that_comes_back_gets_what_it_missed_and_no_more(
    served: Served, session: ScriptedSession
) -> None:
    async with listening(served) as stream:
        await opened(stream)
        log, seq = stream.seen[0]["log"], stream.seq
    session.happen("while nobody listened")
    async with listening(served, log=log, after=seq) as stream:
        await text_of(stream, "while nobody listened")
        assert stream.seen[0]["resumed"] is True
        kinds = [record["type"] for record in stream.seen]
        assert "topology" not in kinds
        numbers = [record["seq"] for record in stream.seen[1:] if record["seq"]]
        assert numbers == list(range(seq + 1, seq + 1 + len(numbers)))


@pytest.mark.parametrize(("log", "after"), [("another-life", 1), ("", 10**9), ("same", 0), ("same", 10**9)])
async def test_what_cannot_be_gone_on_with_begins_anew(
    served: Served, session: ScriptedSession, log: str, after: int
) -> None:
    ours = served.hub.feed(SITE).log
    async with listening(served, log=ours if log == "same" else log, after=after) as stream:
        await opened(stream)
        assert stream.seen[0]["resumed"] is False
        assert "topology" in [record["type"] for record in stream.seen]


async def test_what_the_ring_has_lost_begins_anew(session: ScriptedSession) -> None:
    session.wild = True
    with serving(session, limits=StreamLimits(ring_bytes=20_000)) as served:
        async with listening(served) as stream:
            await opened(stream)
            log, seq = stream.seen[0]["log"], stream.seq
        ring = served.hub.feed(SITE).ring
        before = ring.end
        for _ in range(60):
            session.publish()
        await until(lambda: ring.position_after(seq) is None)
        assert ring.end > before
        assert ring.memory_bytes <= 20_000
        async with listening(served, log=log, after=seq) as stream:
            assert stream.seen[0]["resumed"] is False


async def test_fifty_streams_share_one_encoding(served: Served, session: ScriptedSession) -> None:
    hub = served.hub
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(listening(served)) for _ in range(50)]
        await asyncio.gather(*(opened(stream) for stream in streams))
        assert hub.statistics()["streams"] == 50
        before = hub.counts.encodes
        for number in range(3):
            session.happen(f"event {number}")
            await asyncio.gather(*(text_of(stream, f"event {number}") for stream in streams))
        assert hub.counts.encodes - before == 3
        tails = {tuple(record["seq"] for record in stream.seen if record["type"] == "events") for stream in streams}
        assert len({tail[-3:] for tail in tails}) == 1
    await until(lambda: hub.statistics()["streams"] == 0)


async def test_a_stream_whose_client_is_gone_is_ended(served: Served) -> None:
    async with listening(served) as stream:
        await opened(stream)
        assert served.hub.statistics()["streams"] == 1
    await until(lambda: served.hub.statistics()["streams"] == 0)
    assert not served.hub.feed(SITE).clients


async def test_nothing_is_left_of_clients_that_come_look_and_go(served: Served, session: ScriptedSession) -> None:
    async def visit(number: int) -> None:
        async with listening(served) as stream, served.client() as client:
            path = f"{SITE}/h1/r{number % 3:03d}"
            told = {"stream": stream.seen[0]["id"], "path": path}
            assert (await client.post(f"{served.site}/focus", json=told)).status_code == 200
            if number % 2:
                await stream.until("range")

    for _ in range(3):
        await asyncio.gather(*(visit(number) for number in range(8)))
    await until(lambda: served.hub.statistics()["streams"] == 0)
    feed = served.hub.feed(SITE)
    assert not feed.clients
    assert not feed.watched, "nobody looks anywhere any more"


async def test_a_client_that_never_reads_is_cut_off_and_the_others_go_on(session: ScriptedSession) -> None:
    session = ScriptedSession(nodes=500)
    session.wild = True
    with serving(session, limits=SMALL) as served:
        async with listening(served) as reader:
            reading = asyncio.create_task(text_of(reader, "still here"))
            with _deaf(served) as deaf:
                await until(lambda: served.hub.counts.opened == 2)
                await publishing_until(session, lambda: served.hub.statistics()["streams"] == 1)
                assert served.hub.counts.stalled == 1
                assert _reset_or_ended(deaf)
            session.happen("still here")
            await reading


async def test_a_client_that_reads_slowly_is_told_that_it_was_dropped(session: ScriptedSession) -> None:
    session = ScriptedSession(nodes=500)
    session.wild = True
    limits = StreamLimits(ring_bytes=400_000, lag_bytes=100_000, stall_s=60.0, slice_bytes=16_384)
    with serving(session, limits=limits) as served, _deaf(served) as deaf:
        await until(lambda: served.hub.statistics()["streams"] == 1)
        hub = served.hub
        await publishing_until(session, lambda: hub.statistics()["lag_bytes_max"] > limits.lag_bytes)
        records = await asyncio.to_thread(_read_all, deaf)
        assert records[-1]["type"] == "dropped"
        assert records[-1]["count"] > 0
        assert hub.counts.dropped == 1
        async with listening(served, log=records[0]["log"], after=1) as again:
            await opened(again)


async def test_the_place_in_focus_is_told_to_that_client_alone(served: Served, session: ScriptedSession) -> None:
    node = f"{SITE}/h1/r001/muc1-n0002"
    async with listening(served) as mine, listening(served) as other:
        await opened(mine)
        await opened(other)
        async with served.client() as client:
            told = await client.post(f"{served.site}/focus", json={"stream": mine.seen[0]["id"], "path": node})
        assert (told.status_code, session.focused) == (200, [node])
        record = await mine.until("range")
        assert (record["level"], record["start"], record["stop"], record["seq"]) == ("gpu", 16, 24, 0)
        session.publish()
        await mine.until("range")
        session.happen("after the ranges")
        await text_of(other, "after the ranges")
        assert "range" not in [each["type"] for each in other.seen]
        async with served.client() as client:
            await client.post(f"{served.site}/focus", json={"stream": mine.seen[0]["id"], "path": ""})
        seen = len(mine.seen)
        session.happen("nothing in focus")
        await text_of(mine, "nothing in focus")
        session.happen("and still nothing")
        await text_of(mine, "and still nothing")
        later = mine.seen[seen:]
        assert [each["type"] for each in later[-2:]].count("range") == 0


async def test_nobody_moves_the_focus_of_another_ones_stream(served: Served) -> None:
    async with listening(served) as stream:
        async with served.client(VIEWER.author) as client:
            answer = await client.post(f"{served.site}/focus", json={"stream": stream.seen[0]["id"], "path": SITE})
        assert answer.status_code == 404
        assert "no such stream of yours" in answer.json()["error"]


async def test_a_silent_site_is_heard_every_few_seconds(session: ScriptedSession) -> None:
    with serving(session, limits=StreamLimits(beat_s=0.05)) as served:
        async with listening(served) as stream:
            await opened(stream)
            beat = await stream.until("beat")
            assert beat["seq"] == 0
            assert beat["at"] > 0


async def test_another_session_begins_the_streams_anew(served: Served, session: ScriptedSession) -> None:
    second: Any = ScriptedSession()
    second.start()
    async with listening(served) as stream:
        await opened(stream)
        log, seq = stream.seen[0]["log"], stream.seq
        served.word = RoleWord("follower", "https://other:9443")
        served.hub.attach(second, [SITE])
        bye = await stream.until("bye")
        assert bye["leader"] == "https://other:9443"
        assert await stream.next() is None
    session.happen("from the old one")
    async with listening(served, log=log, after=seq) as stream:
        await opened(stream)
        hello = stream.seen[0]
        assert (hello["resumed"], hello["role"], hello["leader"]) == (False, "follower", "https://other:9443")
        assert hello["log"] != log
        second.happen("from the new one")
        await text_of(stream, "from the new one")
        texts = [event["text"] for record in stream.seen for event in record.get("events", ())]
        assert "from the old one" not in texts


async def test_closing_says_goodbye(session: ScriptedSession) -> None:
    with serving(session) as served:
        async with listening(served) as stream:
            await opened(stream)
            loop = served.hub._loop
            assert loop is not None
            closing = asyncio.run_coroutine_threadsafe(served.hub.aclose(), loop)
            assert (await stream.until("bye"))["reason"] == "the server ends"
            assert await stream.next() is None
            await asyncio.wrap_future(closing)
        async with served.client() as client:
            for path in ("stream", "jobs"):
                answer = await client.get(f"{served.site}/{path}")
                assert (answer.status_code, answer.json()["error"]) == (503, "this server ends")


async def test_a_stream_that_cannot_be_encoded_ends_and_begins_anew(
    served: Served, session: ScriptedSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("console.serve.hub.AGAIN_S", 0.0)
    async with listening(served) as stream:
        await opened(stream)
        log, seq = stream.seen[0]["log"], stream.seq
        with monkeypatch.context() as broken:
            broken.setattr(SiteEncoder, "update", _fault)
            session.publish()
            session.publish()
            assert "begins anew" in (await stream.until("bye"))["reason"]
            async with served.client() as client:
                assert (await client.get(f"{served.site}/stream")).status_code == 503
    session.happen("mended")
    await until(lambda: served.hub.feed(SITE).broken_at is None)
    async with listening(served, log=log, after=seq) as stream:
        await opened(stream)
        assert stream.seen[0]["resumed"] is False
        assert stream.seen[0]["log"] != log
    assert [record.message.partition(";")[0] for record in caplog.records if record.name == "console.serve"] == [
        "muc1: the stream could not be encoded"
    ]


async def test_there_is_an_end_to_streams(session: ScriptedSession) -> None:
    with serving(session, limits=StreamLimits(streams=2)) as served:
        async with listening(served), listening(served):
            async with served.client() as client:
                answer = await client.get(f"{served.site}/stream")
            assert answer.status_code == 503
            assert answer.headers["retry-after"].isdigit()
            assert "2 streams are open" in answer.json()["error"]
        await until(lambda: served.hub.statistics()["streams"] == 0)
        async with listening(served):
            pass


async def test_before_anything_was_read_a_stream_is_refused() -> None:
    class Silent(ScriptedSession):
        def start(self) -> None:
            """Nothing is published."""

    with serving(Silent()) as served:
        async with served.client() as client:
            for path in ("stream", "info"):
                answer = await client.get(f"{served.site}/{path}")
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert "nothing has been read" in answer.json()["error"]


def _fault(encoder: SiteEncoder, snapshot: Any) -> Any:
    raise ValueError("a fault of ours")


@contextlib.contextmanager
def _deaf(served: Served) -> Iterator[socket.socket]:
    """Open a stream of which nothing is read."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(WAIT_S)
        line.connect(("127.0.0.1", served.port))
        line.sendall(f"GET {served.site}/stream HTTP/1.1\r\nHost: t\r\nX-Author: ada\r\n\r\n".encode())
        yield line


def _reset_or_ended(line: socket.socket) -> bool:
    try:
        while line.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def _read_all(line: socket.socket) -> list[dict[str, Any]]:
    """Read a chunked answer to its end."""
    data = bytearray()
    while not data.endswith(b"\r\n0\r\n\r\n"):
        piece = line.recv(65536)
        assert piece, "the connection ended without the end of the answer"
        data += piece
    _, _, rest = bytes(data).partition(b"\r\n\r\n")
    body = bytearray()
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return Records().feed(bytes(body))
