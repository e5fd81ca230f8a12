"""A backtest from a folder to figures: telemetry in, alerts of everybody out, each scored by the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from console.backtest.detecting import Detecting
from console.backtest.folder import look_into, read_telemetry
from console.backtest.records import read_alerts, read_events, read_truth
from console.backtest.replay import Replay
from console.backtest.ruling import Ruling
from console.backtest.spill import Spill
from console.core.scoring.score import score
from console.core.scoring.values import Watched
from console.model.errors import ConfigError, NoDataError
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from console.backtest.folder import Folder, Telemetry
    from console.backtest.replay import Moment
    from console.backtest.rule_file import RuleFile
    from console.core.layout import Layout
    from console.core.scoring.figures import Score
    from console.core.scoring.savings import Stakes
    from console.core.scoring.values import BacktestAlert, Fault
    from console.model.metrics import MetricTable
    from console.model.ports import Detector

TRUTH, EVENTS = "truth.csv", "events.csv"


class Alerting(Protocol):
    """Whoever raises alerts over frames."""

    name: str
    title: str

    def take(self, moment: Moment) -> None:
        """Look at a frame."""
        ...

    def finished(self) -> tuple[BacktestAlert, ...]:
        """Return all alerts, in the order of time."""
        ...


@dataclass(frozen=True, eq=False)
class Asked:
    """What to backtest: a folder, who raises alerts on it, and at what step (None: the data's own cadence).

    `alerts_in` are files of alerts that others raised, by what to call them.
    """

    folder: Path
    metrics: MetricTable
    detectors: Mapping[str, Detector]
    rules: Sequence[RuleFile]
    alerts_in: Mapping[str, Path]
    layout: Layout | None = None
    step_s: float | None = None
    stakes: Stakes | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """One who raised alerts: the alerts and their figures."""

    name: str
    title: str
    alerts: tuple[BacktestAlert, ...]
    score: Score


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a backtest came to: figures of each, what was watched, and `notes` on what was left out of it and why."""

    scored: tuple[Scored, ...]
    faults: tuple[Fault, ...]
    watched: Watched
    rows: int
    frames: int
    step_s: float
    notes: tuple[str, ...]


def backtest(asked: Asked) -> Outcome:
    """Run a backtest; raises ConfigErrors, ConfigError, NoDataError and ConsoleError as its parts do."""
    folder = look_into(asked.folder, asked.metrics)
    truth = asked.folder / TRUTH
    if not truth.exists():
        raise ConfigError(str(truth), 0, "", "is missing: without what failed nothing can be scored (docs/backtest.md)")
    faults, events = read_truth(truth), read_events(asked.folder / EVENTS)
    # Read before the hours of telemetry, so that what is wrong with it is told at once.
    others = {name: _alerts_of(path) for name, path in asked.alerts_in.items()}
    with Spill(folder.names) as spill:
        telemetry = read_telemetry(folder, spill, asked.layout)
        replay = Replay(telemetry, events, asked.step_s)
        topologies = telemetry.rows.topologies
        rulings = [Ruling(each, topologies) for each in asked.rules]
        detecting = Detecting(asked.detectors, topologies)
        everybody: list[Alerting] = [*([detecting] if asked.detectors else []), *rulings]
        for moment in replay:
            for each in everybody:
                each.take(moment)
    watched = _watched(telemetry, replay)
    raised = [(each.name, each.title, each.finished()) for each in everybody]
    raised += [(name, name, alerts) for name, alerts in others.items()]
    scored = tuple(
        Scored(name, title, alerts, score(alerts, faults, watched, asked.stakes)) for name, title, alerts in raised
    )
    notes = tuple(_notes(folder, telemetry, replay, scored, rulings, detecting))
    return Outcome(scored, faults, watched, spill.rows, replay.frames, replay.step_s, notes)


def _alerts_of(path: Path) -> tuple[BacktestAlert, ...]:
    if not path.exists():
        raise NoDataError(f"{path}: there is no such file of alerts")
    return read_alerts(path)


def _watched(telemetry: Telemetry, replay: Replay) -> Watched:
    gpus = {
        (topology.site, node): tuple(topology.gpu_slot[topology.span(Level.NODE, row, Level.GPU)].tolist())
        for topology in telemetry.rows.topologies
        for row, node in enumerate(topology.nodes)
    }
    return Watched(telemetry.start, telemetry.end, replay.gpu_days, gpus)


def _notes(
    folder: Folder,
    telemetry: Telemetry,
    replay: Replay,
    scored: Sequence[Scored],
    rulings: Sequence[Ruling],
    detecting: Detecting,
) -> list[str]:
    """Return what a reader of the figures has to know."""
    notes = [f"column {name} is not used ({file})" for name, file in sorted(folder.ignored.items())]
    if telemetry.sentinels:
        notes.append(f"{telemetry.sentinels:,} values out of range read as missing")
    if replay.outside:
        notes.append(f"{replay.outside:,} events of {EVENTS} are outside of the telemetry")
    if scored and scored[0].score.outside_faults:
        notes.append(f"{scored[0].score.outside_faults:,} faults of {TRUTH} are outside of the telemetry: not scored")
    notes += [
        f"{each.score.outside_alerts:,} alerts of {each.name} are outside of the telemetry: not scored"
        for each in scored
        if each.score.outside_alerts
    ]
    silent = [each for each in rulings if each.unheard]
    notes += [f"rules of {each.name} without their metrics: {', '.join(each.unheard)}" for each in silent]
    if detecting.unplaced:
        notes.append(f"{detecting.unplaced:,} findings on whole sites name no GPU or node: not scored")
    return [*notes, *detecting.complaints]
