from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace

import httpx
import pytest

from console.config.values import Auth, Budget, Secret, SourceConfig, Timeouts
from console.link.answers import retry_after_s
from console.link.budget import TokenBucket
from console.link.http import HttpLink
from console.model import errors
from tests.support.bad_http import answer, bad_server, endless, reset, silent, truncated

CONFIG = SourceConfig("prometheus", "prom", "http://u:secret@x.example/base?token=s3cret", timeouts=Timeouts(1, 0.2, 2))
GOOD = '{"status":"success"}'


def link_to(handler, config: SourceConfig = CONFIG, **more: object) -> HttpLink:
    return HttpLink("muc1", config, transport=httpx.MockTransport(handler), **more)  # type: ignore[arg-type]


def says(status: int, text: str = GOOD, **headers: str):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(status, text=text, headers={"content-type": "application/json", **names})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthorized),
        (403, errors.Unauthorized),
        (404, errors.NotOffered),
        (429, errors.RateLimited),
        (500, errors.ServerFailed),
        (503, errors.ServerFailed),
        (422, errors.SourceError),
    ],
)
async def test_statuses_become_the_error_tree(status: int, kind: type[errors.SourceError]) -> None:
    link = link_to(says(status, '{"status":"error","error":"it \\u001b[31mbroke"}', retry_after="7"))
    with pytest.raises(kind) as caught:
        await link.get("/api")
    text = str(caught.value)
    assert text.startswith("muc1/prom: ")
    assert str(status) in text
    assert "http://x.example/base" in text
    assert "it  [31mbroke" in text
    assert "secret" not in text
    assert "s3cret" not in text
    if status in (429, 500, 503):
        assert caught.value.retry_after_s == 7
    await link.aclose()


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s({"retry-after": "120"}, 0.0) == 120
    assert retry_after_s({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 10.0) == 50
    assert retry_after_s({"retry-after": "soon"}, 0.0) is None
    assert retry_after_s({}, 0.0) is None


async def test_keeps_path_and_query_of_the_url_and_measures() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(
            200,
            content=gzip.compress(GOOD.encode() * 50),
            headers={"content-encoding": "gzip", "date": "Thu, 01 Jan 1970 01:00:00 GMT"},
        )

    link = link_to(handler, replace(CONFIG, tenant="a|b", headers={"X-A": "1"}), clock=lambda: 5.0)
    body = await link.get("/api/v1/query", {"query": "up{}"})
    assert str(seen[0].url).endswith("/base/api/v1/query?token=s3cret&query=up%7B%7D")
    assert seen[0].headers["x-scope-orgid"] == "a|b"
    assert seen[0].headers["x-a"] == "1"
    assert body.content == GOOD.encode() * 50
    assert body.body_bytes_wire > 0
    assert (body.received_at, body.server_date) == (5.0, 3600.0)
    await link.aclose()


async def test_long_queries_go_as_a_form() -> None:
    seen: list[httpx.Request] = []
    link = link_to(lambda request: seen.append(request) or says(200)(request))
    await link.query("/q", [("query", "x" * 3000)])
    assert seen[0].method == "POST"
    assert seen[0].content == b"query=" + b"x" * 3000
    await link.aclose()


async def test_credentials_are_read_again_once_after_401(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setenv("TOKEN_X", "old")

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        monkeypatch.setenv("TOKEN_X", "new")
        return says(200 if seen[-1] == "Bearer new" else 401)(request)

    link = link_to(handler, replace(CONFIG, auth=Auth(bearer=Secret(env="TOKEN_X"))))
    await link.get("/")
    assert seen == ["Bearer old", "Bearer new"]
    await link.aclose()


async def test_missing_credential_names_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    link = link_to(says(200), replace(CONFIG, auth=Auth(bearer=Secret(env="NOT_SET"))))
    with pytest.raises(errors.Unauthorized, match="NOT_SET"):
        await link.get("/")
    await link.aclose()


async def test_redirects_stay_on_one_origin() -> None:
    hosts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        if request.url.path == "/base/a":
            return httpx.Response(302, headers={"location": "/base/b"})
        if request.url.path == "/base/b":
            return httpx.Response(307, headers={"location": "http://evil.example/?token=s3cret"})
        return says(200)(request)

    link = link_to(handler)
    with pytest.raises(errors.Redirected, match=r"evil\.example") as caught:
        await link.get("/a")
    assert hosts == ["x.example", "x.example"]
    assert "s3cret" not in str(caught.value)
    await link.aclose()


async def test_redirect_loops_end() -> None:
    link = link_to(lambda request: httpx.Response(302, headers={"location": str(request.url)}))
    with pytest.raises(errors.Redirected, match="more than"):
        await link.get("/a")
    await link.aclose()


@pytest.mark.parametrize(
    ("content_type", "text", "match"),
    [
        ("text/html; charset=utf-8", "<html>log in", "HTML instead of JSON"),
        ("application/json", "  <!DOCTYPE html><html>", "HTML instead of JSON"),
        ("image/png", "PNG", "image/png"),
    ],
)
async def test_wrong_types(content_type: str, text: str, match: str) -> None:
    link = link_to(lambda _: httpx.Response(200, text=text, headers={"content-type": content_type}))
    with pytest.raises(errors.BadPayload, match=match):
        await link.get("/")
    await link.aclose()


async def real(behaviour, kind: type[errors.SourceError], match: str, **config: object) -> None:
    async with bad_server(behaviour) as server:
        link = HttpLink("muc1", SourceConfig("prometheus", "prom", server.url, timeouts=Timeouts(1, 0.2, 2), **config))
        with pytest.raises(kind, match=match) as caught:
            await link.get("/api")
        assert str(caught.value).startswith("muc1/prom: ")
        server.behaviour = answer(GOOD, zipped=True)
        body = await link.get("/api")
        assert body.content == GOOD.encode()
        assert body.body_bytes_wire == len(gzip.compress(GOOD.encode()))
        await link.aclose()


async def test_truncated_body() -> None:
    await real(truncated(b'{"a":', 100), errors.Unreachable, "middle of the answer")


async def test_truncated_gzip() -> None:
    half = gzip.compress(json.dumps(list(range(1000))).encode())[:200]
    bad = answer(half, headers={"Content-Encoding": "gzip"})
    await real(bad, errors.BadPayload, "ends in the middle")


async def test_damaged_gzip() -> None:
    await real(answer(b"nonsense", headers={"Content-Encoding": "gzip"}), errors.BadPayload, "damaged")


async def test_oversized_body_stops_while_streaming() -> None:
    await real(endless(), errors.TooLarge, "max_body", max_body_bytes=1_000_000)


async def test_decompression_bomb() -> None:
    await real(answer(b" " * 30_000_000, zipped=True), errors.TooLarge, "max_body", max_body_bytes=1_000_000)


async def test_declared_size_is_refused_unread() -> None:
    await real(truncated(b"", 10**9), errors.TooLarge, "max_body", max_body_bytes=1_000_000)


async def test_reset() -> None:
    await real(reset(), errors.Unreachable, "broke the connection off")


async def test_silence_is_a_read_time_out() -> None:
    await real(silent(), errors.TimedOut, r"timeouts.read")


async def test_refused_and_unknown_host() -> None:
    async with bad_server(silent()) as server:
        url = server.url
    link = HttpLink("muc1", SourceConfig("prometheus", "prom", url))
    with pytest.raises(errors.Unreachable, match="cannot connect to 127"):
        await link.get("/")
    await link.aclose()
    link = HttpLink("muc1", SourceConfig("prometheus", "prom", "http://no-such-host.invalid"))
    with pytest.raises(errors.Unreachable, match=r"no such host: no-such-host.invalid"):
        await link.get("/")
    await link.aclose()


async def test_plain_server_behind_https() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = HttpLink("muc1", SourceConfig("prometheus", "prom", f"https://127.0.0.1:{port}"))
    with pytest.raises(errors.InsecureLink, match="check `url` and `tls`"):
        await link.get("/")
    await link.aclose()
    server.close()


async def test_budget_waits_are_bounded_and_counted() -> None:
    waits: list[float] = []
    now = [0.0]

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        now[0] += delay_s

    config = replace(CONFIG, budget=Budget(rps=0.1))
    link = link_to(says(200), config, clock=lambda: now[0], sleep=sleep)
    await link.get("/")
    with pytest.raises(errors.RateLimited, match="budget") as caught:
        await link.get("/")
    assert caught.value.retry_after_s == pytest.approx(10.0)
    assert waits == []
    now[0] += 9.0
    await link.get("/")
    assert waits == [pytest.approx(1.0)]
    await link.aclose()


def test_bucket_goes_into_debt_and_pays_it() -> None:
    bucket = TokenBucket(100.0, 200.0)
    assert bucket.delay_s(0.0) == 0
    bucket.take(700.0, 0.0)
    assert bucket.delay_s(0.0) == pytest.approx(5.0)
    assert bucket.delay_s(5.0) == 0
    assert TokenBucket(0.0).delay_s(0.0, 1.0) == 0


async def test_aclose_releases_connections() -> None:
    async with bad_server(answer(GOOD)) as server:
        link = HttpLink("muc1", SourceConfig("prometheus", "prom", server.url))
        await link.get("/")
        assert server.connections == 1
        await link.aclose()
        async with asyncio.timeout(5):
            await server.idle.wait()


async def test_a_kept_connection_that_was_closed_under_a_request_costs_one_more_request() -> None:
    good, bad = answer(GOOD), reset()
    async with bad_server(good) as server:
        link = HttpLink("muc1", SourceConfig("prometheus", "prom", server.url))
        await link.get("/api")

        async def closed_once(request, writer) -> None:
            server.behaviour = good
            await bad(request, writer)

        server.behaviour = closed_once
        assert (await link.get("/api")).content == GOOD.encode()
        assert len(server.requests) == 3
        server.behaviour = bad
        with pytest.raises(errors.Unreachable):
            await link.get("/api")
        assert len(server.requests) == 5  # not a third time
        with pytest.raises(errors.Unreachable):
            await link.get("/api")
        assert len(server.requests) == 6  # nothing has served since
        await link.aclose()
