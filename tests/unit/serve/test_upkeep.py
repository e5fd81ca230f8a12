from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import Retention
from console.serve.upkeep import Upkeep
from console.state.store import open_store
from tests.support import panels
from tests.support.remembered import note

if TYPE_CHECKING:
    from pathlib import Path

NOW = 4e9


@pytest.fixture
def url(tmp_path: Path) -> str:
    named = f"sqlite:///{tmp_path}/memory.db"
    with closing(open_store(named, realm="muc1")) as store, store.begin() as writer:
        writer.add_note(note(0, "node:muc1/n0001"))
        writer.add_note(note(1, "node:muc1/n9999"))
    return named


def upkeep(url: str, *, acts: bool = True, heard: bool = True) -> Upkeep:
    snapshot = panels.snapshot((panels.site_frame("muc1"),)) if heard else None
    plan = SimpleNamespace(state=url, realm="muc1", base=None, config=SimpleNamespace(retention=Retention()))
    parts: Any = SimpleNamespace(
        office=SimpleNamespace(acts=acts, standing=SimpleNamespace(fence=None)),
        stage=SimpleNamespace(plan=plan, session=SimpleNamespace(latest=lambda: snapshot)),
        clock=lambda: NOW,
    )
    return Upkeep(parts)


def left(url: str) -> set[str]:
    with closing(open_store(url, realm="muc1")) as store:
        return {each.id for each in store.load(["muc1"]).notes}


def test_the_leader_forgets_old_notes_on_what_is_gone(url: str) -> None:
    upkeep(url).turn()
    assert left(url) == {"note-0"}


@pytest.mark.parametrize("how", [{"acts": False}, {"heard": False}])
def test_nothing_is_forgotten_by_a_follower_or_where_nothing_is_heard(url: str, how: dict[str, bool]) -> None:
    upkeep(url, **how).turn()
    assert left(url) == {"note-0", "note-1"}


def test_a_memory_that_cannot_be_opened_is_told_in_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    upkeep(url.replace("memory.db", "memory.db/none.db")).turn()
    assert "the memory could not be tidied" in caplog.text
