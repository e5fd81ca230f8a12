from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.model.errors import Fenced, StateError
from console.model.events import AlertState
from console.model.incidents import SharedView
from console.model.levels import Severity
from console.state.leadership import Leadership
from console.state.store import open_store
from console.state.values import (
    Baseline,
    Change,
    GuardCounter,
    JournalEntry,
    Lock,
    PlanRecord,
    Sent,
    StepRecord,
)
from tests.support.remembered import SITE, acknowledged, deed, fill, incident, note, sign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.state.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/memory.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url, realm="lab")
    yield opened
    opened.close()


def test_what_was_put_is_there_after_the_file_is_opened_again(url: str, store: Store) -> None:
    fill(store)
    before = store.load([SITE])
    assert store.address.path is not None
    assert store.address.path.stat().st_mode & 0o777 == 0o600
    store.close()
    again = open_store(url, realm="lab")
    assert again.load([SITE]) == before
    assert [each.sign.key for each in before.incidents if each.acknowledgement] == ["fault:gpu-off-bus"]
    assert before.views == {SITE: (SharedView("mine", "sre07", 100.0, "panel=fleet"),)}
    assert before.baselines[0].data == bytes(range(256))
    again.close()


def test_a_site_that_is_not_asked_for_is_not_told(store: Store) -> None:
    fill(store)
    other = store.load(["bcn1"])
    assert (other.incidents, other.notes, other.views, other.baselines) == ((), (), {"bcn1": ()}, ())


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def half() -> None:
        with store.begin() as writer:
            writer.put_incidents([incident()])
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        half()
    assert store.load([SITE]).incidents == ()


def test_an_acknowledgement_is_kept_withdrawn_and_given_again(store: Store) -> None:
    taken = acknowledged()
    for given in (incident(), taken, incident(changed_at=120.0), acknowledged(by="sre08", at=130.0)):
        with store.begin() as writer:
            writer.put_incidents([given])
        assert store.load([SITE]).incidents == (given,)
    with store.asking() as reader:
        life = reader.life(taken.id)
    assert [(each.at, each.state, each.author) for each in life] == [
        (100.0, "firing", ""),
        (110.0, "acknowledged", "sre07"),
        (120.0, "firing", ""),
        (130.0, "acknowledged", "sre08"),
    ]


def test_an_incident_that_changes_twice_in_one_transaction_is_as_it_was_last(store: Store) -> None:
    with store.begin() as writer:
        writer.put_incidents([incident(), acknowledged()])
    assert store.load([SITE]).incidents == (acknowledged(),)
    with store.asking() as reader:
        assert len(reader.life(acknowledged().id)) == 2


def test_repeating_a_transaction_changes_nothing(store: Store) -> None:
    fill(store)
    before = store.load([SITE])
    fill(store)
    assert store.load([SITE]) == before
    with store.asking() as reader:
        assert reader.life(acknowledged("fault:gpu-off-bus").id) == (
            Change(acknowledged("fault:gpu-off-bus").id, SITE, 110.0, "acknowledged", "warning", "sre07"),
        )


def test_only_what_was_resolved_lately_is_loaded(store: Store) -> None:
    resolved = {
        at: incident(f"check:{at}", state=AlertState.RESOLVED, resolved_at=at, changed_at=at) for at in (200.0, 300.0)
    }
    with store.begin() as writer:
        writer.put_incidents([incident(), *resolved.values()])
    found = store.load([SITE], resolved_since=250.0).incidents
    assert set(found) == {incident(), resolved[300.0]}


def test_a_deed_is_done_once(store: Store) -> None:
    with store.begin() as writer:
        assert writer.done(deed()) is None
        writer.remember(deed(), "acknowledged")
        writer.remember(deed(), "another word")
    with store.begin() as writer:
        assert writer.done(deed()) == "acknowledged"
        assert writer.done(deed(1)) is None


def test_notes_and_views_are_dropped_by_name(store: Store) -> None:
    fill(store)
    with store.begin() as writer:
        assert writer.drop_note("note-0")
        assert not writer.drop_note("note-0")
        assert writer.drop_view(SITE, "mine")
        assert not writer.drop_view("bcn1", "mine")
    found = store.load([SITE])
    assert (found.notes, found.views) == ((), {SITE: ()})


def test_a_notification_goes_out_once(store: Store) -> None:
    sent = Sent("muc1-1", "mail", "firing", SITE, 5.0, "250 ok")
    with store.begin() as writer:
        assert writer.sent(sent)
    with store.begin() as writer:
        assert not writer.sent(sent)
        assert writer.sent(Sent("muc1-1", "mail", "resolved", SITE, 6.0))
    with store.asking() as reader:
        assert [each.what for each in reader.sent("muc1-1")] == ["firing", "resolved"]
        assert reader.sent("muc1-1")[0] == sent


def test_plans_and_their_steps(store: Store) -> None:
    plan = PlanRecord("p1", SITE, "signed", "sre07", 1.0, 2.0, '{"x": 1}')
    steps = (StepRecord("p1", 0, "n1", "done", 3.0, "ok", "{}"), StepRecord("p1", 1, "n2", "waiting", 1.0))
    with store.begin() as writer:
        writer.put_plan(PlanRecord("p1", SITE, "draft", "sre07", 1.0, 1.0))
        writer.put_plan(plan)
        writer.put_steps(steps)
    with store.asking() as reader:
        assert reader.plans([SITE]) == (plan,)
        assert reader.steps("p1") == steps


def test_a_lock_is_one_s_alone_until_its_time_is_over(store: Store) -> None:
    first, second = Lock(SITE, "n1", "p1", 10.0, 20.0), Lock(SITE, "n1", "p2", 15.0, 30.0)
    late = Lock(SITE, "n1", "p2", 20.0, 30.0)
    with store.begin() as writer:
        assert writer.take_lock(first) is None
        assert writer.take_lock(second) == first
        assert writer.take_lock(Lock(SITE, "n1", "p1", 12.0, 20.0)) is None, "its holder may keep it longer"
        assert writer.take_lock(late) is None
        assert not writer.drop_lock(SITE, "n1", "p1")
    with store.asking() as reader:
        assert reader.locks([SITE]) == (late,)


def test_a_guard_s_counter_goes_up_and_down_and_never_below_nothing(store: Store) -> None:
    with store.begin() as writer:
        assert writer.count(SITE, "nvlink", "d1", 3, 1.0) == 3
        assert writer.count(SITE, "nvlink", "d1", -1, 2.0) == 2
        assert writer.count(SITE, "nvlink", "d1", -9, 3.0) == 0
    with store.asking() as reader:
        assert reader.guard_counters([SITE]) == (GuardCounter(SITE, "nvlink", "d1", 0, 3.0),)


def test_the_journal_s_numbers_grow_by_one_at_each_site(store: Store) -> None:
    with store.begin() as writer:
        assert writer.index_journal([JournalEntry(0, SITE, 1.0, "ack"), JournalEntry(0, SITE, 2.0, "note")]) == [1, 2]
        assert writer.index_journal([JournalEntry(0, "bcn1", 3.0, "ack"), JournalEntry(0, SITE, 4.0, "ack")]) == [1, 3]
    with store.asking() as reader:
        assert [(each.seq, each.at) for each in reader.journal(SITE, after=1)] == [(2, 2.0), (3, 4.0)]


def test_texts_that_no_database_holds_are_made_fit(store: Store) -> None:
    bad = replace(incident(), sign=sign(title="\ud800 \0", paths=("\0",)), keeper="\0")
    with store.begin() as writer:
        writer.put_incidents([bad])
        writer.add_note(note(subject="node:\0"))
    found = store.load([SITE])
    assert found.notes[0].subject == "node:�"
    read = found.incidents[0]
    assert (read.keeper, read.sign.paths) == ("�", ("�",))
    assert read.sign.title.endswith(" �")


def test_a_second_process_is_told_who_writes(url: str, store: Store) -> None:
    with pytest.raises(StateError, match=rf"process {os.getpid()} writes it"):
        open_store(url, realm="lab")
    code = f"from console.state.store import open_store\nopen_store({url!r}, realm='lab')"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert f"process {os.getpid()} writes it" in child.stderr
    with_no_lock = open_store(url, realm="lab", read_only=True)
    with pytest.raises(StateError, match="read only"), with_no_lock.begin():
        pass
    with_no_lock.close()
    store.close()
    open_store(url, realm="lab").close()


def test_a_fence_that_is_no_longer_the_leader_s_is_refused(store: Store) -> None:
    leads = Leadership(store, "lab", "a:1", "unix:/run/a", sites=[SITE])
    fence = leads.try_lead()
    assert fence == 1
    assert leads.try_lead() == 1, "who leads already keeps its fence"
    leads.resign()
    again = Leadership(store, "lab", "b:2", "unix:/run/b")
    assert again.try_lead() == 2
    with pytest.raises(Fenced, match="b:2 leads lab"):
        fill(store, fence)
    assert store.load([SITE]).incidents == ()
    fill(store, 2)
    leader = again.leader()
    assert leader is not None
    assert (leader.holder, leader.address, leader.fence, leader.alive) == ("b:2", "unix:/run/b", 2, True)
    again.resign()
    assert again.leader() is None
    assert again.lease_left_s() < 0


def test_a_fence_where_nobody_ever_led_is_refused(store: Store) -> None:
    with pytest.raises(Fenced, match="nothing was written"), store.begin(7):
        pass


def test_a_lease_runs_out_where_the_database_is_not_heard(store: Store) -> None:
    now = 100.0
    leads = Leadership(store, "lab", "a", "", monotonic=lambda: now)
    leads.try_lead()
    assert leads.lease_left_s() == pytest.approx(8.0)
    now = 103.0
    leads.renew()
    now = 112.0
    assert leads.lease_left_s() == pytest.approx(-1.0)
    leads.resign()


def test_a_full_file_says_what_to_do_and_what_was_kept_stays(url: str, store: Store) -> None:
    fill(store)
    before = store.load([SITE])
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def large() -> None:
        with store.begin() as writer:
            writer.put_baselines([Baseline(SITE, "d", "c", 1.0, bytes(10_000_000))])

    with pytest.raises(StateError, match=r"memory\.db: database or disk is full; free some space"):
        large()
    found = store.load([SITE])
    assert (found.incidents, found.notes) == (before.incidents, before.notes)


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"no database at all" * 100)
    with pytest.raises(StateError, match=r"garbage\.db: file is not a database; restore a backup"):
        open_store(f"sqlite:///{garbage}", realm="lab")
    with pytest.raises(StateError, match="unable to open database file"):
        open_store(f"sqlite:///{tmp_path}/none.db", realm="lab", read_only=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="give this user the right"):
        open_store(f"sqlite:///{tmp_path}/file/x.db", realm="lab")


def test_a_file_that_may_only_be_read_says_so(store: Store) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises(StateError, match="attempt to write a readonly database; give this user the right"):
        fill(store)


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StateError, match="it is closed"):
        store.load([SITE])


def test_severities_are_kept_as_they_are(store: Store) -> None:
    given = [incident(f"check:{each}", worst=each) for each in Severity]
    with store.begin() as writer:
        writer.put_incidents(given)
    assert {each.worst for each in store.load([SITE]).incidents} == set(Severity)
