"""Cursor moves: the shortest sequence from one cell to another."""

from __future__ import annotations

from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the terminal understands beyond absolute moves and styles begun.

    `short_moves`: relative moves and moves within a line; `ends`: codes that end one attribute; `erases`: erasing in a
    line, leaving the background that is set (`colored_erases`) or its own.
    """

    short_moves: bool = True
    ends: bool = True
    erases: bool = True
    colored_erases: bool = False


def move(x: int, y: int, to_x: int, to_y: int, dialect: Dialect) -> str:
    """Return how the cursor gets from column `x`, line `y` (-1: not known) to another cell; all count from 0."""
    if (x, y) == (to_x, to_y) and x >= 0:
        return ""
    ways = [_absolute(to_x, to_y)]
    if dialect.short_moves and y >= 0:
        if y == to_y:
            ways += _along(x, to_x)
        elif x == to_x and x >= 0:
            ways.append(_counted(abs(to_y - y), "B" if to_y > y else "A"))
        elif to_x == 0 and to_y == y + 1:
            ways.append("\r\n")
    return min(ways, key=len)


def _absolute(x: int, y: int) -> str:
    if x == 0:
        return f"\x1b[{y + 1}H" if y else "\x1b[H"
    return f"\x1b[{y + 1};{x + 1}H"


def _along(x: int, to_x: int) -> list[str]:
    ways = ["\r" if to_x == 0 else f"\x1b[{to_x + 1}G"]
    if 0 <= x < to_x:
        ways.append(_counted(to_x - x, "C"))
    elif x > to_x:
        ways.append("\b" * (x - to_x) if x - to_x < 4 else _counted(x - to_x, "D"))
    return ways


def _counted(count: int, letter: str) -> str:
    return f"\x1b[{count}{letter}" if count > 1 else f"\x1b[{letter}"
