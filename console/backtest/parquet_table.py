"""Reads Parquet files in chunks; needs pyarrow, the extra `record`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.backtest.chunks import Chunk
from console.backtest.problems import Problems, must_have
from console.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CHUNK_ROWS = 100_000


class ParquetTable:
    """A Parquet file; a row's line is its number in the file, from 1.

    Raises ConfigError without pyarrow and for a file that is no Parquet, ConfigErrors for a missing column of `needed`.
    """

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        self.path = path
        file = self._file()
        self.columns = tuple(str(name) for name in file.schema_arrow.names)
        must_have(Problems(path), self.columns, needed)

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """Yield the wanted columns in chunks; raises ConfigErrors for a column that holds neither text nor numbers."""
        import pyarrow

        row = 0
        try:
            for batch in self._file().iter_batches(CHUNK_ROWS, columns=list(wanted)):
                cells = {name: self._cells(name, batch.column(name)) for name in wanted}
                yield Chunk(range(row + 1, row + 1 + batch.num_rows), cells)
                row += batch.num_rows
        except (OSError, pyarrow.ArrowException) as error:
            raise ConfigError(str(self.path), row, "", f"cannot be read on: {error}") from error

    def _file(self) -> Any:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            said = "Parquet needs pyarrow: pip install 'gigadeck[record]', or give CSV files"
            raise ConfigError(str(self.path), 0, "", said) from error
        try:
            return parquet.ParquetFile(self.path)
        except (OSError, pyarrow.ArrowException) as error:
            raise ConfigError(str(self.path), 0, "", f"is no Parquet file: {error}") from error

    def _cells(self, name: str, column: Any) -> Any:
        from pyarrow import types

        kind = column.type
        if types.is_timestamp(kind):
            scale = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
            return column.cast("int64").to_numpy(zero_copy_only=False).astype(np.float64) / scale
        if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
            return column.to_numpy(zero_copy_only=False).astype(np.float64)
        if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
            return ["" if each is None else str(each) for each in column.to_pylist()]
        problems = Problems(self.path)
        problems.add(0, name, f"a column of {kind} cannot be read: text or numbers are")
        problems.check()
        return None
