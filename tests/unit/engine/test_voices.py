from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import pytest

from console.engine import voices
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.errors import Unauthorized
from console.model.voices import FollowState
from tests.support import panels
from tests.support.sources import SteadySource

NODE = "muc1/h1/r001/n0001"
WAIT_S = 10.0


class Talker(SteadySource):
    """Tells of a topology, and has a record and a log."""

    def __init__(self, text="", error=None, lines=(), after=None):
        super().__init__(panels.topology("muc1"), time.time)
        self.text, self.error, self.lines, self.after = text, error, lines, after
        self.subjects, self.since, self.ended = [], [], threading.Event()
        self.release = None

    async def record(self, subject):
        self.subjects.append(subject)
        if self.error == "hang":
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.text

    async def follow(self, subject, since_at):
        self.subjects.append(subject)
        self.since.append(since_at)
        try:
            for line in self.lines:
                yield line
            if self.after == "hang":
                await asyncio.Event().wait()
            elif self.after is not None:
                raise self.after
        finally:
            self.ended.set()


class Mute(SteadySource):
    """Has neither."""

    def __init__(self):
        super().__init__(panels.topology("muc1"), time.time)


@contextlib.contextmanager
def running(**sources):
    setups = tuple(SourceSetup(name, "test", "", source, cadence_s=0.05) for name, source in sources.items())
    other = SiteSetup("hel1", sources=(SourceSetup("elsewhere", "test", "", Talker("not asked")),))
    session = Session(SessionConfig("test", sites=(SiteSetup("muc1", sources=setups), other), snapshot_hz=20.0))
    session.start()
    try:
        session.wait(lambda snapshot: bool(snapshot.frame.sites and snapshot.frame.sites[0].topology.gpus), WAIT_S)
        yield session
    finally:
        session.close(2.0)


def told(session, row_id):
    return {name: future.result(WAIT_S) for name, future in session.records(row_id).items()}


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_every_voice_of_the_site_is_asked_and_no_other():
    source = Talker("NodeName=n0001 State=IDLE")
    with running(slurm=source, quiet=Mute(), empty=Talker("")) as session:
        found = told(session, f"{NODE}/g3")
    assert set(found) == {"slurm", "empty"}
    assert (found["slurm"].text, found["slurm"].error) == ("NodeName=n0001 State=IDLE", "")
    assert found["slurm"].latency_s >= 0
    assert found["slurm"].at > 0
    assert (found["empty"].text, found["empty"].error) == ("", "")
    (subject,) = source.subjects
    assert (subject.site, subject.node, subject.gpu, subject.path) == ("muc1", "n0001", 3, f"{NODE}/g3")
    assert subject.uuid.startswith("GPU-")


def test_a_voice_that_fails_says_so_and_costs_the_others_nothing(monkeypatch):
    monkeypatch.setattr(voices, "RECORD_LIMIT_S", 0.05)
    sources = {
        "refuses": Talker(error=Unauthorized("muc1", "refuses", "HTTP 403", "check `auth`")),
        "breaks": Talker(error=ValueError("secret detail")),
        "hangs": Talker(error="hang"),
        "good": Talker("fine"),
    }
    with running(**sources) as session:
        found = told(session, NODE)
    assert found["refuses"].error == "HTTP 403; check `auth`"
    assert found["breaks"].error == "internal fault: ValueError"
    assert found["hangs"].error == "no answer within 0.05 s"
    assert found["good"].text == "fine"


@pytest.mark.parametrize("row", ["muc1", "muc1/h1", "muc1/h1/r001", "muc1/nowhere", "check:hot", "", "job:muc9/1"])
def test_nobody_is_asked_of_what_has_no_record(row):
    with running(slurm=Talker("x")) as session:
        assert dict(session.records(row)) == {}
        assert dict(session.follow(row).voices) == {}


def test_a_job_is_asked_for_by_its_id():
    source = Talker("JobId=4711")
    with running(slurm=source) as session:
        assert told(session, "job:muc1/4711@alpha")["slurm"].text == "JobId=4711"
    assert (source.subjects[0].job, source.subjects[0].node) == ("4711", "")


def test_closing_the_session_answers_whoever_waits():
    with running(hangs=Talker(error="hang")) as session:
        (future,) = session.records(NODE).values()
    with contextlib.suppress(Exception):
        future.result(WAIT_S)
    assert future.done()


def test_without_an_engine_every_voice_says_that():
    session = Session(SessionConfig("test", sites=()))
    assert dict(session.records(NODE)) == {}
    session.close()


def test_lines_of_all_voices_come_with_their_names():
    sources = {"ssh": Talker(lines=("a", "b"), after="hang"), "logs": Talker(lines=("c",), after="hang")}
    with running(**sources, nothing=Talker(), quiet=Mute()) as session:
        stream = session.follow(NODE, 600.0)
        lines = []
        until(lambda: lines.extend(stream.take()) or len(lines) == 3)
        until(lambda: stream.voices["nothing"][0] is FollowState.NO_LOG)
        assert {(each.source, each.text) for each in lines} == {("ssh", "a"), ("ssh", "b"), ("logs", "c")}
        assert {name: state for name, (state, _) in stream.voices.items()} == {
            "ssh": FollowState.FOLLOWING,
            "logs": FollowState.FOLLOWING,
            "nothing": FollowState.NO_LOG,
        }
        assert time.time() - sources["ssh"].since[0] == pytest.approx(600, abs=30)
        stream.close()
        assert all(source.ended.wait(WAIT_S) for source in sources.values())


def test_a_log_that_breaks_off_says_why():
    broken = Talker(lines=("a",), after=Unauthorized("muc1", "ssh", "the key was refused", "renew it"))
    with running(ssh=broken, bug=Talker(after=ValueError("x"))) as session:
        stream = session.follow(NODE)
        until(lambda: all(state is FollowState.FAILED for state, _ in stream.voices.values()))
        assert stream.voices["ssh"][1] == "the key was refused; renew it"
        assert stream.voices["bug"][1] == "internal fault: ValueError"


def test_what_nobody_takes_is_bounded_and_counted(monkeypatch):
    monkeypatch.setattr(voices, "GULP_REST_S", 0.0)
    with running(ssh=Talker(lines=tuple(map(str, range(6000))))) as session:
        stream = session.follow(NODE)
        until(lambda: stream.voices["ssh"][0] is FollowState.ENDED)
        lines = stream.take()
        assert (len(lines), stream.dropped) == (5000, 1000)
        assert lines[-1].text == "5999"
        assert stream.take() == ()


def test_a_stream_that_was_forgotten_is_ended_by_the_fifth_one():
    sources = {"ssh": Talker(lines=("a",), after="hang")}
    with running(**sources) as session:
        first = session.follow(NODE)
        until(lambda: first.voices["ssh"][0] is FollowState.FOLLOWING)
        rest = [session.follow(NODE) for _ in range(4)]
        assert first.closed
        assert sources["ssh"].ended.wait(WAIT_S)
        assert not any(stream.closed for stream in rest)


def test_closing_the_session_ends_what_is_followed():
    source = Talker(lines=("a",), after="hang")
    with running(ssh=source) as session:
        stream = session.follow(NODE)
        until(lambda: stream.voices["ssh"][0] is FollowState.FOLLOWING)
    assert stream.closed
    assert source.ended.wait(WAIT_S)
