from __future__ import annotations

import asyncio
import threading

import pytest

from console.cli.commands.console import app_setup
from console.emulator.site import SiteSimulation
from console.ui.app import ConsoleApp
from console.wiring import Demo, open_fleet
from tests.support.pilot import Driven

LIMIT_S = 60.0


@pytest.fixture
def gate(monkeypatch, tmp_path):
    """A gate before the emulator's worlds: nothing is built while it is closed; `reached` says that somebody waits."""
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"GIGADECK_{name}_DIR", str(tmp_path / name))
    opened, reached = threading.Event(), threading.Event()
    build = SiteSimulation.begin

    def held(simulation):
        reached.set()
        assert opened.wait(LIMIT_S)
        yield from build(simulation)

    monkeypatch.setattr(SiteSimulation, "begin", held)
    yield opened, reached
    opened.set()


async def test_the_first_frame_is_painted_while_the_world_is_being_built(gate):
    opened, reached = gate
    fleet = open_fleet("demo", demo=Demo(gpus=2_000))
    app = ConsoleApp(app_setup(fleet))
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            console = Driven(app, pilot, fleet.session)
            await console.settle()
            assert "demo:2000" in console.screen()
            assert "waiting for the first reading" in console.screen() or "waiting for demo:2000" in console.screen()
            assert await asyncio.to_thread(reached.wait, LIMIT_S)
            # Keys are answered meanwhile, too.
            await console.press("question_mark")
            assert "help" in console.screen()
            await console.press("escape")
            assert not any(site.data_at for site in _sites(fleet))
            opened.set()
            await asyncio.to_thread(fleet.session.wait, _all_there, LIMIT_S)
            assert all(site.data_at for site in _sites(fleet))
    finally:
        opened.set()
        fleet.session.close()


def _sites(fleet):
    latest = fleet.session.latest()
    return latest.frame.sites if latest else ()


def _all_there(snapshot):
    return len(snapshot.frame.sites) == 4 and all(site.data_at for site in snapshot.frame.sites)
