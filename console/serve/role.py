"""Leader or follower: what one candidate knows of the election, turn by turn; no thread and no clock of its own."""

from __future__ import annotations

import logging
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from console.model.errors import ConsoleError, Fenced, StateError
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.state.leadership import Leader

TURN_S = 0.5
RENEW_S = 2.0
LEASE_S = 8.0

log = logging.getLogger("console.serve")


class Part(StrEnum):
    """What this serve is: it waits until the database has told who leads."""

    WAITING = "waiting"
    LEADER = "leader"
    FOLLOWER = "follower"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a serve is now: `term` grows with each change that needs another session; `leader` is the leader's address.

    `fence` is the number of our office (None where no database elects); `trouble` why the database tells nothing.
    """

    part: Part = Part.WAITING
    term: int = 0
    fence: int | None = None
    leader: str = ""
    holder: str = ""
    trouble: str = ""


class Election(Protocol):
    """What the database says (`console.state.leadership.Leadership`)."""

    def try_lead(self) -> int | None:
        """Return our fence if we lead now; raises StateError."""
        ...

    def renew(self) -> None:
        """Make the lease last; raises Fenced, StateError."""
        ...

    def leader(self) -> Leader | None:
        """Return who leads; raises StateError."""
        ...

    def resign(self) -> None:
        """Let somebody else lead; never raises."""
        ...


class Candidate:
    """One candidate of one realm; `turn` is called by one thread, `standing` and `acts` may be asked from any."""

    def __init__(self, election: Election | None, address: str, holder: str, monotonic: Callable[[], float]) -> None:
        self._election = election
        self._address = address
        self._holder = holder
        self._monotonic = monotonic
        self._heard_at = float("-inf")
        self._renew_at = float("-inf")
        self._broken = False
        self.standing = Standing()
        if election is None:
            self.standing = Standing(Part.LEADER, 1, None, address, holder)

    @property
    def acts(self) -> bool:
        """Whether we may notify and act: we lead, and nobody can have taken over without our knowing of it."""
        if self.standing.part is not Part.LEADER:
            return False
        return self._election is None or self._monotonic() - self._heard_at < LEASE_S

    def turn(self) -> None:
        """Ask the database what is due; a failure of it changes what we are only where somebody else leads."""
        if self._election is None:
            return
        try:
            if self.standing.part is Part.LEADER and not self._broken:
                self._stay(self._election)
            else:
                self._run_for_it(self._election)
        except Fenced as error:
            log.warning("we lead no more: %s", error)
            try:
                self._follow(self._election)
            except ConsoleError as unknown:
                self._lost(unknown)
        except ConsoleError as error:
            self._lost(error)

    def resign(self) -> None:
        """Let somebody else lead, at the end."""
        if self._election is not None:
            self._election.resign()

    def _stay(self, election: Election) -> None:
        now = self._monotonic()
        if now < self._renew_at:
            return
        election.renew()
        self._heard_at, self._renew_at = now, now + RENEW_S
        self._told("")

    def _run_for_it(self, election: Election) -> None:
        """Lead where nobody else does. A leader that lost the database leads on, if nobody did in the meantime."""
        now, before = self._monotonic(), self.standing
        fence = election.try_lead()
        if fence is None:
            self._follow(election)
            return
        self._heard_at, self._renew_at, self._broken = now, now + RENEW_S, False
        led_on = before.part is Part.LEADER and before.fence is not None and fence == before.fence + 1
        term = before.term if led_on else before.term + 1
        self.standing = Standing(Part.LEADER, term, fence, self._address, self._holder)
        log.info("we lead%s", " on" if led_on else "", extra={"fence": fence})

    def _follow(self, election: Election) -> None:
        self._broken = False
        before = self.standing
        if before.part is Part.LEADER:  # whatever comes next: from here on we neither judge nor notify
            self.standing = before = Standing(Part.FOLLOWER, before.term + 1)
        found = election.leader()
        address, holder = (found.address, found.holder) if found is not None else ("", "")
        same = before.part is Part.FOLLOWER and before.leader == address
        self.standing = Standing(Part.FOLLOWER, before.term if same else before.term + 1, None, address, holder)
        if not same:
            log.info("%s leads, we follow", holder or "nobody", extra={"leader": address})

    def _lost(self, error: ConsoleError) -> None:
        self._broken = self._broken or (self.standing.part is Part.LEADER and isinstance(error, StateError))
        self._told(str(error))

    def _told(self, trouble: str) -> None:
        if trouble == self.standing.trouble:
            return
        if trouble:
            log.error("the database does not tell who leads: %s", trouble)
        else:
            log.info("the database tells again who leads")
        self.standing = replace(self.standing, trouble=trouble)
