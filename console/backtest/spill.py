"""Rows of telemetry put in order of time on the disk: files may overlap and need no order of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

BUCKET_S = 3600.0
MOST_BUCKETS = 50_000
# So many rows are in memory at once when they are read back.
MOST_ROWS = 1_000_000


class Spill:
    """A folder of temporary files, one for each hour; a context manager that removes it.

    A row is `at` float64, `key` int32 and `values` float32[metrics].
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self.dtype = np.dtype([("at", "f8"), ("key", "i4"), ("values", "f4", (len(metrics),))])
        self.rows = 0
        self._folder = tempfile.TemporaryDirectory(prefix="gigadeck-backtest-", ignore_cleanup_errors=True)
        self._buckets: dict[int, int] = {}

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, at: NDArray[np.float64], key: NDArray[np.int32], values: NDArray[np.float32]) -> None:
        """Keep rows, in any order; raises ConsoleError for times that lie too far apart or a full disk."""
        rows = np.empty(len(at), dtype=self.dtype)
        rows["at"], rows["key"], rows["values"] = at, key, values
        bucket = np.floor_divide(at, BUCKET_S).astype(np.int64)
        order = np.argsort(bucket, kind="stable")
        firsts = np.flatnonzero(np.diff(bucket[order], prepend=-1))
        for part in np.split(order, firsts[1:]) if len(order) else ():
            self._append(int(bucket[part[0]]), rows[part])
        self.rows += len(rows)

    def in_order(self) -> Iterator[Any]:
        """Yield structured arrays of rows in the order of time, of about a million rows at most."""
        for bucket in sorted(self._buckets):
            rows = np.memmap(self._path(bucket), dtype=self.dtype, mode="r")
            for some in _parts(rows):
                yield some[np.argsort(some["at"], kind="stable")]

    def _append(self, bucket: int, rows: NDArray[Any]) -> None:
        self._buckets[bucket] = self._buckets.get(bucket, 0) + len(rows)
        if len(self._buckets) > MOST_BUCKETS:
            span = (max(self._buckets) - min(self._buckets)) * BUCKET_S / 86400 / 365
            raise ConsoleError(f"the telemetry spans {span:.0f} years: is `at` in epoch seconds?")
        try:
            with self._path(bucket).open("ab") as file:
                rows.tofile(file)
        except OSError as error:
            where = Path(self._folder.name).parent
            raise ConsoleError(
                f"{where}: no room to sort the telemetry ({error}); set TMPDIR to a larger disk"
            ) from error

    def _path(self, bucket: int) -> Path:
        return Path(self._folder.name) / f"{bucket}.rows"


def _parts(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield rows in parts of about a million, each later than the one before."""
    parts = -(-len(rows) // MOST_ROWS)
    if parts == 1:
        yield np.asarray(rows)
        return
    some_at = np.sort(rows["at"][:: max(1, len(rows) // 10_000)])
    edges = some_at[np.arange(1, parts) * len(some_at) // parts]
    part_of = np.searchsorted(edges, rows["at"], side="right")
    for part in range(parts):
        some = np.asarray(rows[part_of == part])
        if len(some):
            yield some
