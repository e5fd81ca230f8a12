"""Keys over 64 kbit/s with a round trip of 300 ms and 2 % stalls: real ssh, and tmux behind it, the relay between.

Beside it a program that only echoes each key, over the same link with the same stalls: what no program could better.
"""

from __future__ import annotations

import contextlib
import random
import re
import shlex
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.answering import AnsweringScreen
from bench.measure import Figure, quantile
from bench.terminal import Terminal
from tests.support.slow_link import Link, slow_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.screen import Screen

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = 80, 24
# Longer than a stall, so that one stall hits one key.
GAP_S = (0.7, 1.3)
SETTLE_S = 20.0
LOST_S = 5.0
CURSOR = "▸"
LINK = Link()
ECHO = """
import os, sys, tty
tty.setraw(0)
print("ready", flush=True)
number = 0
while os.read(0, 1):
    number += 1
    os.write(1, b"\\x1b[H%06d" % number)
"""


class Pressed(NamedTuple):
    """Of each key the seconds to its paint, and the bytes that came until then; what the idle screen costs."""

    waits: list[float]
    sizes: list[int]
    idle_bytes_per_s: float


def run(*, quick: bool) -> list[Figure]:
    """Return the waits and bytes of keys over ssh, with and without tmux, less the round trip."""
    keys = 40 if quick else 400
    with tempfile.TemporaryDirectory() as folder, _way(Path(folder)) as connect:
        alone = _echoed(connect, keys)
        over_ssh = _pressed(connect(_console(folder)), keys)
        tmux = f"tmux -L bench -f /dev/null new-session {shlex.quote(_console(folder))}"
        try:
            through_tmux = _pressed(connect(tmux), keys)
        finally:
            _ended(connect("tmux -L bench kill-server"))
    return [*_figures("ssh", over_ssh, alone), *_figures("ssh and tmux", through_tmux, alone)]


@contextlib.contextmanager
def _way(folder: Path) -> Iterator[Callable[[str], list[str]]]:
    """Yield what makes a command line that runs a command at the other end of the link."""
    from tests.servers.sshd import sshd

    (folder / "sshd").mkdir()
    with sshd(folder / "sshd") as server:
        ours = list(server.command)
        at = ours.index("-p") + 1
        with slow_link(int(ours[at]), LINK) as port:
            ours[at] = str(port)
            options = ["-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", "UserKnownHostsFile=/dev/null"]
            yield lambda command: [*ours[:1], *options, *ours[1:], command]


def _console(folder: str) -> str:
    where = f"GIGADECK_CONFIG_DIR={folder} GIGADECK_STATE_DIR={folder}"
    return f"cd {shlex.quote(str(ROOT))} && {where} COLORTERM=truecolor exec {sys.executable} -m console demo"


def _pressed(command: list[str], keys: int) -> Pressed:
    screen = AnsweringScreen(COLUMNS, LINES)
    with Terminal(command, COLUMNS, LINES, drawn_on=screen) as terminal:
        screen.answer = terminal.send
        terminal.until(lambda _: screen.line_of(CURSOR) >= 0 and any("400,000" in line for line in screen.lines))
        terminal.listen(SETTLE_S / 2)
        before, began = terminal.bytes, time.perf_counter()
        terminal.listen(SETTLE_S / 2)
        idle = (terminal.bytes - before) / (time.perf_counter() - began)
        keys_in_turn = zip(cycle((b"j", b"k")), _gaps(keys), strict=False)
        pressed = [_press(terminal, screen, key, gap_s) for key, gap_s in keys_in_turn]
        terminal.send(b"q")
        terminal.drain(LOST_S)
    answered = [each for each in pressed if each is not None]
    return Pressed([wait for wait, _ in answered], [size for _, size in answered], idle)


def _press(terminal: Terminal, screen: Screen, key: bytes, gap_s: float) -> tuple[float, int] | None:
    """Press a key; return the seconds and bytes to its paint, None where it moved nothing (the row was the last)."""
    terminal.listen(gap_s)
    before, bytes_before = _under_cursor(screen), terminal.bytes
    terminal.send(key)
    with contextlib.suppress(TimeoutError):
        wait_s = terminal.until(lambda _: screen.line_of(CURSOR) >= 0 and _under_cursor(screen) != before, LOST_S)
        return wait_s, terminal.bytes - bytes_before
    return None


def _under_cursor(screen: Screen) -> tuple[int, str]:
    """Return where the cursor is and what its row is about: its words and no numbers, which change by themselves."""
    line = screen.line_of(CURSOR)
    return line, "".join(re.findall("[a-z]+[0-9/]*", screen.lines[line])) if line >= 0 else ""


def _echoed(connect: Callable[[str], list[str]], keys: int) -> list[float]:
    """Return the seconds that each key takes to come back from a program that does nothing else."""
    with Terminal(connect(f"{sys.executable} -c {shlex.quote(ECHO)}"), COLUMNS, LINES) as terminal:
        terminal.until(lambda screen: any("ready" in line for line in screen.lines))
        waits = []
        for gap_s in _gaps(keys):
            terminal.listen(gap_s)
            before = terminal.screen.lines[0]
            terminal.send(b"j")
            waits.append(terminal.until(lambda screen, before=before: screen.lines[0] != before, LOST_S))  # type: ignore[misc]  # a bound argument
    return waits


def _ended(command: list[str]) -> None:
    with Terminal(command) as terminal:
        terminal.drain(LOST_S)


def _gaps(keys: int) -> list[float]:
    chance = random.Random(1)
    return [chance.uniform(*GAP_S) for _ in range(keys)]


def _figures(name: str, told: Pressed, alone: list[float]) -> list[Figure]:
    p50, p95 = quantile(told.waits, 0.5), quantile(told.waits, 0.95)
    echo50, echo95 = quantile(alone, 0.5), quantile(alone, 0.95)
    late = sum(wait > LINK.round_trip_s + 0.15 for wait in told.waits) / len(told.waits)
    note = f"{len(told.waits)} keys at {COLUMNS}x{LINES}, {late:.1%} later than that; stalls alone hit 4 %"
    beyond = "round trip + {:.0f} ms"
    return [
        Figure(
            f"{name} over 64 kbit/s, key p95 less the round trip",
            (p95 - LINK.round_trip_s) * 1000,
            "ms",
            must=150.0,
            note=note,
        ),
        Figure(
            f"{name} over 64 kbit/s, key p50",
            p50 * 1000,
            "ms",
            echo50 * 1000,
            "an echo over the same link",
            note=beyond.format((p50 - LINK.round_trip_s) * 1000),
        ),
        Figure(
            f"{name} over 64 kbit/s, key p95 beside an echo's", p95 * 1000, "ms", echo95 * 1000, "an echo", must=1.2
        ),
        Figure(f"{name} over 64 kbit/s, bytes a key, median", quantile(told.sizes, 0.5), "B", must=600.0),
        Figure(f"{name} over 64 kbit/s, bytes a second at rest", told.idle_bytes_per_s, "B/s"),
    ]
