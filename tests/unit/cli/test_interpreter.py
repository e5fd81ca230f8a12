from __future__ import annotations

import gc
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.cli import interpreter

MIB = 1024 * 1024


@dataclass
class Topology:
    version: int = 1


@dataclass
class Site:
    site: str
    topology: Topology
    data_at: float = 1.0


class Frame:
    def __init__(self, *sites):
        self.sites = sites


class Snapshot:
    def __init__(self, *sites, seq=1):
        self.frame = Frame(*sites)
        self.seq = seq


class Session:
    def subscribe(self, callback):
        self.publish = callback


@pytest.fixture
def freezes(monkeypatch):
    calls = []
    monkeypatch.setattr(gc, "disable", lambda: None)
    monkeypatch.setattr(gc, "freeze", lambda: calls.append(1))
    return calls


@pytest.fixture
def session():
    session = Session()
    interpreter.keep_pauses_short(session)
    return session


def test_freezes_once_when_the_sites_have_settled(session, freezes):
    for _ in range(interpreter.SETTLING_SNAPSHOTS):
        session.publish(Snapshot(Site("muc1", Topology())))
        assert not freezes
    for _ in range(20):
        session.publish(Snapshot(Site("muc1", Topology())))
    assert len(freezes) == 1


def test_freezes_again_after_a_new_topology_and_a_new_site(session, freezes):
    for sites in ([Site("a", Topology())], [Site("a", Topology(2))], [Site("a", Topology(2)), Site("b", Topology())]):
        before = len(freezes)
        for _ in range(10):
            session.publish(Snapshot(*sites))
        assert len(freezes) == before + 1


def test_does_not_count_sites_without_data(session, freezes):
    for _ in range(10):
        session.publish(Snapshot(Site("muc1", Topology(), data_at=0.0)))
    assert not freezes


def test_looks_for_cycles_again_after_the_first_snapshots_even_if_nobody_ever_answers():
    session = Session()
    try:
        interpreter.keep_pauses_short(session)
        assert not gc.isenabled()
        for seq in range(1, interpreter.SETTLING_SNAPSHOTS + 1):
            session.publish(Snapshot(seq=seq))
        assert gc.isenabled()
    finally:
        gc.enable()


@pytest.fixture
def looks(monkeypatch):
    """Generations that were looked through; each look takes `looks.took_s`."""

    class Looks(list):
        took_s = 0.0
        now = 0.0

        def look(self, generation):
            self.append(generation)
            self.now += self.took_s

    looks = Looks()
    monkeypatch.setattr(gc, "collect", looks.look)
    monkeypatch.setattr(interpreter.time, "thread_time", lambda: looks.now)
    return looks


def publish(session, first, last):
    for seq in range(first, last):
        session.publish(Snapshot(Site("muc1", Topology()), seq=seq))


def test_looks_for_cycles_every_few_snapshots_once_the_sites_have_settled(session, freezes, looks):
    publish(session, 1, interpreter.SETTLING_SNAPSHOTS + 1)
    assert (freezes, looks) == ([], [])
    publish(session, interpreter.SETTLING_SNAPSHOTS + 1, 31)
    assert looks == [interpreter.FULL] * 5


def test_a_look_at_all_comes_the_rarer_the_longer_it_takes(session, freezes, looks):
    publish(session, 1, 11)
    looks.took_s = 0.012
    publish(session, 11, 41)
    full, younger = interpreter.FULL, interpreter.YOUNGER
    assert looks == [full, full, younger, younger, full, younger, younger]
    for seq in range(41, 51):
        session.publish(Snapshot(Site("muc1", Topology(2)), seq=seq))
    assert looks[-1] == full


def test_no_look_before_anybody_has_answered(session, freezes, looks):
    for seq in range(1, 31):
        session.publish(Snapshot(Site("muc1", Topology(), data_at=0.0), seq=seq))
    assert looks == []


def test_a_command_that_reads_once_leaves_the_collector_as_it_was(monkeypatch):
    monkeypatch.setattr(interpreter, "_tuned", False)
    gc.enable()
    with interpreter.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_gives_memory_back_now_and_then_once_settled(session, freezes, looks, monkeypatch):
    given = []
    monkeypatch.setattr(interpreter, "give_back", lambda: given.append(1))
    publish(session, 1, interpreter.SETTLING_SNAPSHOTS)
    assert not given
    publish(session, 100, 100 + 4 * interpreter.GIVE_BACK_EVERY_SNAPSHOTS)
    assert len(given) == 4


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps memory that way")
@pytest.mark.parametrize("worth", [True, False])
def test_gives_back_what_lies_between_blocks_in_use_if_it_is_much(monkeypatch, worth):
    monkeypatch.setattr(interpreter, "WORTH_BYTES", MIB if worth else 1 << 50)
    blocks = [b"x" * (64 * 1024) for _ in range(2_000)]
    kept = blocks[::50]
    blocks.clear()
    before = resident_bytes()
    interpreter.give_back()
    assert (before - resident_bytes() > 50 * MIB) is worth
    assert len(kept) == 40


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
