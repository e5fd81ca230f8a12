"""A terminal that answers what programs ask of it, as real ones do, and notes when what came."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from bench.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable

# Where is the cursor; what are you (twice); is there synchronised output.
ANSWERS = (
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>0?c"), b"\x1b[>41;354;0c"),
    (re.compile(rb"\x1b\[\?(\d+)\$p"), b"\x1b[?%s;2$y"),
)
LONGEST_QUESTION = 12


class AnsweringScreen(Screen):
    """Draws, and answers by `answer`, which is set once the program runs; `heard` is (seconds, bytes) of each piece."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self.answer: Callable[[bytes], None] = lambda _: None
        self.heard: list[tuple[float, int]] = []
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """Take what the program wrote next."""
        self.heard.append((time.perf_counter(), len(piece)))
        super().feed(piece)
        text = self._tail + piece
        for question, answer in ANSWERS:
            for found in question.finditer(text):
                self.answer(answer % found.groups() if found.groups() else answer)
            text = question.sub(b"", text)
        self._tail = text[-LONGEST_QUESTION:] if b"\x1b" in text[-LONGEST_QUESTION:] else b""
