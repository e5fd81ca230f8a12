"""The console while every kind of source falls ill at random: keys, and what is left behind after ten minutes.

400,000 emulated GPUs tick beside one small site for each kind, behind proxies that refuse, stall, reset, drip, flood
and garble what passes, each second another.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench.measure import Figure, quantile
from bench.tasks import gained_tasks, told_tasks
from bench.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

SITES, SITE_GPUS = 4, 100_000
WARM_S, CHAOS_S, HEALED_S = 20.0, 600.0, 60.0
SHORT_CHAOS_S = 60.0
GAP_S = (0.1, 0.4)
LOST_S = 5.0
CURSOR = "▸"
LIVE = re.compile(r"9\d,\d{3}/100,000")
# The cursor goes to the first row and walks.
KEYS = (b"j", b"k")


def run(*, quick: bool) -> list[Figure]:
    """Return the waits of keys under chaos, and what was gained of threads, files and tasks when all was well again."""
    with tempfile.TemporaryDirectory() as folder, _servers() as (process, sites):
        return _figures(Path(folder), process, sites, SHORT_CHAOS_S if quick else CHAOS_S)


@contextlib.contextmanager
def _servers() -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    process = subprocess.Popen([sys.executable, "-m", "bench.chaos_servers", "1"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)


def _figures(folder: Path, servers: subprocess.Popen[str], sites: list[dict[str, Any]], chaos_s: float) -> list[Figure]:
    fleet, result = folder / "fleet.json", folder / "measured.json"
    emulated = [
        {"name": f"emu{n}", "sources": [{"kind": "emulator", "name": "emulator", "gpus": SITE_GPUS}]}
        for n in range(SITES)
    ]
    fleet.write_text(json.dumps({"fleet": "chaos", "sites": [*emulated, *sites]}))
    env = {"GIGADECK_CONFIG_DIR": str(folder), "GIGADECK_STATE_DIR": str(folder)}
    with Terminal([sys.executable, "-m", "bench.loaded_console", str(fleet), str(result)], 120, 40, env) as terminal:
        console = psutil.Process(terminal.pid)
        terminal.until(lambda screen: screen.find(LIVE))
        terminal.listen(WARM_S)
        terminal.signal(signal.SIGUSR1)
        before = console.num_threads(), console.num_fds()
        servers.send_signal(signal.SIGUSR1)
        waits = _walk(terminal, chaos_s)
        servers.send_signal(signal.SIGUSR2)
        terminal.listen(HEALED_S)
        after = console.num_threads(), console.num_fds()
        terminal.signal(signal.SIGTERM)
        terminal.drain(15.0)
    more = gained_tasks(json.loads(result.read_text())["tasks"])
    gained = {"threads": after[0] - before[0], "files": after[1] - before[1], "tasks": sum(more.values())}
    return [*_keys(waits, chaos_s, len(sites)), *_left(gained, more)]


def _walk(terminal: Terminal, seconds: float) -> list[float]:
    """Move the cursor to and fro for so long; return the seconds that each key took to be painted."""
    chance, waits = random.Random(1), []
    end = time.monotonic() + seconds
    for key in cycle(KEYS):
        if time.monotonic() > end:
            break
        terminal.listen(chance.uniform(*GAP_S))
        before = terminal.screen.line_of(CURSOR)
        terminal.send(key)
        waits.append(terminal.until(lambda screen, was=before: screen.line_of(CURSOR) not in (was, -1), LOST_S))
    return waits


def _keys(waits: list[float], chaos_s: float, kinds: int) -> Iterator[Figure]:
    told = f"{len(waits):,} keys in {chaos_s:.0f} s; {kinds} kinds of sources, one falls ill or well each second or two"
    for name, share, must in (("p50", 0.5, 5.0), ("p99", 0.99, 40.0)):
        value = quantile(waits, share) * 1000
        yield Figure(f"key press to its paint while sources fall ill, {name}", value, "ms", must=must, note=told)


def _left(gained: dict[str, int], more: dict[str, int]) -> Iterator[Figure]:
    for name, count in gained.items():
        note = told_tasks(more) if name == "tasks" else ""
        yield Figure(f"{name} gained when all is well again", count, name, must=0, note=note)
