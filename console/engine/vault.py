"""The store and what is written to it: touched by the state thread alone, one transaction at a time."""

from __future__ import annotations

import contextlib
import time
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from console.core.incident_book import REMEMBER_S
from console.engine.drafting import Draft
from console.engine.views import settle
from console.model.errors import Fenced, NewerSchema, RefusedError, StateBusy, StateError
from console.model.values import dataclass

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from console.engine.remembrance import Remembrance
    from console.engine.saved_columns import SavedColumn
    from console.engine.setup import MemorySetup
    from console.model.incidents import Deed, Incident
    from console.model.ports import Clock
    from console.state.store import Store
    from console.state.values import Remembered
    from console.state.writer import Writer

# Others may write to a shared store: so often it is looked at again.
LOOK_AGAIN_S = 5.0
NEVER_S = 3600.0
# A command has better things to do than to clean up.
TIDY_AFTER_S = 60.0
# Programs of one user take turns.
BUSY_S = 2.0
BUSY_REST_S = 0.02


class Hears(Protocol):
    """Who is told what the store holds (on the state thread)."""

    def loaded(self, remembered: Remembered, unwritten: Mapping[str, Incident]) -> dict[str, Incident]:
        """Hear what is kept, and which incidents still wait to be written; return these as they are to be written."""
        ...

    def attempted(self) -> None:
        """Hear that the store was tried, well or not."""
        ...


@dataclass(frozen=True, eq=False)
class Pending:
    """A deed that waits to be kept, since when (monotonic seconds), and who waits for the answer."""

    deed: Deed
    future: Future[str]
    since: float


@dataclass(eq=False)
class Work:
    """What waits to be written: deeds in their order, incidents by id, columns of detectors."""

    deeds: list[Pending] = field(default_factory=list)
    changes: dict[str, Incident] = field(default_factory=dict)
    columns: tuple[SavedColumn, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.deeds or self.changes or self.columns)


class Vault:
    """Owns the store; `lock` guards `memory`, which the compute thread shares."""

    def __init__(
        self,
        setup: MemorySetup,
        memory: Remembrance,
        lock: threading.Lock,
        clock: Clock,
        hears: Hears,
        sites: Sequence[str],
    ) -> None:
        assert setup.open_store is not None  # else there is nothing to own
        self._open_store = setup.open_store
        self._lets_go, self._shared = setup.lets_go, setup.shared
        self._tidy, self._tidy_at = setup.tidy, clock.monotonic() + TIDY_AFTER_S
        self._fence = setup.fence
        self._memory = memory
        self._lock = lock
        self._clock = clock
        self._hears = hears
        self._sites = tuple(sites)
        self._store: Store | None = None
        self._looked_at = 0.0
        self._loaded = self._failed = False
        self.look_again_s = LOOK_AGAIN_S if setup.shared else NEVER_S
        self.commits = self.kept = 0

    @property
    def is_known(self) -> bool:
        """Whether it is known what the store holds."""
        return self._loaded

    @property
    def look_at(self) -> float:
        """When to look at the store again, monotonic seconds."""
        return self._looked_at + self.look_again_s

    def serve(self, work: Work) -> None:
        """Write everything; a transaction whose end nobody knows is simply done again, once. Raises StateError."""
        try:
            store = self._opened(work)
            try:
                self._write(store, work)
            except (Fenced, NewerSchema):
                raise
            except StateError:
                self._hear(store, work)  # what was committed all the same is done, and ours has to know it
                self._write(store, work)
        except StateError:
            self._failed = True
            raise
        finally:
            if self._lets_go:
                self.close()
        self._failed = False

    def close(self) -> None:
        """Let go of the store."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _opened(self, work: Work) -> Store:
        """Return the store, with what it holds heard before anything is written."""
        if self._store is None:
            try:
                only_looks = self._lets_go and self._loaded and not work
                self._store = self._open_store(True) if only_looks else self._open_patiently()
            except NewerSchema:
                raise
            except StateError:
                self._only_read(work)
                raise
        # Others may have written since: what they know is heard before we write over it.
        others = self._shared and bool(work)
        if others or not self._loaded or self._failed or self._clock.monotonic() >= self.look_at:
            self._hear(self._store, work)
            self._loaded, self._looked_at = True, self._clock.monotonic()
        return self._store

    def _open_patiently(self) -> Store:
        """Open the store to write; whoever else of this user writes it is soon done."""
        until = self._clock.monotonic() + (BUSY_S if self._lets_go else 0.0)
        while True:
            try:
                return self._open_store(False)
            except StateBusy:
                if self._clock.monotonic() >= until:
                    raise
                time.sleep(BUSY_REST_S)

    def _only_read(self, work: Work) -> None:
        """Hear at least what is kept where somebody else writes it."""
        with contextlib.suppress(StateError), contextlib.closing(self._open_store(True)) as store:
            self._hear(store, work)

    def _hear(self, store: Store, work: Work) -> None:
        from console.state.values import Remembered

        with store.asking() as reader:
            remembered = Remembered(
                reader.incidents(self._sites, self._clock.time() - REMEMBER_S),
                reader.notes(self._sites),
                reader.views(self._sites),
                () if self._loaded else reader.baselines(self._sites),
            )
        work.changes = self._hears.loaded(remembered, work.changes)

    def _write(self, store: Store, work: Work) -> None:
        if work.deeds or work.changes:
            self._write_words(store, work)
            work.deeds, work.changes = [], {}
        if work.columns:
            from console.engine.saved_columns import pack

            # By themselves: they are large, and nobody waits for them.
            with store.begin(self._number()) as writer:
                writer.put_baselines(tuple(pack(work.columns)))
            work.columns = ()
        if self._tidy is not None and self._clock.monotonic() >= self._tidy_at:
            tidy, self._tidy = self._tidy, None
            tidy(store, self._clock.time())

    def _number(self) -> int | None:
        return self._fence() if self._fence else None

    def _write_words(self, store: Store, work: Work) -> None:
        draft = Draft(self._memory)
        with store.begin(self._number()) as writer:
            writer.put_incidents(tuple(work.changes.values()))
            writer.expect(pending.deed for pending in work.deeds)
            answers = [(pending, self._do(pending.deed, draft, writer)) for pending in work.deeds]
            _put(draft, writer)
        self.commits += 1
        self.kept += len(answers)
        with self._lock:
            self._memory.take(draft)
        self._hears.attempted()
        for pending, answer in answers:
            if isinstance(answer, RefusedError):
                settle(pending.future, error=answer)
            else:
                settle(pending.future, result=answer)

    def _do(self, deed: Deed, draft: Draft, writer: Writer) -> str | RefusedError:
        """Return what a deed comes to, or why it is refused; one that was done before is not done again."""
        before = writer.done(deed)
        if before is not None:
            return before
        try:
            with self._lock:
                outcome = draft.draw(deed)
        except RefusedError as refusal:
            return refusal
        writer.remember(deed, outcome)
        return outcome


def _put(draft: Draft, writer: Writer) -> None:
    writer.put_incidents(tuple(draft.incidents.values()))
    for (_, id), note in draft.notes.items():
        writer.add_note(note) if note is not None else writer.drop_note(id)
    for (site, name), view in draft.views.items():
        writer.put_view(site, view) if view is not None else writer.drop_view(site, name)
