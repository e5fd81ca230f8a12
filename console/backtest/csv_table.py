"""Reads CSV files, plain or compressed with gzip, in chunks and in bounded memory."""

from __future__ import annotations

import csv
import gzip
import zlib
from itertools import islice
from typing import TYPE_CHECKING, TextIO, cast

from console.backtest.chunks import Chunk
from console.backtest.problems import Problems, must_have
from console.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CHUNK_ROWS = 20_000


class CsvTable:
    """A CSV file with a header line (comma, UTF-8); raises ConfigErrors for a missing column of `needed`."""

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        self.path = path
        with self._open() as text:
            header = next(self._rows(text), [])
        self.columns = tuple(name.strip() for name in header)
        must_have(Problems(path), self.columns, needed)

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """Yield the wanted columns; raises ConfigErrors for rows of another length, ConfigError where it breaks off."""
        with self._open() as text:
            reader = csv.reader(text)
            rows = self._of(reader)
            next(rows, None)
            while True:
                before = reader.line_num
                taken = list(islice(rows, CHUNK_ROWS))
                if not taken:
                    return
                yield self._chunk(taken, before, reader.line_num, wanted)

    def _chunk(self, rows: list[list[str]], before: int, last: int, wanted: Sequence[str]) -> Chunk:
        problems = Problems(self.path)
        # Cells with line breaks in them are rare enough to be told of by the line at which their chunk ends.
        lines = range(before + 1, before + 1 + len(rows)) if last - before == len(rows) else [last] * len(rows)
        width = len(self.columns)
        for line, row in zip(lines, rows, strict=True):
            if row and len(row) != width:
                problems.add(line, "", f"{len(row)} cells, the header has {width}")
        problems.check()
        full = [(line, row) for line, row in zip(lines, rows, strict=True) if row]
        where = {name: self.columns.index(name) for name in wanted}
        cells = {name: [row[i] for _, row in full] for name, i in where.items()}
        return Chunk([line for line, _ in full], cells)

    def _open(self) -> TextIO:
        try:
            if self.path.name.endswith(".gz"):
                return cast(TextIO, gzip.open(self.path, "rt", encoding="utf-8-sig", newline=""))
            return self.path.open(encoding="utf-8-sig", newline="")
        except OSError as error:
            raise ConfigError(str(self.path), 0, "", f"cannot be read: {error.strerror or error}") from error

    def _rows(self, text: TextIO) -> Iterator[list[str]]:
        return self._of(csv.reader(text))

    def _of(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        line = 0
        try:
            for row in reader:
                line += 1
                yield row
        except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            said = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read on: {error}"
            raise ConfigError(str(self.path), line + 1, "", said) from error
