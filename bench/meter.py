"""Measures any terminal program on a pseudo-terminal: bytes a second, keys to paint, processor, memory, first paint."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import psutil

from bench.shades import ShadeScreen
from bench.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIB = 1024 * 1024
PAINTED_CELLS = 5
FIRST_PAINT_S = 30.0
LOST_S = 3.0


class Key(NamedTuple):
    """A key, and what shows on the screen that it was taken: `seen(before, now)` compares two looks at the screen."""

    typed: bytes
    seen: Callable[[Look, Look], bool]


class Look(NamedTuple):
    """What a screen shows: its text, and which cells of each line stand out."""

    lines: tuple[str, ...]
    shades: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Program:
    """A program to measure: its command, how long it needs to settle, and keys to press in turn (back and forth)."""

    name: str
    command: Sequence[str]
    keys: Sequence[Key] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    settle_s: float = 5.0
    before: bytes = b""
    note: str = ""


@dataclass(frozen=True)
class Metered:
    """What was measured; seconds, bytes, shares of one core. Keys that showed nothing are `lost`."""

    first_paint_s: float
    bytes_per_s: float
    cpu_share: float
    rss_mib: float
    key_s: tuple[float, ...] = ()
    key_bytes: tuple[int, ...] = ()
    lost: int = 0

    @property
    def key_p50_s(self) -> float:
        """The median of the keys that were answered."""
        return statistics.median(self.key_s) if self.key_s else float("nan")


def moved(before: Look, now: Look) -> bool:
    """Whether another line stands out: a bar of another background has moved."""
    return before.shades != now.shades


def changed_text(before: Look, now: Look) -> bool:
    """Whether most of the screen is another: a page has opened or closed."""
    differ = sum(old != new for old, new in zip(before.lines, now.lines, strict=True))
    return differ > len(now.lines) // 2


def metered(program: Program, columns: int, lines: int, *, seconds: float, presses: int = 24) -> Metered:
    """Run a program: until it has painted, until it has settled, then for `seconds`, then press its keys."""
    screen = ShadeScreen(columns, lines)
    with Terminal(program.command, columns, lines, {"COLORTERM": "truecolor", **program.env}, screen) as terminal:
        terminal.until(lambda _: screen.cells() >= PAINTED_CELLS, FIRST_PAINT_S)
        first_paint_s = terminal.read_at - terminal.started
        terminal.listen(program.settle_s)
        if program.before:
            terminal.send(program.before)
            terminal.listen(program.settle_s)
        family = Family(terminal.pid)
        bytes_before, cpu_before, began = terminal.bytes, family.cpu_s(), time.perf_counter()
        terminal.listen(seconds)
        took_s = time.perf_counter() - began
        steady = (terminal.bytes - bytes_before) / took_s, (family.cpu_s() - cpu_before) / took_s
        rss_mib = family.rss() / MIB
        presses = presses if program.keys else 0
        pressed = [_press(terminal, screen, program.keys[n % len(program.keys)], n) for n in range(presses)]
    answered = [each for each in pressed if each is not None]
    waits, sizes = tuple(each[0] for each in answered), tuple(each[1] for each in answered)
    return Metered(first_paint_s, *steady, rss_mib, waits, sizes, len(pressed) - len(answered))


def _press(terminal: Terminal, screen: ShadeScreen, key: Key, number: int) -> tuple[float, int] | None:
    """Press a key; return the seconds and bytes to its paint, None where nothing showed."""
    # Far from any beat of the program's own: each key comes at another moment of its second.
    terminal.listen(0.31 + 0.097 * (number % 7))
    before, bytes_before = Look(*screen.look()), terminal.bytes
    pressed_at = time.perf_counter()
    terminal.send(key.typed)
    with contextlib.suppress(TimeoutError):
        terminal.until(lambda _: key.seen(before, Look(*screen.look())), LOST_S)
        # Not the time that our own drawing of it took.
        return terminal.read_at - pressed_at, terminal.bytes - bytes_before
    return None


class Family:
    """A process with all that descend from it."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def _all(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return [self._root, *self._root.children(recursive=True)]
        return []

    def cpu_s(self) -> float:
        """Return the seconds of processor that all of them took."""
        total = 0.0
        for each in self._all():
            with contextlib.suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system
        return total

    def rss(self) -> int:
        """Return the resident memory of all of them."""
        total = 0
        for each in self._all():
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
        return total
