"""`gigadeck serve` as a process: who comes by its sockets, signals, systemd, reload, what is malformed or too much."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.gigaserve import GigaServe, gigaserve
from tests.support.cli import gigadeck

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]

HALF_OPEN = 10_000
FLEET = """\
fleet: team
sites:
  - {{name: lab, environment: lab, sources: [{{kind: emulator, gpus: 64}}]}}
checks:
  - {{name: {check}, where: temp_c > 20, warning: 1}}
serve:
  listen: 127.0.0.1:0
  socket: {{path: {socket}, mode: "0666"}}
  roles: {{operator: ['user:daemon'], approver: ['user:backup']}}
  limits: {{requests_per_s: {rate}, body: 4 KiB}}
"""


class Place:
    """A short folder with a fleet file; a socket's path must be short."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = str(folder / "serve.sock")
        self.fleet = folder / "fleet.yaml"
        self.state = f"sqlite:///{folder}/state.db"
        self.write()

    def write(self, *, check: str = "warm", rate: float = 1000.0, more: str = "") -> None:
        self.fleet.write_text(FLEET.format(socket=self.socket, check=check, rate=rate) + more)

    def serve(self, *arguments: str, **more: Any) -> Any:
        return gigaserve("--fleet", str(self.fleet), "--state", self.state, *arguments, socket=self.socket, **more)

    def token(self, name: str, role: str) -> str:
        said = gigadeck("token", "add", name, "--role", role, "--state", self.state)
        assert said.code == 0, said.err
        return said.out.strip()


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="gds") as folder:
        os.chmod(folder, 0o755)
        yield Place(Path(folder))


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Place, GigaServe]]:
    with tempfile.TemporaryDirectory(prefix="gds") as folder:
        os.chmod(folder, 0o755)
        place = Place(Path(folder))
        with place.serve() as running:
            running.wait_ready()
            yield place, running


AS_USER = """
import http.client, json, os, pwd, socket, sys
import encodings.idna, email.parser
user, path, method, target, body = sys.argv[1:]
if user:
    who = pwd.getpwnam(user)
    os.setgroups([]); os.setgid(who.pw_gid); os.setuid(who.pw_uid)
class Line(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.settimeout(20); self.sock.connect(path)
line = Line("localhost")
line.request(method, target, body or None, {"Content-Type": "application/json"} if body else {})
answer = line.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""


def ask_as(user: str, path: str, method: str, target: str, body: object = None) -> tuple[int, Any]:
    """Ask by a UNIX socket as another user; root alone can become one."""
    text = json.dumps(body) if body is not None else ""
    command = [sys.executable, "-c", AS_USER, user, path, method, target, text]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    status, answer = json.loads(said.stdout)
    return status, json.loads(answer)


root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="only root can come by a socket as somebody else")


def note(id: str = "00000000-0000-4000-8000-000000000001", text: str = "a word") -> dict[str, str]:
    return {"id": id, "kind": "note", "subject": "site:lab", "text": text}


@root_alone
def test_the_socket_tells_who_comes_and_their_role_what_they_may(shared: tuple[Place, GigaServe]) -> None:
    place, _ = shared
    assert ask_as("nobody", place.socket, "GET", "/site/v1/lab/info")[0] == 200
    status, told = ask_as("nobody", place.socket, "POST", "/site/v1/lab/deeds", note())
    assert status == 403
    assert "nobody" in told["error"]
    assert "operator" in told["error"]
    status, told = ask_as("daemon", place.socket, "POST", "/site/v1/lab/deeds", note())
    assert (status, told["outcome"]) == (200, "the note on site:lab is kept")

    # What is kept shows with the next snapshot, which comes once a second.
    def authors() -> list[str]:
        return [each["author"] for each in ask_as("nobody", place.socket, "GET", "/site/v1/lab/notes")[1]["notes"]]

    assert until(authors, ["daemon"])


def test_loopback_without_credentials_may_look_and_no_more(shared: tuple[Place, GigaServe]) -> None:
    _, running = shared
    assert httpx.get(f"{running.url}/site/v1/lab/info").status_code == 200
    assert httpx.post(f"{running.url}/site/v1/lab/deeds", json=note()).status_code == 403
    # A page that a browser was led to by another name, and what a proxy brings, are nobody.
    assert httpx.get(f"{running.url}/site/v1/lab/info", headers={"Host": "evil.example"}).status_code == 401
    assert httpx.get(f"{running.url}/site/v1/lab/info", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 401


def test_tokens_have_roles_are_taken_in_while_it_runs_and_revoked(shared: tuple[Place, GigaServe]) -> None:
    place, running = shared
    secret = place.token("ci", "operator")
    head = {"Authorization": f"Bearer {secret}"}
    assert until(lambda: httpx.post(f"{running.url}/site/v1/lab/deeds", json=note("t1"), headers=head).status_code, 200)
    wrong = httpx.get(f"{running.url}/site/v1/lab/info", headers={"Authorization": "Bearer gdk_wrong"})
    assert (wrong.status_code, "gigadeck token" in wrong.json()["error"]) == (401, True)
    with sqlite3.connect(place.folder / "state.db") as kept:
        assert secret not in "\n".join(kept.iterdump())
    assert secret not in running.said()
    assert gigadeck("token", "revoke", "ci", "--state", place.state).code == 0
    assert until(lambda: httpx.get(f"{running.url}/site/v1/lab/info", headers=head).status_code, 401)


def until(ask: Any, wanted: object) -> bool:
    """Ask until the answer is as wanted, for as long as tokens may take to be looked at."""
    stop = threading.Event()
    for _ in range(300):
        if ask() == wanted:
            return True
        stop.wait(0.05)
    return False


def test_health_ready_and_metrics_tell_how_it_is(shared: tuple[Place, GigaServe]) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    _, running = shared
    assert running.get("/health").json() == {"alive": True}
    told = running.ready()
    assert (told["ready"], told["role"], told["writable"]) == (True, "leader", True)
    assert told["sites"]["lab"]["memory"]["kind"] == "own"
    families = {each.name: each for each in text_string_to_metric_families(running.get("/metrics").text)}
    assert families["gigadeck_serve_leader"].samples[0].value == 1
    assert families["gigadeck_serve_site_gpus"].samples[0].value == 64
    assert families["gigadeck_serve_source_up"].samples[0].labels["source"] == "emulator"
    assert families["gigadeck_serve_memory_writable"].samples[0].value == 1
    assert running.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    unknown = httpx.get(f"{running.url}/ready", headers={"Host": "evil.example"})
    assert unknown.json().keys() == {"ready", "role"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000, 400),
        (b"POST /site/v1/lab/deeds HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\n", 413),
        (b"GET /site/v1/lab/info HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
    ],
    ids=["sound", "tls", "zero-byte", "endless-header", "too-large", "negative-length"],
)
def test_what_is_malformed_or_too_large_is_refused(shared: tuple[Place, GigaServe], sent: bytes, status: int) -> None:
    _, running = shared
    host, port = httpx.URL(running.url).host, httpx.URL(running.url).port
    with socket.create_connection((host, port), timeout=20) as line:
        line.sendall(sent)
        head = line.recv(100)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert running.get("/health").status_code == 200


@root_alone
def test_a_body_over_the_limit_in_pieces_is_refused(shared: tuple[Place, GigaServe]) -> None:
    _, running = shared
    with running.client() as client:
        pieces = iter([b'{"id": "', b"a" * 3000, b"b" * 3000, b'"}'])
        answer = client.post("/site/v1/lab/deeds", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "4,096" in answer.json()["error"]


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < HALF_OPEN + 1000:
        pytest.skip(f"{before[1]} open files are too few for {HALF_OPEN} connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], HALF_OPEN + 1000), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_descriptors")
def test_connections_that_never_ask_do_not_keep_others_out(shared: tuple[Place, GigaServe]) -> None:
    """More half-open ones than may be open at a time, and each newcomer is served."""
    _, running = shared
    host, port = httpx.URL(running.url).host, httpx.URL(running.url).port
    lines = []
    try:
        for number in range(HALF_OPEN):
            line = socket.create_connection((host, port), timeout=20)
            line.sendall(b"GET /site")
            lines.append(line)
            if number % 2000 == 1999:
                assert httpx.get(f"{running.url}/health", timeout=20).status_code == 200
        figures = httpx.get(f"{running.url}/metrics", timeout=20).text
    finally:
        for line in lines:
            line.close()
    assert figure(figures, "turned_away_total") > 1000

    def forgotten(told: dict[str, Any]) -> bool:
        now = running.get("/metrics").text
        return bool(told["ready"]) and figure(now, "connections") < 10 and figure(now, "open_files") < 100

    running.wait_ready(forgotten)


def figure(text: str, name: str) -> float:
    """Return a number of `/metrics`."""
    return float(next(row for row in text.splitlines() if row.startswith(f"gigadeck_serve_{name} ")).split()[1])


def test_a_serve_that_is_told_to_end_says_farewell_and_leaves_no_socket(place: Place) -> None:
    with place.serve() as running:
        running.wait_ready()
        with running.client() as client, client.stream("GET", "/site/v1/lab/stream") as stream:
            chunks = stream.iter_raw()
            assert next(chunks)
            running.process.send_signal(signal.SIGTERM)
            rest = b"".join(chunks)
        assert b"the server ends" in rest
        assert running.process.wait(20) == 0
    assert not Path(place.socket).exists()


def test_a_file_that_is_sound_is_read_anew_and_a_broken_one_refused(place: Place) -> None:
    with place.serve() as running:
        running.wait_ready()
        place.write(check="cold", more="nonsense: 1\n")
        running.process.send_signal(signal.SIGHUP)
        refused = running.wait_log("the configuration is refused")
        assert "nonsense" in refused["message"]
        assert running.ready()["ready"]
        place.write(check="hotter", rate=0.5)
        running.process.send_signal(signal.SIGHUP)
        running.wait_log("the configuration was read anew")
        running.wait_log("lab is served")
        with running.client() as client:
            answers = [client.get("/site/v1/lab/info") for _ in range(4)]
        limited = [each for each in answers if each.status_code == 429]
        assert limited
        assert int(limited[0].headers["retry-after"]) >= 1


def test_what_was_kept_is_there_after_a_kill(place: Place) -> None:
    with place.serve() as running:
        running.wait_ready()
        with running.client() as client:
            kept = client.post("/site/v1/lab/deeds", json=note())
        assert kept.status_code == 200, kept.text
        running.process.kill()
        running.process.wait(20)
    with place.serve() as again:  # its socket's file was left behind
        again.wait_ready()
        assert [each["text"] for each in again.get("/site/v1/lab/notes").json()["notes"]] == ["a word"]


def test_a_second_serve_of_one_memory_or_socket_is_refused(place: Place) -> None:
    with place.serve() as running:
        running.wait_ready()
        command = [sys.executable, "-m", "console", "serve", "--fleet", str(place.fleet), "--state"]
        second = subprocess.run([*command, place.state], capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert f"process {running.pid}" in second.stderr
        other = f"sqlite:///{place.folder}/other.db"
        third = subprocess.run([*command, other], capture_output=True, text=True, timeout=60, check=False)
        assert third.returncode == 1
        assert "listens on" in third.stderr
        assert running.get("/health").status_code == 200


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_nothing_listens_beyond_this_machine_without_tls(place: Place, listen: str) -> None:
    command = [sys.executable, "-m", "console", "serve", "--fleet", "demo:64", "--listen", listen]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert "no TLS" in said.stderr


def test_systemd_is_told_and_its_sockets_are_taken(place: Place) -> None:
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with notify, listener:
        notify.bind(str(place.folder / "notify"))
        notify.settimeout(30)
        listener.bind(place.socket)
        listener.listen(16)
        # As systemd does it: the socket is descriptor 3, and LISTEN_PID is the process itself.
        starter = (
            f"import os, sys; os.dup2({listener.fileno()}, 3); os.set_inheritable(3, True);"
            "os.environ['LISTEN_PID'] = str(os.getpid());"
            "os.execv(sys.executable, [sys.executable, '-m', 'console', 'serve', *sys.argv[1:]])"
        )
        told = {"NOTIFY_SOCKET": str(place.folder / "notify"), "LISTEN_FDS": "1", "WATCHDOG_USEC": "600000"}
        with place.serve(
            environment=told, pass_fds=(listener.fileno(),), command=(sys.executable, "-c", starter)
        ) as running:
            heard = Heard(notify)
            assert "READY=1" in heard.until("READY=1")
            assert running.wait_ready()["ready"]
            heard.until("WATCHDOG=1")
            running.process.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in heard.until("RELOADING=1")
            heard.until("READY=1")
            running.process.send_signal(signal.SIGTERM)
            heard.until("STOPPING=1")


class Heard:
    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def until(self, words: str) -> str:
        while True:
            told = self._line.recv(4096).decode()
            if words in told:
                return told


def test_the_log_is_one_json_object_a_line(shared: tuple[Place, GigaServe]) -> None:
    _, running = shared
    assert running.lines
    assert all({"at", "level", "logger", "message"} <= line.keys() for line in running.lines), running.said()


def test_the_check_asks_the_serve_itself(place: Place) -> None:
    attached = place.folder / "attached.yaml"
    source = f"{{kind: site, socket: {place.socket}}}"
    attached.write_text(f"fleet: x\nsites: [{{name: lab, sources: [{source}]}}]\n")
    ask = ("check", "--only", "serve", "--format", "nagios", "--fleet")
    with place.serve() as running:
        running.wait_ready(lambda told: told["ready"] and told["writable"])
        for fleet in (attached, place.fleet):  # a console's file, and the one that the serve itself was started with
            said = gigadeck(*ask, str(fleet))
            assert (said.code, said.out.startswith("OK - 1 checks|'serve'=0;;;0;1\n")) == (0, True), said.out + said.err
    said = gigadeck(*ask, str(attached))
    assert said.code == 2
    assert "lab: no serve answers" in said.out


def test_only_a_leader_beats_and_a_real_alertmanager_takes_it(place: Place) -> None:
    from tests.servers.alertmanager import alertmanager

    with alertmanager(place.folder) as pager:
        place.fleet.write_text(
            place.fleet.read_text() + f"  heartbeat: {{every: 1s, alertmanagers: [{{url: '{pager.url}'}}]}}\n"
        )
        with place.serve() as running:
            told = running.wait_ready(lambda told: told["ready"] and told["heartbeat"]["sent_at"])
            assert told["heartbeat"]["trouble"] == ""
            alerts = httpx.get(f"{pager.url}/api/v2/alerts", timeout=20).json()
        assert [each["labels"]["alertname"] for each in alerts] == ["GigadeckWatchdog"]
        assert (alerts[0]["labels"]["site"], alerts[0]["labels"]["fleet"]) == ("lab", "team")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_answered_is_kept_whenever_it_is_killed(place: Place, seed: int) -> None:
    count = random.Random(seed).randint(5, 120)
    answered: list[str] = []
    enough = threading.Event()

    def write(writer: int) -> None:
        with running.client() as client, contextlib.suppress(httpx.TransportError):
            for number in range(10_000):
                id = f"w{writer}-{number}"
                if client.post("/site/v1/lab/deeds", json=note(id, id)).status_code == 200:
                    answered.append(id)
                    if len(answered) >= count:
                        enough.set()

    with place.serve() as running:
        running.wait_ready()
        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for each in writers:
            each.start()
        assert enough.wait(60)
        running.process.kill()
        for each in writers:
            each.join(60)
    with place.serve() as again:
        again.wait_ready(lambda told: told["ready"] and told["sites"]["lab"]["memory"]["trouble"] == "")
        with again.client() as client:
            repeated = client.post("/site/v1/lab/deeds", json=note(answered[0], answered[0]))
            assert repeated.status_code == 200
        again.wait_ready(lambda _: again.get("/site/v1/lab/notes").json()["notes"])
        kept = [each["text"] for each in again.get("/site/v1/lab/notes").json()["notes"]]
    assert set(answered) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(answered) + len(writers)
