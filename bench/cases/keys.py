"""Keys under load: from a key press to its paint on a terminal, beside the same screen without an engine.

A million emulated GPUs tick, a 26 MB answer arrives every 5 s and is decoded, and one source never answers.
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
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import Figure, quantile
from bench.stores import NODES
from bench.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

SITES = 10
SETTLE_S = 25.0
GAP_S = (0.03, 0.05)
STILL_S = 3.0
LOST_S = 5.0
CURSOR = "▸"
# The counts of a site's GPUs: not on the screen before its first data.
LIVE = re.compile(r"9\d,\d{3}/100,000")
STORE_SITE = """
  - name: store
    layout: '^(?P<node>(?P<hall>h\\d+)-(?P<rack>r\\d+)-n\\d+)'
    sources:
      - {{kind: prometheus, name: store, url: 'http://127.0.0.1:{talking}', cadence: 5s, sweep_cadence: 5s}}
  - name: silent
    sources:
      - {{kind: prometheus, name: silent, url: 'http://127.0.0.1:{silent}', cadence: 5s}}
"""


def run(*, quick: bool) -> list[Figure]:
    """Return the waits of the keys, the lag of the loop and the longest that anyone held the interpreter's lock."""
    keys = 250 if quick else 1000
    with tempfile.TemporaryDirectory() as folder, _stores() as (talking, silent):
        fleet = Path(folder) / "fleet.yaml"
        fleet.write_text(_fleet(talking, silent))
        alone, still = _press(fleet, keys, "--without-engine")
        waits, loaded = _press(fleet, keys)
    return [*_key_figures(waits, alone), *_loop_figures(loaded, still)]


def _key_figures(waits: list[float], alone: list[float]) -> list[Figure]:
    told = f"{len(waits):,} keys"
    return [
        _beside(f"key press to its paint, {name}", quantile(waits, share), quantile(alone, share), must, told)
        for name, share, must in (("p50", 0.5, 5.0), ("p99", 0.99, 40.0))
    ]


def _loop_figures(loaded: dict[str, Any], still: dict[str, Any]) -> list[Figure]:
    lag, lag_still = quantile(loaded["lags"], 0.999), quantile(still["lags"], 0.999)
    wait, wait_still = quantile(loaded["waits"], 0.999), quantile(still["waits"], 0.999)
    worst = max(loaded["waits"]) * 1000
    engine = loaded["engine"]
    ticks = f"a tick takes {engine['compute']['tick_p50_s'] * 1000:.0f} ms"
    return [
        _beside("lag of the screen's loop under that load, p99.9", lag, lag_still, 25.0, ticks),
        _beside("a thread kept from the interpreter's lock, p99.9", wait, wait_still, 10.0, f"worst {worst:.0f} ms"),
    ]


def _beside(name: str, value_s: float, alone_s: float, must_ms: float, note: str) -> Figure:
    told = f"{note}; without an engine {alone_s * 1000:.1f} ms"
    return Figure(name, value_s * 1000, "ms", must=must_ms, note=told, detail={"without_engine_ms": alone_s * 1000})


def _fleet(talking: int, silent: int) -> str:
    sites = "".join(
        f"  - name: emu{number}\n    sources:\n      - {{kind: emulator, name: emulator, gpus: 100000}}\n"
        for number in range(SITES)
    )
    return f"fleet: bench\nsites:\n{sites}" + STORE_SITE.format(talking=talking, silent=silent).lstrip("\n")


@contextlib.contextmanager
def _stores() -> Iterator[tuple[int, int]]:
    process = subprocess.Popen([sys.executable, "-m", "bench.stores", str(NODES)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        talking, silent = process.stdout.readline().split()
        yield int(talking), int(silent)
    finally:
        process.kill()
        process.wait()


def _press(fleet: Path, keys: int, *more: str) -> tuple[list[float], dict[str, Any]]:
    """Return the seconds that each key took to be painted, and what the program measured meanwhile."""
    result = fleet.with_name("measured.json")
    env = {"GIGADECK_CONFIG_DIR": str(fleet.parent), "GIGADECK_STATE_DIR": str(fleet.parent)}
    command = [sys.executable, "-m", "bench.loaded_console", str(fleet), str(result), *more]
    with Terminal(command, columns=120, lines=40, env=env) as terminal:
        terminal.until(lambda screen: screen.find(LIVE))
        terminal.listen(STILL_S if more else SETTLE_S)
        _go_to_a_table(terminal)
        terminal.signal(signal.SIGUSR1)
        waits = [_press_one(terminal, key, gap_s) for key, gap_s in zip(cycle((b"j", b"k")), _gaps(keys), strict=False)]
        terminal.signal(signal.SIGTERM)
        terminal.drain(10.0)
    measured: dict[str, Any] = json.loads(result.read_text())
    return waits, measured


def _gaps(keys: int) -> list[float]:
    chance = random.Random(1)
    return [chance.uniform(*GAP_S) for _ in range(keys)]


def _go_to_a_table(terminal: Terminal) -> None:
    """Put the cursor on a row from which `j` leads on; raises TimeoutError where there is none."""
    for before in (b"", b"\t", b"\t", b"\t"):
        terminal.send(before)
        terminal.listen(1.0)
        with contextlib.suppress(TimeoutError):
            for key in (b"j", b"k"):
                terminal.send(key)
                _until_moved(terminal, 1.0)
            return
    raise TimeoutError("no table with two rows on the screen:\n" + "\n".join(terminal.screen.lines))


def _press_one(terminal: Terminal, key: bytes, gap_s: float) -> float:
    """Press a key that moves the cursor, a while after the last one; return the seconds to its paint."""
    terminal.listen(gap_s)
    terminal.send(key)
    return _until_moved(terminal, LOST_S)


def _until_moved(terminal: Terminal, timeout_s: float) -> float:
    before = terminal.screen.line_of(CURSOR)
    return terminal.until(lambda screen: screen.line_of(CURSOR) not in (before, -1), timeout_s)
