from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.errors import NoDataError, PluginError, ServerFailed, TargetError
from console.model.events import CheckSpec, Finding
from console.model.levels import Level, Severity
from console.model.place import Place, Size
from console.model.ports import Question, StateColumn
from console.model.snapshot import SourceState
from console.model.views import HistoryRef, Plot, Series, Text
from tests.support import panels
from tests.support.sources import ScriptedSource, SteadySource

HZ = 50.0


@contextlib.contextmanager
def running(*sources, limit_s=10.0, **more):
    """Run a session with one site a source, snapshots at 50 Hz."""
    sites = tuple(
        SiteSetup(f"site{number}", sources=(SourceSetup("main", "test", "", source, cadence_s=0.02),))
        for number, source in enumerate(sources)
    )
    session = Session(SessionConfig("test", sites=sites, snapshot_hz=HZ, plugin_limit_s=limit_s, **more))
    session.start()
    try:
        yield session
    finally:
        session.close(2.0)


def steady(site="site0", **more):
    return SteadySource(panels.topology(site), time.time, **more)


def has_data(snapshot):
    return bool(snapshot.frame.sites) and all(site.data_at for site in snapshot.frame.sites)


def after(session, count, **more):
    """Return the snapshot that is `count` later than the newest."""
    start = session.latest().seq
    return session.wait(lambda snapshot: snapshot.seq >= start + count, 10.0)


def digest(snapshot):
    seen = hashlib.sha256()
    for site in snapshot.frame.sites:
        for column in site.columns.values():
            seen.update(column.values.tobytes())
        for rollups in site.rollups.values():
            for arrays in (rollups.counts, rollups.sums, rollups.maxima):
                for values in arrays.values():
                    seen.update(values.tobytes())
        seen.update(site.reporting.tobytes())
    return seen.hexdigest()


def test_data_reaches_the_snapshot_with_its_roll_ups():
    with running(steady(temp_c=61.0)) as session:
        (site,) = session.wait(has_data, 10.0).frame.sites
        assert float(site.rollups["temp_c"].maxima[Level.SITE][0]) == 61.0
        assert site.reporting.all()


def test_snapshots_are_numbered_without_a_gap():
    with running(steady()) as session:
        seen = []
        leave = session.subscribe(lambda snapshot: seen.append(snapshot.seq))
        session.wait(has_data, 10.0)
        after(session, 10)
        leave()
    assert seen == list(range(seen[0], seen[0] + len(seen)))


def test_a_held_snapshot_is_unchanged_after_a_hundred_ticks():
    source = steady()
    with running(source) as session:
        held = session.wait(has_data, 10.0)
        before = digest(held)
        source.temp_c = 88.0
        newer = after(session, 100)
        assert digest(held) == before
        assert digest(newer) != before


def test_one_source_that_fails_leaves_the_others_alone():
    fault = ServerFailed("site1", "main", "500")
    with running(steady(), ScriptedSource(fault)) as session:
        snapshot = session.wait(
            lambda each: each.sources[1].failures > 1 and each.frame.site("site0").data_at > 0, 10.0
        )
        assert snapshot.sources[0].state is SourceState.OK
        assert "site1/main: 500" in snapshot.sources[1].last_error


class Waiting(SteadySource):
    """A source that a person has to log in for."""

    async def sign_in(self, ask):
        answer = await ask(Question("bastion", "Code:"))
        if answer != "739":
            raise ServerFailed("site0", "main", "refused")
        return "logged in on bastion"

    async def way(self, host):
        return f"/run/{host}.sock"


def answered(text):
    def ask(question):
        answer = Future()
        answer.set_result(text)
        return answer

    return ask


def test_a_login_asks_where_somebody_can_answer_and_says_what_came_of_it():
    with running(Waiting(panels.topology("site0"), time.time), steady("site1")) as session:
        session.wait(has_data, 10.0)
        assert session.sign_in("site0", answered("739")).result(10) == "logged in on bastion"
        assert session.sign_in("site1", answered("739")).result(10) == ""
        with pytest.raises(ServerFailed, match="refused"):
            session.sign_in("site0", answered("1")).result(10)
        assert session.way("site0", "n1").result(10) == "/run/n1.sock"
        assert session.way("site1", "n1").result(10) == ""
    with pytest.raises(NoDataError, match="closed"):
        session.way("site0", "n1").result(10)


def test_what_the_user_does_is_journaled(tmp_path):
    with running(steady(), journal_path=tmp_path / "journal.jsonl") as session:
        session.note({"event": "shell_started", "node": "n1"})
    assert '"event": "shell_started", "node": "n1"' in (tmp_path / "journal.jsonl").read_text()


def test_closing_ends_in_time_whatever_hangs():
    release = threading.Event()

    class Hanging:
        def view(self, *_):
            release.wait(30)

    with running(steady(), ScriptedSource("hang"), panels={"bad": Hanging()}) as session:
        session.wait(lambda each: each.frame.site("site0").data_at > 0, 10.0)
        future = session.view("bad", Place(), Size(80, 24))
        session.close(2.0)
        with pytest.raises(NoDataError):
            session.wait(lambda each: True, 10.0)
        with pytest.raises((PluginError, NoDataError)):
            future.result(10)
        session.close(2.0)
    release.set()


def test_a_plugin_that_never_returns_is_named_in_the_snapshot_and_the_others_answer():
    release = threading.Event()

    class Hanging:
        def view(self, *_):
            release.wait(60)

    class Good:
        def view(self, *_):
            return Text(())

    with running(steady(), limit_s=0.2, panels={"bad": Hanging(), "good": Good()}) as session:
        session.wait(has_data, 10.0)
        with pytest.raises(PluginError, match="bad: view did not return"):
            session.view("bad", Place(), Size(80, 24)).result(10)
        assert isinstance(session.view("good", Place(), Size(80, 24)).result(10), Text)
        snapshot = session.wait(lambda each: any("did not return" in notice for notice in each.notices), 10.0)
        assert any(notice.startswith("bad: ") for notice in snapshot.notices)
    release.set()


def test_a_panel_that_is_not_there_is_said():
    with running(steady()) as session, pytest.raises(TargetError, match="no panel named nope"):
        session.view("nope", Place(), Size(80, 24)).result(10)


def test_a_view_s_wish_for_history_is_filled_in():
    class Plotter:
        def view(self, *_):
            return Plot((Series("hot", ref=HistoryRef("site0", "temp_c_max", 600.0)),))

    with running(steady(temp_c=42.0), panels={"plot": Plotter()}) as session:
        session.wait(has_data, 10.0)
        after(session, 5)
        (series,) = session.view("plot", Place(), Size(80, 24)).result(10).series
        assert series.ref is None
        assert set(series.values[~np.isnan(series.values)].tolist()) == {42.0}


class Counting:
    """A detector that counts its calls in a state column, and says what it counted for one GPU."""

    state_columns = (StateColumn("calls"),)

    def __init__(self):
        self.shapes = set()

    def update(self, frame, state):
        found = []
        for site in frame.sites:
            calls = state[site.site]["calls"]
            self.shapes.add(len(calls))
            calls += 1
            if len(calls):
                key = site.topology.key(Level.GPU, len(calls) - 1)
                text = f"{int(calls[-1])}"
                found.append(Finding("count", "none", site.site, Level.GPU, key, "", Severity.INFO, text))
        return tuple(found)


class Shrinking(SteadySource):
    """Offers a topology that loses its first hall when told."""

    def shrink(self):
        small = panels.topology(self.topology.site, halls=1)
        keep = slice(self.topology.gpus - small.gpus, None)
        self.topology = replace(
            small,
            version=self.topology.version + 1,
            halls=self.topology.halls[1:],
            racks=self.topology.racks[len(small.racks) :],
            nodes=self.topology.nodes[len(small.nodes) :],
            uuid_high=self.topology.uuid_high[keep],
            uuid_low=self.topology.uuid_low[keep],
        )
        self.reads = 0


def test_a_topology_that_changes_under_a_running_detector_and_panel_moves_the_state_with_its_gpus():
    class Asks:
        def view(self, snapshot, place, size):
            return Text((), title=str(sum(site.topology.gpus for site in snapshot.frame.sites)))

    source, detector = Shrinking(panels.topology("site0"), time.time), Counting()
    full = source.topology.gpus
    with running(source, detectors={"count": detector}, panels={"asks": Asks()}) as session:
        before = session.wait(lambda each: bool(each.findings) and int(each.findings[0].text) >= 5, 10.0)
        source.shrink()
        later = session.wait(
            lambda each: (
                each.frame.sites[0].topology.gpus == full // 2
                and bool(each.findings)
                and int(each.findings[0].text) > int(before.findings[0].text) + 5
            ),
            10.0,
        )
        assert later.findings[0].key == before.findings[0].key
        assert detector.shapes >= {full, full // 2}
        assert session.view("asks", Place(), Size(80, 24)).result(10).title == str(full // 2)


def test_a_detector_that_fails_complains_once_and_the_rest_runs(caplog):
    class Broken:
        state_columns = ()

        def update(self, frame, state):
            raise ValueError("bad rack")

    with running(steady(), detectors={"broken": Broken(), "count": Counting()}) as session:
        snapshot = session.wait(
            lambda each: bool(each.findings) and any("bad rack" in notice for notice in each.notices), 10.0
        )
        after(session, 10)
    assert [finding.detector for finding in snapshot.findings] == ["count"]
    assert caplog.text.count("bad rack") == 1


def test_checks_are_judged_on_the_snapshot():
    hot = CheckSpec("hot", "temp_c > 80", warning=1, critical=10)
    with running(steady(temp_c=90.0), checks=(hot,)) as session:
        snapshot = session.wait(lambda each: bool(each.checks) and each.checks[0].severity is Severity.CRITICAL, 10.0)
        assert snapshot.checks[0].matches == panels.topology("x").gpus


def test_a_source_without_news_goes_stale_and_its_numbers_leave_the_site():
    class Once(SteadySource):
        async def read(self):
            if self.reads:
                raise ServerFailed("site0", "main", "gone")
            return await super().read()

    source = Once(panels.topology("site0"), time.time)
    site = SiteSetup("site0", sources=(SourceSetup("main", "test", "", source, cadence_s=0.02, stale_after_s=0.2),))
    session = Session(SessionConfig("test", sites=(site,), snapshot_hz=HZ))
    session.start()
    try:
        snapshot = session.wait(lambda each: bool(each.frame.sites) and each.frame.sites[0].stale, 10.0)
        assert snapshot.sources[0].state is SourceState.STALE
        assert not snapshot.frame.sites[0].reporting.any()
    finally:
        session.close(2.0)


def test_questions_are_answered_by_the_newest_snapshot():
    with running(steady()) as session:
        session.wait(has_data, 10.0)
        rows = session.query(Level.NODE, where="temp_c_max > 40", limit=3).result(10)
        assert len(rows.ids) == 3
