"""The console with a million emulated GPUs for half an hour, walked through by keys: nothing may grow.

Measured from outside (resident memory, file descriptors, threads) and from inside (tasks of the screen's loop).
"""

from __future__ import annotations

import json
import signal
import statistics
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import psutil

from bench.measure import Figure
from bench.tasks import gained_tasks, told_tasks
from bench.terminal import Terminal

GPUS, SITES = 1_000_000, 10
WARM_S, SOAK_S, SAMPLE_S = 300.0, 1800.0, 15.0
SHORT_WARM_S, SHORT_SOAK_S = 45.0, 60.0
MIB = 1024 * 1024
# Every panel, a walk down to a rack and back, a filter, a sort.
WALK = (
    b"2",
    b"j",
    b"\r",
    b"j",
    b"\x1b",
    b"3",
    b"G",
    b"g",
    b"4",
    b"5",
    b"j",
    b"6",
    b"1",
    b"!",
    b"!",
    b"j",
    b"k",
    b"\x1b",
)


def run(*, quick: bool) -> list[Figure]:
    """Return growth of memory, and tasks, file descriptors and threads gained."""
    warm_s, soak_s = (SHORT_WARM_S, SHORT_SOAK_S) if quick else (WARM_S, SOAK_S)
    with tempfile.TemporaryDirectory() as folder:
        return _figures(Path(folder), warm_s, soak_s)


def _figures(folder: Path, warm_s: float, soak_s: float) -> list[Figure]:
    fleet, result = folder / "fleet.yaml", folder / "measured.json"
    site = "  - name: emu{}\n    sources:\n      - {{kind: emulator, name: emulator, gpus: {}}}\n"
    fleet.write_text("fleet: soak\nsites:\n" + "".join(site.format(number, GPUS // SITES) for number in range(SITES)))
    env = {"GIGADECK_CONFIG_DIR": str(folder), "GIGADECK_STATE_DIR": str(folder)}
    command = [sys.executable, "-m", "bench.loaded_console", str(fleet), str(result), "--tasks-only"]
    with Terminal(command, 200, 50, env) as terminal:
        process = psutil.Process(terminal.pid)
        _samples(terminal, process, warm_s)
        terminal.signal(signal.SIGUSR1)
        seen = _samples(terminal, process, soak_s)
        terminal.signal(signal.SIGTERM)
        terminal.drain(15.0)
    more = gained_tasks(json.loads(result.read_text())["tasks"])
    return _told(seen, more, soak_s)


def _samples(terminal: Terminal, process: psutil.Process, seconds: float) -> list[tuple[float, int, int]]:
    """Walk through the console for so long; return memory (MiB), file descriptors and threads, every few seconds."""
    samples = []
    keys = cycle(WALK)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(int(SAMPLE_S)):
            terminal.send(next(keys))
            terminal.listen(1.0)
        samples.append((process.memory_info().rss / MIB, process.num_fds(), process.num_threads()))
    return samples


def _told(seen: list[tuple[float, int, int]], more: dict[str, int], soak_s: float) -> list[Figure]:
    """Compare the last fifth with the first: a single look would be the allocator's mood."""
    part = max(1, len(seen) // 5)
    first, last = seen[:part], seen[-part:]
    memory = [statistics.median(each[0] for each in some) for some in (first, last)]
    told = f"{soak_s / 60:.0f} min at 1 Hz, a key each second through all panels"
    name = f"soak of {GPUS:,} GPUs: "
    gained = [
        int(statistics.median(each[i] for each in last) - statistics.median(each[i] for each in first)) for i in (1, 2)
    ]
    return [
        Figure(f"{name}resident memory at the end", memory[1], "MiB", memory[0], "after warm-up", must=1.01, note=told),
        Figure(f"{name}tasks gained", sum(more.values()), "tasks", must=0, note=told_tasks(more)),
        Figure(f"{name}file descriptors gained", gained[0], "files", must=0),
        Figure(f"{name}threads gained", gained[1], "threads", must=0),
    ]
