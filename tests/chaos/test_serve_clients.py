"""`gigadeck serve` and clients: hostile, slow, revoked, of another version; those are refused, others are served."""

from __future__ import annotations

import re
import select
import socket
import struct
import tempfile
import threading
import time
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec
import psutil
import pytest

from tests.support.cli import gigadeck
from tests.support.crew import PATH, Crew
from tests.support.terminal import Terminal
from tests.support.terminal import gigadeck as command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.gigaserve import GigaServe

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("serve-clients"), pytest.mark.timeout(180)]
WAIT_S = 40.0
DEAF = 60
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Crew, GigaServe]]:
    with tempfile.TemporaryDirectory(prefix="gdc") as folder, ExitStack() as stack:
        crew = Crew(Path(folder), stack, f"sqlite:///{folder}/memory.db", listen="127.0.0.1:0")
        yield crew, crew.leader()


def by_tcp(serve: GigaServe) -> socket.socket:
    url = httpx.URL(serve.url)
    return socket.create_connection((url.host, url.port), timeout=WAIT_S)


def figure(serve: GigaServe, name: str) -> float:
    found = re.search(rf"^gigadeck_serve_{name} (\S+)$", serve.get("/metrics").text, re.M)
    assert found, name
    return float(found.group(1))


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        (f"{PATH}/info", {"Gigadeck-Api": "2"}, 426, "you speak version '2' of the site API.*this server speaks 1; up"),
        ("/site/v2/lab/info", {}, 404, r"this server speaks version 1 of the site API \(/site/v1\), not 'v2'"),
        (f"{PATH}/stream?stream=2", {}, 400, "this server speaks version 1 of the stream, not '2'"),
        (f"{PATH}/holograms", {}, 404, "GET / lists what there is"),
    ],
)
def test_a_client_of_another_version_is_refused_in_words(
    served: tuple[Crew, GigaServe], path: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = served[1].get(path, headers=headers)
    assert answer.status_code == status
    assert re.search(words, answer.json()["error"]), answer.json()


def test_members_that_a_newer_client_adds_are_passed_over(served: tuple[Crew, GigaServe]) -> None:
    deed = {"id": "new-1", "kind": "note", "subject": "site:lab", "text": "from the future", "mood": {"deep": [1]}}
    with served[1].client() as client:
        assert client.post(f"{PATH}/deeds", json=deed).status_code == 200
        odd = client.post(f"{PATH}/deeds", json={**deed, "id": "new-2", "kind": "dream"})
    assert odd.status_code == 422
    assert "dream" in odd.json()["error"]


JSON, MSGPACK = "application/json", "application/msgpack"
ODD_BODIES = {
    "deep json": (b"[" * 60_000, JSON),
    "deep json object": (b'{"id":' * 9_000, JSON),
    "deep msgpack": (b"\x91" * 60_000, MSGPACK),
    "msgpack that promises 4 GiB": (b"\xdd\xff\xff\xff\xff", MSGPACK),
    "no utf-8": (b'{"id": "\xff\xfe"}', JSON),
    "a lone surrogate": (b'{"id": "\\ud800", "kind": "note", "subject": "site:lab", "text": "x"}', JSON),
    "a number without end": (b'{"id": ' + b"9" * 50_000 + b"}", JSON),
    "oversized": (b" " * 70_000, JSON),
    "gzip": (b"\x1f\x8b\x08\x00" + b"\0" * 100, JSON),
    "nothing": (b"", JSON),
}


@pytest.mark.parametrize("name", ODD_BODIES)
@pytest.mark.parametrize("route", ["deeds", "focus"])
def test_an_odd_body_is_refused_in_words(served: tuple[Crew, GigaServe], name: str, route: str) -> None:
    body, kind = ODD_BODIES[name]
    with served[1].client() as client:
        answer = client.post(f"{PATH}/{route}", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 413, 415, 422), answer.text
    assert answer.json()["error"]
    assert served[1].get("/health").status_code == 200


CHUNKED = b"POST /site/v1/lab/deeds HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
ODD_HEADS = {
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /site/v1/lab/info HTTP/1.1\r\n\r\n",
    "a bad chunk": CHUNKED + b"zz\r\n",
    "a chunk without end": CHUNKED + b"f" * 200,
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n" + CHUNKED[len(CHUNKED) - 32 :],
    "a path without end": b"GET /" + b"a" * 70_000,
    "headers without end": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
    "a folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\n\x00: y\r\n\r\n",
    "no http": b"\x00\xff" * 500,
}


@pytest.mark.parametrize("name", ODD_HEADS)
def test_what_is_no_request_gets_no_more_than_a_refusal(served: tuple[Crew, GigaServe], name: str) -> None:
    _, serve = served
    with by_tcp(serve) as line:
        heard = b""
        try:
            line.sendall(ODD_HEADS[name])
            while piece := line.recv(4096):
                heard += piece
        except ConnectionError:  # it hung up on what was still on its way
            pass
    if heard:
        assert re.match(rb"HTTP/1.1 4\d\d ", heard), heard[:200]
    assert serve.get("/health").status_code == 200
    assert not [line for line in serve.lines if line.get("level") in ("error", "critical", "raw")]


@pytest.mark.parametrize("begins", [b"GET /site/v1/lab/info HTTP/1.1\r\nX-", CHUNKED], ids=["head", "body"])
def test_who_drips_is_hung_up_on_while_others_are_served(served: tuple[Crew, GigaServe], begins: bytes) -> None:
    _, serve = served
    lines = [by_tcp(serve) for _ in range(30)]
    try:
        for line in lines:
            line.sendall(begins)
        deadline, left = time.monotonic() + WAIT_S, list(lines)
        while left:
            assert time.monotonic() < deadline, f"{len(left)} still drip"
            ready, _, _ = select.select(left, [], [], 0.2)
            for line in ready:
                left.remove(line)
            for line in left:
                with_a_byte(line)
            assert serve.get("/health").status_code == 200
    finally:
        for line in lines:
            line.close()


def with_a_byte(line: socket.socket) -> None:
    try:
        line.sendall(b"1")
    except OSError:
        return  # it was hung up on: the next look at it says so


def test_a_token_that_is_revoked_ends_its_stream(served: tuple[Crew, GigaServe]) -> None:
    crew, serve = served
    state = f"sqlite:///{crew.folder}/memory.db"
    secret = gigadeck("token", "add", "guest", "--role", "viewer", "--state", state).out.strip()
    head = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=serve.url, headers=head, timeout=WAIT_S) as client:
        serve.wait_ready(lambda _: client.get(f"{PATH}/info").status_code == 200)
        denied = client.post(f"{PATH}/deeds", json={"id": "t", "kind": "note", "subject": "site:lab", "text": "x"})
        assert denied.status_code == 403
        assert "operator" in denied.json()["error"]
        with client.stream("GET", f"{PATH}/stream") as answer:
            pieces = answer.iter_raw()
            assert next(pieces)
            assert gigadeck("token", "revoke", "guest", "--state", state).code == 0
            deadline = time.monotonic() + WAIT_S
            try:
                for _ in pieces:
                    assert time.monotonic() < deadline, "it goes on"
            except httpx.RemoteProtocolError:
                pass  # cut off in the middle
        assert client.get(f"{PATH}/info").status_code == 401


def open_deaf(serve: GigaServe, query: str = "") -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(WAIT_S)
    line.connect(serve.socket)
    line.sendall(f"GET {PATH}/stream{query} HTTP/1.1\r\nHost: gigadeck\r\n\r\n".encode())
    return line


def hello_of(line: socket.socket) -> dict[str, object]:
    """Return the first record of a stream, which is in its first chunk."""
    with line.makefile("rb") as file:
        while file.readline().strip():
            pass
        file.readline()
        length, coding = struct.unpack(">IB", file.read(5))
        body = file.read(length - 1)
        told: dict[str, object] = msgspec.msgpack.decode(zlib.decompress(body) if coding else body)
        return told


@pytest.mark.long
def test_clients_that_never_read_cost_little_are_cut_off_and_may_come_back() -> None:
    with tempfile.TemporaryDirectory(prefix="gdc") as folder, ExitStack() as stack:
        crew = Crew(Path(folder), stack, f"sqlite:///{folder}/memory.db", gpus=40_000)
        serve = crew.leader()
        heard: list[int] = []
        over = threading.Event()
        reader = threading.Thread(target=read_on, args=(serve, heard, over), daemon=True)
        reader.start()
        serve.wait_ready(lambda _: sum(heard) > 100_000 and figure(serve, "streams") == 1)
        process = psutil.Process(serve.pid)
        before, files = process.memory_info().rss, figure(serve, "open_files")
        deaf = [stack.enter_context(open_deaf(serve)) for _ in range(DEAF)]
        serve.wait_ready(lambda _: figure(serve, "streams") == DEAF + 1)
        most = process.memory_info().rss
        while figure(serve, "streams_stalled_total") < DEAF:
            most = max(most, process.memory_info().rss)
        serve.wait_ready(lambda _: figure(serve, "streams") == 1 and figure(serve, "open_files") <= files + 4)
        assert most - before < 40 * MIB, f"{(most - before) / MIB:.0f} MiB for {DEAF} who do not read"
        heard_before = sum(heard)
        hello = hello_of(deaf[0])
        with open_deaf(serve, f"?log={hello['log']}&after=0") as again:
            assert hello_of(again)["type"] == "hello"
        serve.wait_ready(lambda _: sum(heard) > heard_before)
        over.set()
        serve.end()
        reader.join(WAIT_S)


def read_on(serve: GigaServe, heard: list[int], over: threading.Event) -> None:
    """Read a stream as a console does."""
    with serve.client() as client, client.stream("GET", f"{PATH}/stream") as answer:
        for piece in answer.iter_raw():
            heard.append(len(piece))
            if over.is_set():
                return


def test_a_console_says_that_its_serve_is_gone_and_goes_on_by_itself_when_it_is_back() -> None:
    with tempfile.TemporaryDirectory(prefix="gdc") as folder, ExitStack() as stack:
        crew = Crew(Path(folder), stack, f"sqlite:///{folder}/memory.db")
        serve = crew.leader()
        fleet = crew.folder / "attached.yaml"
        source = f"{{kind: site, socket: {serve.socket}, stale_after: 3s}}"
        fleet.write_text(f"fleet: x\nsites: [{{name: lab, sources: [{source}]}}]\n")
        environ = {"GIGADECK_STATE_DIR": str(crew.folder / "console"), "TERM": "xterm-256color"}
        with Terminal(command("--fleet", str(fleet)), 120, 30, environ) as terminal:
            terminal.wait_for(lambda text: "temp_c > 20" in text and "live 64/64" in text)
            serve.process.kill()
            serve.process.wait(20)
            terminal.wait_for(lambda text: "STALE" in text and "MEMORY FAILS" in text and "temp_c > 20" in text)
            again = crew.start("first")
            again.wait_ready()
            terminal.wait_for(
                lambda text: "live 64/64" in text and "STALE" not in text and "MEMORY FAILS" not in text, WAIT_S
            )
            terminal.send("A")
            terminal.wait_for("note")
            terminal.send("seen\r")
            again.wait_ready(
                lambda _: any(row["acknowledgement"] for row in again.get(f"{PATH}/incidents").json()["incidents"])
            )
            terminal.send("q")
            assert terminal.wait_for_end() == 0
