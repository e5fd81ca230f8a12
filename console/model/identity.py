"""Identity of GPUs: UUIDs as two uint64 columns, found by binary search instead of a dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

# The usual spelling: where its letters stand that never change, and where its digits.
_PATTERN = "GPU-________-____-____-____-____________"
_LENGTH = len(_PATTERN)
_FIXED = [at for at, letter in enumerate(_PATTERN) if letter != "_"]
_DIGITS = [at for at, letter in enumerate(_PATTERN) if letter == "_"]
_FIXED_LETTERS = np.frombuffer(_PATTERN.replace("_", "").encode("ascii"), dtype=np.uint8)
_VALUES = np.full(256, 255, dtype=np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdefABCDEF", dtype=np.uint8)] = [*range(16), *range(10, 16)]
# So many at once hold the interpreter's lock for a few milliseconds.
_SLICE = 10_000

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
    pairs = np.empty((len(texts), 2), dtype=np.uint64)
    for start in range(0, len(texts), _SLICE):
        part = texts[start : start + _SLICE]
        usual = _usual(part)
        pairs[start : start + _SLICE] = [parse_uuid(text) for text in part] if usual is None else usual
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _usual(texts: Sequence[str]) -> NDArray[np.uint64] | None:
    """Return uint64[n, 2] of texts that are all spelled `GPU-8-4-4-4-12` in hex digits, None where one is not."""
    joined = "".join(texts)
    if not joined.isascii() or set(map(len, texts)) != {_LENGTH}:
        return None
    letters = np.frombuffer(joined.encode("ascii"), dtype=np.uint8).reshape(-1, _LENGTH)
    digits = _VALUES[letters[:, _DIGITS]]
    if (letters[:, _FIXED] != _FIXED_LETTERS).any() or digits.max() > 15:
        return None
    octets = np.ascontiguousarray((digits[:, ::2] << 4) | digits[:, 1::2])
    words = octets.view(">u8").astype(np.uint64)
    return None if (words == 0).all(axis=1).any() else words


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
