from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from console.backtest.detecting import Detecting
from console.backtest.folder import look_into, read_telemetry
from console.backtest.replay import Replay
from console.backtest.spill import Spill
from console.model.builtin_metrics import BUILTIN
from console.model.events import Finding
from console.model.levels import Level, Severity
from console.model.metrics import RollUp
from console.model.ports import StateColumn
from tests.support.backtests import HEADER, T0, folder


def run(tmp_path, **detectors):
    rows = "".join(f"{T0 + 60 * i},lab,n{n},{g},{50 + 10 * i},300\n" for i in range(6) for n in (1, 2) for g in (1, 2))
    found = look_into(folder(tmp_path, f"{HEADER}\n{rows}"), BUILTIN)
    with Spill(found.names) as spill:
        telemetry = read_telemetry(found, spill)
        detecting = Detecting(detectors, telemetry.rows.topologies)
        for moment in Replay(telemetry, step_s=60):
            detecting.take(moment)
    return detecting


def finding(path, fault="warm", severity=Severity.WARNING, level=Level.GPU):
    return Finding("mine", fault, "lab", level, path, path, severity, "text")


class Rising:
    """Tells a GPU from the third frame on that it sees in its own memory."""

    state_columns = (StateColumn("seen", "uint8"),)

    def update(self, frame, state):
        seen = state["lab"]["seen"]
        assert seen.dtype == np.uint8
        seen += ~np.isnan(frame.sites[0].values("temp_c", frame.at))
        topology = frame.sites[0].topology
        rows = np.flatnonzero((seen >= 3) & (seen <= 4))
        return tuple(finding(topology.path(Level.GPU, row), severity=Severity.CRITICAL) for row in rows[:1].tolist())


def test_a_finding_is_an_alert_from_its_first_frame_to_its_last(tmp_path):
    (alert,) = run(tmp_path, rising=Rising()).finished()
    assert (alert.site, alert.node, alert.gpu, alert.fault_class) == ("lab", "n1", 1, "warm")
    assert (alert.at, alert.until) == (T0 + 120, T0 + 180)
    assert alert.probability_24h == 0.5


def test_a_detector_that_fails_is_left_out_and_the_others_go_on(tmp_path):
    def fail(frame, state):
        raise ValueError("no")

    bad = SimpleNamespace(state_columns=(), update=fail)
    wrong = SimpleNamespace(state_columns=(), update=lambda frame, state: ["text"])
    detecting = run(tmp_path, bad=bad, wrong=wrong, rising=Rising())
    assert len(detecting.finished()) == 1
    assert len(detecting.complaints) == 2
    assert "detector bad was left out: ValueError: no" in detecting.complaints[0]


def test_findings_on_whole_sites_are_counted_and_those_on_nodes_are_alerts(tmp_path):
    told = (finding("lab", level=Level.SITE), finding("lab/-/-/n2", "node", level=Level.NODE))
    detecting = run(tmp_path, mine=SimpleNamespace(state_columns=(), update=lambda frame, state: told))
    (alert,) = detecting.finished()
    assert (alert.node, alert.gpu) == ("n2", -1)
    assert detecting.unplaced == 1


def test_frames_hold_what_detectors_may_ask_for(tmp_path):
    seen = []

    def look(frame, state):
        (site,) = frame.sites
        seen.append(site.rollups["temp_c"].get(Level.SITE, RollUp.MAX).tolist())
        assert "nothing" not in site.rollups
        assert site.rollups.get("nothing") is None
        assert site.reporting.all()
        assert not site.stale
        assert frame.metrics["temp_c"].name == "temp_c"
        assert frame.site("lab") is site
        assert site.jobs.running() == 0
        return ()

    detecting = run(tmp_path, look=SimpleNamespace(state_columns=(), update=look))
    assert detecting.complaints == []
    assert seen == [[50 + 10 * i] for i in range(6)]
