"""Which lines of the screen nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Patience:
    """Lines where data or the clock changed may wait; what a key changed may not, whatever came to the line since.

    What is said of a line holds for what is drawn on it next, and then until that is sent.
    """

    def __init__(self) -> None:
        self._said: dict[int, bool] = {}
        self._patient: set[int] = set()
        self._urgent: set[int] = set()

    def may_wait(self, lines: Iterable[int]) -> None:
        """Let what will be drawn on lines wait, unless somebody waits for it."""
        for line in lines:
            self._said.setdefault(line, True)

    def hurry(self, lines: Iterable[int]) -> None:
        """Let what will be drawn on lines go first."""
        self._said.update(dict.fromkeys(lines, False))

    def hurry_all(self) -> None:
        """Let all that waits go first: it belongs to another picture."""
        self._said.clear()
        self._patient.clear()

    def drawn(self, lines: Iterable[int]) -> None:
        """Take note that lines were drawn; those of which nothing was said do not wait."""
        for line in lines:
            if self._said.pop(line, False) and line not in self._urgent:
                self._patient.add(line)
            else:
                self._urgent.add(line)
                self._patient.discard(line)

    def parted(self, waiting: Iterable[int]) -> tuple[list[int], list[int]]:
        """Return the lines that somebody waits for and those that may wait, in their order."""
        urgent: list[int] = []
        patient: list[int] = []
        for line in waiting:
            (patient if line in self._patient else urgent).append(line)
        return urgent, patient

    def sent(self, lines: Iterable[int]) -> None:
        """Take note that lines were sent."""
        lines = set(lines)
        self._patient -= lines
        self._urgent -= lines
