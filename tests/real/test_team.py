"""A team at work: PostgreSQL, two `gigadeck serve`, three consoles and a script, one emulated site, a Prometheus."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.emulator import emulator
from tests.servers.postgresql import postgresql
from tests.servers.prometheus import Prometheus, prometheus
from tests.support.cli import gigadeck
from tests.support.terminal import Terminal
from tests.support.terminal import gigadeck as command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("team"), pytest.mark.timeout(300)]

GPUS, SITE = 1_600, "muc1"
WAIT_S = 60.0
ROOT = Path(__file__).parents[2]
SERVED = """
fleet: team
state: {state}
serve:
  listen: "off"
  socket: {{path: {socket}}}
  advertise: {socket}
  roles: {{operator: ["user:{user}"]}}
checks:
  - {{name: warm, where: temp_c > 20, warning: 1}}
sites:
  - name: muc1
    inventory: {{file: muc1.csv}}
    sources:
      - {{kind: prometheus, url: '{url}'}}
"""
ATTACHED = """
fleet: team
sites:
  - name: muc1
    sources:
      - {{kind: site, socket: {first}, also: [{second}]}}
"""


# What the prompt of `A` says: which incident it is about.
ASKED = re.compile(rf"acknowledges ({SITE}-[0-9a-f]{{8}})")


class UnixConnection(HTTPConnection):
    path = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Serve:
    """One `gigadeck serve`, which tells on its socket who leads."""

    def __init__(self, folder: Path, name: str, state: str, url: str) -> None:
        self.name = name
        self.socket = folder / f"{name}.sock"
        self.log = folder / f"{name}.log"
        self.fleet = folder / f"{name}.yaml"
        self.fleet.write_text(SERVED.format(state=state, socket=self.socket, user=getpass.getuser(), url=url))
        self.fleet.chmod(0o600)  # it holds the password of the database
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            line = [sys.executable, "-m", "console", "serve", "--fleet", str(self.fleet)]
            environ = {**os.environ, "GIGADECK_STATE_DIR": str(self.fleet.with_suffix(""))}
            self.process = subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log, env=environ)

    def ask(self, path: str) -> Any:
        """Return what it answers, None while it does not."""
        connection = UnixConnection("serve", timeout=5)
        connection.path = str(self.socket)
        with closing(connection):
            try:
                connection.request("GET", path, headers={"Connection": "close"})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, HTTPException):
                return None
        return json.loads(body) if answer.status == 200 else None

    def said(self) -> str:
        return self.log.read_text()[-3000:]

    def role(self) -> str:
        info = self.ask(f"/site/v1/{SITE}/info")
        return str(info["role"]) if info else ""

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@dataclass
class Team:
    """What runs."""

    folder: Path
    store: Prometheus
    first: Serve
    second: Serve

    def queries(self) -> float:
        """Return how many requests Prometheus has answered, its own scraping left out."""
        text = httpx.get(f"{self.store.url}/metrics", timeout=10).text
        lines = (line for line in text.splitlines() if line.startswith("prometheus_http_requests_total{"))
        return sum(float(line.split()[-1]) for line in lines if 'handler="/metrics"' not in line)

    def queries_a_second(self, seconds: float) -> float:
        began, before = time.monotonic(), self.queries()
        time.sleep(seconds)  # what is measured is a rate
        return (self.queries() - before) / (time.monotonic() - began)

    def wait_for_samples(self) -> None:
        """Wait until there is something to read: else the first incident is that the site is blind."""
        params = {"query": "count(count_over_time(DCGM_FI_DEV_GPU_TEMP[1m]) > 2)"}
        deadline = time.monotonic() + WAIT_S
        while not httpx.get(f"{self.store.url}/api/v1/query", params=params).json()["data"]["result"]:
            assert time.monotonic() < deadline, "Prometheus has no samples"
            time.sleep(0.2)

    def steady_queries_a_second(self) -> float:
        """Return the rate once it stands: at first a source finds out what there is, and in which steps it reads it."""
        self.queries_a_second(15)
        return self.queries_a_second(15)

    def attached(self, name: str, first: Serve, second: Serve) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(ATTACHED.format(first=first.socket, second=second.socket))
        return path

    @contextmanager
    def console(self, name: str, first: Serve, second: Serve) -> Iterator[Terminal]:
        environ = {"GIGADECK_STATE_DIR": str(self.folder / name), "TERM": "xterm-256color"}
        line = command("--fleet", str(self.attached(name, first, second)))
        with Terminal(line, 120, 30, environ) as terminal:
            yield terminal

    def incidents(self) -> dict[str, dict[str, Any]]:
        """Return what a script is told: rows by what they are."""
        fleet = self.attached("script", self.first, self.second)
        said = gigadeck("alerts", "--fleet", str(fleet), "--timeout", "20s", "--json")
        assert said.code == 0, said.err
        rows = [row for row in said.json["rows"] if row["state"] != "resolved" and row["key"] == "check:warm"]
        assert len(rows) == 1, rows
        return {row["key"]: row for row in rows}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        site = stack.enter_context(emulator(gpus=GPUS, sites=1, seed=3))
        (tmp_path / "muc1.csv").write_text(httpx.get(f"{site.url}/inventory", params={"site": SITE}).text)
        target = f"{site.url.removeprefix('http://')}/metrics?site={SITE}"
        store = stack.enter_context(prometheus(tmp_path, [target], interval="2s"))
        state = stack.enter_context(postgresql()).url
        serves = [Serve(tmp_path, name, state, store.url) for name in ("a", "b")]
        for each in serves:
            stack.callback(each.end)
        yield Team(tmp_path, store, *serves)


def until(condition: Callable[[], bool], what: str, serve: Serve, limit_s: float = WAIT_S) -> float:
    """Return how long it took."""
    began = time.monotonic()
    while not condition():
        ended = serve.process is not None and serve.process.poll() is not None
        if ended or time.monotonic() - began > limit_s:
            pytest.fail(f"not within {limit_s:g} s: {what}; it says:\n{serve.said()}")
        time.sleep(0.05)
    return time.monotonic() - began


def watch(terminals: list[Terminal], condition: Callable[[str], bool], limit_s: float) -> float:
    """Return how long it took until every terminal showed it."""
    began = time.monotonic()
    while not all(condition(each.text) for each in terminals):
        for each in terminals:
            each.read(0.02)
        if time.monotonic() - began > limit_s:
            pytest.fail(f"not shown within {limit_s:g} s:\n" + "\n\n".join(each.text for each in terminals))
    return time.monotonic() - began


def test_one_memory_outlives_its_leader(team: Team) -> None:
    me = getpass.getuser()

    def taken_on(text: str) -> bool:
        return any("temp_c > 20" in line and f" {me} " in line for line in text.splitlines())

    first, second = team.first, team.second
    team.wait_for_samples()
    first.start()
    until(lambda: first.role() == "leader", "a leads", first)
    until(lambda: bool((first.ask(f"/site/v1/{SITE}/incidents") or {}).get("incidents")), "something is wrong", first)
    alone = team.steady_queries_a_second()
    second.start()
    until(lambda: second.role() == "follower", "b follows", second)
    with ExitStack() as stack:
        places = (("one", first, second), ("two", first, second), ("three", second, first))
        consoles = [stack.enter_context(team.console(*place)) for place in places]
        watch(consoles, lambda text: "warm" in text or "temp_c" in text, WAIT_S)
        together = team.queries_a_second(15)
        assert together <= alone * 1.15 + 0.2, (alone, together)

        before = team.incidents()["check:warm"]
        assert before["acknowledged_by"] in (None, "")
        consoles[0].send("A")
        shown = consoles[0].wait_for(lambda text: ASKED.search(text) is not None, 10)
        asked = ASKED.search(shown)
        assert asked is not None
        assert asked[1] == before["id"], shown
        consoles[0].send("looking\r")
        took_s = watch(consoles, taken_on, 10)
        assert took_s < 2.0, took_s
        told = team.incidents()["check:warm"]
        assert (told["id"], told["acknowledged_by"]) == (before["id"], me)

        assert first.process is not None
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
        took_s = until(lambda: second.role() == "leader", "b takes over", second, 20)
        assert took_s < 10.0
        watch(consoles, taken_on, 20)
        after = team.incidents()["check:warm"]
        assert (after["id"], after["acknowledged_by"], after["returns"]) == (before["id"], me, before["returns"])
        assert team.queries_a_second(15) <= alone * 1.15 + 0.2

        first.start()
        until(lambda: first.role() == "follower", "a comes back and follows", first)
        assert second.role() == "leader"
        assert team.incidents()["check:warm"]["id"] == before["id"]
