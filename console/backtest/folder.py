"""An operator's folder: its telemetry is read once, checked, and put in order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.backtest.cadence import Cadence
from console.backtest.chunks import numbers, times
from console.backtest.csv_table import CsvTable
from console.backtest.keys import KEY_COLUMNS, Keys
from console.backtest.parquet_table import ParquetTable
from console.backtest.problems import Problems
from console.model.errors import ConfigError, NoDataError
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from console.backtest.chunks import Chunk
    from console.backtest.keys import Rows
    from console.backtest.spill import Spill
    from console.core.layout import Layout
    from console.model.metrics import Metric, MetricTable

NEEDED = ("at", *KEY_COLUMNS)
USED_LEVELS = ("gpu", "node", "site")
PATTERNS = (
    "telemetry/*.parquet",
    "telemetry/*.csv",
    "telemetry/*.csv.gz",
    "telemetry*.parquet",
    "telemetry*.csv",
    "telemetry*.csv.gz",
)


@dataclass(frozen=True, eq=False)
class Folder:
    """What a folder offers: its telemetry files, the metrics they have, and each unknown column with its first file."""

    path: Path
    tables: tuple[CsvTable | ParquetTable, ...]
    metrics: tuple[Metric, ...]
    ignored: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The names of the metrics, in the order of a spill's values."""
        return [each.name for each in self.metrics]


@dataclass(frozen=True, eq=False)
class Telemetry:
    """The telemetry of a folder, in `spill`: its hardware, its time (UTC epoch seconds) and its cadence.

    `sentinels` counts values outside of what their metric can be: they read as missing.
    """

    metrics: tuple[Metric, ...]
    rows: Rows
    spill: Spill
    start: float
    end: float
    cadence_s: float
    sentinels: int = 0


def look_into(path: Path, metrics: MetricTable) -> Folder:
    """Return what a folder offers, by its files' headers.

    Raises ConfigError for what is no folder or cannot be read, ConfigErrors for a missing column, and NoDataError where
    there is no telemetry or none of our metrics.
    """
    if not path.is_dir():
        raise ConfigError(str(path), 0, "", "is no folder")
    files = sorted({each for pattern in PATTERNS for each in path.glob(pattern)})
    if not files:
        raise NoDataError(f"{path}: no telemetry here: telemetry/*.parquet or telemetry*.csv[.gz] (docs/backtest.md)")
    tables = tuple(_table(each) for each in files)
    given = {name: str(table.path) for table in reversed(tables) for name in table.columns}
    used = tuple(each for each in metrics.values() if each.level in USED_LEVELS and each.name in given)
    if not used:
        raise NoDataError(f"{path}: no column is the name of a metric of ours, such as temp_c (docs/backtest.md)")
    known = {each.name for each in used} | set(NEEDED)
    return Folder(path, tables, used, {name: file for name, file in given.items() if name not in known})


def read_telemetry(folder: Folder, spill: Spill, layout: Layout | None = None) -> Telemetry:
    """Read all telemetry of a folder into a spill of its metrics.

    Raises ConfigErrors for bad cells (file, line, column), ConsoleError for times that lie too far apart or a full
    disk, and NoDataError where there is not one row.
    """
    reader = _Reader(folder.metrics, spill)
    for table in folder.tables:
        wanted = [*NEEDED, *(name for name in folder.names if name in table.columns)]
        for chunk in table.chunks(wanted):
            reader.take(chunk, Problems(table.path))
    if not spill.rows:
        raise NoDataError(f"{folder.path}: the telemetry has columns and no rows")
    return Telemetry(
        folder.metrics,
        reader.keys.rows(layout),
        spill,
        reader.start,
        reader.end,
        reader.cadence.step_s,
        reader.sentinels,
    )


class _Reader:
    """Takes chunks in."""

    def __init__(self, metrics: tuple[Metric, ...], spill: Spill) -> None:
        self.keys, self.cadence = Keys(), Cadence()
        self.start, self.end, self.sentinels = np.inf, -np.inf, 0
        self._metrics, self._spill = metrics, spill

    def take(self, chunk: Chunk, problems: Problems) -> None:
        if not len(chunk):
            return
        at = times(chunk, "at", problems)
        key = self.keys.numbered(chunk, problems)
        values = np.full((len(chunk), len(self._metrics)), np.nan, dtype=np.float32)
        for i, metric in enumerate(self._metrics):
            if metric.name in chunk.cells:
                values[:, i] = self._sound(metric, numbers(chunk, metric.name, problems))
        problems.check()
        self.start, self.end = min(self.start, float(at.min())), max(self.end, float(at.max()))
        self.cadence.hear(at, key)
        self._spill.add(at, key, values)

    def _sound(self, metric: Metric, values: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            wrong = (values < metric.low) | (values > metric.high)
        self.sentinels += int(np.count_nonzero(wrong))
        return np.where(wrong, np.nan, values)


def _table(path: Path) -> CsvTable | ParquetTable:
    return ParquetTable(path, NEEDED) if path.name.endswith(".parquet") else CsvTable(path, NEEDED)
