"""What the terminal understands, from its entry in the terminal database."""

from __future__ import annotations

import functools
import os

from console.ui.wire.moves import Dialect

# Terminals without a database entry, or without the database, that are known to keep the background when erasing.
KEEP_BACKGROUND = ("xterm", "linux", "rxvt", "alacritty", "foot", "st-256color", "konsole", "vte")
LEAST = Dialect(short_moves=False, ends=False, erases=False)
LEAST_ABLE = ("", "dumb", "unknown", "vt52", "vt100", "vt102")


@functools.cache
def dialect(term: str | None = None) -> Dialect:
    """Return the dialect of a terminal, of TERM if none is told; only what is sure is used."""
    name = os.environ.get("TERM", "") if term is None else term
    if name in LEAST_ABLE:
        return LEAST
    return Dialect(colored_erases=name.startswith(KEEP_BACKGROUND))
