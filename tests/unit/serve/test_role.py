from __future__ import annotations

import pytest

from console.model.errors import Fenced, StateError
from console.serve.role import LEASE_S, RENEW_S, Candidate, Part
from console.state.leadership import Leader


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Database:
    """An election that does as it is told: `fence` is what the next candidacy gives, `error` what everything raises."""

    def __init__(self) -> None:
        self.fence: int | None = 1
        self.error: Exception | None = None
        self.told = Leader("other", "http://other", 7, 0.0)
        self.renewals = 0
        self.resigned = False

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    def try_lead(self) -> int | None:
        self._fail()
        return self.fence

    def renew(self) -> None:
        self._fail()
        self.renewals += 1

    def leader(self) -> Leader | None:
        self._fail()
        return self.told

    def resign(self) -> None:
        self.resigned = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def candidate(database: Database, clock: Clock) -> Candidate:
    return Candidate(database, "http://us", "us", clock)


def test_without_an_election_we_lead_and_act() -> None:
    alone = Candidate(None, "http://us", "us", lambda: 0.0)
    alone.turn()
    assert (alone.standing.part, alone.standing.fence, alone.acts) == (Part.LEADER, None, True)


def test_we_wait_until_the_database_has_told(candidate: Candidate, database: Database) -> None:
    database.error = StateError("away")
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.trouble) == (Part.WAITING, "away")
    assert not candidate.acts


def test_the_leader_renews_as_often_as_is_due(candidate: Candidate, database: Database, clock: Clock) -> None:
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.fence, candidate.acts) == (Part.LEADER, 1, True)
    candidate.turn()
    assert database.renewals == 0
    clock.now += RENEW_S
    candidate.turn()
    assert database.renewals == 1


def test_who_does_not_lead_follows_whoever_does(candidate: Candidate, database: Database) -> None:
    database.fence = None
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.leader) == (Part.FOLLOWER, "http://other")
    term = candidate.standing.term
    candidate.turn()
    assert candidate.standing.term == term  # the same leader: the same session
    database.told = Leader("third", "http://third", 8, 0.0)
    candidate.turn()
    assert (candidate.standing.leader, candidate.standing.term) == ("http://third", term + 1)


def test_a_follower_takes_over(candidate: Candidate, database: Database) -> None:
    database.fence = None
    candidate.turn()
    database.fence = 8
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.fence) == (Part.LEADER, 8)


def test_a_leader_that_is_fenced_steps_down_at_once(candidate: Candidate, database: Database, clock: Clock) -> None:
    candidate.turn()
    clock.now += RENEW_S
    database.fence = None
    database.renew = lambda: (_ for _ in ()).throw(Fenced("somebody else leads"))  # type: ignore[assignment,method-assign]  # raises
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.leader) == (Part.FOLLOWER, "http://other")
    assert not candidate.acts


def test_it_steps_down_even_if_nobody_tells_who_leads_instead(
    candidate: Candidate, database: Database, clock: Clock
) -> None:
    candidate.turn()
    clock.now += RENEW_S
    database.renew = lambda: (_ for _ in ()).throw(Fenced("no"))  # type: ignore[assignment,method-assign]  # raises
    database.leader = lambda: (_ for _ in ()).throw(StateError("away"))  # type: ignore[assignment,method-assign]  # raises
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.leader) == (Part.FOLLOWER, "")
    assert candidate.standing.trouble == "away"


def test_without_the_database_we_lead_on_but_act_only_while_the_lease_runs(
    candidate: Candidate, database: Database, clock: Clock
) -> None:
    candidate.turn()
    term = candidate.standing.term
    clock.now += RENEW_S
    database.error = StateError("away")
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.trouble, candidate.acts) == (Part.LEADER, "away", True)
    clock.now += LEASE_S
    candidate.turn()
    assert (candidate.standing.part, candidate.acts) == (Part.LEADER, False)
    database.error, database.fence = None, 2
    candidate.turn()
    # Nobody led in the meantime: the session goes on, and writes with the new number.
    assert (candidate.standing.fence, candidate.standing.term, candidate.standing.trouble) == (2, term, "")
    assert candidate.acts


def test_who_led_again_after_others_begins_anew(candidate: Candidate, database: Database, clock: Clock) -> None:
    candidate.turn()
    term = candidate.standing.term
    clock.now += RENEW_S
    database.error = StateError("away")
    candidate.turn()
    database.error, database.fence = None, 3
    candidate.turn()
    assert (candidate.standing.fence, candidate.standing.term) == (3, term + 1)


def test_another_led_while_the_database_was_away_from_us(
    candidate: Candidate, database: Database, clock: Clock
) -> None:
    candidate.turn()
    clock.now += RENEW_S
    database.error = StateError("away")
    candidate.turn()
    database.error, database.fence = None, None
    candidate.turn()
    assert (candidate.standing.part, candidate.standing.leader) == (Part.FOLLOWER, "http://other")


def test_a_clock_that_jumps_changes_nothing(candidate: Candidate, clock: Clock) -> None:
    """Only monotonic time counts here, and the database's own: neither is the wall's."""
    candidate.turn()
    clock.now += LEASE_S - 0.1
    assert candidate.acts
    clock.now += 0.2
    assert not candidate.acts


def test_the_database_reckons_with_the_same_times() -> None:
    from console.state import leadership

    assert (LEASE_S, RENEW_S) == (leadership.LEASE_S, leadership.RENEW_S)


def test_it_resigns_at_the_end(candidate: Candidate, database: Database) -> None:
    candidate.resign()
    assert database.resigned
