from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from console.config.serve_values import Roles, ServeLimits
from console.serve import gate as gate_module
from console.serve.gate import Gate, Rules
from console.serve.who import Bearer, NoTokens, PeerInfo, Role

if TYPE_CHECKING:
    from starlette.requests import Request

LOCAL = PeerInfo("tcp", "127.0.0.1")
FAR = PeerInfo("tcp", "10.0.0.1")
HOST = (b"host", b"localhost")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Answer:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def json(self) -> Any:
        return json.loads(b"".join(each.get("body", b"") for each in self.messages[1:]))


async def whole(request: Request) -> PlainTextResponse:
    caller = request.scope["state"]["caller"]
    body = await request.body()
    return PlainTextResponse(f"{caller.author if caller else ''} {len(body)}")


INNER = Starlette(routes=[Route("/{path:path}", whole, methods=["GET", "POST"])])


def made(app: Any = INNER, *, roles: Roles | None = None, tokens: Any = None, **limits: Any) -> tuple[Gate, Clock]:
    clock = Clock()
    rules = Rules.of(roles or Roles(), ServeLimits(**limits), tokens or NoTokens(), clock)
    return Gate(app, rules, clock), clock


async def ask(
    gate: Gate,
    path: str = "/site/v1/sites",
    *,
    peer: PeerInfo | None = LOCAL,
    pieces: tuple[bytes, ...] = (),
    **more: Any,
) -> Answer:
    headers = [HOST, *more.pop("headers", [])]
    scope = {
        "type": "http",
        "method": "POST" if pieces else "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "state": {"peer": peer},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 1),
        "client": None,
        "root_path": "",
    }
    left = list(pieces or (b"",))

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    answer = Answer()
    await gate(scope, receive, answer)
    return answer


async def test_what_passes_has_a_caller() -> None:
    gate, _ = made()
    answer = await ask(gate)
    assert answer.messages[1]["body"] == b"anonymous 0"
    assert gate.statuses == {200: 1}


async def test_nobody_gets_no_further_but_for_health_and_readiness() -> None:
    gate, _ = made()
    refused = await ask(gate, peer=FAR)
    assert (refused.status, refused.json["status"]) == (401, 401)
    assert b"www-authenticate" in refused.headers
    assert (await ask(gate, "/health", peer=FAR)).status == 200
    assert (await ask(gate, "/metrics", peer=FAR)).status == 401
    assert (await ask(gate, peer=None)).status == 401
    assert gate.refused == {"unknown": 3}


async def test_whoever_asks_too_often_is_told_when_to_come_again() -> None:
    gate, clock = made(requests_per_s=2)
    statuses = [(await ask(gate)).status for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    answer = await ask(gate)
    assert int(answer.headers[b"retry-after"]) == 1
    assert (await ask(gate, peer=PeerInfo("unix", uid=3_999_999, gid=0))).status == 200  # others are not held up
    clock.now += 0.5
    assert (await ask(gate)).status == 200


async def test_a_stranger_is_counted_before_it_is_refused() -> None:
    gate, _ = made(requests_per_s=1)
    assert [(await ask(gate, peer=FAR)).status for _ in range(3)] == [401, 401, 429]


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [((b"a" * 1025,), []), ((b"a" * 600, b"b" * 600), []), ((b"",), [(b"content-length", b"1025")])],
)
async def test_a_body_over_the_limit_is_refused(pieces: tuple[bytes, ...], headers: list[tuple[bytes, bytes]]) -> None:
    gate, _ = made(body_bytes=1024)
    assert (await ask(gate, pieces=pieces, headers=headers)).status == 413
    assert (await ask(gate, pieces=(b"a" * 1000,))).messages[1]["body"] == b"anonymous 1000"


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "BODY_S", 0.01)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    body = gate_module._Body(receive, 1024)  # type: ignore[arg-type]  # plain dictionaries do
    with pytest.raises(Exception, match="did not come") as refused:
        await body.receive()
    assert refused.value.status_code == 408


class Changing:
    def __init__(self) -> None:
        self.known = True

    def find(self, token: str) -> Bearer | None:
        return Bearer("ci", Role.VIEWER) if self.known else None


async def test_a_stream_ends_when_its_token_is_revoked() -> None:
    tokens, sent = Changing(), 0

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while sent < 1000:
            sent += 1
            clock.now += 1.0
            tokens.known = sent < 20
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    gate, clock = made(endless, tokens=tokens)
    answer = await ask(gate, "/site/v1/a/stream", headers=[(b"authorization", b"Bearer t")])
    assert sent < 31
    assert answer.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert not len(gate.rules.streams)


async def test_streams_are_counted_in_all_and_of_one_caller() -> None:
    opened, end = asyncio.Semaphore(0), asyncio.Event()

    async def held(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        opened.release()
        await end.wait()

    gate, _ = made(held, streams=3, requests_per_s=1000)
    other = PeerInfo("unix", uid=3_999_999, gid=0)
    tasks = [asyncio.create_task(ask(gate, "/site/v1/a/stream", peer=peer)) for peer in (LOCAL, LOCAL, other)]
    for _ in tasks:
        await opened.acquire()
    assert (await ask(gate, "/site/v1/a/stream")).status == 503
    assert (await ask(gate, "/site/v1/a/stream", peer=other)).status == 503
    end.set()
    await asyncio.gather(*tasks)
    assert not len(gate.rules.streams)


async def test_what_is_no_http_is_not_answered() -> None:
    gate, _ = made()
    answer = Answer()
    await gate({"type": "websocket", "path": "/", "headers": []}, None, answer)  # type: ignore[arg-type]  # never called
    assert answer.messages == []
