"""The memory of `gigadeck serve` in trouble, under a script that writes: killed, restarted, full, read-only, paused."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.postgresql import USER, Postgresql, postgresql
from tests.support.crew import PATH, Crew, Script, follows, incident, leads, notes
from tests.support.small_disk import filled, small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.gigaserve import GigaServe

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("serve-memory"), pytest.mark.timeout(240)]
SEED = 7
TAKEOVER_S = 10.0
PAUSE_S = 15.0


@pytest.fixture(scope="module")
def database() -> Iterator[Postgresql]:
    with postgresql() as running:
        yield running


@contextmanager
def crew_on(state: str) -> Iterator[Crew]:
    with tempfile.TemporaryDirectory(prefix="gdc") as folder, ExitStack() as stack:
        yield Crew(Path(folder), stack, state)


@pytest.fixture
def crew(database: Postgresql, request: pytest.FixtureRequest) -> Iterator[Crew]:
    """Yield a crew with a database of its own."""
    name = request.node.name[:60]
    database.execute(f"CREATE DATABASE {name} OWNER {USER}", "postgres")
    with crew_on(database.url.removesuffix(USER) + name) as made:
        yield made


def at_work(crew: Crew, serve: GigaServe, *names: str, words: int = 10) -> Script:
    found = incident(serve)
    assert found is not None, "an incident is not told any more"
    return Script([crew.socket(name) for name in names], found["id"], words=words)


def kill(serve: GigaServe) -> None:
    serve.process.kill()
    serve.process.wait(20)


@pytest.mark.long
def test_serves_killed_in_turn_keep_what_they_answered_and_do_nothing_twice(crew: Crew) -> None:
    chance = random.Random(SEED)
    leader, follower = crew.pair()
    with at_work(crew, leader, "first", "second") as script:
        for _ in range(4):
            script.more(chance.randint(1, 80))
            kill(leader)
            began = time.monotonic()
            follower.wait_ready(leads)
            assert time.monotonic() - began < TAKEOVER_S
            script.more(1)
            leader, follower = follower, crew.start("first" if leader.socket == crew.socket("first") else "second")
            follower.wait_ready(follows)
    script.is_kept_by(leader)
    script.is_kept_by(follower)


def test_a_lone_serve_killed_at_random_points_keeps_what_it_answered(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with crew_on(f"sqlite:///{tmp_path}/memory.db") as crew:
        serve = crew.leader()
        with at_work(crew, serve, "first") as script:
            for _ in range(3):
                script.more(chance.randint(1, 60))
                kill(serve)
                serve = crew.start("first")
                serve.wait_ready(leads)
                script.more(1)
        script.is_kept_by(serve)


def test_a_database_that_crashes_and_cuts_transactions_off_loses_nothing_and_reads_go_on() -> None:
    chance = random.Random(SEED)
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"
    with postgresql() as own, crew_on(own.url) as crew:
        leader = crew.leader()
        with at_work(crew, leader, "first") as script:
            for _ in range(6):
                script.more(chance.randint(1, 10))
                own.execute(cut)
            for _ in range(2):
                script.more(chance.randint(1, 20))
                own.kill()
                script.is_refused("was not kept")
                script.refused.clear()
                own.start()
        assert not script.unread, script.unread
        assert script.reads
        script.is_kept_by(leader)


def test_a_read_only_database_says_so_and_takes_up_where_it_was(database: Postgresql) -> None:
    with postgresql() as own, crew_on(own.url) as crew:
        leader = crew.leader()
        with at_work(crew, leader, "first") as script:
            script.more(5)
            own.execute(f"ALTER ROLE {USER} SET default_transaction_read_only = on")
            own.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'")
            script.is_refused("read-only")
            told = leader.wait_ready(lambda told: not told["writable"])
            assert told["ready"]
            own.execute(f"ALTER ROLE {USER} RESET default_transaction_read_only")
            own.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'")
            script.more(20)
        assert not script.unread, script.unread
        script.is_kept_by(leader)


def test_a_full_disk_under_sqlite_says_what_to_do_and_is_got_over() -> None:
    with small_disk(3) as disk, crew_on(f"sqlite:///{disk}/memory.db") as crew:
        leader = crew.leader()
        with at_work(crew, leader, "first", words=3900) as script:
            script.more(5)
            with filled(disk):
                script.is_refused("free some space")
                told = leader.wait_ready(lambda told: not told["writable"])
                assert told["ready"]
                assert "full" in leader.ready()["sites"]["lab"]["memory"]["trouble"]
            script.more(5)
        assert not script.unread, script.unread
        script.is_kept_by(leader)


def test_a_full_disk_under_postgresql_says_what_to_do_and_is_got_over(database: Postgresql) -> None:
    with small_disk(24) as disk:
        (disk / "pg").mkdir()
        owner = database.folder.stat()
        os.chown(disk / "pg", owner.st_uid, owner.st_gid)
        database.execute(f"CREATE TABLESPACE small LOCATION '{disk}/pg'", "postgres")
        try:
            database.execute(f"CREATE DATABASE narrow OWNER {USER} TABLESPACE small", "postgres")
            with crew_on(database.url.removesuffix(USER) + "narrow") as crew:
                leader = crew.leader()
                with at_work(crew, leader, "first", words=3900) as script:
                    script.more(5)
                    with filled(disk):
                        script.is_refused("free some space")
                        assert leader.ready()["ready"]
                    script.more(20)
                assert not script.unread, script.unread
                script.is_kept_by(leader)
        finally:
            database.execute("DROP DATABASE IF EXISTS narrow WITH (FORCE)", "postgres")
            database.execute("DROP TABLESPACE small", "postgres")


def deed_in_flight(serve: GigaServe) -> socket.socket:
    """Send a deed to a serve that cannot read it now: it is the first that it hears of when it goes on."""
    body = json.dumps({"id": "late", "kind": "note", "subject": "site:lab", "text": "too late"})
    head = f"POST {PATH}/deeds HTTP/1.1\r\nHost: gigadeck\r\nContent-Type: application/json\r\nConnection: close\r\n"
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(30)
    line.connect(serve.socket)
    line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return line


@pytest.mark.long
def test_a_leader_paused_for_long_wakes_up_fenced_and_follows(crew: Crew, database: Postgresql) -> None:
    leader, follower = crew.pair()
    os.kill(leader.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        follower.wait_ready(leads)
        assert time.monotonic() - began < TAKEOVER_S
        with at_work(crew, follower, "second") as script:
            script.more(20)
        line = deed_in_flight(leader)
        threading.Event().wait(max(0.0, began + PAUSE_S - time.monotonic()))  # the pause itself is what is tried
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    with line, line.makefile("rb") as answer:
        status = int(answer.read().split()[1])
    assert status in (421, 503)
    told = leader.wait_ready(follows)
    assert told["leader"] == follower.socket
    assert follower.ready()["fence"] == 2
    script.is_kept_by(follower)
    script.is_kept_by(leader)
    assert "too late" not in notes(follower)
