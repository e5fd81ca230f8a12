"""How many terminal cells a text takes, and texts cut or padded to a number of cells."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from console.present.safe import ELLIPSIS


@lru_cache(maxsize=4096)
def char_cells(char: str) -> int:
    """Return the cells of one character: 2 for wide ones, 0 for combining ones."""
    if unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf", "Cc") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cell_width(text: str) -> int:
    """Return the cells that a text takes."""
    return len(text) if text.isascii() else sum(map(char_cells, text))


def cut(text: str, width: int) -> str:
    """Return `text` in at most `width` cells; an ellipsis stands for what was left out."""
    if cell_width(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += char_cells(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + ELLIPSIS[: max(0, width)]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` in exactly `width` cells, padded or cut."""
    if text.isascii() and len(text) <= width:
        return text.rjust(width) if right else text.ljust(width)
    shown = cut(text, width)
    pad = " " * (width - cell_width(shown))
    return pad + shown if right else shown + pad
