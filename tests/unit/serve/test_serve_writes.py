from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console.model.errors import Fenced, RefusedError, StateError
from console.model.incidents import DeedKind
from console.serve.app import RoleWord
from tests.support.openapi import check
from tests.support.scripted_session import SITE, ScriptedSession
from tests.support.serving import VIEWER, Served, emulated_session, listening, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.incidents import Deed

ACK = {"id": "d-1", "kind": "acknowledge", "subject": "muc1-1a2b3c4d", "text": "on it"}


@pytest.fixture
def session() -> ScriptedSession:
    return ScriptedSession()


@pytest.fixture
def served(session: ScriptedSession) -> Iterator[Served]:
    with serving(session) as running:
        yield running


async def post(served: Served, body: Any = None, *, author: str = "ada", path: str = "deeds", **more: Any) -> Any:
    async with served.client(author) as client:
        asked = {"json": body} if body is not None else {}
        return await client.post(f"{served.site}/{path}", **asked, **more)


async def test_a_deed_is_kept_with_the_author_that_the_connection_proves(
    served: Served, session: ScriptedSession
) -> None:
    answer = await post(served, {**ACK, "author": "somebody else", "at": 1.0, "site": "bcn1"})
    assert (answer.status_code, answer.json()) == (200, {"outcome": "acknowledge done by ada"})
    check("Outcome", answer.json())
    (deed,) = session.deeds
    assert (deed.id, deed.kind, deed.site) == ("d-1", DeedKind.ACKNOWLEDGE, SITE)
    assert (deed.subject, deed.text, deed.author) == ("muc1-1a2b3c4d", "on it", "ada")


async def test_msgpack_is_as_good(served: Served, session: ScriptedSession) -> None:
    headers = {"content-type": "application/msgpack"}
    answer = await post(served, content=msgspec.msgpack.encode(ACK), headers=headers)
    assert answer.status_code == 200
    assert session.deeds[0].text == "on it"


@pytest.mark.parametrize(("author", "status", "text"), [(VIEWER.author, 403, "operator"), ("", 401, "who asks?")])
async def test_who_may_not_write_is_told_why(
    served: Served, session: ScriptedSession, author: str, status: int, text: str
) -> None:
    answer = await post(served, ACK, author=author)
    assert answer.status_code == status
    check("Error", answer.json())
    assert text in answer.json()["error"]
    assert not session.deeds


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError("muc1: no incident muc1-1a2b3c4d"), 409),
        (StateError("the database at db.example/gigadeck is read-only"), 503),
        (Fenced("somebody else leads"), 421),
        (ValueError("a fault of ours"), 500),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else str(each),
)
async def test_what_the_memory_says_is_passed_on(
    served: Served, session: ScriptedSession, error: Exception, status: int
) -> None:
    def refuse(deed: Deed) -> str:
        raise error

    session.outcome = refuse
    answer = await post(served, ACK)
    assert answer.status_code == status
    check("Error", answer.json())
    if status in (409, 503):
        assert answer.json()["error"] == str(error)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "fault of ours" not in answer.text


async def test_a_follower_says_who_leads(served: Served, session: ScriptedSession) -> None:
    served.word = RoleWord("follower", "https://other.example:8470")
    answer = await post(served, ACK)
    assert (answer.status_code, answer.json()["leader"]) == (421, "https://other.example:8470")
    assert "ask https://other.example:8470" in answer.json()["error"]
    served.word = RoleWord("follower", "")
    answer = await post(served, ACK)
    assert (answer.status_code, answer.json()["leader"]) == (421, "")
    assert not session.deeds


async def test_a_memory_that_does_not_answer_is_not_waited_for(
    served: Served, session: ScriptedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import Future

    monkeypatch.setattr("console.serve.routes_write.KEEP_S", 0.1)
    monkeypatch.setattr(session, "keep", lambda deed: Future())
    answer = await post(served, ACK)
    assert answer.status_code == 503
    assert "ask again with the same id" in answer.json()["error"]


BAD: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "truncated"),
    "no-json": (b"{nonsense", 422, "malformed"),
    "no-map": (b"[1, 2]", 422, "Expected `object`"),
    "no-id": (b'{"kind": "note", "subject": "x"}', 422, "`id`"),
    "empty-id": (b'{"id": "", "kind": "note", "subject": "x"}', 422, "length >= 1"),
    "id-of-a-number": (b'{"id": 7, "kind": "note", "subject": "x"}', 422, "Expected `str`"),
    "unknown-kind": (b'{"id": "a", "kind": "reboot", "subject": "x"}', 422, "Invalid enum value 'reboot'"),
    "no-utf8": (b'{"id": "\xff", "kind": "note", "subject": "x"}', 422, ""),
    "deep": (b'{"id": "a", "kind": "note", "subject": "x", "more": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", 422, ""),
    "long-subject": (b'{"id": "a", "kind": "note", "subject": "' + b"x" * 1025 + b'"}', 422, "length <= 1024"),
    "long-text": (
        b'{"id": "a", "kind": "note", "subject": "x", "text": "' + b"y" * 4097 + b'"}',
        422,
        "4,097 characters, more than 4,096",
    ),
    "long-view": (b'{"id": "a", "kind": "save_view", "subject": "x", "text": "' + b"y" * 16385 + b'"}', 422, "16384"),
    "escape": (rb'{"id": "a", "kind": "note", "subject": "x", "text": "\u001b[31m"}', 422, "U+001B"),
    "nul": (rb'{"id": "a", "kind": "note", "subject": "\u0000"}', 422, "U+0000"),
    "too-large": (b'{"id": "' + b"z" * 70_000 + b'"}', 413, "over 65,536 bytes"),
}


@pytest.mark.parametrize(("body", "status", "text"), BAD.values(), ids=BAD)
async def test_a_body_that_is_none_is_refused_and_says_why(
    served: Served, session: ScriptedSession, body: bytes, status: int, text: str
) -> None:
    answer = await post(served, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    check("Error", answer.json())
    assert text in answer.json()["error"]
    assert not session.deeds
    assert (await post(served, ACK)).status_code == 200


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_form_of_a_browser_is_no_deed(served: Served, session: ScriptedSession, kind: str) -> None:
    answer = await post(served, content=msgspec.json.encode(ACK), headers={"content-type": kind} if kind else {})
    assert answer.status_code == 415
    assert not session.deeds


async def test_a_long_body_without_an_announced_length_is_refused(served: Served) -> None:
    async def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 8192

    answer = await post(served, content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_a_body_that_does_not_come_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.serve.asked.BODY_S", 0.1)
    head = f"POST {served.site}/deeds HTTP/1.1\r\nHost: t\r\nX-Author: ada\r\nContent-Type: application/json\r\n"

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
            line.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            told = b""
            while piece := line.recv(65536):
                told += piece
            return told

    told = await asyncio.to_thread(ask)
    assert told.startswith(b"HTTP/1.1 408 ")


async def test_the_same_deed_twice_is_done_once_and_shows_in_every_stream() -> None:
    with serving(emulated_session()) as served:
        note = {"id": "n-1", "kind": "note", "subject": f"node:{SITE}/x", "text": "bad cable"}
        async with listening(served) as one, listening(served) as other:
            answers = await asyncio.gather(*(post(served, note) for _ in range(5)))
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.text for answer in answers}) == 1
            for stream in (one, other):
                while not any("bad cable" in str(record.get("notes", "")) for record in stream.seen):
                    await asyncio.wait_for(stream.until("judged"), 10)
        async with served.client() as client:
            notes = (await client.get(f"{served.site}/notes")).json()["notes"]
            assert [(each["id"], each["author"], each["text"]) for each in notes] == [("n-1", "ada", "bad cable")]
            journal = (await client.get(f"{served.site}/journal")).json()["entries"]
        done = [entry for entry in journal if entry["event"] == "deed"]
        assert done[0]["author"] == "ada"
        refused = await post(served, {"id": "a-1", "kind": "acknowledge", "subject": "muc1-00000000"})
        assert refused.status_code == 409


async def test_a_client_that_hangs_up_while_it_writes_leaves_nothing_behind(
    served: Served, session: ScriptedSession
) -> None:
    body = msgspec.json.encode(ACK)
    head = f"POST {served.site}/deeds HTTP/1.1\r\nHost: t\r\nX-Author: ada\r\nContent-Type: application/json\r\n"

    def ask_and_leave(sent: bytes) -> None:
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
            line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + sent)

    await asyncio.to_thread(ask_and_leave, body[:20])
    await asyncio.to_thread(ask_and_leave, body)
    await until(lambda: len(session.deeds) == 1)
    assert (await post(served, ACK)).status_code == 200
    assert len(session.deeds) == 2
