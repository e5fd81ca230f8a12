"""How a metric's value is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Kind, clean, format_value

if TYPE_CHECKING:
    from console.plugin import Metric

MISSING = "—"
FORMATS = {"%": "pct", "C": "temp", "W": "power", "bytes": "bytes", "0..1": "ratio_pct", "count": "int", "MHz": "mhz"}


def value_format(metric: Metric) -> str:
    """Return the name of the format that fits a metric's unit."""
    return FORMATS.get(metric.unit, "number")


def written(metric: Metric, value: float) -> str:
    """Return a value with its unit, a dash where it is missing."""
    if value != value:
        return MISSING
    if metric.kind is Kind.BITMASK:
        return f"0x{int(value):x}"
    if metric.kind in (Kind.CODE, Kind.FLAG):
        return f"{int(value)}"
    told = format_value(value, value_format(metric))
    return told if metric.unit in FORMATS else f"{told} {clean(metric.unit, 12)}"
