from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from console.config.values import Retention
from console.model.errors import Fenced, RefusedError, StateError
from console.model.events import AlertState
from console.state import housekeeping, tokens, upkeep
from console.state.address import parse_address
from console.state.leadership import Leadership
from console.state.store import open_store
from console.state.values import JournalEntry, Lock, Sent
from tests.support.remembered import SITE, acknowledged, deed, incident, note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.model.incidents import Incident
    from console.state.store import Store

DAY_S = 86_400.0
NOW = 1_000 * DAY_S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/memory.db", realm="lab")) as opened:
        yield opened


def resolved(days_ago: float, key: str = "check:hot") -> Incident:
    at = NOW - days_ago * DAY_S
    return incident(f"{key}:{days_ago}", state=AlertState.RESOLVED, resolved_at=at, changed_at=at)


def test_what_is_over_for_long_is_forgotten_and_what_is_open_stays(store: Store) -> None:
    with store.begin() as writer:
        writer.put_incidents([incident(), acknowledged("check:taken"), resolved(10), resolved(100)])
        writer.sent(Sent("muc1-1", "mail", "firing", SITE, NOW - 100 * DAY_S))
        writer.remember(deed(0, NOW - 31 * DAY_S), "old")
        writer.remember(deed(1, NOW - 1), "new")
        writer.index_journal([JournalEntry(0, SITE, NOW - 400 * DAY_S, "ack"), JournalEntry(0, SITE, NOW, "ack")])
        writer.take_lock(Lock(SITE, "n1", "p1", 1.0, NOW - 2 * DAY_S))
        writer.take_lock(Lock(SITE, "n2", "p1", 1.0, NOW + 1))
    gone = housekeeping.housekeep(store, Retention(), now=NOW)
    assert gone == {"incidents": 1, "changes": 1, "sent": 1, "deeds": 1, "journal": 1, "locks": 1}
    assert set(store.load([SITE]).incidents) == {incident(), acknowledged("check:taken"), resolved(10)}
    with store.asking() as reader:
        assert [each.name for each in reader.locks([SITE])] == ["n2"]
        assert [each.seq for each in reader.journal(SITE)] == [2]
    with store.begin() as writer:
        assert (writer.done(deed(0)), writer.done(deed(1))) == (None, "new")
    assert housekeeping.housekeep(store, Retention(), now=NOW) == {}


def test_nothing_is_forgotten_where_the_retention_is_for_ever(store: Store) -> None:
    with store.begin() as writer:
        writer.put_incidents([resolved(900)])
        writer.add_note(note(at=1.0, subject="incident:gone"))
    kept = Retention(incidents_s=0.0, notes_s=0.0, notifications_s=0.0, journal_s=0.0)
    assert housekeeping.housekeep(store, kept, now=NOW, is_gone=lambda *_: True) == {}


def test_notes_on_what_is_gone_go_when_they_are_old(store: Store) -> None:
    there = resolved(1)
    old = NOW - 400 * DAY_S
    notes = {
        "of a node that is there": note(0, "node:muc1/n1", old),
        "of a node that is gone": note(1, "node:muc1/n2", old),
        "new": note(2, "node:muc1/n2", NOW),
        "of an incident that is there": note(3, f"incident:{there.id}", old),
        "of an incident that is gone": note(4, "incident:muc1-00000000", old),
        "of a site that nobody speaks of": note(5, "node:bcn1/n1", old, site="bcn1"),
    }
    with store.begin() as writer:
        writer.put_incidents([there])
        for each in notes.values():
            writer.add_note(each)
    gone = housekeeping.housekeep(
        store, Retention(), now=NOW, is_gone=lambda site, subject: site == SITE and subject != "node:muc1/n1"
    )
    assert gone == {"notes": 2}
    left = {each.id for each in store.load([SITE, "bcn1"]).notes}
    assert {words for words, each in notes.items() if each.id not in left} == {
        "of a node that is gone",
        "of an incident that is gone",
    }


def test_a_memory_that_is_too_large_forgets_what_is_over_sooner(store: Store) -> None:
    with store.begin() as writer:
        writer.put_incidents(
            [incident(), *(resolved(days, f"check:{n}") for n in range(40) for days in (2, 5, 20, 80))]
        )
        writer.index_journal([JournalEntry(0, SITE, NOW - 300 * DAY_S, "x", text="y" * 4000) for _ in range(100)])
    before = housekeeping.used_bytes(store)
    most = before * 2 // 3
    gone = housekeeping.housekeep(store, Retention(most_bytes=most), now=NOW)
    assert gone["journal"] == 100
    assert housekeeping.used_bytes(store) <= most
    assert incident() in store.load([SITE]).incidents
    housekeeping.housekeep(store, Retention(most_bytes=1), now=NOW)
    assert store.load([SITE]).incidents == (incident(),), "in the end all that is over for a day"


def test_too_many_resolved_ones_go_the_first_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "MOST_INCIDENTS", 2)
    with store.begin() as writer:
        writer.put_incidents([resolved(days) for days in (1, 2, 3, 4)])
    assert housekeeping.housekeep(store, Retention(), now=NOW)["incidents"] == 2
    assert set(store.load([SITE]).incidents) == {resolved(1), resolved(2)}


def test_only_the_leader_keeps_house(store: Store) -> None:
    leads = Leadership(store, "lab", "a", "")
    fence = leads.try_lead()
    with pytest.raises(Fenced):
        housekeeping.housekeep(store, Retention(), now=NOW, fence=99)
    housekeeping.housekeep(store, Retention(), now=NOW, fence=fence)
    leads.resign()


def test_vacuum_gives_the_space_back(store: Store, tmp_path: Path) -> None:
    with store.begin() as writer:
        writer.index_journal([JournalEntry(0, SITE, 1.0, "x", text="y" * 4000) for _ in range(500)])
    housekeeping.vacuum(store)
    before = (tmp_path / "memory.db").stat().st_size
    housekeeping.housekeep(store, Retention(vacuum=False), now=NOW)
    housekeeping.vacuum(store)
    assert (tmp_path / "memory.db").stat().st_size < before / 2


def test_housekeeping_gives_the_space_back_unless_told_not_to(store: Store) -> None:
    def free_pages() -> int:
        with store.reading() as connection:
            return int(connection.exec_driver_sql("PRAGMA freelist_count").scalar() or 0)

    for gives_back in (False, True):
        with store.begin() as writer:
            writer.index_journal([JournalEntry(0, SITE, 1.0, "x", text="y" * 4000) for _ in range(100)])
        housekeeping.housekeep(store, Retention(vacuum=gives_back), now=NOW)
        assert (free_pages() == 0) is gives_back


def test_a_backup_where_nothing_can_be_written_says_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="name a file in a folder that you may write"):
        upkeep.backup(store, tmp_path / "file" / "copy.db")
    assert not list(tmp_path.glob("*.partial"))


def test_a_token_is_shown_once_and_kept_as_a_hash(store: Store, tmp_path: Path) -> None:
    token, secret = tokens.create_token(store, "ci", "viewer", now=10.0, expires_at=100.0, created_by="sre07")
    assert len(secret) > 40
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("memory.db*"))
    assert secret.encode() not in kept
    assert secret not in repr(token)
    assert tokens.digest_of(secret) not in repr(token)
    assert tokens.verify_token(store, secret, 99.0) == token
    for wrong in (secret[:-1], secret + "x", secret.upper(), "", "gdk_", "x" * 10_000):
        assert tokens.verify_token(store, wrong, 99.0) is None
    assert tokens.verify_token(store, secret, 100.0) is None, "it has expired"
    assert tokens.list_tokens(store)[0].state(100.0) == "expired"


def test_a_revoked_token_is_worth_nothing(store: Store) -> None:
    _, secret = tokens.create_token(store, "ci", "operator", now=10.0)
    with pytest.raises(RefusedError, match="a valid token named 'ci'"):
        tokens.create_token(store, "ci", "operator", now=11.0)
    assert tokens.revoke_token(store, "none", 12.0) is None
    assert tokens.revoke_token(store, "ci", 12.0) is not None
    assert tokens.verify_token(store, secret, 13.0) is None
    assert tokens.create_token(store, "ci", "operator", now=14.0)[1] != secret
    assert [each.state(15.0) for each in tokens.list_tokens(store)] == ["revoked", "valid"]


def test_when_a_token_was_last_used_is_kept_once_a_minute(store: Store) -> None:
    token, _ = tokens.create_token(store, "ci", "viewer", now=10.0)
    for at, expected in ((100.0, 100.0), (130.0, 100.0), (161.0, 161.0)):
        tokens.note_use(store, [token.id], at)
        assert tokens.list_tokens(store)[0].used_at == expected


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql://gigadeck:geh%2Feim@db.example:5433/state", "postgresql://gigadeck@db.example:5433/state"),
        ("postgresql+psycopg://u:p@h/d?sslmode=require", "postgresql://u@h/d"),
        ("postgresql:///d?host=/run/pg&password=geheim", "postgresql:///run/pg/d"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
    ],
)
def test_an_address_in_words_holds_no_secret(url: str, where: str) -> None:
    address = parse_address(url)
    assert address.where == where
    assert "geh" not in repr(address)
    for secret in address.secrets:
        assert secret not in address.clean(f"it said {secret} aloud")


@pytest.mark.parametrize(
    "url", ["", "memory.db", "mysql://u:geheim@h/d", "sqlite://", "sqlite:///:memory:", "http://[x"]
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(StateError, match="write sqlite:") as caught:
        parse_address(url)
    assert "geheim" not in str(caught.value)


def test_a_relative_file_starts_at_the_given_folder(tmp_path: Path) -> None:
    assert parse_address("sqlite:///a/b.db", tmp_path).path == tmp_path / "a" / "b.db"
    assert parse_address("sqlite:////a/b.db", tmp_path).path == parse_address("sqlite:////a/b.db").path


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "console.state.bounded", raising=False)
    with pytest.raises(StateError, match=r"pip install 'gigadeck\[postgresql\]'"):
        open_store("postgresql://u@127.0.0.1:1/d", realm="lab")
