from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace

import pytest

from console.config.serve_values import Retention
from console.engine.clock import SystemClock
from console.engine.memory import MemoryDesk
from console.engine.own_memory import own_memory, ram_memory, served_memory
from console.engine.setup import MemorySetup
from console.model.errors import Fenced, RefusedError, StateError
from console.model.events import AlertState
from console.model.incidents import DeedKind
from console.model.levels import Severity
from console.state.store import open_store
from tests.support.clock import FakeClock
from tests.support.incidents import NOW, deed, incident, sign

SITES = ("muc1", "osl1")
HEARD = frozenset(SITES)
LIMIT_S = 20.0


class Flaky:
    """A real store whose transactions fail while `broken` says why."""

    def __init__(self, url, broken):
        self._store = open_store(url, realm="test")
        self.broken = broken

    def __getattr__(self, name):
        return getattr(self._store, name)

    @contextlib.contextmanager
    def begin(self, fence=None):
        self.broken.ask()
        with self._store.begin(fence) as writer:
            yield writer

    @contextlib.contextmanager
    def asking(self):
        self.broken.ask()
        with self._store.asking() as reader:
            yield reader


class Broken:
    def __init__(self, reason="", times=10**9):
        self.reason, self.times, self.asked = reason, times, 0

    def ask(self):
        self.asked += 1
        if self.reason and self.times > 0:
            self.times -= 1
            raise StateError(self.reason)


@contextlib.contextmanager
def desk(setup, clock=None):
    made = MemoryDesk(setup, SITES, clock or FakeClock())
    made.start()
    try:
        yield made
    finally:
        made.close(LIMIT_S)


@pytest.fixture
def kept(tmp_path):
    return own_memory("test", f"sqlite:///{tmp_path}/memory.db", base=tmp_path, author="sre@jump")


def until(condition):
    """Wait until another thread has made something true."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def opened(made, *signs, now=NOW):
    until(lambda: made.is_ready)
    made.update(signs or (sign(),), HEARD, now)
    return made.told(HEARD).incidents


def test_in_ram_a_deed_is_done_at_once_and_shown_with_its_author():
    with desk(ram_memory("sre@jump")) as made:
        (found,) = opened(made)
        assert made.submit(deed(subject=found.id, text="mine")).result(0).startswith(found.id)
        (told,) = made.told(HEARD).incidents
        assert told.state is AlertState.ACKNOWLEDGED
        assert (told.acknowledgement.author, told.acknowledgement.note) == ("sre@jump", "mine")
        assert [status.kind for status in made.told(HEARD).memories] == ["none", "none"]


def test_the_same_deed_twice_is_done_once():
    with desk(ram_memory("sre@jump")) as made:
        note = deed(DeedKind.NOTE, "node:muc1/n1", text="fan replaced")
        assert made.submit(note).result(0) == made.submit(note).result(0)
        assert len(made.told(HEARD).notes) == 1


@pytest.mark.parametrize(
    ("kind", "subject", "text", "word"),
    [
        (DeedKind.ACKNOWLEDGE, "muc1-00000000", "", "no incident"),
        (DeedKind.NOTE, "node:muc1/n1", "  ", "some text"),
        (DeedKind.NOTE, "node:muc1/n1", "x" * 4001, "4,001 characters"),
        (DeedKind.DROP_NOTE, "gone", "", "no note"),
        (DeedKind.SAVE_VIEW, "a b", "{}", "no name for a view"),
        (DeedKind.DROP_VIEW, "gone", "", "no view named"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(kind, subject, text, word):
    with desk(ram_memory("sre@jump")) as made, pytest.raises(RefusedError, match=word):
        made.submit(deed(kind, subject, text=text)).result(0)


def test_a_site_that_is_not_ours_is_refused():
    with desk(ram_memory("sre@jump")) as made, pytest.raises(RefusedError, match="hel1"):
        made.submit(deed(site="hel1", subject="x")).result(0)


def test_an_acknowledgement_outlasts_the_program(kept):
    with desk(kept) as made:
        (found,) = opened(made)
        made.submit(deed(subject=found.id)).result(LIMIT_S)
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan replaced")).result(LIMIT_S)
        made.submit(deed(DeedKind.SAVE_VIEW, "hot", text="{}")).result(LIMIT_S)
    with desk(kept) as again:
        (told,) = opened(again, now=NOW + 10)
        assert (told.id, told.state) == (found.id, AlertState.ACKNOWLEDGED)
        assert told.acknowledgement.author == "sre@jump"
        assert [note.text for note in again.told(HEARD).notes] == ["fan replaced"]
        assert [view.name for view in again.told(HEARD).views] == ["hot"]


def test_a_deed_that_was_done_before_the_restart_is_not_done_again(kept):
    note = deed(DeedKind.NOTE, "node:muc1/n1", text="fan replaced")
    with desk(kept) as made:
        first = made.submit(note).result(LIMIT_S)
    with desk(kept) as again:
        assert again.submit(note).result(LIMIT_S) == first
        until(lambda: len(again.told(HEARD).notes) == 1)


def test_one_that_grew_worse_than_it_was_when_it_was_taken_on_fires_again(kept):
    with desk(kept) as made:
        (found,) = opened(made)
        made.submit(deed(subject=found.id)).result(LIMIT_S)
        (worse,) = opened(made, sign(severity=Severity.CRITICAL), now=NOW + 5)
        assert worse.state is AlertState.FIRING


def test_an_acknowledgement_can_be_taken_back(kept):
    with desk(kept) as made:
        (found,) = opened(made)
        made.submit(deed(subject=found.id)).result(LIMIT_S)
        made.submit(deed(DeedKind.UNACKNOWLEDGE, found.id)).result(LIMIT_S)
        assert made.told(HEARD).incidents[0].acknowledgement is None
        with pytest.raises(RefusedError, match="not acknowledged"):
            made.submit(deed(DeedKind.UNACKNOWLEDGE, found.id)).result(LIMIT_S)


def test_nothing_is_shown_before_what_was_remembered_is_known():
    gate = threading.Event()

    def slowly(read_only):
        gate.wait(LIMIT_S)
        raise StateError("state test: gone")

    with desk(MemorySetup(slowly, "test")) as made:
        assert not made.is_ready
        assert made.told(HEARD).memories == ()
        gate.set()
        until(lambda: made.is_ready)


def flaky(tmp_path, broken):
    return MemorySetup(lambda read_only: Flaky(f"sqlite:///{tmp_path}/memory.db", broken), "test", author="sre@jump")


def test_a_lost_database_is_told_refuses_deeds_and_is_caught_up_with(tmp_path):
    clock, broken = FakeClock(), Broken()
    with desk(flaky(tmp_path, broken), clock) as made:
        (found,) = opened(made)
        made.submit(deed(subject=found.id)).result(LIMIT_S)
        broken.reason = "state test: is it running?"
        with pytest.raises(StateError, match=r"was not kept.*is it running"):
            made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="lost")).result(LIMIT_S)
        told = made.told(HEARD)
        assert told.incidents[0].state is AlertState.ACKNOWLEDGED, "reads go on"
        assert all("is it running" in status.trouble for status in told.memories)
        assert any("is it running" in notice for notice in told.notices)
        opened(made, sign(), sign("check:cold", title="cold"), now=NOW + 5)
        broken.reason = ""
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="kept")).result(LIMIT_S)
        until(lambda: not made.trouble)
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/memory.db", realm="test")) as store:
        remembered = store.load(SITES)
        assert {each.sign.key for each in remembered.incidents} == {"check:hot", "check:cold"}, "what piled up is kept"
        assert [note.text for note in remembered.notes] == ["kept"]


def test_a_transaction_that_was_lost_once_is_done_again_without_a_word(tmp_path):
    broken = Broken()
    with desk(flaky(tmp_path, broken)) as made:
        until(lambda: made.is_ready)
        broken.reason, broken.times = "state test: restarted", 1
        assert "is kept" in made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan")).result(LIMIT_S)
        assert not made.trouble


def test_what_was_committed_although_the_answer_was_lost_is_known_and_done_once(tmp_path):
    class Cut(Flaky):
        """Commits, and then loses the connection before it says so; once."""

        cut = False

        @contextlib.contextmanager
        def begin(self, fence=None):
            with super().begin(fence) as writer:
                yield writer
            if type(self).cut:
                type(self).cut = False
                raise StateError("state test: connection lost")

    setup = MemorySetup(lambda _: Cut(f"sqlite:///{tmp_path}/m.db", Broken()), "test", author="sre@jump")
    with desk(setup) as made:
        (found,) = opened(made)
        Cut.cut = True
        assert "is acknowledged" in made.submit(deed(subject=found.id)).result(LIMIT_S)
        assert made.told(HEARD).incidents[0].state is AlertState.ACKNOWLEDGED
        Cut.cut = True
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan")).result(LIMIT_S)
        assert [note.text for note in made.told(HEARD).notes] == ["fan"]


def test_who_leads_no_longer_writes_nothing_and_says_so(tmp_path):
    class Old(Flaky):
        @contextlib.contextmanager
        def begin(self, fence=None):
            raise Fenced(f"another leads now ({fence})")
            yield

    setup = MemorySetup(lambda _: Old(f"sqlite:///{tmp_path}/m.db", Broken()), "test", fence=lambda: 7)
    with desk(setup) as made, pytest.raises(Fenced, match="7"):
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan")).result(LIMIT_S)


def test_what_waits_is_written_in_one_transaction(tmp_path):
    began, go_on = threading.Event(), threading.Event()

    class Slow(Flaky):
        @contextlib.contextmanager
        def begin(self, fence=None):
            began.set()
            go_on.wait(LIMIT_S)
            with super().begin(fence) as writer:
                yield writer

    setup = MemorySetup(lambda _: Slow(f"sqlite:///{tmp_path}/m.db", Broken()), "test")
    with desk(setup) as made:
        first = made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="first"))
        assert began.wait(LIMIT_S)
        rest = [made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text=f"{n}")) for n in range(50)]
        go_on.set()
        assert all("is kept" in each.result(LIMIT_S) for each in (first, *rest))
        assert made.statistics()["commits"] == 2


def test_closing_writes_what_waits_and_answers_everybody(kept):
    made = MemoryDesk(kept, SITES, FakeClock())
    made.start()
    opened(made)
    futures = [made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text=f"{n}")) for n in range(100)]
    assert made.close(LIMIT_S)
    assert all("is kept" in each.result(0) for each in futures)
    with pytest.raises(StateError, match="closed"):
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="late")).result(0)
    with desk(kept) as again:
        until(lambda: len(again.told(HEARD).notes) == 100)


def test_a_database_that_never_answers_keeps_nobody_waiting():
    forever, clock = threading.Event(), FakeClock()

    def hang(read_only):
        forever.wait(LIMIT_S)
        raise StateError("gone")

    made = MemoryDesk(MemorySetup(hang, "test"), SITES, clock)
    made.start()
    waiting = made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan"))
    clock.tick(16.0)
    made.update((), HEARD, NOW)
    with pytest.raises(StateError, match="no answer within 15 s"):
        waiting.result(0)
    assert not made.close(0.05)
    forever.set()


def test_two_programs_of_one_user_share_what_is_remembered(kept):
    clock = FakeClock()
    with desk(kept, clock) as made, desk(kept, clock) as second:
        (found,) = opened(made)
        (theirs,) = opened(second)
        made.submit(deed(subject=found.id, text="mine")).result(LIMIT_S)
        second.update((sign(text="4 GPUs: temp_c > 87"),), HEARD, NOW + 40)
        second.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan")).result(LIMIT_S)
        (theirs,) = second.told(HEARD).incidents
        assert (theirs.id, theirs.acknowledgement.note) == (found.id, "mine")
        clock.tick(6.0)
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="door")).result(LIMIT_S)
        assert {note.text for note in made.told(HEARD).notes} == {"fan", "door"}
        assert not made.trouble
        assert not second.trouble
    with desk(kept) as again:
        (told,) = opened(again, now=NOW + 50)
        assert told.acknowledgement.note == "mine", "who knew nothing of it took it away from nobody"


def test_what_a_serve_writes_alone_is_read_and_not_written(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("console.engine.vault.BUSY_S", 0.05)
    alone = served_memory(f"sqlite:///{tmp_path}/memory.db", realm="test")
    with desk(alone) as made:
        (found,) = opened(made)
        made.submit(deed(subject=found.id, text="mine", author="sre@serve")).result(LIMIT_S)
        with desk(kept, SystemClock()) as second:
            until(lambda: second.is_ready and second.told(HEARD).incidents)
            assert second.told(HEARD).incidents[0].acknowledgement.author == "sre@serve"
            with pytest.raises(StateError, match="writes it"):
                second.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan")).result(LIMIT_S)
            assert second.trouble


def test_what_has_been_over_for_long_is_forgotten_by_who_goes_on_for_a_while(tmp_path):
    address, clock = f"sqlite:///{tmp_path}/m.db", FakeClock(NOW)
    old = replace(incident(sign("check:old")), state=AlertState.RESOLVED, resolved_at=NOW - 91 * 86_400.0)
    with contextlib.closing(open_store(address, realm="test")) as store, store.begin() as writer:
        writer.put_incidents((old, incident()))

    def stored():
        with contextlib.closing(open_store(address, realm="test", read_only=True)) as store:
            return {each.sign.key for each in store.load(SITES).incidents}

    with desk(own_memory("test", address, base=tmp_path, author="a", retention=Retention()), clock) as made:
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="fan")).result(LIMIT_S)
        assert stored() == {"check:old", "check:hot"}
        clock.tick(61.0)
        made.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="door")).result(LIMIT_S)
    assert stored() == {"check:hot"}


def test_the_password_of_a_database_is_in_no_words():
    made = own_memory(
        "x", "postgresql://gigadeck:secret@db.example:5432/gigadeck?sslpassword=other", base=None, author="a"
    )
    assert made.where == "postgresql://gigadeck@db.example:5432/gigadeck"
    assert made.shared


async def test_it_is_a_keeper():
    with desk(ram_memory("sre@jump")) as made:
        assert "is kept" in await made.keep(deed(DeedKind.NOTE, "node:muc1/n1", text="fan"))
