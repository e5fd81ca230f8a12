"""Two `gigadeck serve` of one site on a real PostgreSQL: one leads, one follows, whatever is killed, paused or away."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.gigaserve import GigaServe, gigaserve
from tests.servers.postgresql import USER, Postgresql, postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]

FLEET = """\
fleet: pair
sites:
  - {{name: lab, environment: lab, sources: [{{kind: emulator, gpus: 64}}]}}
state: {state}
checks:
  - {{name: warm, where: temp_c > 20, warning: 1}}
serve: {{listen: "off", socket: {{path: {socket}}}}}
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Postgresql]:
    with postgresql() as running:
        yield running


class Pair:
    """Two serves, each with a fleet file and a socket of its own, and one database, which no other test uses."""

    def __init__(self, folder: Path, stack: ExitStack, state: str) -> None:
        self._folder = folder
        self._stack = stack
        self._state = state

    def start(self, name: str) -> GigaServe:
        socket, file = str(self._folder / f"{name}.sock"), self._folder / f"{name}.yaml"
        file.write_text(FLEET.format(state=self._state, socket=socket))
        file.chmod(0o600)
        return self._stack.enter_context(gigaserve("--fleet", str(file), "--name", name, socket=socket))

    def both(self) -> tuple[GigaServe, GigaServe]:
        """Return the leader and the follower, both ready."""
        first = self.start("first")
        first.wait_ready(leads)
        second = self.start("second")
        second.wait_ready(follows)
        return first, second


@contextmanager
def pair_on(database: Postgresql, name: str) -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="gdp") as folder, ExitStack() as stack:
        database.execute(f"CREATE DATABASE {name} OWNER {USER}", "postgres")
        yield Pair(Path(folder), stack, database.url.removesuffix(USER) + name)


@pytest.fixture
def pair(database: Postgresql, request: pytest.FixtureRequest) -> Iterator[Pair]:
    with pair_on(database, request.node.name[:60]) as made:
        yield made


def leads(told: dict[str, Any]) -> bool:
    return bool(told["ready"]) and told["role"] == "leader" and bool(told.get("writable"))


def follows(told: dict[str, Any]) -> bool:
    return bool(told["ready"]) and told["role"] == "follower"


def write(serve: GigaServe, id: str, text: str) -> tuple[int, dict[str, Any]]:
    with serve.client() as client:
        body = {"id": id, "kind": "note", "subject": "site:lab", "text": text}
        answer = client.post("/site/v1/lab/deeds", json=body)
    return answer.status_code, answer.json()


def notes(serve: GigaServe) -> list[str]:
    return sorted(each["text"] for each in serve.get("/site/v1/lab/notes").json()["notes"])


def incidents(serve: GigaServe) -> list[tuple[str, str]]:
    rows = serve.get("/site/v1/lab/incidents").json()["incidents"]
    return sorted((row["id"], row["state"]) for row in rows if row["sign"]["key"] == "check:warm")


def wait_notes(serve: GigaServe, wanted: list[str]) -> None:
    serve.wait_ready(lambda told: told["ready"] and notes(serve) == wanted)


def test_the_follower_reads_what_the_leader_keeps_and_refuses_to_write(pair: Pair) -> None:
    leader, follower = pair.both()
    assert write(leader, "n1", "kept")[0] == 200
    wait_notes(follower, ["kept"])
    status, told = write(follower, "n2", "refused")
    assert (status, told["leader"]) == (421, leader.socket)
    wait_notes(leader, ["kept"])
    info = follower.get("/site/v1/lab/info").json()
    assert (info["role"], info["leader"]) == ("follower", leader.socket)
    sources = {line for line in follower.get("/metrics").text.splitlines() if "source_up{" in line}
    assert all('source="emulator"' not in line for line in sources), sources


def test_a_killed_leader_is_followed_by_the_other_and_nothing_is_lost_or_doubled(pair: Pair) -> None:
    leader, follower = pair.both()
    assert write(leader, "n1", "before")[0] == 200
    leader.wait_ready(lambda told: told["ready"] and incidents(leader))
    before = incidents(leader)
    leader.process.kill()
    follower.wait_ready(leads)
    assert write(follower, "n1", "before")[0] == 200  # the same deed again is done once
    assert write(follower, "n2", "after")[0] == 200
    wait_notes(follower, ["after", "before"])
    follower.wait_ready(lambda told: told["ready"] and incidents(follower) == before)
    back = pair.start("first")
    back.wait_ready(follows)
    wait_notes(back, ["after", "before"])


def test_a_paused_leader_that_wakes_up_writes_nothing_and_follows(pair: Pair) -> None:
    leader, follower = pair.both()
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        follower.wait_ready(leads)
        assert write(follower, "n1", "by the second")[0] == 200
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    assert write(leader, "n2", "too late")[0] in (421, 502, 503)
    leader.wait_ready(follows)
    assert leader.ready()["leader"] == follower.socket
    wait_notes(leader, ["by the second"])
    wait_notes(follower, ["by the second"])


def test_a_leader_that_ends_lets_the_other_lead_at_once(pair: Pair) -> None:
    leader, follower = pair.both()
    assert leader.end() == 0
    told = follower.wait_ready(leads)
    assert told["fence"] == 2


def test_a_serve_that_starts_before_its_database_waits_for_it() -> None:
    with postgresql() as own, pair_on(own, "late") as pair:
        own.stop()
        alone = pair.start("first")
        told = alone.wait_ready(lambda told: told.get("troubles"))
        assert (told["ready"], told["role"]) == (False, "waiting")
        assert alone.get("/ready").status_code == alone.get("/site/v1/lab/info").status_code == 503
        own.start()
        alone.wait_ready(leads)
        assert write(alone, "n1", "kept")[0] == 200


def test_without_its_database_reads_go_on_and_writes_are_refused_until_it_is_back() -> None:
    with postgresql() as own, pair_on(own, "away") as pair:
        leader, follower = pair.both()
        assert write(leader, "n1", "before")[0] == 200
        wait_notes(follower, ["before"])
        own.kill()
        told = leader.wait_ready(lambda told: told["ready"] and not told["writable"])
        assert told["troubles"]
        assert told["role"] == "leader"
        assert notes(leader) == ["before"]
        assert write(leader, "n2", "lost")[0] == 503
        assert notes(follower) == ["before"]
        own.start()
        one = leader.wait_ready(lambda told: leads(told) or follows(told))
        now = leader if one["role"] == "leader" else follower
        now.wait_ready(leads)
        assert write(now, "n3", "again")[0] == 200
        wait_notes(now, ["again", "before"])
