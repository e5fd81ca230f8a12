"""Names and identities of emulated parts, made in bulk, and a node's aliases, worked out when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The alphabet of Kubernetes' generated names.
_POD_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_POD_CODES = len(_POD_LETTERS) ** 5
_POD_FACTOR = 7_368_787
_POD_INVERSE = pow(_POD_FACTOR, -1, _POD_CODES)
_POD = re.compile(r"nvidia-dcgm-exporter-([bcdfghjklmnpqrstvwxz2456789]{5})\Z")


def numbered(prefix: str, first: int, count: int, width: int) -> tuple[str, ...]:
    """Return `prefix` with `count` zero-padded numbers of at least `width` digits; far faster than formatting each."""
    width = max(width, len(str(first + count - 1)))
    letters = np.empty((count, len(prefix) + width + 1), dtype=np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix.encode("ascii"), dtype=np.uint8)
    rest = np.arange(first, first + count)
    for place in range(len(prefix) + width - 1, len(prefix) - 1, -1):
        letters[:, place] = rest % 10 + ord("0")
        rest //= 10
    letters[:, -1] = ord(" ")
    return tuple(letters.tobytes().decode("ascii").split())


class Numbered(Sequence[str]):
    """What `numbered` returns, each name spelled when it is looked at: 100,000 that nobody may ask for take 7 MB.

    It equals a tuple of the same names.
    """

    def __init__(self, prefix: str, first: int, length: int, width: int) -> None:
        self._told = prefix, first, length, max(width, len(str(first + length - 1)))

    def __len__(self) -> int:
        return self._told[2]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numbered):
            return self._told == other._told
        return isinstance(other, tuple) and len(other) == len(self) and tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        prefix, first, length, width = self._told
        numbers = range(first, first + length)[index]
        if isinstance(numbers, range):
            return tuple(f"{prefix}{number:0{width}d}" for number in numbers)
        return f"{prefix}{numbers:0{width}d}"

    def __iter__(self) -> Iterator[str]:
        return iter(numbered(*self._told))


def scramble(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64 well mixed bits of each value (splitmix64)."""
    mixed = values * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def uuid_columns(seed: int, site: int, count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the GPU UUIDs of a site as two uint64 columns, the same for the same seed; none is 0."""
    base = np.uint64(((seed & 0xFFFFFF) << 40) + (site << 28) + 1)
    rows = np.arange(count, dtype=np.uint64)
    rows += base
    high = scramble(rows)
    return high | np.uint64(1 << 63), scramble(high)


@dataclass(frozen=True)
class NodeAliases(Mapping[str, int]):
    """Every other spelling of a site's nodes: site-prefixed, FQDN and exporter pod.

    Worked out from the name when asked for: 100,000 strings that nobody may ever need take time to make.
    """

    site: str
    count: int
    width: int

    def spellings(self, row: int) -> tuple[str, ...]:
        """Return the aliases of one node."""
        name = f"n{row + 1:0{self.width}d}"
        return f"{self.site}-{name}", f"{name}.{self.site}.example.net", self.pod(row)

    def pod(self, row: int) -> str:
        """Return the name of the node's exporter pod."""
        code = (row + 1) * _POD_FACTOR % _POD_CODES
        letters = []
        for _ in range(5):
            code, digit = divmod(code, len(_POD_LETTERS))
            letters.append(_POD_LETTERS[digit])
        return f"nvidia-dcgm-exporter-{''.join(letters)}"

    def __getitem__(self, alias: str) -> int:
        pod = _POD.match(alias)
        row = self._row_of_pod(pod[1]) if pod else self._row_of_name(alias)
        if row is None or not 0 <= row < self.count or alias not in self.spellings(row):
            raise KeyError(alias)
        return row

    def __iter__(self) -> Iterator[str]:
        for row in range(self.count):
            yield from self.spellings(row)

    def __len__(self) -> int:
        return 3 * self.count

    def _row_of_name(self, alias: str) -> int | None:
        digits = alias.removeprefix(f"{self.site}-").partition(".")[0][1:]
        return int(digits) - 1 if digits.isascii() and digits.isdigit() and len(digits) < 10 else None

    def _row_of_pod(self, letters: str) -> int:
        code = 0
        for letter in reversed(letters):
            code = code * len(_POD_LETTERS) + _POD_LETTERS.index(letter)
        return code * _POD_INVERSE % _POD_CODES - 1
