"""The memory in a real PostgreSQL: restarts, crashes, two that would lead, a paused leader that wakes up."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from console.config.values import Retention
from console.model.errors import Fenced, NewerSchema, RefusedError, StateError
from console.model.events import AlertState
from console.state import housekeeping, leadership, moving, portable, schema, tokens, upkeep
from console.state.leadership import Leadership
from console.state.migrations import NEWEST, migrate
from console.state.store import open_store
from console.state.values import GuardCounter, JournalEntry, Lock, Sent
from tests.servers.postgresql import PASSWORD, USER, postgresql
from tests.support.killed_writer import check_all_there, child, write_until_killed
from tests.support.memory_writer import REALM, put
from tests.support.remembered import SITE, acknowledged, deed, fill, incident, note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.state.store import Store
    from tests.servers.postgresql import Postgresql

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("postgresql")]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with postgresql() as running:
        yield running


@pytest.fixture
def url(server: Postgresql) -> str:
    """A database without anything in it."""
    server.execute("DROP SCHEMA public CASCADE")
    server.execute(f"CREATE SCHEMA public AUTHORIZATION {USER}")
    server.execute(f"ALTER ROLE {USER} RESET ALL")
    return server.url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(open_store(url, realm=REALM)) as opened:
        yield opened


def led(leads: Leadership) -> int:
    """Return the fence once we lead; asks again and again as a follower does."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        fence = leads.try_lead()
        if fence is not None:
            return fence
        time.sleep(0.05)
    pytest.fail("nobody else leads, and we do not either")


def test_what_was_put_is_there_after_the_database_was_started_again(server: Postgresql, store: Store) -> None:
    fill(store)
    before = store.load([SITE])
    server.stop()
    with pytest.raises(StateError, match="writing goes on by itself"):
        fill(store)
    with pytest.raises(StateError, match="is it running"):
        store.load([SITE])
    server.start()
    assert store.load([SITE]) == before
    fill(store)
    assert store.load([SITE]) == before
    assert [each.sign.key for each in before.incidents if each.acknowledgement] == ["fault:gpu-off-bus"]
    assert before.baselines[0].data == bytes(range(256))


def test_a_repeated_transaction_changes_nothing_and_an_acknowledgement_can_be_withdrawn(store: Store) -> None:
    for given in (incident(), acknowledged(), acknowledged(), incident(changed_at=120.0)):
        with store.begin() as writer:
            writer.put_incidents([given])
        assert store.load([SITE]).incidents == (given,)
    with store.asking() as reader:
        assert [each.state for each in reader.life(incident().id)] == ["firing", "acknowledged", "firing"]


def test_locks_counters_and_the_journal_are_as_in_sqlite(store: Store) -> None:
    first = Lock(SITE, "n1", "p1", 10.0, 20.0)
    with store.begin() as writer:
        assert writer.take_lock(first) is None
        assert writer.take_lock(Lock(SITE, "n1", "p2", 15.0, 30.0)) == first
        assert writer.take_lock(Lock(SITE, "n1", "p2", 20.0, 30.0)) is None
        assert writer.count(SITE, "nvlink", "d1", 3, 1.0) == 3
        assert writer.count(SITE, "nvlink", "d1", -9, 2.0) == 0
        assert writer.done(deed()) is None
        writer.remember(deed(), "done")
        assert writer.done(deed()) == "done"
        assert writer.sent(Sent("muc1-1", "mail", "firing", SITE, 5.0))
        assert not writer.sent(Sent("muc1-1", "mail", "firing", SITE, 6.0))
        entries = [JournalEntry(0, SITE, 1.0, "ack"), JournalEntry(0, SITE, 2.0, "note", offset=7)]
        assert writer.index_journal(entries) == [1, 2]
    with store.asking() as reader:
        assert reader.guard_counters([SITE]) == (GuardCounter(SITE, "nvlink", "d1", 0, 2.0),)
        assert reader.journal(SITE, after=1) == (JournalEntry(2, SITE, 2.0, "note", offset=7),)
        assert [each.at for each in reader.sent("muc1-1")] == [5.0]


def test_the_way_from_every_schema_leads_to_the_same_tables(url: str, server: Postgresql, store: Store) -> None:
    def tables() -> dict[str, list[tuple[str, str]]]:
        there = inspect(store.engine)
        return {
            name: sorted((column["name"], str(column["type"])) for column in there.get_columns(name))
            for name in there.get_table_names()
        }

    known = {
        table.name: sorted((each.name, str(each.type.compile(store.engine.dialect))) for each in table.columns)
        for table in schema.metadata.sorted_tables
    }
    assert tables() == known
    for table in schema.metadata.sorted_tables:
        server.execute(f"DROP TABLE {table.name}")
    migrate(store.engine, store.address, 1)
    assert tables() != known
    migrate(store.engine, store.address)
    assert tables() == known


def test_older_tables_wait_for_whoever_leads(url: str, server: Postgresql) -> None:
    with closing(open_store(url, realm=REALM)) as store:
        for table in schema.metadata.sorted_tables:
            server.execute(f"DROP TABLE {table.name}")
        migrate(store.engine, store.address, 1)
    with closing(open_store(url, realm=REALM)) as store, closing(open_store(url, realm=REALM)) as other:
        assert (store.schema, store.behind) == (1, True)
        with pytest.raises(
            StateError, match=rf"its schema is 1, this gigadeck needs {NEWEST}; run `gigadeck state migrate"
        ):
            fill(store)
        leads = Leadership(store, REALM, "a", "")
        fence = leads.try_lead()
        assert store.schema == NEWEST
        fill(store, fence)
        fill(other, fence)
        leads.resign()
    server.execute("UPDATE gigadeck SET value = '99' WHERE key = 'schema'")
    with pytest.raises(NewerSchema, match="a newer gigadeck wrote it"):
        open_store(url, realm=REALM)


def test_one_leads_and_the_other_knows_where(store: Store, url: str) -> None:
    with closing(open_store(url, realm=REALM)) as other_store:
        one = Leadership(store, REALM, "a:1", "https://a:8470", sites=[SITE])
        two = Leadership(other_store, REALM, "b:1", "https://b:8470", sites=[SITE])
        assert one.try_lead() == 1
        assert two.try_lead() is None
        leader = two.leader()
        assert leader is not None
        assert (leader.holder, leader.address, leader.fence, leader.alive) == ("a:1", "https://a:8470", 1, True)
        assert one.try_lead() == 1, "who leads keeps its fence"
        assert leadership.living_leaders(store) == ("a:1",)
        one.resign()
        assert two.try_lead() == 2
        with pytest.raises(Fenced, match="b:1 leads lab now"), store.begin(1):
            pass
        with pytest.raises(Fenced):
            one.renew()
        two.resign()


def test_two_never_lead_at_once(url: str) -> None:
    fences: list[int] = []
    leading: set[int] = set()
    together: list[set[int]] = []
    guard = threading.Lock()

    def candidate(number: int) -> None:
        with closing(open_store(url, realm=REALM)) as store:
            leads = Leadership(store, REALM, f"c{number}", "")
            for _ in range(8):
                fence = led(leads)
                with guard:
                    leading.add(number)
                    together.append(set(leading))
                    fences.append(fence)
                with store.begin(fence) as writer:
                    writer.add_note(note(fence))
                with guard:
                    leading.discard(number)
                leads.resign()

    threads = [threading.Thread(target=candidate, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert all(len(each) == 1 for each in together)
    assert fences == sorted(fences) == list(range(1, 25)), "each has a fence of its own, and it only grows"


def test_two_who_write_at_once_wait_for_each_other(url: str) -> None:
    """Consoles that share a database without a serve: nobody leads, and each may write."""
    numbers: list[int] = []
    faults: list[Exception] = []
    same = [acknowledged(f"check:{n}") for n in range(10)]

    def console(mirrored: bool) -> None:
        try:
            with closing(open_store(url, realm=REALM)) as store:
                for turn in range(15):
                    with store.begin() as writer:
                        writer.put_incidents(reversed(same) if mirrored else same)
                        numbers.extend(writer.index_journal([JournalEntry(0, SITE, float(turn), "ack")] * 2))
        except StateError as error:
            faults.append(error)

    threads = [threading.Thread(target=console, args=(mirrored,)) for mirrored in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not faults
    assert sorted(numbers) == list(range(1, 61))
    with closing(open_store(url, realm=REALM)) as store:
        assert set(store.load([SITE]).incidents) == set(same)
        with store.asking() as reader:
            assert [each.seq for each in reader.journal(SITE)] == list(range(1, 61))


def test_a_site_is_led_by_one_realm(store: Store, url: str) -> None:
    with closing(open_store(url, realm="all")) as other_store:
        one = Leadership(store, REALM, "a:1", "", sites=[SITE])
        two = Leadership(other_store, "all", "b:1", "", sites=["bcn1", SITE])
        three = Leadership(other_store, "all", "b:1", "", sites=["bcn1"])
        assert one.try_lead() == 1
        with pytest.raises(StateError, match=r"a:1 \(lab\) leads muc1 already"):
            two.try_lead()
        assert three.try_lead() == 1
        one.resign()
        three.resign()


def test_a_server_that_hangs_is_given_up_and_heard_again(
    server: Postgresql, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "ANSWER_S", 0.5)
    fill(store)
    leads = Leadership(store, REALM, "a", "")
    leads.try_lead()
    server.pause()
    try:
        with pytest.raises(StateError, match=r"did not answer within 0\.5 s"):
            leads.renew()
    finally:
        server.pause(signal.SIGCONT)
    assert leads.fence is None
    assert led(leads) == 2
    fill(store, 2)
    leads.resign()


def test_a_killed_leader_is_followed_and_what_it_kept_stays(url: str) -> None:
    with child("lead", url) as process, closing(open_store(url, realm=REALM)) as store:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "kept\n"
        leads = Leadership(store, REALM, "parent", "")
        assert leads.try_lead() is None
        process.kill()
        assert led(leads) == 2
        assert store.load([SITE]).incidents == (acknowledged("check:0"),)
        leads.resign()


@pytest.mark.parametrize("first", ["", "hold"])
def test_a_paused_leader_that_wakes_up_is_refused(url: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paused between transactions, and in the middle of one that holds its fence fast."""
    monkeypatch.setattr(leadership, "LEASE_S", 1.0)
    with child("lead", url) as process, closing(open_store(url, realm=REALM)) as store:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        if first:
            process.stdin.write("hold\n")
            process.stdin.flush()
            assert process.stdout.readline() == "holding\n"
        process.send_signal(signal.SIGSTOP)
        leads = Leadership(store, REALM, "parent", "")
        assert led(leads) == 2
        with store.begin(2) as writer:
            put(writer, 1000)
        process.stdin.write("\n")
        process.stdin.flush()
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline() == ("StateError\n" if first else "Fenced\n")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "Fenced\n", "and so it stays"
        assert store.load([SITE]).incidents == (acknowledged("check:1000"),)
        leads.renew()
        leads.resign()


def test_a_leader_that_the_database_lets_go_of_may_lead_again(server: Postgresql, store: Store) -> None:
    leads = Leadership(store, REALM, "a", "")
    assert leads.try_lead() == 1
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'")
    with pytest.raises(StateError, match="terminating connection"):
        leads.renew()
    assert leads.fence is None
    assert leads.lease_left_s() < 0
    assert led(leads) == 2
    leads.resign()


def test_a_transaction_that_loses_its_connection_is_simply_done_again(server: Postgresql, store: Store) -> None:
    def lost() -> None:
        with store.begin() as writer:
            put(writer, 0)
            server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'")
            put(writer, 1)

    with pytest.raises(StateError, match="terminating connection"):
        lost()
    assert store.load([SITE]).incidents == ()
    for _ in range(2):
        with store.begin() as writer:
            if writer.done(deed(0)) is None:
                put(writer, 0)
    with store.asking() as reader:
        assert reader.guard_counters([SITE])[0].value == 1


def test_what_was_acknowledged_outlives_the_writer_s_end(url: str) -> None:
    chance, last = random.Random(11), -1
    for _ in range(4):
        last = write_until_killed(url, last + 1, chance)
        check_all_there(url, last)


def test_what_was_acknowledged_outlives_the_database_s_end(server: Postgresql, url: str) -> None:
    last = -1
    with child("write", url, "0") as process:
        assert process.stdout is not None
        for lines in (20, 31):
            for _ in range(lines):
                last = int(process.stdout.readline())
            server.kill()
            server.start()
        last = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split("\n")
        last = int(rest[-2]) if len(rest) > 1 else last
    check_all_there(url, last)


def test_a_read_only_database_says_so_and_is_read(server: Postgresql, store: Store, url: str) -> None:
    fill(store)
    server.execute(f"ALTER ROLE {USER} SET default_transaction_read_only = on")
    with closing(open_store(url, realm=REALM)) as read_only:
        with pytest.raises(StateError, match="read-only transaction; it is read-only"):
            fill(read_only)
        assert read_only.load([SITE]) == store.load([SITE])


def test_a_role_without_rights_is_told_which_it_lacks(server: Postgresql, store: Store) -> None:
    fill(store)
    server.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
    try:
        server.execute("GRANT USAGE ON SCHEMA public TO reader")
        server.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        other = f"postgresql://reader:x@127.0.0.1:{server.port}/{USER}"
        with closing(open_store(other, realm=REALM)) as reading:
            assert reading.load([SITE]) == store.load([SITE])
            with pytest.raises(StateError, match="permission denied for table incidents; grant this role the rights"):
                fill(reading)
    finally:
        server.execute("DROP OWNED BY reader")
        server.execute("DROP ROLE reader")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace(USER, "nobody", 1), "password authentication failed.*look at the user"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", 'database "nowhere" does not exist'),
        (lambda url: url.rpartition(":")[0] + f":1/{USER}", "is it running"),
    ],
)
def test_no_message_holds_the_password(url: str, change: object, words: str) -> None:
    with pytest.raises(StateError, match=words) as caught:
        open_store(change(url), realm=REALM)  # type: ignore[operator]  # a function of one text
    told, cause = str(caught.value), caught.value.__cause__
    assert PASSWORD not in told
    assert "s3cret" not in told
    assert cause is None
    assert USER in told or "nobody" in told


def test_info_housekeeping_and_vacuum(store: Store) -> None:
    fill(store)
    old = incident("check:old", state=AlertState.RESOLVED, resolved_at=200.0)
    with store.begin() as writer:
        writer.put_incidents([old])
    found = upkeep.info(store)
    assert {each.name: each.rows for each in found.tables}["incidents"] == 3
    assert found.bytes > 1_000_000
    gone = housekeeping.housekeep(store, Retention(incidents_s=100.0), now=1000.0)
    assert gone == {"incidents": 1, "changes": 1}
    housekeeping.vacuum(store)
    assert housekeeping.used_bytes(store) < 10_000
    assert "pg_dump" in upkeep.dump_command(store, moving.Path("/b/x.dump"))
    assert PASSWORD not in upkeep.dump_command(store, moving.Path("/b/x.dump"))


def test_a_memory_moves_from_sqlite_to_postgresql_and_back(tmp_path: Path, store: Store) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/a.db", realm=REALM)) as first:
        fill(first)
        _, secret = tokens.create_token(first, "ci", "viewer", now=1.0)
        before = first.load([SITE])
        upkeep.backup(first, tmp_path / "copy.db")
    moving.restore_any(store, tmp_path / "copy.db")
    assert store.load([SITE]) == before
    assert tokens.verify_token(store, secret, 2.0) is not None
    with pytest.raises(RefusedError, match="it is not empty"):
        moving.restore_any(store, tmp_path / "copy.db")
    moving.restore_any(store, tmp_path / "copy.db", replace=True)
    portable.export(store, tmp_path / "back.jsonl", at=1.0)
    with closing(open_store(f"sqlite:///{tmp_path}/b.db", realm=REALM)) as last:
        moving.restore_any(last, tmp_path / "back.jsonl")
        assert last.load([SITE]) == before


def test_a_commit_waits_for_the_disk_whatever_the_server_s_default(server: Postgresql, url: str) -> None:
    for said, expected in (("off", "on"), ("local", "local"), ("on", "on")):
        server.execute(f"ALTER ROLE {USER} SET synchronous_commit = {said}")
        with closing(open_store(url, realm=REALM)) as store, store.writing() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == expected


def test_a_fence_from_before_a_restore_is_worth_nothing_after_it(tmp_path: Path, store: Store) -> None:
    leads = Leadership(store, REALM, "a:1", "")
    assert leads.try_lead() == 1
    leads.resign()
    portable.export(store, tmp_path / "early.jsonl", at=1.0)
    assert leads.try_lead() == 2
    leads.resign()
    moving.restore_any(store, tmp_path / "early.jsonl", replace=True)
    assert leads.try_lead() == 3, "not 2 again: a paused leader may still have that"
    leads.resign()


def test_nothing_is_restored_under_a_leader(tmp_path: Path, store: Store) -> None:
    portable.export(store, tmp_path / "empty.jsonl", at=1.0)
    leads = Leadership(store, REALM, "a:1", "")
    leads.try_lead()
    with pytest.raises(RefusedError, match="a:1 leads there; stop every"):
        moving.restore_any(store, tmp_path / "empty.jsonl", replace=True)
    leads.resign()
