"""Names of a job's nodes in Slurm's own order, for what is said of each node (`gres_detail`) follows that order."""

from __future__ import annotations

import re
from functools import lru_cache

from console.core.hostlist import HostListError, in_order

_SIMPLE = re.compile(r"([^\[\],\s]+)\[([0-9,-]+)\]([^\[\],\s]*)", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", re.ASCII)
NONE = frozenset({"", "(null)", "None", "none", "None assigned", "(None)"})
MOST = 1_000_000


def names(text: str) -> tuple[str, ...]:
    """Return the names of a host list in the order it has them; of one that cannot be read, the text itself."""
    if text in NONE:
        return ()
    if "[" not in text and "," not in text:
        return (text,)
    return _many(text)


@lru_cache(maxsize=16384)
def _many(text: str) -> tuple[str, ...]:
    found = _SIMPLE.fullmatch(text)
    quick = _quick(*found.groups()) if found else None
    if quick is not None:
        return quick
    try:
        return tuple(dict.fromkeys(in_order(text)))
    except HostListError:
        return (text[:256],)


def _quick(before: str, inside: str, after: str) -> tuple[str, ...] | None:
    """Return the names of one bracket with plain ranges, None where they are anything else."""
    made: list[str] = []
    for part in inside.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            return None
        first, last = found[1], found[2] or found[1]
        low, high, width = int(first), int(last), len(first)
        if high < low or high - low >= MOST:
            return None
        made += [f"{before}{number:0{width}d}{after}" for number in range(low, high + 1)]
    return tuple(made)
