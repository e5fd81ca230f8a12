"""Counts GPUs in Slurm's texts: `gpu:h100:4(IDX:0-3)`, `gpu:8(S:0-1)`, `gres/gpu:h100=8`, `gres:gpu:2`."""

from __future__ import annotations

import re
from functools import lru_cache

# Masks are 64-bit numbers, the highest bit of which means all.
MOST_SLOTS = 63
# A type holds something that is no digit: `gpu:4` are four GPUs.
_GPUS = re.compile(
    r"(?:^|,)\s*(?:gres[/:])?gpu(?=[:=,(]|$)(?::(?P<type>[^:=,()]*[^:=,()0-9][^:=,()]*))?"
    r"(?:[:=](?P<count>[0-9]{1,9}))?(?:\((?P<inside>[^)]*)\))?",
    re.IGNORECASE,
)
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@lru_cache(maxsize=65536)
def gpus(text: str) -> tuple[int, int]:
    """Return how many GPUs a text speaks of, and a mask of their indexes (bit N is index N; 0 where not told).

    A total without a type (`gres/gpu=8`) counts instead of the types beside it (`gres/gpu:h100=8`).
    """
    if "gpu" not in text.lower():
        return 0, 0
    typed, plain, mask = 0, None, 0
    for found in _GPUS.finditer(text):
        number = 1 if found["count"] is None else int(found["count"])
        if found["type"] is None:
            plain = (plain or 0) + number
        else:
            typed += number
        mask |= _mask(found["inside"] or "")
    return typed if plain is None else plain, mask


def _mask(inside: str) -> int:
    """Return the indexes of `IDX:0,4-5` as bits; sockets (`S:0-1`) and `IDX:N/A` have none."""
    if not inside.startswith("IDX:"):
        return 0
    mask = 0
    for first, last in _RANGE.findall(inside[4:]):
        low, high = int(first), int(last or first)
        if low <= high < MOST_SLOTS:
            mask |= (1 << (high + 1)) - (1 << low)
    return mask
