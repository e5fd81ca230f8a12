"""Keeps the memory small: the leader forgets what is old, now and then, on a thread that nobody waits for."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from console.serve.parts import Parts

FIRST_S = 600.0
EVERY_S = 6 * 3600.0
JOIN_S = 2.0

log = logging.getLogger("console.serve")


class Upkeep:
    """A thread that sleeps until it is time."""

    def __init__(self, parts: Parts, *, first_s: float = FIRST_S, every_s: float = EVERY_S) -> None:
        self._parts = parts
        self._first_s = first_s
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gigadeck-upkeep", daemon=True)
        self.gone: dict[str, int] = {}

    def start(self) -> None:
        """Start the thread, where there is a memory."""
        if self._parts.stage.plan.state:
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)

    def turn(self) -> None:
        """Forget what is old, if we lead; a failure is logged, the next turn comes."""
        office, plan = self._parts.office, self._parts.stage.plan
        if not office.acts:
            return
        from console.state.housekeeping import housekeep
        from console.state.store import open_store

        try:
            store = open_store(plan.state, realm=plan.realm, base=plan.base, alone=False)
            try:
                fence = office.standing.fence
                self.gone = housekeep(
                    store, plan.config.retention, now=self._parts.clock(), fence=fence, is_gone=self._is_gone
                )
            finally:
                store.close()
        except ConsoleError as error:
            log.warning("the memory could not be tidied: %s", error)
            return
        log.info("the memory was tidied", extra={"rows": self.gone})

    def _is_gone(self, site: str, subject: str) -> bool:
        """Return whether a site surely has no such object; where there is no session, nobody can say so."""
        from console.core.note_subjects import is_gone

        session = self._parts.stage.session
        snapshot = session.latest() if session is not None else None
        return snapshot is not None and is_gone(snapshot.frame, site, subject)

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._stop.wait(wait_s):
            wait_s = self._every_s
            try:
                self.turn()
            except Exception:  # the thread goes on
                log.exception("a fault while tidying the memory")
