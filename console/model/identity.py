"""Identity of GPUs: UUIDs as two uint64 columns, found by binary search instead of a dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

UuidColumns = tuple[NDArray[np.uint64], NDArray[np.uint64]]


def parse_uuid(text: str) -> tuple[int, int]:
    """Return a GPU UUID as (high, low) 64 bits; (0, 0) is 'unknown'.

    `GPU-<hex>` and `MIG-<hex>` carry their 128 bits; any other spelling (tests, other vendors) is hashed to 128 bits,
    so that every non-empty name has a stable key.
    """
    if not text:
        return 0, 0
    digits = text[4:].replace("-", "") if text[:4] in ("GPU-", "MIG-") else ""
    try:
        value = int(digits, 16) if len(digits) == 32 else 0
    except ValueError:
        value = 0
    if not value or text[:4] == "MIG-":
        value = _hashed(text)
    return value >> 64, value & 0xFFFFFFFFFFFFFFFF


def _hashed(text: str) -> int:
    import hashlib  # OpenSSL takes 4 ms to load; real GPUs' UUIDs are numbers

    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")


def parse_uuids(texts: Sequence[str]) -> UuidColumns:
    """Return many UUIDs as two uint64 columns of the same length."""
    pairs = np.array([parse_uuid(text) for text in texts], dtype=np.uint64).reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def format_uuid(high: int, low: int) -> str:
    """Return the `GPU-` spelling of a key; the empty string if it is unknown."""
    if not high and not low:
        return ""
    digits = f"{int(high):016x}{int(low):016x}"
    return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, eq=False)
class UuidIndex:
    """Finds rows by UUID: the high words sorted, and the permutation that sorts them."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    order: NDArray[np.int32]

    @classmethod
    def build(cls, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> UuidIndex:
        """Index two columns; rows whose UUID is unknown (0, 0) are never found."""
        order = np.lexsort((low, high)).astype(np.int32)
        return cls(high[order], low[order], order)

    def find(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row of each key, -1 where there is none."""
        if not len(self.order):
            return np.full(len(high), -1, dtype=np.int32)
        at = np.minimum(np.searchsorted(self.high, high), len(self.order) - 1)
        hit = (self.high[at] == high) & (self.low[at] == low) & ((high != 0) | (low != 0))
        rows = np.where(hit, self.order[at], -1).astype(np.int32)
        for miss in np.flatnonzero(~hit & (self.high[at] == high) & (high != 0)):
            rows[miss] = self._find_among_equal_highs(int(at[miss]), high[miss], low[miss])
        return rows

    def _find_among_equal_highs(self, start: int, high: np.uint64, low: np.uint64) -> int:
        row = start
        while row < len(self.order) and self.high[row] == high:
            if self.low[row] == low:
                return int(self.order[row])
            row += 1
        return -1
