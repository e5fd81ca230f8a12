"""The session: the one facade that the screen and the commands talk to."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from console.engine.compute import Compute
from console.engine.detectors import DetectorHost
from console.engine.fleet_state import FleetState, empty_snapshot
from console.engine.job import Job
from console.engine.journal import Journal
from console.engine.keeping import Keeping
from console.engine.mailbox import MailboxFull
from console.engine.publish import Publisher
from console.engine.reading_desk import ReadingDesk
from console.engine.record import SourceRecord
from console.engine.views import ViewService, settle
from console.engine.worker import PluginWorker
from console.model.errors import NoDataError
from console.model.views import HistoryRef, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from console.core.query import Rows
    from console.engine.journal import JournalPage
    from console.engine.log_stream import LogStream
    from console.engine.setup import SessionConfig
    from console.engine.voices import VoiceDesk
    from console.model.incidents import Deed
    from console.model.levels import Level
    from console.model.place import Place, Size
    from console.model.ports import Question, Subject
    from console.model.snapshot import Snapshot
    from console.model.views import View
    from console.model.voices import VoiceRecord

# What the journal and the memory have at the end, however long the others take; and the journal alone.
LAST_SHARE_S = 0.8
JOURNAL_CLOSE_S = 0.2
# Sources that answer at once are not kept waiting by a snapshot of nothing.
FIRST_TICK_S = 0.25
LOOK_BACK_S = 900.0

log = logging.getLogger("console.engine")
Result = TypeVar("Result")


class Session:
    """Reads the sources, merges, publishes; every method may be called from any thread and returns at once.

    `wait` alone blocks, for as long as it is told. Futures raise ConsoleError, or are cancelled when a newer request
    of the same requester took their place.
    """

    def __init__(self, config: SessionConfig) -> None:
        self.config = config
        self._state_lock = threading.Lock()
        self._started = False
        self._closed = False
        self._disabled: dict[str, str] = {}
        self._pending: set[Future[Any]] = set()
        self._publisher = Publisher()
        self._journal = Journal(config.journal_path, config.clock)
        self._records = [
            SourceRecord(site.name, source, config.clock, self._journal.write)
            for site in config.sites
            for source in site.sources
        ]
        self._view_worker = PluginWorker("gigadeck-views", config.plugin_limit_s, config.clock, self._disable)
        self._detector_worker = PluginWorker("gigadeck-detectors", config.plugin_limit_s, config.clock, self._disable)
        self._detectors = DetectorHost(config.detectors, self._detector_worker, lambda job: self._compute.post(job))
        self._keeping = Keeping(config, self._records, lambda: self._compute.hasten())
        memory = self._keeping.memory
        self._state = FleetState(config, self._records, self._detectors, self._journal, memory)
        self._desk = ReadingDesk(config, self._records, self._state, self._watch)
        self._compute = Compute(
            self._desk,
            lambda: self._state.tick(self._notices),
            self._publisher.publish,
            period_s=1.0 / config.snapshot_hz,
            first_tick_s=_first_tick_s(config),
            clock=config.clock,
        )
        self._desk.connect(self._compute)
        self._views = ViewService(
            config.panels,
            self._view_worker,
            latest=lambda: self._publisher.latest or empty_snapshot(config),
            post=self._compute.post,
            look_up=self._state.series,
        )

    def start(self) -> None:
        """Start the threads; a second call, or one after close(), does nothing."""
        with self._state_lock:
            if self._started or self._closed:
                return
            self._started = True
        self._journal.start()
        self._journal.write({"event": "started", "fleet": self.config.fleet})
        self._keeping.start()
        self._view_worker.start()
        self._detector_worker.start()
        self._compute.start()
        self._desk.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop everything within `timeout_s`, whatever hangs; never raises, and a second call does nothing."""
        with self._state_lock:
            if self._closed:
                return
            self._closed = True
        deadline = time.monotonic() + timeout_s
        try:
            self._stop()
            if self._started:
                self._join(deadline)
        except Exception:  # closing is the last thing a program does: nothing may stop it
            log.exception("a fault while closing")

    def note(self, event: Mapping[str, object]) -> None:
        """Write an event of the user's (a shell that was opened) to the journal; never blocks."""
        self._journal.write(event)

    def sign_in(self, site: str, ask: Callable[[Question], Future[str | None]]) -> Future[str]:
        """Let a site's sources log in where they wait for a person; `ask` is called on the loop thread.

        The answer to come says what it came to, empty where nothing waited; it holds no secret.
        """
        return self._kept(self._desk.sign_in(site, ask))

    def way(self, site: str, host: str) -> Future[str]:
        """Return, when it is known, a UNIX socket to a host through what a person logged in to; empty for none."""
        return self._kept(self._desk.way(site, host))

    def keep(self, deed: Deed) -> Future[str]:
        """Keep what a person does, for good; return, when that is so, what it came to in words.

        It goes to the site's `gigadeck serve` where there is one, else to our own memory. Raises (through the future)
        RefusedError, StateError, SourceError.
        """
        what = {"kind": deed.kind.value, "site": deed.site, "subject": deed.subject, "author": deed.author}
        self._journal.write({"event": "deed", **what})
        # Closing does not end it: what is on its way to the disk then is told as it turns out.
        return self._keeping.keep(deed, self._publisher.latest, self._desk)

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot, None before the first."""
        return self._publisher.latest

    def subscribe(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call back with each snapshot, on the compute thread (return at once!); return what ends it."""
        return self._publisher.subscribe(callback)

    def wait(self, predicate: Callable[[Snapshot], bool], timeout_s: float) -> Snapshot:
        """Return the first snapshot that satisfies `predicate`; raises NoDataError."""
        return self._publisher.wait(predicate, timeout_s)

    def view(
        self, panel_id: str, place: Place, size: Size, *, requester: str = "", snapshot: Snapshot | None = None
    ) -> Future[View]:
        """Return a panel's view of the newest snapshot (or of `snapshot`: a frozen screen), history filled in.

        The newest request of a `requester` (the panel's id, if not given) takes the place of one that still waits.
        """
        return self._kept(self._views.request(panel_id, place, size, requester=requester, snapshot=snapshot))

    def history(self, path: str, field: str, span_s: float) -> Future[Series]:
        """Return one field of one object over the last `span_s` seconds: a copy, empty where nothing is kept."""

        def read() -> Series:
            at, values = self._state.series(HistoryRef(path, field, span_s))
            return Series(field, at, values)

        return self.run(read)

    def query(self, level: Level, **arguments: Any) -> Future[Rows]:
        """Return rows of the newest snapshot; the arguments are those of `core.query.select`."""
        from console.core.query import select

        return self.run(lambda: select(self._required(), level, **arguments))

    def run(self, function: Callable[[], Result], *, key: Hashable = None) -> Future[Result]:
        """Run a short function on the compute thread; one that still waits under the same `key` is cancelled for it."""
        future: Future[Result] = Future()
        job = Job(function, future)
        if self._closed:
            settle(future, error=NoDataError("the session is closed"))
            return future
        try:
            replaced = self._compute.submit(job if key is None else key, job)
        except MailboxFull:
            settle(future, error=NoDataError("the engine is busy: too many requests are waiting"))
            return future
        if isinstance(replaced, Job):
            replaced.future.cancel()
        return self._kept(future)

    def refresh(self, site: str = "", source: str = "") -> None:
        """Read the matching sources (empty: all) now, but for those whose server asked us to wait."""
        self._desk.refresh(site, source)

    def focus(self, path: str) -> None:
        """Tell the sources that can where the user looks, and keep the history of the GPUs there."""
        self._desk.focus(path)
        if path:
            self.run(lambda: self._state.history.watch(path), key="focus")

    def records(self, row_id: str) -> Mapping[str, Future[VoiceRecord]]:
        """Ask the voices of an object's site for their untouched records of it; return each answer to come, by source.

        `row_id` is the address of a node or GPU, or `job:SITE/ID`; of anything else nobody has a record.
        """
        asked = self._voices.records(self._subject(row_id))
        return {source: self._kept(future) for source, future in asked.items()}

    def follow(self, row_id: str, since_s: float = LOOK_BACK_S) -> LogStream:
        """Follow the logs of a node, a GPU or a job, from so many seconds ago on; close what is returned."""
        return self._voices.follow(self._subject(row_id), self.config.clock.time() - since_s)

    def journal(self, after: int, limit: int) -> JournalPage:
        """Return up to `limit` of the newest entries of the journal after a number."""
        return self._journal.after(after, limit)

    def statistics(self) -> dict[str, dict[str, float]]:
        """Return the engine's own health by part: lag, queues, times, what was dropped."""
        return {
            "loop": self._desk.statistics(),
            "compute": self._compute.statistics(),
            "views": self._view_worker.statistics(),
            "detectors": {**self._detector_worker.statistics(), "skipped": self._detectors.skipped},
            "journal": {"dropped": self._journal.dropped},
            "history": {"memory_bytes": self._state.history.memory_bytes},
            **self._keeping.statistics(),
        }

    @cached_property
    def _voices(self) -> VoiceDesk:
        from console.engine.voices import VoiceDesk

        return VoiceDesk(self._records, self.config.clock, self._desk.run)

    def _subject(self, row_id: str) -> Subject | None:
        from console.core.subjects import subject_of

        latest = self._publisher.latest
        return subject_of(latest.frame, row_id) if latest is not None else None

    def _required(self) -> Snapshot:
        latest = self._publisher.latest
        if latest is None:
            raise NoDataError("there is no data yet")
        return latest

    def _kept(self, future: Future[Result]) -> Future[Result]:
        """Remember a future until it is done, so that closing can end it."""
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        if self._closed:
            settle(future, error=NoDataError("the session is closed"))
        return future

    def _watch(self) -> None:
        self._view_worker.check()
        self._detector_worker.check()

    def _disable(self, owner: str, reason: str) -> None:
        self._disabled[owner] = reason
        for plugin in (self.config.panels.get(owner), self.config.detectors.get(owner)):
            disable = getattr(plugin, "disable", None)
            if disable is not None:
                disable(reason)
        self._journal.write({"event": "plugin_disabled", "plugin": owner, "reason": reason})

    def _notices(self) -> tuple[str, ...]:
        disabled = (f"{owner}: {reason}" for owner, reason in list(self._disabled.items()))
        return (*disabled, *([self._journal.broken] if self._journal.broken else []))

    def _stop(self) -> None:
        self._publisher.close()
        if "_voices" in vars(self):
            self._voices.close()
        self._desk.stop()
        self._compute.stop()
        self._view_worker.close()
        self._detector_worker.close()
        for future in list(self._pending):
            settle(future, error=NoDataError("the session is closed"))

    def _join(self, deadline: float) -> None:
        self._journal.write({"event": "stopped"})
        for part in (self._compute, self._desk, self._view_worker, self._detector_worker):
            if not part.join(max(0.0, deadline - LAST_SHARE_S - time.monotonic())):
                log.warning("%s did not stop in time and is left behind", type(part).__name__)
        left_s = max(0.1, deadline - JOURNAL_CLOSE_S - time.monotonic())
        self._keeping.close(self._detectors, left_s, at_rest=self._detector_worker.join(0.0))
        self._journal.close(max(0.1, deadline - time.monotonic()))


def _first_tick_s(config: SessionConfig) -> float:
    """Return when to say what there is: soon to somebody who looks, at the usual time to who waits for all."""
    period_s = 1.0 / config.snapshot_hz
    return min(FIRST_TICK_S, period_s) if config.first_word else period_s
