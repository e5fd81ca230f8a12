"""Which lines of the screen nobody waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Patience:
    """Lines where data or the clock changed may wait; what a key changed may not, whatever came to the line since."""

    def __init__(self) -> None:
        self._patient: set[int] = set()
        self._hurried: set[int] = set()

    def may_wait(self, lines: Iterable[int]) -> None:
        """Let what is drawn on lines wait, unless somebody waits for them already."""
        self._patient.update(line for line in lines if line not in self._hurried)

    def hurry(self, lines: Iterable[int]) -> None:
        """Let what is drawn on lines go first."""
        lines = list(lines)
        self._hurried.update(lines)
        self._patient.difference_update(lines)

    def parted(self, waiting: Iterable[int]) -> tuple[list[int], list[int]]:
        """Return the lines that somebody waits for and those that may wait, in their order."""
        urgent: list[int] = []
        patient: list[int] = []
        for line in waiting:
            (patient if line in self._patient else urgent).append(line)
        return urgent, patient

    def sent(self, lines: Iterable[int]) -> None:
        """Take note that lines were sent; what was said of others, not drawn yet, stands."""
        lines = set(lines)
        self._patient -= lines
        self._hurried -= lines
