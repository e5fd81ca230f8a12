"""The thread that has the right session on stage: the leader's, or one that follows; never two at a time."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from console.model.errors import NoDataError
from console.serve.role import Part, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.session import Session
    from console.model.snapshot import Snapshot
    from console.serve.hub import Hub
    from console.serve.setup import Plan

FIRST_DATA_S = 1.5
MEMORY_S = 2.5
CLOSE_S = 2.0
AGAIN_S = 5.0
JOIN_S = 6.0

log = logging.getLogger("console.serve")


class Stage:
    """What is wished for is taken up by its thread; a newer wish takes the place of one that still waits."""

    def __init__(self, hub: Hub, plan: Plan, fence: Callable[[], int | None]) -> None:
        self._hub = hub
        self._fence = fence
        self._wanted = threading.Condition()
        self._wish: tuple[Standing, Plan] | None = None
        self._plan = plan
        self._standing = Standing()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="gigadeck-stage", daemon=True)
        self.session: Session | None = None
        self.shown_term = -1
        """The term whose session is on stage, -1 while there is none."""
        self.trouble = ""

    @property
    def plan(self) -> Plan:
        """The plan that was asked for last."""
        return self._plan

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def show(self, standing: Standing) -> None:
        """Have the session of a standing on stage, from any thread."""
        with self._wanted:
            self._standing = standing
            self._wish = standing, self._plan
            self._wanted.notify()

    def replan(self, plan: Plan) -> bool:
        """Go by another plan; return whether that needs another session."""
        with self._wanted:
            anew = plan.likeness != self._plan.likeness
            self._plan = plan
            if anew:
                self._wish = self._standing, plan
                self._wanted.notify()
        return anew

    def close(self) -> None:
        """Close the session and end the thread, within a few seconds."""
        with self._wanted:
            self._closing = True
            self._wanted.notify()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while (wish := self._next()) is not None:
            try:
                self._change(*wish)
            except Exception as error:  # whatever a session's making raises: the next attempt may do
                self.trouble = f"{type(error).__name__}: {error}"
                log.exception("the session could not be made; it is tried again in %g s", AGAIN_S)
                self._retry(wish)
        self._leave()

    def _next(self) -> tuple[Standing, Plan] | None:
        with self._wanted:
            self._wanted.wait_for(lambda: self._closing or self._wish is not None)
            wish, self._wish = self._wish, None
            return None if self._closing else wish

    def _retry(self, wish: tuple[Standing, Plan]) -> None:
        with self._wanted:
            self._wanted.wait_for(lambda: self._closing or self._wish is not None, AGAIN_S)
            self._wish = self._wish or wish

    def _change(self, standing: Standing, plan: Plan) -> None:
        self._leave()
        made = _made(standing, plan, self._fence)
        if made is None:
            return
        self.session = made
        made.start()
        self._await_data(made, plan)
        if self._overtaken():
            return
        self._hub.attach(made, plan.sites)
        self.shown_term, self.trouble = standing.term, ""
        log.info("%s is served", ", ".join(plan.sites), extra={"part": standing.part.value, "term": standing.term})

    def _leave(self) -> None:
        self.shown_term = -1
        session, self.session = self.session, None
        if session is not None:
            session.close(CLOSE_S)

    def _overtaken(self) -> bool:
        with self._wanted:
            return self._closing or self._wish is not None

    def _await_data(self, session: Session, plan: Plan) -> None:
        """Wait until there is something to show in place of what streams show now; not for long.

        What is remembered is waited for as well: without it no incident would be told, as if all were over.
        """
        began = time.monotonic()
        self._await(session, lambda snapshot: _whole(snapshot, plan), began + FIRST_DATA_S)
        self._await(session, lambda snapshot: _remembers(snapshot, plan), began + MEMORY_S)

    def _await(self, session: Session, enough: Callable[[Snapshot], bool], until: float) -> None:
        while time.monotonic() < until and not self._overtaken():
            try:
                session.wait(enough, 0.25)
            except NoDataError:
                continue
            return


def _made(standing: Standing, plan: Plan, fence: Callable[[], int | None]) -> Session | None:
    if standing.part is Part.LEADER:
        return plan.lead(fence if standing.fence is not None else None)
    return plan.follow(standing.leader) if standing.part is Part.FOLLOWER and standing.leader else None


def _whole(snapshot: Snapshot, plan: Plan) -> bool:
    told = {site.site for site in snapshot.frame.sites if site.data_at}
    return told >= set(plan.sites)


def _remembers(snapshot: Snapshot, plan: Plan) -> bool:
    return {memory.site for memory in snapshot.memories} >= set(plan.sites)
