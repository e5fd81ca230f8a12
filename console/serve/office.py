"""The thread that asks the database: who leads, which tokens there are; nothing else waits for it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from console.model.errors import ConsoleError, StateError
from console.serve.role import TURN_S, Candidate, Part, Standing
from console.serve.role_word import FOLLOWER, LEADER, RoleWord
from console.serve.token_book import TokenBook

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.serve.setup import Plan
    from console.state.store import Store

JOIN_S = 3.0

log = logging.getLogger("console.serve")


class Office:
    """Runs the candidacy of one serve until it is closed; `changed` is called on its thread after a change of role."""

    def __init__(
        self,
        plan: Plan,
        keeper: str,
        address: str,
        changed: Callable[[Standing], None],
        *,
        shown_term: Callable[[], int],
    ) -> None:
        self._plan = plan
        self._keeper = keeper
        self._address = address
        self._changed = changed
        self._shown_term = shown_term
        self._store: Store | None = None
        self._fence: int | None = None
        self._candidate: Candidate | None = None
        self._waiting = Standing()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gigadeck-office", daemon=True)
        self.tokens = TokenBook(time.time)
        self.token_trouble = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Resign and end the thread, within a few seconds."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)

    @property
    def standing(self) -> Standing:
        """What we are now."""
        return self._candidate.standing if self._candidate is not None else self._waiting

    @property
    def acts(self) -> bool:
        """Whether we may notify."""
        return self._candidate is not None and self._candidate.acts

    def fence(self) -> int | None:
        """Return the number that we write with: the last one that we were given, never none after the first."""
        return self._fence

    def word(self) -> RoleWord:
        """Return what we say of ourselves; we call ourselves leader when the leader's session is what is served."""
        standing = self.standing
        leads = standing.part is Part.LEADER and self._shown_term() == standing.term
        return RoleWord(LEADER if leads else FOLLOWER, standing.leader)

    def _run(self) -> None:
        while not self._stop.is_set():
            before = self.standing
            self._turn()
            after = self.standing
            if after.fence is not None:
                self._fence = after.fence
            if after.term != before.term or before is self._waiting is not after:
                self._changed(after)
            self._stop.wait(TURN_S)
        self._end()

    def _turn(self) -> None:
        try:
            candidate = self._candidate or self._enter()
            candidate.turn()
            if self._store is not None:
                self._look_at_tokens(self._store)
        except ConsoleError as error:
            if str(error) != self._waiting.trouble:
                log.error("the memory cannot be opened: %s", error)
            self._waiting = Standing(trouble=str(error))
        except Exception:  # this thread alone keeps us in office: it goes on
            log.exception("a fault while asking the database")

    def _enter(self) -> Candidate:
        """Return the candidate; without PostgreSQL nobody else can lead. Raises StateError where there is no way in."""
        election = None
        if self._plan.state:
            from console.state.address import POSTGRESQL
            from console.state.leadership import Leadership
            from console.state.store import open_store

            plan = self._plan
            self._store = open_store(plan.state, realm=plan.realm, base=plan.base, alone=False)
            if self._store.address.kind == POSTGRESQL:
                election = Leadership(self._store, plan.realm, self._keeper, self._address, sites=plan.sites)
        self._candidate = Candidate(election, self._address, self._keeper, time.monotonic)
        return self._candidate

    def _look_at_tokens(self, store: Store) -> None:
        try:
            self.tokens.refresh(store, time.monotonic())
            self.token_trouble = ""
        except StateError as error:
            if not self.token_trouble:
                log.warning("tokens cannot be read anew: %s", error)
            self.token_trouble = str(error)

    def _end(self) -> None:
        if self._candidate is not None:
            self._candidate.resign()
        if self._store is not None:
            self._store.close()
