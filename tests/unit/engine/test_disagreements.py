from __future__ import annotations

import time

import numpy as np

from console.core.default_checks import with_disagreements
from console.engine.session import Session
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.model.errors import ServerFailed
from console.model.levels import Severity
from console.model.reading import ColumnPart, InOrder, NamedKeys, NodeReportsPart
from console.model.scheduling import NodeState
from tests.support import panels
from tests.support.sources import ScriptedSource, SteadySource, reading_of

TOPOLOGY = panels.topology("muc1")
NODES = len(TOPOLOGY.nodes)


def slurm(at: float) -> NodeReportsPart:
    """Slurm says that the first node is down; telemetry hears all of them."""
    codes = np.ones(NODES, dtype=np.int32)
    codes[0] = 0
    gpus, held = np.full(NODES, 8, dtype=np.int16), np.zeros(NODES, dtype=np.int16)
    keys = NamedKeys("node", TOPOLOGY.nodes)
    return NodeReportsPart(keys, (NodeState("DOWN"), NodeState("IDLE")), codes, gpus, held, {}, at)


def session_of(*sources: tuple[str, object, float]) -> Session:
    setups = tuple(
        SourceSetup(name, name, "", source, cadence_s=0.05, stale_after_s=stale_after_s)  # type: ignore[arg-type]
        for name, source, stale_after_s in sources
    )
    config = SessionConfig(
        "test", sites=(SiteSetup("muc1", sources=setups),), snapshot_hz=50.0, checks=with_disagreements(())
    )
    session = Session(config)
    session.start()
    return session


def test_what_the_voices_disagree_on_is_in_the_snapshot_and_in_its_check() -> None:
    at = time.time()
    session = session_of(
        ("telemetry", SteadySource(TOPOLOGY, time.time), 0.0),
        ("slurm", ScriptedSource(reading_of([slurm(at)], at)), 60.0),
    )
    try:
        snapshot = session.wait(lambda each: each.disagreements.total > 0, 10.0)
        (row,) = snapshot.disagreements.rows
        assert (row.kind, row.path) == ("down-healthy", "muc1/h1/r001/n0001")
        assert {voice.voice for voice in row.voices} == {"slurm", "telemetry", "inventory"}
        (check,) = session.wait(lambda each: bool(each.checks) and each.checks[0].matches == 1, 10.0).checks
        assert (check.severity, check.paths, check.rows) == (Severity.WARNING, (row.path,), False)
    finally:
        session.close(2.0)


def test_a_scheduler_that_has_fallen_silent_is_not_judged() -> None:
    long_ago = time.time() - 3600.0
    silent = ScriptedSource(reading_of([slurm(long_ago)], long_ago), ServerFailed("muc1", "slurm", "gone"))
    session = session_of(("telemetry", SteadySource(TOPOLOGY, time.time), 0.0), ("slurm", silent, 60.0))
    try:
        found = session.wait(
            lambda each: bool(each.disagreements.at) and each.frame.sites[0].reports, 10.0
        ).disagreements
        found = session.wait(lambda each: each.disagreements.unjudged == NODES, 10.0).disagreements
        assert (found.rows, found.total) == ((), 0)
    finally:
        session.close(2.0)


def test_sentinels_are_a_warning_of_their_source() -> None:
    at = time.time()
    values = np.full(TOPOLOGY.gpus, 300.0, dtype=np.float32)
    values[:3] = 140_737_488_355_328.0
    part = ColumnPart("power_w", InOrder("gpu", TOPOLOGY.version, TOPOLOGY.gpus), values, np.full(TOPOLOGY.gpus, at))
    session = session_of(
        ("telemetry", SteadySource(TOPOLOGY, time.time), 0.0), ("dcgm", ScriptedSource(reading_of([part], at)), 60.0)
    )

    def warned(snapshot: object) -> bool:
        return any("3 of power_w" in text for each in snapshot.sources for text in each.warnings)  # type: ignore[attr-defined]

    try:
        source = next(each for each in session.wait(warned, 10.0).sources if each.warnings)
        assert source.name == "dcgm"
        assert "sentinel values" in source.warnings[0]
    finally:
        session.close(2.0)
