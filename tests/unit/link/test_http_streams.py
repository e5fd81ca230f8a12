from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from console.config.values import Auth, Secret, SourceConfig, Timeouts, Tls
from console.link.failures import Endpoint, translate
from console.link.http import HttpLink
from console.model import errors
from tests.support.bad_http import answer, bad_server, silent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bad_http import Request, Writer

LIMITS = Timeouts(connect_s=1.0, read_s=0.5, total_s=2.0)
HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-lines\r\n\r\n"


def link_to(url: str, **more: object) -> HttpLink:
    return HttpLink("muc1", SourceConfig("site", "src", url, timeouts=LIMITS, **more))  # type: ignore[arg-type]


async def chunks_of(link: HttpLink, idle_s: float = 0.0) -> list[bytes]:
    async with link.stream("/x", accept="application/x-lines", idle_s=idle_s) as answer:
        return [chunk async for chunk in answer.chunks]


async def test_chunks_are_there_as_they_come_for_longer_than_any_request_may_take() -> None:
    go = asyncio.Event()

    async def act(request: Request, writer: Writer) -> None:
        writer.write(HEAD.encode() + b"3\r\none\r\n")
        await go.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with bad_server(act) as server:
        link = link_to(server.url)
        async with link.stream("/x", accept="application/x-lines", idle_s=60.0) as stream:
            assert await anext(stream.chunks) == b"one"
            go.set()
            assert await anext(stream.chunks) == b"two"
            assert await anext(stream.chunks, None) is None
        assert server.requests[0].headers["accept-encoding"] == "identity"
        await link.aclose()


async def test_silence_in_a_stream_is_told_with_how_long_it_was() -> None:
    async def act(request: Request, writer: Writer) -> None:
        writer.write(HEAD.encode() + b"3\r\none\r\n")
        await asyncio.Event().wait()

    async with bad_server(act) as server:
        link = link_to(server.url)
        with pytest.raises(errors.TimedOut, match=r"sent nothing for 0\.1 s"):
            await chunks_of(link, idle_s=0.1)
        await link.aclose()


async def test_a_server_that_never_begins_is_given_up_in_the_time_of_a_request() -> None:
    async with bad_server(silent()) as server:
        link = link_to(server.url)
        with pytest.raises(errors.TimedOut, match="within 2 s"):
            await chunks_of(link, idle_s=60.0)
        await link.aclose()


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (403, {}, errors.Unauthorized),
        (404, {}, errors.NotOffered),
        (503, {"Retry-After": "5"}, errors.ServerFailed),
        (302, {"Location": "/elsewhere"}, errors.Redirected),
        (302, {"Location": "http://127.0.0.1:9/"}, errors.Redirected),
    ],
)
async def test_what_is_no_stream_is_a_source_error(
    status: int, headers: dict[str, str], kind: type[errors.SourceError]
) -> None:
    async with bad_server(answer('{"error": "no"}', status, headers=headers)) as server:
        link = link_to(server.url)
        with pytest.raises(kind):
            await chunks_of(link)
        await link.aclose()


async def renewing(request: Request, writer: Writer) -> None:
    """Answer who comes with the new token only."""
    if request.headers.get("authorization") != "Bearer new":
        await answer('{"error": "old"}', 401)(request, writer)
    else:
        await answer('{"outcome": "done"}')(request, writer)


async def test_a_credential_that_was_changed_is_read_anew_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    async with bad_server(renewing) as server:
        link = link_to(server.url, auth=Auth(bearer=Secret(file=str(token))))
        assert (await link.ask("POST", "/deeds", b"{}")).status == 401
        token.write_text("new")
        assert (await link.ask("POST", "/deeds", b"{}")).status == 200
        token.write_text("old")
        assert [json.loads(each) for each in await chunks_of(link)] == [{"outcome": "done"}]
        await link.aclose()


async def test_whoever_asks_gets_a_refusal_with_its_words() -> None:
    async with bad_server(answer('{"error": "no", "leader": "b"}', 421)) as server:
        link = link_to(server.url)
        body = await link.ask("POST", "/deeds", b'{"id": 1}')
        assert (body.status, json.loads(body.content)["leader"]) == (421, "b")
        assert server.requests[0].body == b'{"id": 1}'
        assert server.requests[0].headers["content-type"] == "application/json"
        await link.aclose()


async def test_a_socket_is_asked_in_place_of_a_host(tmp_path: Path) -> None:
    path = str(tmp_path / "it.sock")
    async with bad_server(answer("{}"), socket=path):
        link = HttpLink("muc1", SourceConfig("site", "src", "http://gigadeck", timeouts=LIMITS), socket=path)
        assert (await link.get("/x")).content == b"{}"
        await link.aclose()


def test_a_socket_that_is_not_ours_is_told_by_the_error_that_it_gives() -> None:
    denied = httpx.ConnectError("no")
    denied.__cause__ = PermissionError(13, "Permission denied")
    told = translate(denied, Endpoint("muc1", "src", "http://gigadeck", LIMITS, "/run/g.sock"))
    assert str(told) == (
        "muc1/src: cannot connect to the socket /run/g.sock: permission denied; are you in the group that may use it?"
    )


@pytest.fixture
def both(tmp_path: Path) -> tuple[str, str]:
    """A certificate that is its own authority, and its key."""
    cert, key = str(tmp_path / "us.crt"), str(tmp_path / "us.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=ada.example"]
    try:
        subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return cert, key


async def test_a_client_certificate_opens_a_stream_and_without_one_it_is_refused(both: tuple[str, str]) -> None:
    cert, key = both
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cert)
    tls.load_cert_chain(cert, key)
    tls.verify_mode = ssl.CERT_REQUIRED
    async with bad_server(answer('{"x": 1}'), tls) as server:
        ours = link_to(server.url, tls=Tls(ca_file=cert, cert_file=cert, key_file=key))
        assert b"".join(await chunks_of(ours)) == b'{"x": 1}'
        await ours.aclose()
        nobody = link_to(server.url, tls=Tls(ca_file=cert))
        with pytest.raises(errors.SourceError, match="muc1/src: "):
            await chunks_of(nobody)
        await nobody.aclose()
