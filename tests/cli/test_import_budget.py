"""What a start may import: lists and counts, and import times as a ratio to NumPy's of the same process; no clock."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

REFERENCE = ("-c", "import numpy, click")
STATUS = ("-m", "console", "status", "--fleet", "demo:64")
# What needs a screen, a network, a file of settings or another source than the emulator.
NEVER = (
    "asyncssh",
    "attr",
    "cattrs",
    "console.config.fleet",
    "console.config.structure",
    "console.core.fault_log",
    "console.core.kernel_log",
    "console.core.kernel_signs",
    "console.core.why",
    "console.emulator.server",
    "console.emulator.wire",
    "console.link",
    "console.sources.prometheus",
    "console.sources.site",
    "console.sources.slurm",
    "console.sources.ssh",
    "httpx",
    "msgspec",
    "numpy.ma",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "yaml",
)
NO_SCREEN = (
    "console.extend",
    "console.plugin",
    "console.ui",
    "gigadeck_plugins",
    "importlib.metadata",
    "platformdirs",
    "rich",
    "shutil",
    "textual",
)
# What a command needs no fleet for. `--help` brings shutil along for the width of the terminal.
NO_FLEET = (*NEVER, *NO_SCREEN, "asyncio", "console.emulator", "console.engine", "console.wiring")
# Modules beyond those of the reference. Who needs more imports it where it is used, or says here why not.
MOST_OF_STATUS = 275
MOST_OF_DEMO = 300

# The console itself on a screen of Textual's own, up to its first values.
CONSOLE = """
import asyncio, sys
from console.cli.interpreter import tune
tune()
from console.cli.commands.console import app_setup
from console.wiring import Demo, open_fleet
fleet = open_fleet("demo", demo=Demo(gpus=64), with_memory=True)
setup = app_setup(fleet)
from console.ui.app import ConsoleApp

async def look():
    async with ConsoleApp(setup).run_test(size=(80, 24)) as pilot:
        seen = lambda snapshot: all(site.data_at for site in snapshot.frame.sites)
        await asyncio.to_thread(fleet.session.wait, seen, 60.0)
        await pilot.pause()

asyncio.run(look())
fleet.session.close()
"""
EMPTY = """
import asyncio
from textual.app import App
async def look():
    async with App().run_test(size=(80, 24)) as pilot:
        await pilot.pause()
asyncio.run(look())
import numpy, click
"""


@dataclass(frozen=True)
class Imported:
    """Self times (us) by module of one process."""

    self_us: dict[str, int]

    def of(self, *names: str) -> list[str]:
        return sorted(
            each for each in self.self_us if any(each == name or each.startswith(f"{name}.") for name in names)
        )


@pytest.fixture
def run(tmp_path):
    env = {**os.environ, **{f"GIGADECK_{name}_DIR": str(tmp_path / name) for name in ("CACHE", "CONFIG", "STATE")}}

    def imported(*arguments: str) -> Imported:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, timeout=100, env=env
        )
        assert "import time:" in done.stderr, done.stderr[-2000:]
        assert "Traceback" not in done.stderr, done.stderr[-2000:]
        found = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \| +(\S+)", done.stderr, re.MULTILINE)
        return Imported({name: int(self_us) for self_us, name in found})

    return imported


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("completion", "bash"), ("expand", "n[1-3]")], ids=" ".join
)
def test_a_command_without_a_fleet_imports_nothing_of_one(run, arguments):
    assert run("-m", "console", *arguments).of(*NO_FLEET) in ([], ["shutil"])


@pytest.mark.parametrize("command", ["status", "jobs"])
def test_a_command_on_the_emulator_imports_no_screen_no_network_and_no_file_format(run, command):
    assert run("-m", "console", command, "--fleet", "demo:64").of(*NEVER, *NO_SCREEN) == []


def test_a_check_reads_manifests_once_alone(run):
    check = ("-m", "console", "check", "--fleet", "demo:64")
    run(*check)
    assert run(*check).of(*NEVER, "console.ui", "textual") == []


def test_status_keeps_its_budget_of_modules(run):
    beyond = run(*STATUS).self_us.keys() - run(*REFERENCE).self_us.keys()
    assert len(beyond) <= MOST_OF_STATUS, sorted(beyond)


def test_the_console_shows_its_first_values_without_what_it_does_not_need(run):
    run("-c", CONSOLE)  # fills the cache of themes and manifests
    second = run("-c", CONSOLE)
    assert second.of(*NEVER) == []
    beyond = second.self_us.keys() - run("-c", EMPTY).self_us.keys()
    assert len(beyond) <= MOST_OF_DEMO, sorted(beyond)
