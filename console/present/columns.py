"""Columns of rows that a query chose, for tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.metrics import Kind
from console.model.views import Align, TableColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.model.metrics import Metric, MetricTable

FORMAT_OF_UNIT = {
    "%": "pct",
    "C": "temp",
    "W": "power",
    "bytes": "bytes",
    "0..1": "ratio_pct",
    "count": "int",
    "MHz": "mhz",
    "ratio": "ratio",
}
FORMAT_OF_FIELD = {"age_s": "age", "pue": "pue", "severity": "severity", "state": "text"}
_UNITLESS = frozenset(("", "count", "code", "ratio", "0..1", "0/1", "bitmask", "lanes"))


def metric_format(metric: Metric) -> str:
    """Return the name of the format that fits a metric."""
    if metric.kind is Kind.BITMASK:
        return "hex"
    if metric.kind in (Kind.CODE, Kind.FLAG):
        return "code"
    return FORMAT_OF_UNIT.get(metric.unit, "number")


def columns_of(columns: Mapping[str, Sequence[Any] | NDArray[Any]], metrics: MetricTable) -> tuple[TableColumn, ...]:
    """Return table columns for named values, in their order; headings are field names, with units where needed."""
    return tuple(_column(name, values, metrics) for name, values in columns.items())


def _column(name: str, values: Sequence[Any] | NDArray[Any], metrics: MetricTable) -> TableColumn:
    array = isinstance(values, np.ndarray)
    numbers = isinstance(values, np.ndarray) and values.dtype.kind in "fiub"
    found = metrics.get(name) or (metrics.aggregate(name) or (None,))[0]
    form = FORMAT_OF_FIELD.get(name) or (metric_format(found) if found else _usual(name, numbers))
    title = name
    if found is not None and form == "number" and found.unit not in _UNITLESS:
        title = f"{name} ({found.unit})"
    shown = values if numbers else [_text(each) for each in (values.tolist() if array else values)]  # type: ignore[union-attr]  # arrays alone
    return TableColumn(name, title, shown, form, Align.RIGHT if numbers or _is_numeric(shown) else Align.LEFT)


def _usual(name: str, numbers: bool) -> str:
    if not numbers:
        return "text"
    if name.endswith("_at"):
        return "datetime"
    return "age" if name.endswith("_s") else "int" if name.endswith(("gpus", "_count")) else "number"


def _text(value: Any) -> Any:
    return "" if value is None else value if isinstance(value, (str, int, float)) else ", ".join(map(str, value))


def _is_numeric(values: Sequence[Any] | NDArray[Any]) -> bool:
    first = next((each for each in values[:50] if each != ""), "")
    return isinstance(first, (int, float)) and not isinstance(first, bool)
