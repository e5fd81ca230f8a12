"""Our own memory: incidents with their life, what people do about them, notes and views, as snapshots show them."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from console.engine.views import settle
from console.model.errors import RefusedError, StateError
from console.model.incidents import MemoryStatus
from console.model.values import dataclass
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from console.engine.remembrance import Remembrance
    from console.engine.saved_columns import SavedColumn
    from console.engine.setup import MemorySetup
    from console.engine.state_thread import StateThread
    from console.model.incidents import Deed, Incident, Note, SharedView, Sign
    from console.model.ports import Clock
    from console.state.values import Remembered

OWN, NONE = "own", "none"
# What was remembered is waited for so long before anything is opened anew.
PATIENCE_S = 2.0
SAVE_EVERY_S = 300.0
MOST_DONE = 10_000
TROUBLE_LIMIT = 400


@dataclass(frozen=True, eq=False)
class Told:
    """What is remembered, for a snapshot."""

    incidents: tuple[Incident, ...] = ()
    notes: tuple[Note, ...] = ()
    views: tuple[SharedView, ...] = ()
    memories: tuple[MemoryStatus, ...] = ()
    notices: tuple[str, ...] = ()


class MemoryDesk:
    """The memory of a session, in RAM and, where there is a store, kept there for good; it is a `Keeper`.

    `submit` may be called from any thread; `update` and `told` from the compute thread alone. `changed` is called
    whenever snapshots should show something new.
    """

    def __init__(
        self, setup: MemorySetup, sites: Sequence[str], clock: Clock, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._setup = setup
        self._sites = frozenset(sites)
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()
        self._done: OrderedDict[str, str] = OrderedDict()
        self._started_at: float | None = None
        self._attempted = setup.open_store is None
        self._restored: tuple[SavedColumn, ...] = ()
        self._saved_at = 0.0
        self._thread: StateThread | None = None
        self._closed = False

    @cached_property
    def _memory(self) -> Remembrance:
        from console.engine.remembrance import Remembrance  # the first picture shows nothing of it

        return Remembrance()

    # Any thread

    def start(self) -> None:
        """Open the memory; a second call does nothing."""
        with self._lock:
            if self._started_at is not None or self._closed:
                return
            self._started_at = self._saved_at = self._clock.monotonic()
        if self._setup.open_store is not None:
            self._keeping().start()

    def _keeping(self) -> StateThread:
        """Return the thread that owns the store; what is asked before it is started waits for it."""
        with self._lock:
            if self._thread is None:
                from console.engine.state_thread import StateThread
                from console.engine.vault import Vault

                order = sorted(self._sites)
                vault = Vault(self._setup, self._memory, self._lock, self._clock, self, order)
                self._thread = StateThread(vault, self._clock, self)
            return self._thread

    def submit(self, deed: Deed) -> Future[str]:
        """Keep a deed; the future gives what it came to in words when it is kept for good.

        Raises (through the future) RefusedError for what cannot be done and StateError for what cannot be kept.
        """
        future: Future[str] = Future()
        whole = replace(deed, author=deed.author or self._setup.author or "unknown", at=self._clock.time())
        if whole.site not in self._sites or not whole.id:
            told = ", ".join(sorted(self._sites))
            settle(
                future, error=RefusedError(f"{deed.site or 'no site'}: we remember nothing of it; there are: {told}")
            )
        elif self._closed:
            settle(future, error=StateError(f"{deed.site}: not kept: the session is closed"))
        elif self._setup.open_store is None:
            self._in_ram(whole, future)
        else:
            from console.engine.vault import Pending

            self.start()
            self._keeping().submit(Pending(whole, future, self._clock.monotonic()))
        return future

    async def keep(self, deed: Deed) -> str:
        """Keep a deed (the port `Keeper`); return what it came to. Raises RefusedError, StateError."""
        return await asyncio.wrap_future(self.submit(deed))

    def _in_ram(self, deed: Deed, future: Future[str]) -> None:
        try:
            with self._lock:
                outcome = self._done.get(deed.id) or self._do(deed)
        except RefusedError as refusal:
            settle(future, error=refusal)
            return
        settle(future, result=outcome)
        self._changed()

    def _do(self, deed: Deed) -> str:
        from console.engine.drafting import Draft

        draft = Draft(self._memory)
        outcome = draft.draw(deed)
        self._memory.take(draft)
        self._done[deed.id] = outcome
        if len(self._done) > MOST_DONE:
            self._done.popitem(last=False)
        return outcome

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end within `timeout_s`; return whether that came to its end."""
        self._closed = True
        return self._thread.close(timeout_s) if self._thread is not None else True

    def statistics(self) -> dict[str, float]:
        """Return how much was kept and what waits."""
        return self._thread.statistics() if self._thread is not None else {}

    # The compute thread

    @property
    def is_ready(self) -> bool:
        """Whether what was remembered before is known, or has been waited for long enough."""
        if self._attempted:
            return True
        return self._started_at is not None and self._clock.monotonic() - self._started_at > PATIENCE_S

    def update(self, signs: Sequence[Sign], heard: Collection[str], now: float) -> None:
        """Take in what is wrong at the sites that we judge; `heard` are those where something may be over."""
        with self._lock:
            changes = self._memory.update(signs, now, heard)
        if self._thread is not None:
            self._thread.note(changes)
            self._thread.check(self._clock.monotonic())

    def told(self, sites: AbstractSet[str]) -> Told:
        """Return what is remembered of some sites."""
        if not self.is_ready:
            return Told()
        with self._lock:
            incidents = self._memory.incidents()
            notes, views = self._memory.shown()
            left_out = self._memory.left_out
        mine = sites & self._sites
        return Told(
            tuple(each for each in incidents if each.site in mine),
            notes if mine == self._sites else tuple(each for each in notes if each.site in mine),
            views,
            tuple(self._status(site) for site in sorted(mine)),
            tuple(self._notices(left_out.items())),
        )

    @property
    def trouble(self) -> str:
        """Why nothing can be kept now, in words; empty while it can."""
        return clean(self._thread.trouble, TROUBLE_LIMIT) if self._thread is not None else ""

    def _status(self, site: str) -> MemoryStatus:
        if self._setup.open_store is None:
            return MemoryStatus(site, NONE, self._setup.where or "RAM: it ends with this program")
        return MemoryStatus(site, OWN, self._setup.where, self.trouble)

    def _notices(self, left_out: Collection[tuple[str, int]]) -> Iterator[str]:
        if self.trouble:
            yield f"nothing new is remembered: {self.trouble}"
        for site, count in left_out:
            yield f"{site}: {count:,} more things are wrong than incidents are kept of"

    @property
    def is_lasting(self) -> bool:
        """Whether what is kept outlasts this program, and it was opened."""
        return self._thread is not None and self._started_at is not None

    def wants_columns(self) -> bool:
        """Whether detectors' memory should be offered again to be kept."""
        return self.is_lasting and self._clock.monotonic() - self._saved_at >= SAVE_EVERY_S

    def offer(self, columns: Sequence[SavedColumn]) -> None:
        """Have columns of detectors' memory kept."""
        self._saved_at = self._clock.monotonic()
        if self._thread is not None and columns:
            self._thread.offer(columns)

    def restored(self) -> tuple[SavedColumn, ...]:
        """Return, once, the columns of detectors that were kept before."""
        if not self._restored:
            return ()
        restored, self._restored = self._restored, ()
        return restored

    # The state thread

    def loaded(self, remembered: Remembered, unwritten: Mapping[str, Incident]) -> dict[str, Incident]:
        """Hear what the store holds; return what is left to be written."""
        from console.engine.saved_columns import unpack

        with self._lock:
            left = self._memory.hear(remembered.incidents, remembered.notes, remembered.views, unwritten=unwritten)
        if remembered.baselines:
            self._restored = unpack(remembered.baselines)
        self._attempted = True
        self._changed()
        return left

    def attempted(self) -> None:
        """Hear that the store was tried."""
        self._attempted = True
        self._changed()
