"""A session's memory in a real PostgreSQL that stops, crashes and comes back; two consoles on one database."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.engine.clock import SystemClock
from console.engine.memory import MemoryDesk
from console.engine.own_memory import own_memory
from console.model.errors import StateError
from console.model.incidents import DeedKind
from tests.servers.postgresql import PASSWORD, USER, Postgresql, postgresql
from tests.support.incidents import NOW, deed, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("postgresql"), pytest.mark.timeout(180)]
LIMIT_S = 60.0
HEARD = frozenset(("muc1",))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with postgresql() as running:
        yield running


@pytest.fixture
def url(server: Postgresql) -> str:
    server.execute("DROP SCHEMA public CASCADE")
    server.execute(f"CREATE SCHEMA public AUTHORIZATION {USER}")
    return server.url


@contextmanager
def remembering(url: str) -> Iterator[MemoryDesk]:
    desk = MemoryDesk(own_memory("test", url, base=Path(), author="sre@jump"), ("muc1",), SystemClock())
    desk.start()
    try:
        until(lambda: desk.is_ready)
        yield desk
    finally:
        desk.close(10.0)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_crash_is_told_and_what_piled_up_is_kept_when_it_is_back(server: Postgresql, url: str) -> None:
    with remembering(url) as desk:
        desk.update((sign(),), HEARD, NOW)
        (found,) = desk.told(HEARD).incidents
        desk.submit(deed(subject=found.id)).result(LIMIT_S)
        server.kill()
        try:
            with pytest.raises(StateError, match="was not kept") as caught:
                desk.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="lost")).result(LIMIT_S)
            assert PASSWORD not in str(caught.value)
            assert desk.trouble
            assert PASSWORD not in f"{desk.trouble}{desk.told(HEARD).memories}"
            desk.update((sign(), sign("check:cold")), HEARD, NOW + 5)
            assert len(desk.told(HEARD).incidents) == 2, "reads and judging go on"
        finally:
            server.start()
        until(lambda: not desk.trouble)
        desk.submit(deed(DeedKind.NOTE, "node:muc1/n1", text="kept")).result(LIMIT_S)
    with remembering(url) as again:
        told = again.told(HEARD)
        assert {(each.sign.key, each.acknowledgement is not None) for each in told.incidents} == {
            ("check:hot", True),
            ("check:cold", False),
        }
        assert [note.text for note in told.notes] == ["kept"]


def test_two_consoles_on_one_database_see_each_others_deeds(url: str) -> None:
    with remembering(url) as first, remembering(url) as second:
        first.update((sign(),), HEARD, NOW)
        (found,) = first.told(HEARD).incidents
        first.submit(deed(subject=found.id, text="mine")).result(LIMIT_S)
        until(lambda: any(each.acknowledgement for each in second.told(HEARD).incidents))
        second.update((sign(),), HEARD, NOW + 1)
        second.submit(deed(DeedKind.UNACKNOWLEDGE, found.id)).result(LIMIT_S)
        until(lambda: not any(each.acknowledgement for each in first.told(HEARD).incidents))
