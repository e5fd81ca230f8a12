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
            header = self._rows(csv.reader(text), 0, 1)
        self.columns = tuple(name.strip() for name in header[0]) if header else ()
        must_have(Problems(path), self.columns, needed)

    def chunks(self, wanted: Sequence[str]) -> Iterator[Chunk]:
        """Yield the wanted columns; raises ConfigErrors for rows of another length, ConfigError where it breaks off."""
        with self._open() as text:
            reader = csv.reader(text)
            self._rows(reader, 0, 1)
            while True:
                before = reader.line_num
                rows = self._rows(reader, before, CHUNK_ROWS)
                if not rows:
                    return
                yield self._chunk(rows, before, reader.line_num, wanted)

    def _chunk(self, rows: list[list[str]], before: int, last: int, wanted: Sequence[str]) -> Chunk:
        # Cells with line breaks in them are rare enough to be told of by the line at which their chunk ends.
        lines: Sequence[int] = range(before + 1, last + 1) if last - before == len(rows) else [last] * len(rows)
        width = len(self.columns)
        if set(map(len, rows)) != {width}:
            problems = Problems(self.path)
            for line, row in zip(lines, rows, strict=True):
                if row and len(row) != width:
                    problems.add(line, "", f"{len(row)} cells, the header has {width}")
            problems.check()
            lines = [line for line, row in zip(lines, rows, strict=True) if row]
            rows = [row for row in rows if row]
        cells = list(zip(*rows, strict=True)) if rows else [()] * width
        return Chunk(lines, {name: cells[self.columns.index(name)] for name in wanted})

    def _open(self) -> TextIO:
        try:
            if self.path.name.endswith(".gz"):
                return cast(TextIO, gzip.open(self.path, "rt", encoding="utf-8-sig", newline=""))
            return self.path.open(encoding="utf-8-sig", newline="")
        except OSError as error:
            raise ConfigError(str(self.path), 0, "", f"cannot be read: {error.strerror or error}") from error

    def _rows(self, reader: Iterator[list[str]], line: int, most: int) -> list[list[str]]:
        """Return the next rows; raises ConfigError, with the line after which it stands, for what cannot be read."""
        try:
            return list(islice(reader, most))
        except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            said = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read on: {error}"
            line = getattr(reader, "line_num", line) or line
            raise ConfigError(str(self.path), line + 1, "", said) from error
