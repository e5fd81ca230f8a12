"""A session whose snapshots a test makes: real merging of what the test says, and no engine behind it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.merge import SiteMerger
from console.engine.clock import SystemClock
from console.engine.journal import Journal
from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.events import Event
from console.model.levels import Severity
from console.model.reading import ColumnPart, EventsPart, InOrder, JobsPart, TopologyPart
from console.model.snapshot import Frame, Snapshot
from console.model.voices import VoiceRecord
from tests.support.toy_world import ToyWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.journal import JournalPage
    from console.model.incidents import Deed
    from console.model.reading import Part

SITE = "muc1"
NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Config:
    snapshot_hz: float = 1.0
    clock: Any = field(default_factory=SystemClock)


class ScriptedSession:
    """`publish` makes a snapshot of the toy world a second later than the last one, with what is set by then."""

    def __init__(self, *, nodes: int = 6) -> None:
        self.config = Config()
        self.world = ToyWorld((SITE,), nodes=nodes)
        self.at = NOW
        self.members: dict[str, Any] = {}
        self.focused: list[str] = []
        self.asked_of: list[str] = []
        self.voices: dict[str, Future[Any]] = {}
        self.deeds: list[Deed] = []
        self.outcome: Callable[[Deed], str] = lambda deed: f"{deed.kind} done by {deed.author}"
        self.wild = False
        self._journal = Journal(None, self.config.clock)
        self._merger = SiteMerger(self.world.topology(SITE), BUILTIN)
        self._random = np.random.default_rng(7)
        self._latest: Snapshot | None = None
        self._anew = True
        self._callbacks: dict[object, Callable[[Snapshot], object]] = {}

    def start(self) -> None:
        if self._latest is None:
            self.publish()

    def close(self, timeout_s: float = 2.0) -> None:
        self._callbacks.clear()

    def latest(self) -> Snapshot | None:
        return self._latest

    def subscribe(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        token = object()
        self._callbacks[token] = callback
        return lambda: self._callbacks.pop(token, None) and None

    def publish(self, *parts: Part) -> Snapshot:
        """Publish from another thread, as the engine does; `wild` has every value change."""
        self.at += 1.0
        for part in (*self._parts(), *parts):
            self._merger.apply(part, source="toy", stale_after_s=60.0, received_at=self.at)
        frame = Frame(self.at, "lab", BUILTIN, (self._merger.frame(self.at),))
        seq = self._latest.seq + 1 if self._latest is not None else 1
        snapshot = self._latest = Snapshot(seq, frame, **self.members)
        callbacks = list(self._callbacks.values())
        thread = threading.Thread(target=lambda: [callback(snapshot) for callback in callbacks])
        thread.start()
        thread.join()
        return snapshot

    def happen(self, text: str) -> Snapshot:
        """Publish a snapshot with one more event."""
        return self.publish(EventsPart((Event(self.at, SITE, SITE, "door", Severity.INFO, text),)))

    def focus(self, path: str) -> None:
        self.focused.append(path)

    def keep(self, deed: Deed) -> Future[str]:
        self.deeds.append(deed)
        future: Future[str] = Future()
        try:
            future.set_result(self.outcome(deed))
        except Exception as error:
            future.set_exception(error)
        return future

    def note(self, event: dict[str, object]) -> None:
        self._journal.write(event)

    def journal(self, after: int, limit: int) -> JournalPage:
        return self._journal.after(after, limit)

    def records(self, row_id: str) -> dict[str, Future[Any]]:
        self.asked_of.append(row_id)
        return dict(self.voices)

    def saying(self, **records: str) -> dict[str, Future[Any]]:
        """Return the answers of voices that know something."""
        voices: dict[str, Future[Any]] = {}
        for source, text in records.items():
            voices[source] = Future()
            voices[source].set_result(VoiceRecord(SITE, source, source, text=text))
        return voices

    def begin_anew(self) -> None:
        """Have the next snapshot begin with the topology that the world has by now."""
        self._anew = True

    def _parts(self) -> list[Part]:
        topology = self.world.topology(SITE)
        state = self.world.state(SITE, self.at)
        anew, self._anew = self._anew, False
        parts: list[Part] = [TopologyPart(topology)] if anew else []
        for name, values in state.columns.items():
            made = self._random.random(len(values)).astype(np.float32) * 90 if self.wild else values
            keys = InOrder(BUILTIN[name].level, topology.version, len(values))
            parts.append(ColumnPart(name, keys, made, same_time(self.at, len(values))))
        if anew:
            parts.append(JobsPart(state.jobs, gpu_job=state.gpu_job, version=topology.version, at=self.at))
        if self._latest is None:
            parts.append(EventsPart(state.events))
        return parts
