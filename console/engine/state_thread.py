"""The state thread: everything that waits is written to the store in one transaction, and answered when that holds."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from console.engine.vault import Work
from console.engine.views import settle
from console.model.errors import Fenced, NewerSchema, StateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.engine.saved_columns import SavedColumn
    from console.engine.vault import Hears, Pending, Vault
    from console.model.incidents import Deed, Incident
    from console.model.ports import Clock

MOST_DEEDS = 2000
MOST_CHANGES = 20_000
# What nobody waits for is written together with what comes soon after it.
LINGER_S = 0.5
RETRY_S = (1.0, 2.0, 5.0, 10.0)
# Whoever waits is told after so long that nobody knows; the same deed again is done once.
ANSWER_S = 15.0

log = logging.getLogger("console.engine")


class StateThread:
    """Has everything that waits written to a vault, which nobody else ever touches; opens it again until that succeeds.

    `trouble` says in words why nothing can be kept now, empty while it can.
    """

    def __init__(self, vault: Vault, clock: Clock, hears: Hears) -> None:
        self._vault = vault
        self._clock = clock
        self._hears = hears
        self._wanted = threading.Condition()
        self._deeds: deque[Pending] = deque()
        self._serving: Sequence[Pending] = ()
        self._changes: dict[str, Incident] = {}
        self._columns: tuple[SavedColumn, ...] = ()
        self._changed_at = self._retry_at = 0.0
        self._failures = self._lost = 0
        self._closing = False
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="gigadeck-state", daemon=True)

    # Any thread

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether the thread was started."""
        return self._thread.ident is not None

    def submit(self, pending: Pending) -> None:
        """Queue a deed; its future fails at once where too many wait or the end has come."""
        with self._wanted:
            refusal = "the session is closed" if self._closing else ""
            if len(self._deeds) >= MOST_DEEDS:
                refusal = f"{len(self._deeds):,} writes wait already; try again in a moment"
            if not refusal:
                self._deeds.append(pending)
                self._wanted.notify()
        if refusal:
            settle(pending.future, error=StateError(f"{pending.deed.site}: not kept: {refusal}"))

    def note(self, changes: Sequence[Incident]) -> None:
        """Have incidents kept as they are now; of what cannot be written for long, the oldest changes are lost."""
        if not changes:
            return
        with self._wanted:
            self._changed_at = self._changed_at or self._clock.monotonic()
            self._changes.update((each.id, each) for each in changes)
            while len(self._changes) > MOST_CHANGES:
                del self._changes[next(iter(self._changes))]
                self._lost += 1
            self._wanted.notify()

    def offer(self, columns: Sequence[SavedColumn]) -> None:
        """Have columns of detectors kept; newer ones take the place of those that still wait."""
        with self._wanted:
            self._columns = tuple(columns)
            self._wanted.notify()

    def check(self, now: float) -> None:
        """Answer whoever has waited for too long (`now` is monotonic); the deed may still be done."""
        with self._wanted:
            late = [each for each in (*self._serving, *self._deeds) if now - each.since > ANSWER_S]
            for each in late:
                if each in self._deeds:
                    self._deeds.remove(each)
        for each in late:
            reason = self.trouble or "the database does not answer"
            settle(each.future, error=_not_kept(each.deed, f"no answer within {ANSWER_S:g} s: {reason}"))

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end, within `timeout_s`; return whether the thread ended."""
        with self._wanted:
            self._closing = True
            self._wanted.notify()
        if self.started:
            self._thread.join(timeout_s)
        with self._wanted:
            left = [*self._serving, *self._deeds]
            self._deeds.clear()
        for each in left:
            settle(each.future, error=_not_kept(each.deed, "the program ended before it was written"))
        return not self._thread.is_alive()

    def statistics(self) -> dict[str, float]:
        """Return how many deeds and transactions there were, and what waits."""
        with self._wanted:
            waiting = len(self._deeds) + len(self._changes)
        vault = self._vault
        return {"commits": vault.commits, "deeds": vault.kept, "waiting": waiting, "lost": self._lost}

    # The state thread

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn()
            left = self._taken()
            if left:
                self._serve(left)
        finally:
            self._let_go()

    def _turn(self) -> None:
        work = self._next()
        if work or not self._vault.is_known or self._failures or self._clock.monotonic() >= self._vault.look_at:
            self._serve(work)

    def _next(self) -> Work:
        """Wait until there is something to do, and take everything that waits."""
        with self._wanted:
            while not self._closing and not self._deeds:
                wait_s = self._due_at() - self._clock.monotonic()
                if wait_s <= 0:
                    break
                self._wanted.wait(wait_s)
        return self._taken()

    def _due_at(self) -> float:
        if self._failures or not self._vault.is_known:
            return self._retry_at
        if self._columns:
            return 0.0
        return min(self._vault.look_at, self._changed_at + LINGER_S) if self._changes else self._vault.look_at

    def _taken(self) -> Work:
        with self._wanted:
            work = Work(list(self._deeds), self._changes, self._columns)
            self._deeds.clear()
            self._serving = tuple(work.deeds)
            self._changes, self._columns, self._changed_at = {}, (), 0.0
        return work

    def _serve(self, work: Work) -> None:
        try:
            self._vault.serve(work)
        except StateError as error:
            self._failed(work, error)
        except Exception as error:  # the thread outlives every fault
            log.exception("the state thread goes on after a fault")
            self._failed(work, StateError(f"internal fault: {type(error).__name__}"))
        else:
            if self._failures:
                log.warning("the memory can be written again")
            self._failures, self.trouble = 0, self._loss()
        finally:
            with self._wanted:
                self._serving = ()
            self._hears.attempted()

    def _failed(self, work: Work, error: StateError) -> None:
        """Say what is wrong to whoever waits, keep the rest for later, and try again after a while."""
        if not self._failures:
            log.warning("the memory cannot be written: %s", error)
        self.trouble = f"{error}"
        wait_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        with self._wanted:
            self._retry_at = self._clock.monotonic() + wait_s
            self._changes = {**work.changes, **self._changes}
            self._columns = self._columns or work.columns
        for pending in work.deeds:
            settle(pending.future, error=_refusal(pending.deed, error))

    def _loss(self) -> str:
        return f"{self._lost:,} changes of incidents were too many to be kept meanwhile" if self._lost else ""

    def _let_go(self) -> None:
        try:
            self._vault.close()
        except Exception:  # the last thing that this thread does
            log.exception("the memory could not be closed")


def _not_kept(deed: Deed, reason: str) -> StateError:
    return StateError(f"{deed.site}: {deed.kind.value} is not known to be kept: {reason}; do it again: it is done once")


def _refusal(deed: Deed, error: StateError) -> StateError:
    if isinstance(error, (Fenced, NewerSchema)):
        return error
    return StateError(f"{deed.site}: {deed.kind.value} was not kept: {error}; do it again when the memory is well")
