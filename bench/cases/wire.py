"""Bytes on the wire and processor time, panel by panel, 400,000 GPUs at 1 Hz, beside Textual's own output.

Two references, both of the same views: Textual's output as it is (`uncut`: a change sends the rest of its line), and
cut to the changed runs by our `narrow_updates`, which is what the console falls back to. Both already have our
resting numbers and levels: a plain application would send more.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

from bench.answering import AnsweringScreen
from bench.measure import Figure
from bench.meter import Family
from bench.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

PANELS = {"1": "fleet", "2": "drill down", "3": "checks", "4": "sources", "5": "jobs"}
# Columns, lines, the goal in bytes a second.
SIZES = ((200, 50, 6000.0), (80, 24, 2000.0))
OURS, CUT, UNCUT = "", "textual", "textual-uncut"
CURSOR = "▸"
KEY_BYTES, TWENTIETH, CORE_SHARE = 1000.0, 0.05, 0.12
START_S, SETTLE_S, KEY_S = 60.0, 4.0, 2.0
BEAT_S = 0.35


class Panel(NamedTuple):
    """What one panel costs at rest, and the median bytes of a key that moves the cursor by a row (None: no rows)."""

    bytes_per_s: float
    cpu_share: float
    key_bytes: float | None


def run(*, quick: bool) -> list[Figure]:
    """Return bytes a second of each panel, with ours, with Textual's output; bytes of a key; shares of a core."""
    sizes = SIZES[1:] if quick else SIZES
    seconds, writers = (5.0, (OURS, UNCUT)) if quick else (15.0, (OURS, CUT, UNCUT))
    figures: list[Figure] = []
    for columns, lines, most in sizes:
        told = {writer: _panels(columns, lines, writer, seconds) for writer in writers}
        for panel in PANELS.values():
            figures += _figures(f"{panel} at {columns}x{lines}", {way: told[way][panel] for way in writers}, most)
    return figures


def _figures(where: str, told: dict[str, Panel], most: float) -> Iterator[Figure]:
    ours = told[OURS]
    yield Figure(f"bytes a second, {where}", ours.bytes_per_s, "B/s", must=most)
    for writer, name in ((UNCUT, "Textual's own output"), (CUT, "Textual's output cut to the changed runs")):
        if writer in told:
            must = TWENTIETH if writer == UNCUT else None
            theirs = told[writer].bytes_per_s
            yield Figure(
                f"bytes a second beside {name}, {where}", ours.bytes_per_s, "B/s", theirs, name, must,
                note=f"{theirs / ours.bytes_per_s:.1f} times less" if ours.bytes_per_s else "",
            )  # fmt: skip
    if ours.key_bytes is not None:
        yield Figure(f"bytes of a key that moves the cursor by a row, {where}", ours.key_bytes, "B", must=KEY_BYTES)
    yield Figure(f"share of one core, 1 Hz, {where}", ours.cpu_share, "cores", must=CORE_SHARE)


def _panels(columns: int, lines: int, writer: str, seconds: float) -> dict[str, Panel]:
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIGADECK_CONFIG_DIR": folder, "GIGADECK_STATE_DIR": folder, "GIGADECK_WIRE": writer}
        screen = AnsweringScreen(columns, lines)
        command = [sys.executable, "-m", "console", "demo"]
        with Terminal(command, columns, lines, {"COLORTERM": "truecolor", **env}, screen) as terminal:
            screen.answer = terminal.send
            terminal.until(lambda _: any("400,000" in line for line in screen.lines), START_S)
            terminal.listen(SETTLE_S)
            return {name: _panel(terminal, screen, key, seconds) for key, name in PANELS.items()}


def _panel(terminal: Terminal, screen: AnsweringScreen, key: str, seconds: float) -> Panel:
    terminal.send(key.encode())
    terminal.listen(SETTLE_S)
    family = Family(terminal.pid)
    bytes_before, cpu_before, began = terminal.bytes, family.cpu_s(), time.perf_counter()
    terminal.listen(seconds)
    took_s = time.perf_counter() - began
    at_rest = (terminal.bytes - bytes_before) / took_s, (family.cpu_s() - cpu_before) / took_s
    sizes = [size for size in (_key(terminal, screen, key) for key in (b"j", b"k") * 4) if size is not None]
    return Panel(*at_rest, statistics.median(sizes) if sizes else None)


def _key(terminal: Terminal, screen: AnsweringScreen, key: bytes) -> int | None:
    terminal.listen(BEAT_S)
    before, bytes_before = screen.line_of(CURSOR), terminal.bytes
    if before < 0:
        return None
    terminal.send(key)
    with contextlib.suppress(TimeoutError):
        terminal.until(lambda _: screen.line_of(CURSOR) not in (before, -1), KEY_S)
        return terminal.bytes - bytes_before
    return None
