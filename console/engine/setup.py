"""What a session is built from: plain values that the wiring fills in."""

from __future__ import annotations

import asyncio
from dataclasses import field
from typing import TYPE_CHECKING

from console.engine.clock import Sleep, SystemClock
from console.model.builtin_metrics import BUILTIN
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from console.core.layout import Layout
    from console.model.events import CheckSpec
    from console.model.metrics import MetricTable
    from console.model.ports import Clock, Detector, Panel, Source
    from console.model.topology import SiteTopology
    from console.state.store import Store

DEFAULT_CADENCE_S = 15.0
DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True, eq=False)
class SourceSetup:
    """One endpoint; a cadence, age or time-out of 0 means 'learned' or 'the default'. `url` carries no secret."""

    name: str
    kind: str
    url: str
    source: Source
    cadence_s: float = 0.0
    stale_after_s: float = 0.0
    timeout_s: float = 0.0
    budget_rps: float = 0.0
    budget_bps: float = 0.0


@dataclass(frozen=True, eq=False)
class SiteSetup:
    """One site: its declared topology if there is one, rules for names, and its sources.

    `expected_gpus` is what the site says it has, 0 if it says nothing.
    """

    name: str
    topology: SiteTopology | None = None
    layout: Layout | None = None
    environment: str = ""
    sources: tuple[SourceSetup, ...] = ()
    expected_gpus: int = 0


@dataclass(frozen=True, eq=False)
class MemorySetup:
    """Where our own memory is.

    `open_store` opens it, to be written or (True) only to be read; it is called on the state thread, and again after
    failures. None keeps everything in RAM, until the program ends. `where` says in words where it is (no secret),
    `shared` that others write there too; with `lets_go` it is open only while something is written, so that programs of
    one user take turns. `author` is who does what has no author; `fence` returns the number that a leader writes with.
    `tidy` forgets what is old enough at a time: called once by a program that goes on for a while.
    """

    open_store: Callable[[bool], Store] | None = None
    where: str = ""
    shared: bool = False
    lets_go: bool = False
    author: str = ""
    fence: Callable[[], int | None] | None = None
    tidy: Callable[[Store, float], object] | None = None


@dataclass(frozen=True, eq=False)
class SessionConfig:
    """Everything that a session needs; `plugin_limit_s` is when a plugin's call counts as one that never returns.

    With `first_word` the first source that speaks makes a snapshot at once; else only the last one does, for those who
    wait for all of them anyway. Without `memory` there are no incidents but those that a `gigadeck serve` tells of;
    `read_only` refuses what people would do.
    """

    fleet: str
    environment: str = ""
    metrics: MetricTable = field(default_factory=lambda: BUILTIN)
    sites: tuple[SiteSetup, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    panels: Mapping[str, Panel] = field(default_factory=dict)
    detectors: Mapping[str, Detector] = field(default_factory=dict)
    snapshot_hz: float = 1.0
    journal_path: Path | None = None
    plugin_limit_s: float = 3.0
    first_word: bool = True
    memory: MemorySetup | None = None
    read_only: bool = False
    clock: Clock = field(default_factory=SystemClock)
    sleep: Sleep = asyncio.sleep
