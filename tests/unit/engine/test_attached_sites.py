"""What a session does with the word of a `gigadeck serve`, and with its own memory."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest

from console.engine.own_memory import ram_memory
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.errors import RefusedError, Unreachable
from console.model.events import AlertState, CheckSpec, Finding
from console.model.incidents import DeedKind, Note, SharedView
from console.model.levels import Level, Severity
from console.model.reading import JudgedPart, Reading
from tests.support import panels
from tests.support.incidents import deed, incident, judged, sign
from tests.support.sources import SteadySource

HOT = CheckSpec("hot", "temp_c > 87", warning=1)


class Served(SteadySource):
    """A site whose serve judges it: tells its word with each reading, and keeps deeds."""

    def __init__(self, topology, now, word, **more):
        super().__init__(topology, now, **more)
        self.word = word
        self.kept = []
        self.error = None

    async def read(self):
        reading = await super().read()

        def decode():
            yield from reading.decode()
            yield JudgedPart(self.word)

        return Reading(reading.received_at, decode, cadence_s=0.2)

    async def keep(self, deed):
        if self.error is not None:
            raise self.error
        self.kept.append(deed)
        return "kept there"


class Looker:
    """A detector that finds one thing at every site that it is shown."""

    state_columns = ()

    def update(self, frame, state):
        return tuple(
            Finding("looker", "seen", site.site, Level.SITE, site.site, site.site, Severity.WARNING, "seen")
            for site in frame.sites
        )


@contextlib.contextmanager
def running(*sources, **more):
    sites = tuple(
        SiteSetup(f"site{number}", sources=(SourceSetup("main", "test", "", source, cadence_s=0.02),))
        for number, source in enumerate(sources)
    )
    given = {"snapshot_hz": 50.0, "memory": ram_memory("sre@jump"), "checks": (HOT,), **more}
    session = Session(SessionConfig("test", sites=sites, **given))
    session.start()
    try:
        yield session
    finally:
        session.close(2.0)


def own(site="site0", temp_c=95.0):
    return SteadySource(panels.topology(site), time.time, temp_c=temp_c)


def served(site="site1", temp_c=95.0, **more):
    its = incident(sign("fault:cdu", site=site, path=site))
    return Served(panels.topology(site), time.time, judged(its, site=site, **more), temp_c=temp_c)


def incident_keys(snapshot):
    return {(each.site, each.sign.key, each.keeper) for each in snapshot.incidents}


def test_each_site_has_the_incidents_of_whoever_judges_it():
    with running(own(), served(), detectors={"looker": Looker()}) as session:
        found = session.wait(lambda shot: len(incident_keys(shot)) >= 3, 20.0)
    assert incident_keys(found) == {
        ("site0", "check:hot", ""),
        ("site0", "fault:seen", ""),
        ("site1", "fault:cdu", "serve-muc1"),
    }
    assert {each.site for each in found.findings} == {"site0"}, "our detectors do not look at the other"
    assert {(each.site, each.kind) for each in found.memories} == {("site0", "none"), ("site1", "serve")}


def test_what_a_serve_remembers_is_shown_and_its_sources_are_marked():
    note = Note("n1", "site1", "site:site1", "sre@a", 1.0, "fan")
    foreign = replace(note, id="n2", site="site0")
    word = {"notes": (note, foreign), "views": (SharedView("hot", "sre@a", 1.0, "{}"),), "notices": ("low disk",)}
    with running(own(), served(**word)) as session:
        found = session.wait(lambda shot: bool(shot.views), 20.0)
        status = found.sources[0]
    assert found.notes == (note,), "a serve has no say on another site"
    assert "serve-muc1: low disk" in found.notices
    theirs = served(site="site0", sources=(replace(status, site="x", name="prom"),))
    with running(theirs) as session:
        found = session.wait(lambda shot: len(shot.sources) == 2, 20.0)
    assert [(each.site, each.name) for each in found.sources] == [("site0", "main"), ("site0", "serve/prom")]


def test_a_deed_goes_to_who_judges_the_site():
    other = served()
    with running(own(), other) as session:
        found = session.wait(lambda shot: len(shot.incidents) >= 2, 20.0)
        (ours,) = (each for each in found.incidents if each.site == "site0")
        assert session.keep(deed(subject=ours.id, site="site0")).result(10).startswith(ours.id)
        told = session.wait(lambda shot: any(each.acknowledgement for each in shot.incidents), 20.0)
        assert {each.site for each in told.incidents if each.state is AlertState.ACKNOWLEDGED} == {"site0"}
        assert session.keep(deed(subject="site1-x", site="site1")).result(10) == "kept there"
        other.error = Unreachable("site1", "main", "no route")
        with pytest.raises(Unreachable, match="no route"):
            session.keep(deed(subject="site1-x", site="site1")).result(10)
    assert [each.subject for each in other.kept] == ["site1-x"]


def test_read_only_keeps_nothing():
    with running(own(), read_only=True) as session, pytest.raises(RefusedError, match="read-only"):
        session.keep(deed(DeedKind.NOTE, "site:site0", site="site0", text="fan")).result(10)


def test_a_command_without_a_memory_has_no_incidents_and_says_why_it_keeps_nothing():
    with running(own(), memory=None) as session:
        found = session.wait(lambda shot: any(check.matches for check in shot.checks), 20.0)
        assert (found.incidents, found.memories) == ((), ())
        with pytest.raises(RefusedError, match="no memory"):
            session.keep(deed(DeedKind.NOTE, "site:site0", site="site0", text="fan")).result(10)


def test_a_serve_that_falls_silent_is_told_as_such():
    other = served(site="site0")
    with running(other) as session:
        session.wait(lambda shot: bool(shot.memories), 20.0)

        async def fails():
            raise Unreachable("site0", "main", "no route")

        other.read = fails
        found = session.wait(lambda shot: any(each.trouble for each in shot.memories), 20.0)
    assert "has not been heard" in found.memories[0].trouble
