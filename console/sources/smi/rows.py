"""Rows of `nvidia-smi --query-gpu=... --format=csv,noheader,nounits`: by position, never by name.

A header would repeat each alias's canonical name, so that names cannot be matched; with `nounits` or without, a cell
reads the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.kernel_log import pci_key
from console.sources.smi.cells import Trouble, plain
from console.sources.smi.values import IDENTITY, SmiGpu, metric_of_field, read_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.metrics import Metric, MetricTable

TEXT_LIMIT = 96
FACTS = (("driver", "driver_version"), ("vbios", "vbios_version"))


class RowReader:
    """Reads the rows of one query; `fields` are the names as they were asked for, in order."""

    def __init__(self, fields: Sequence[str], metrics: MetricTable) -> None:
        self.fields = tuple(fields)
        by_name = metric_of_field(metrics)
        self._metrics: list[tuple[int, Metric]] = [
            (i, by_name[name]) for i, name in enumerate(self.fields) if name in by_name
        ]
        self._identity = {name: i for i, name in enumerate(self.fields) if name in IDENTITY}

    def read(self, line: str) -> SmiGpu | None:
        """Return the GPU of a row, None for a line that is no row of this query."""
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) > len(self.fields) and "name" in self._identity:
            cells = self._joined(cells)
        if len(cells) != len(self.fields):
            return None
        uuid = _text(self._cell(cells, "uuid"))
        index = self._cell(cells, "index")
        if not (uuid[:4] in ("GPU-", "MIG-") or index.isdigit()):
            return None
        values: dict[str, float] = {}
        faults: list[str] = []
        for at, metric in self._metrics:
            values[metric.name], trouble = read_cell(metric, cells[at])
            if trouble is Trouble.FAULT:
                faults.append(metric.name)
        return SmiGpu(
            index=int(index) if index.isdigit() and len(index) < 5 else -1,
            uuid=uuid,
            pci=pci_key(_text(self._cell(cells, "pci.bus_id"))),
            model=_text(self._cell(cells, "name")),
            values=values,
            faults=tuple(faults),
            mig=plain(self._cell(cells, "mig.mode.current")).lower() == "enabled",
            facts={fact: text for fact, name in FACTS if (text := _text(self._cell(cells, name)))},
        )

    def _cell(self, cells: list[str], name: str) -> str:
        at = self._identity.get(name)
        return "" if at is None else cells[at]

    def _joined(self, cells: list[str]) -> list[str]:
        """Return the cells with a name that holds commas put together again."""
        at, more = self._identity["name"], len(cells) - len(self.fields)
        return [*cells[:at], ", ".join(cells[at : at + more + 1]), *cells[at + more + 1 :]]


def _text(cell: str) -> str:
    text = plain(cell)
    return "" if text.lower() in ("n/a", "unknown error", "not supported") else text[:TEXT_LIMIT]
