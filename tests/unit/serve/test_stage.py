from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from console.config.serve_values import ServeConfig
from console.model.builtin_metrics import BUILTIN
from console.model.errors import NoDataError
from console.serve import stage as stage_module
from console.serve.role import Part, Standing
from console.serve.setup import Plan
from console.serve.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_S = 20.0
LEADER = Standing(Part.LEADER, 1, 5, "us", "us")
FOLLOWER = Standing(Part.FOLLOWER, 2, None, "http://other", "other")


class Theatre:
    """A hub and sessions that tell what is done with them, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._news = threading.Condition()
        self.failures = 0
        self.fences: list[object] = []

    def say(self, text: str) -> None:
        with self._news:
            self.told.append(text)
            self._news.notify_all()

    def wait(self, text: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text in self.told, WAIT_S), self.told

    def attach(self, session: Any, sites: tuple[str, ...]) -> None:
        self.say(f"attach {session.name}")

    def plan(self, likeness: object = 1) -> Plan:
        return Plan("f", ("a",), BUILTIN, ServeConfig(), self._lead, self._follow, likeness=likeness)

    def _lead(self, fence: Callable[[], int | None] | None) -> Any:
        self.fences.append(fence() if fence is not None else None)
        if self.failures:
            self.failures -= 1
            self.say("fail")
            raise OSError("the inventory cannot be read")
        return Session(self, "leader's")

    def _follow(self, address: str) -> Any:
        return Session(self, f"follower's of {address}")


class Session:
    def __init__(self, theatre: Theatre, name: str) -> None:
        self._theatre = theatre
        self.name = name

    def start(self) -> None:
        self._theatre.say(f"start {self.name}")

    def close(self, timeout_s: float) -> None:
        self._theatre.say(f"close {self.name}")

    def wait(self, predicate: object, timeout_s: float) -> None:
        raise NoDataError("nothing yet")


@pytest.fixture
def theatre(monkeypatch: pytest.MonkeyPatch) -> Theatre:
    monkeypatch.setattr(stage_module, "FIRST_DATA_S", 0.01)
    monkeypatch.setattr(stage_module, "MEMORY_S", 0.01)
    monkeypatch.setattr(stage_module, "AGAIN_S", 0.01)
    return Theatre()


@pytest.fixture
def stage(theatre: Theatre) -> Iterator[Stage]:
    made = Stage(theatre, theatre.plan(), lambda: 5)  # type: ignore[arg-type]  # what a stage uses of a hub
    made.start()
    yield made
    made.close()


def test_one_session_is_closed_before_another_begins(stage: Stage, theatre: Theatre) -> None:
    stage.show(LEADER)
    theatre.wait("attach leader's")
    stage.show(FOLLOWER)
    theatre.wait("attach follower's of http://other")
    assert theatre.told == [
        "start leader's",
        "attach leader's",
        "close leader's",
        "start follower's of http://other",
        "attach follower's of http://other",
    ]
    assert theatre.fences == [5]


def test_who_has_nobody_to_follow_has_no_session(stage: Stage, theatre: Theatre) -> None:
    stage.show(LEADER)
    theatre.wait("attach leader's")
    stage.show(Standing(Part.FOLLOWER, 2))
    theatre.wait("close leader's")
    assert stage.shown_term == -1


def test_what_cannot_be_made_is_tried_again(stage: Stage, theatre: Theatre) -> None:
    theatre.failures = 2
    stage.show(LEADER)
    theatre.wait("attach leader's")
    assert theatre.told.count("fail") == 2
    assert stage.trouble == ""


def test_a_newer_wish_takes_the_place_of_one_that_fails(stage: Stage, theatre: Theatre) -> None:
    theatre.failures = 10_000
    stage.show(LEADER)
    theatre.wait("fail")
    stage.show(FOLLOWER)
    theatre.wait("attach follower's of http://other")


def test_another_plan_needs_another_session_only_if_it_reads_otherwise(stage: Stage, theatre: Theatre) -> None:
    stage.show(LEADER)
    theatre.wait("attach leader's")
    assert not stage.replan(theatre.plan())
    assert stage.replan(theatre.plan(likeness=2))
    theatre.wait("close leader's")


def test_without_an_election_nothing_carries_a_number(stage: Stage, theatre: Theatre) -> None:
    stage.show(Standing(Part.LEADER, 1, None, "us", "us"))
    theatre.wait("attach leader's")
    assert theatre.fences == [None]


def test_what_is_remembered_is_waited_for(stage: Stage, theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = threading.Event()

    def wait(_: Session, predicate: Callable[[Any], bool], timeout_s: float) -> None:
        memories = (SimpleNamespace(site="a"),) if remembered.wait(0.01) else ()
        frame = SimpleNamespace(sites=(SimpleNamespace(site="a", data_at=1.0),))
        if not predicate(SimpleNamespace(frame=frame, memories=memories)):
            theatre.say("waits")
            raise NoDataError("it is not read yet")

    monkeypatch.setattr(stage_module, "MEMORY_S", WAIT_S)
    monkeypatch.setattr(Session, "wait", wait)
    stage.show(LEADER)
    theatre.wait("waits")
    assert "attach leader's" not in theatre.told
    remembered.set()
    theatre.wait("attach leader's")


def test_at_the_end_the_session_is_closed(theatre: Theatre) -> None:
    made = Stage(theatre, theatre.plan(), lambda: 5)  # type: ignore[arg-type]  # as above
    made.start()
    made.show(LEADER)
    theatre.wait("attach leader's")
    made.close()
    assert theatre.told[-1] == "close leader's"
