"""The console on a fleet file, with its loop's lag measured; or the same screen without an engine.

`python -m bench.loaded_console FLEET RESULT [--without-engine] [--tasks-only]`: it measures from SIGUSR1 on, and when
told to end (SIGTERM) it writes what it measured to RESULT as JSON. Without an engine the screen shows one snapshot of
the fleet, taken when its sites had data, for ever. With tasks alone nothing is measured in between: a soak must not
fill the memory that it watches.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from console.cli.commands.console import app_setup
from console.cli.interpreter import keep_pauses_short, tune
from console.engine.fill import fill_history
from console.ui.app import ConsoleApp
from console.wiring import open_fleet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from console.model.columns import Values
    from console.model.place import Place, Size
    from console.model.snapshot import Snapshot
    from console.model.views import HistoryRef, View
    from console.ui.setup import AppSetup
    from console.wiring import Fleet

BEAT_S = 0.005
PROBE_S = 0.002
MOST_KEPT = 200_000


class MeasuredApp(ConsoleApp):
    """The console; `lags` are by how much its loop was late for a timer (if it `beats`), `tasks` how many are there."""

    CSS_PATH = str(Path(inspect.getfile(ConsoleApp)).with_name("console.tcss"))

    def __init__(self, setup: AppSetup, *, beats: bool = True) -> None:
        super().__init__(setup)
        self._beats = beats
        self.lags: deque[float] = deque(maxlen=MOST_KEPT)
        self.tasks: list[dict[str, int]] = []
        self._beating: asyncio.Task[None] | None = None

    async def on_load(self) -> None:
        """Begin to measure with the loop."""
        if self._beats:
            self._beating = asyncio.create_task(self._measure())

    async def _measure(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            self.lags.append(time.perf_counter() - before - BEAT_S)


def tasks(fleet: Fleet) -> dict[str, int]:
    """Return how many tasks are alive, on the screen's loop (the running one) and the engine's, by what they run.

    Not by the collector's list of objects: it leaves out all that was there when the fleet had settled.
    """
    # The engine tells nobody of its loop.
    engine = fleet.session._desk._loop._loop
    loops = [asyncio.get_running_loop(), *([engine] if engine is not None else [])]
    alive = (task for loop in loops for task in asyncio.all_tasks(loop))
    return dict(Counter(getattr(each.get_coro(), "__qualname__", "?") for each in alive))


class LockProbe(threading.Thread):
    """Wakes every few milliseconds and notes how long it then waited for the interpreter's lock."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.waits: deque[float] = deque(maxlen=MOST_KEPT)
        self.stopped = False

    def run(self) -> None:
        """Probe until stopped."""
        while not self.stopped:
            before = time.perf_counter()
            time.sleep(PROBE_S)
            self.waits.append(time.perf_counter() - before - PROBE_S)


class StillSession:
    """A session whose one snapshot never changes; views are made on a thread, as the engine does."""

    def __init__(self, fleet: Fleet, snapshot: Snapshot) -> None:
        self._fleet = fleet
        self._snapshot = snapshot
        self._worker = ThreadPoolExecutor(1)

    def start(self) -> None:
        """Start nothing."""

    def close(self, timeout_s: float = 2.0) -> None:
        """Close nothing."""

    def latest(self) -> Snapshot:
        """Return the snapshot."""
        return self._snapshot

    def subscribe(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Hear of nothing."""
        return lambda: None

    def view(
        self, panel_id: str, place: Place, size: Size, *, requester: str = "", snapshot: Snapshot | None = None
    ) -> Future[View]:
        """Return the panel's view of the snapshot."""
        view = self._fleet.host.panels[panel_id].view
        return self._worker.submit(lambda: fill_history(view(self._snapshot, place, size), _no_history))

    def run(self, function: Callable[[], Any], *, key: Any = None) -> Future[Any]:
        """Run a function on the same thread."""
        return self._worker.submit(function)

    def refresh(self, site: str = "", source: str = "") -> None:
        """Read nothing."""

    def focus(self, path: str) -> None:
        """Look nowhere."""

    def statistics(self) -> dict[str, dict[str, float]]:
        """Return nothing."""
        return {}


def _no_history(ref: HistoryRef) -> tuple[NDArray[np.float64], Values]:
    return np.zeros(0), np.zeros(0, dtype=np.float32)


def main() -> None:
    """Run the console until it is told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fleet")
    parser.add_argument("result", type=Path)
    parser.add_argument("--without-engine", action="store_true")
    parser.add_argument("--tasks-only", action="store_true")
    given = parser.parse_args()
    tune()
    fleet = open_fleet(given.fleet)
    keep_pauses_short(fleet.session)
    setup = app_setup(fleet)
    app = MeasuredApp(_without_engine(fleet, setup) if given.without_engine else setup, beats=not given.tasks_only)
    probe = LockProbe()
    if not given.tasks_only:
        probe.start()
    try:
        _run(app, probe, fleet)
    finally:
        probe.stopped = True
        engine = fleet.session.statistics()
        told = {"lags": list(app.lags), "waits": list(probe.waits), "tasks": app.tasks, "engine": engine}
        given.result.write_text(json.dumps(told))
        fleet.session.close(1.5)


def _run(app: MeasuredApp, probe: LockProbe, fleet: Fleet) -> None:
    import signal

    def begin(number: int, _: object) -> None:
        app.tasks.append(tasks(fleet))
        app.lags.clear()
        probe.waits.clear()

    signal.signal(signal.SIGUSR1, begin)

    def end(number: int, _: object) -> None:
        app.tasks.append(tasks(fleet))
        app.exit_from_signal(0)

    signal.signal(signal.SIGTERM, end)
    app.run()


def _without_engine(fleet: Fleet, setup: AppSetup) -> AppSetup:
    fleet.session.start()
    snapshot = fleet.session.wait(lambda each: all(site.data_at for site in each.frame.sites[:10]), 60.0)
    fleet.session.close()
    return replace(setup, session=StillSession(fleet, snapshot))


if __name__ == "__main__":
    main()
