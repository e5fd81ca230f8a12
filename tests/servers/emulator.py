"""Starts `gigadeck emulate` (or a command that serves like it) on a free port, and ends it by its process id."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Emulator:
    url: str
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def emulator(*, gpus: int = 640, sites: int = 1, seed: int = 1, more: tuple[str, ...] = ()) -> Iterator[Emulator]:
    """Run the emulator; yields where it listens."""
    sizes = ("--gpus", str(gpus), "--sites", str(sites), "--seed", str(seed))
    with serving((sys.executable, "-m", "console", "emulate", "--listen", "127.0.0.1:0", *sizes, *more)) as running:
        yield running


@contextmanager
def serving(command: tuple[str, ...]) -> Iterator[Emulator]:
    """Run a command that says on stderr at which http:// address it listens."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        rest = threading.Thread(target=process.stderr.read, daemon=True)
        try:
            url = _address(process)
            rest.start()
            yield Emulator(url, process)
        finally:
            _end(process)
            if rest.ident is not None:
                rest.join()


def _address(process: subprocess.Popen[str]) -> str:
    """Wait for the line that says where."""
    assert process.stderr is not None
    said: list[str] = []
    watchdog = threading.Timer(START_LIMIT_S, process.kill)
    watchdog.start()
    try:
        for line in process.stderr:
            said.append(line)
            found = re.search(r"http://[^\s)]+", line)
            if found:
                return found[0]
    finally:
        watchdog.cancel()
    raise AssertionError(f"the emulator did not start: {''.join(said)}")


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
