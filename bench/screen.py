"""A screen made of what a program writes: just enough of a terminal to read text and find a glyph, and fast."""

from __future__ import annotations

import codecs
import re

CSI = re.compile(
    r"\x1b\[([0-9;?<=>]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]|[\x00-\x1f\x7f]"
)
# What may be the beginning of a sequence whose end is still on its way.
UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?<=>]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")


class Screen:
    """`columns` x `lines` cells; colours, scrolling and wide characters are not kept."""

    def __init__(self, columns: int, lines: int) -> None:
        self._columns = columns
        self._cells = [[" "] * columns for _ in range(lines)]
        self._x = self._y = 0
        self._last = " "
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, piece: bytes) -> None:
        """Take what the program wrote next; a sequence may be cut in two."""
        text = self._rest + self._decoder.decode(piece)
        cut = UNFINISHED.search(text)
        self._rest = text[cut.start() :] if cut else ""
        text = text[: cut.start()] if cut else text
        at = 0
        for found in CSI.finditer(text):
            if found.start() > at:
                self._write(text[at : found.start()])
            at = found.end()
            self._control(found)
        if at < len(text):
            self._write(text[at:])

    @property
    def lines(self) -> list[str]:
        """The text, line by line."""
        return ["".join(row) for row in self._cells]

    def line_of(self, glyph: str) -> int:
        """Return the first line with a glyph at its beginning, -1 if there is none."""
        return next((y for y, row in enumerate(self._cells) if row[0] == glyph), -1)

    def find(self, pattern: re.Pattern[str]) -> bool:
        """Return whether any line matches."""
        return any(pattern.search(line) for line in self.lines)

    def _write(self, text: str) -> None:
        row, x = self._cells[self._y], self._x
        end = min(x + len(text), self._columns)
        row[x:end] = text[: end - x]
        self._x = min(end, self._columns - 1)
        self._last = text[-1]

    def _control(self, found: re.Match[str]) -> None:
        kind = found[2]
        if kind is None:
            self._plain(found[0])
        elif found[1][:1] not in ("?", "<", "=", ">"):
            numbers = [int(each) if each else 0 for each in found[1].split(";")]
            if not self._move(kind, numbers):
                self._change(kind, max(1, numbers[0]), numbers[0])

    def _plain(self, text: str) -> None:
        if text == "\r":
            self._x = 0
        elif text == "\n":
            self._y = min(self._y + 1, len(self._cells) - 1)
        elif text == "\b":
            self._x = max(0, self._x - 1)

    def _move(self, kind: str, numbers: list[int]) -> bool:
        count = max(1, numbers[0])
        x, y = self._x, self._y
        if kind in "Hf":
            y, x = count - 1, max(1, numbers[1] if len(numbers) > 1 else 1) - 1
        elif kind in "ABCD":
            step = count if kind in "BC" else -count
            x, y = (x + step, y) if kind in "CD" else (x, y + step)
        elif kind in "G`":
            x = count - 1
        elif kind == "d":
            y = count - 1
        else:
            return False
        self._x, self._y = min(max(x, 0), self._columns - 1), min(max(y, 0), len(self._cells) - 1)
        return True

    def _change(self, kind: str, count: int, mode: int) -> None:
        row, x = self._cells[self._y], self._x
        if kind == "K":
            start, end = (x, self._columns) if mode == 0 else (0, x + 1) if mode == 1 else (0, self._columns)
            row[start:end] = " " * (end - start)
        elif kind == "X":
            end = min(x + count, self._columns)
            row[x:end] = " " * (end - x)
        elif kind == "b":
            self._write(self._last * count)
        elif kind == "J" and mode == 2:
            self._cells = [[" "] * self._columns for _ in self._cells]
