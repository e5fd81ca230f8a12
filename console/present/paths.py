"""Addresses of rows, spelled only when somebody looks at them: a map of 12,500 nodes costs what is seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.levels import Level
    from console.model.topology import SiteTopology

    Rows = NDArray[np.integer[Any]]


class Paths(Sequence[str]):
    """The addresses of rows of one level at several sites, one run of ascending or arbitrary rows a site."""

    def __init__(self, parts: Sequence[tuple[SiteTopology, Level, Rows]]) -> None:
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(rows) for _, _, rows in self._parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        part = int(np.searchsorted(self._ends, at, side="right"))
        topology, level, rows = self._parts[part]
        return topology.path(level, int(rows[at - int(self._ends[part]) + len(rows)]))

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Return the position of an address without spelling the others; raises ValueError."""
        before = 0
        for topology, level, rows in self._parts:
            found = topology.resolve(value) if value.partition("/")[0] == topology.site else None
            if found is not None and found[0] is level:
                at = np.flatnonzero(rows == found[1])
                if len(at) and start <= before + int(at[0]) < (len(self) if stop is None else stop):
                    return before + int(at[0])
            before += len(rows)
        raise ValueError(value)

    def __contains__(self, value: object) -> bool:
        try:
            return isinstance(value, str) and self.index(value) >= 0
        except ValueError:
            return False
