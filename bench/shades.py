"""A whole terminal's screen, colours included, for programs whose cursor is a bar of another background."""

from __future__ import annotations

import re

import pyte

# What pyte 0.8 prints or trips over: private sequences, mode questions, strings of the operating system.
STRIP = re.compile(
    rb"\x1b\[[<>=][0-9;:]*[ -/]*[@-~]|\x1b\[\??[0-9;]*[ -/]+[@-~]"
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X].*?\x1b\\",
    re.DOTALL,
)
UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;:<>=?]*[ -/]*|\][^\x07]{0,400}|[P_^X].{0,400})?\Z", re.DOTALL)


class ShadeScreen:
    """`columns` x `lines` cells with their backgrounds."""

    def __init__(self, columns: int, lines: int) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Take what the program wrote next; a sequence may be cut in two."""
        data = self._rest + piece
        cut = UNFINISHED.search(data)
        self._rest = data[cut.start() :] if cut else b""
        self._stream.feed(STRIP.sub(b"", data[: cut.start()] if cut else data))

    @property
    def lines(self) -> list[str]:
        """The text, line by line."""
        return list(self._screen.display)

    def cells(self) -> int:
        """Return the number of cells that are not blank."""
        return sum(len(line.replace(" ", "")) for line in self._screen.display)

    def look(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Return the text and, for each line, the background of each cell that has one."""
        buffer, width = self._screen.buffer, range(self._screen.columns)
        shades = tuple(
            tuple("reverse" if row[x].reverse else row[x].bg for x in width)
            for row in (buffer[y] for y in range(self._screen.lines))
        )
        return tuple(self._screen.display), shades
