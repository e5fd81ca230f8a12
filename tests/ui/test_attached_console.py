"""The screen of a console that is attached to a serve: every panel shows its site, a deed shows in another console."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from console.config.values import SiteConfig, SourceConfig
from console.core.default_checks import with_disagreements
from console.emulator.fleet import FleetPlan
from console.emulator.world import World
from console.engine.session import Session
from console.engine.setup import MemorySetup, SessionConfig, SiteSetup, SourceSetup
from console.model.builtin_metrics import BUILTIN
from console.model.errors import RefusedError
from console.model.events import AlertState, CheckSpec
from console.model.incidents import Deed, DeedKind
from console.model.levels import Level
from console.sources.emulator import EmulatorSource
from console.sources.registry import open_source
from console.ui.setup import PanelInfo
from tests.support.panels import load_panel
from tests.support.pilot import driven
from tests.support.serving import SITE, Served, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from console.model.snapshot import Snapshot
    from tests.support.pilot import Driven

WAIT_S = 10.0
PANELS = ("fleet", "drilldown", "checks", "jobs", "sources", "disagreements")
WARM = CheckSpec("warm", "temp_c > 1", warning=1)


def team_session() -> Session:
    """Return a session of one emulated site that always has something wrong, with a memory in RAM."""
    world = World(FleetPlan(gpus=64, sites=1, seed=1, name=SITE), time.time())
    setup = SourceSetup("emulator", "emulator", "built in", EmulatorSource(world, SITE), cadence_s=0.2)
    site = SiteSetup(SITE, environment="lab", sources=(setup,))
    checks = with_disagreements((WARM,))
    return Session(SessionConfig("lab", sites=(site,), checks=checks, memory=MemorySetup(), first_word=False))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(team_session()) as running:
        yield running


@contextmanager
def attached(served: Served, author: str = "ada") -> Iterator[Session]:
    """Yield the session of a console, which is started by the screen or by the test."""
    config = SourceConfig("site", "serve", served.url, headers={"x-author": author})
    source = open_source(SiteConfig(SITE), config, BUILTIN)
    setup = SourceSetup("serve", "site", served.url, source)
    panels = {name: load_panel(name) for name in PANELS}
    sites = (SiteSetup(SITE, sources=(setup,)),)
    session = Session(SessionConfig("lab", sites=sites, panels=panels, checks=with_disagreements((WARM,))))
    try:
        yield session
    finally:
        session.close(8.0)


@pytest.fixture
async def console(served: Served) -> AsyncIterator[Driven]:
    infos = [PanelInfo(name, name, str(number)) for number, name in enumerate(PANELS, 1)]
    with attached(served) as session:
        async with driven(session, size=(120, 40), panels=infos, time=time.time) as console:  # type: ignore[arg-type]
            await asyncio.to_thread(session.wait, lambda now: bool(now.incidents), WAIT_S)
            yield console


async def until(console: Driven, words: str) -> str:
    """Wait until the screen says something; return the screen."""
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S):
            while words not in console.screen():
                await asyncio.sleep(0.05)
                await console.settle()
    assert words in console.screen(), f"no {words!r} on the screen:\n{console.screen()}"
    return console.screen()


SAID = {
    "fleet": ("64/64", "64 GPUs: temp_c > 1", "memory: keeper-1"),
    "checks": ("warm", "64"),
    "jobs": ("JOBS", "RUNNING"),
    "sources": ("serve/emulator", "keeper-1 (leader)"),
    "disagreements": ("DISAGREEMENTS",),
}


@pytest.mark.parametrize("panel", SAID)
async def test_each_panel_shows_an_attached_site(console: Driven, panel: str) -> None:
    await console.press(str(PANELS.index(panel) + 1))
    for words in SAID[panel]:
        screen = await until(console, words)
    assert "Traceback" not in screen


async def test_one_goes_down_to_a_gpu_and_its_history(console: Driven) -> None:
    snapshot = console.session.latest()
    assert snapshot is not None
    topology = snapshot.frame.sites[0].topology
    await console.press("2", "colon")
    await console.write(f"go {topology.path(Level.GPU, 3)}")
    await console.press("enter")
    await until(console, "GPU temperature")
    await until(console, topology.uuid(3))


def acknowledged(snapshot: Snapshot) -> bool:
    return any(each.state is AlertState.ACKNOWLEDGED for each in snapshot.incidents)


async def test_what_one_takes_on_at_the_screen_shows_in_another_console(console: Driven, served: Served) -> None:
    with attached(served) as other:
        other.start()
        await asyncio.to_thread(other.wait, lambda now: bool(now.incidents), WAIT_S)
        await console.press("1")
        await until(console, "temp_c > 1")
        await console.press("A")
        await console.write("mine")
        await console.press("enter")
        there = await asyncio.to_thread(other.wait, acknowledged, WAIT_S)
        taken = next(each for each in there.incidents if each.acknowledgement is not None)
        assert taken.acknowledgement is not None
        assert (taken.acknowledgement.author, taken.acknowledgement.note, taken.keeper) == ("ada", "mine", "keeper-1")
        assert here(served, taken.id)


def here(served: Served, id: str) -> bool:
    latest = served.session.latest()
    return any(each.id == id and each.acknowledgement is not None for each in latest.incidents)


async def test_a_viewer_is_told_what_is_missing(served: Served) -> None:
    with attached(served, "eve") as session:
        session.start()
        snapshot = await asyncio.to_thread(session.wait, lambda now: bool(now.incidents), WAIT_S)
        deed = Deed("id-eve", DeedKind.ACKNOWLEDGE, SITE, snapshot.incidents[0].id)
        with pytest.raises(RefusedError, match="needs operator"):
            await asyncio.wrap_future(session.keep(deed))
