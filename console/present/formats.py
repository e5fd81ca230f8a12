"""How values are written: fixed digits and a unit, a dash for what is missing."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.model.values import dataclass
from console.model.views import Span
from console.present.safe import clean
from console.present.scale import heat_level
from console.present.tokens import heat_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.views import TableColumn

MISSING = "—"
TEXT_LIMIT = 300
# No number of a fleet is as large: it is written so that it does not fill a line.
HUGE = 1e18
# In a table only the hot end of a scale is coloured: a page of numbers in ten colours says nothing.
HOT_LEVEL = 7
SEVERITY_GLYPHS = {
    "ok": "✓",
    "info": "i",
    "unknown": "?",
    "warning": "▲",
    "critical": "✖",
    "stale": "◌",
    "down": "✖",
}


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of number is written: `width` cells hold nearly all of them; text or heading has the `unit`.

    A plot's axis is at least `least` long.
    """

    write: Callable[[float], str]
    width: int
    unit: str = ""
    least: float = 0.0


def _digits(number: float) -> str:
    """Return three significant digits, thousands with commas."""
    size = abs(number)
    return f"{number:,.2f}" if size < 9.995 else f"{number:,.1f}" if size < 99.95 else f"{number:,.0f}"


def _plain_number(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else _digits(number)


def _scaled(number: float, steps: tuple[str, ...], gap: str) -> str:
    """Return the number in the largest of `steps` (each 1000 times the one before)."""
    at = 0
    while at < len(steps) - 1 and abs(number) >= 999.5:
        number, at = number / 1000, at + 1
    text = f"{number:,.0f}" if at == 0 else _digits(number)
    return f"{text}{gap}{steps[at]}".rstrip()


def _age(seconds: float) -> str:
    size = abs(seconds)
    if size < 59.5:
        return f"{round(seconds) or 0} s"
    sign = "-" if seconds < 0 else ""
    if size < 3600:
        return f"{sign}{max(1, int(size // 60))}m"
    return f"{sign}{int(size // 3600)}h" if size < 48 * 3600 else f"{sign}{int(size // 86400):,}d"


def _clock(at: float, form: str = "%H:%M:%SZ") -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return MISSING


FORMATS: dict[str, Format] = {
    "number": Format(_plain_number, 6),
    "int": Format(lambda number: f"{number:,.0f}", 5, least=4),
    "pct": Format(lambda number: f"{number:.0f} %", 5, "%", least=10),
    "temp": Format(lambda number: f"{number:.0f} C", 5, "C", least=4),
    "power": Format(lambda number: _scaled(number, ("W", "kW", "MW", "GW"), " "), 7, "W", least=10),
    "megawatt": Format(lambda number: _digits(number / 1e6), 5, "MW", least=1e6),
    "age": Format(_age, 4, "s", least=10),
    "ratio": Format(lambda number: f"{number:.2f}", 4, least=0.1),
    "ratio_pct": Format(lambda number: f"{number * 100:.0f} %", 5, "%", least=0.1),
    "si": Format(lambda number: _scaled(number, ("", "k", "M", "G", "T"), ""), 6),
    "bytes": Format(lambda number: _scaled(number, ("B", "kB", "MB", "GB", "TB", "PB"), " "), 7, "B", least=1e6),
    "mhz": Format(lambda number: f"{number:,.0f} MHz", 9, "MHz", least=50),
    "pue": Format(lambda number: f"{number:.2f}", 4, least=0.05),
    "code": Format(lambda number: f"{number:.0f}", 4, least=4),
    "hex": Format(lambda number: f"0x{int(number):x}", 5),
    "ms": Format(lambda number: f"{number:,.0f} ms", 7, "ms", least=10),
    "time": Format(_clock, 9),
    "datetime": Format(lambda at: _clock(at, "%Y-%m-%d %H:%M:%SZ"), 20),
}


def format_value(value: object, format: str = "number") -> str:
    """Return one value as text, a dash where it is missing; unknown formats and other values are written as text."""
    if value is None:
        return MISSING
    if format == "severity":
        return _severity(str(value))
    if isinstance(value, str):
        return clean(value, TEXT_LIMIT)
    number = _as_number(value)
    if number is None:
        return clean(str(value), TEXT_LIMIT)
    if math.isnan(number):
        return MISSING
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    if abs(number) >= HUGE:
        return f"{number:.3g}"
    return _unsigned_zero(FORMATS.get(format, FORMATS["number"]).write(number))


def _as_number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # whatever cannot be a number is caught
    except (TypeError, ValueError, OverflowError):
        return None


def _unsigned_zero(text: str) -> str:
    return text[1:] if text.startswith("-0") and not any(digit in text for digit in "123456789x") else text


def _severity(name: str) -> str:
    known = SEVERITY_GLYPHS.get(name)
    return f"{known} {name}" if known else clean(name, TEXT_LIMIT) or MISSING


def format_cell(column: TableColumn, row: int, value: object = None) -> Span:
    """Return one cell of a table with its token: the row's, that of its heat where it is hot, or of its severity.

    `value` is what to write in place of the column's value there.
    """
    value = column.values[row] if value is None else value
    text = format_value(value, column.format)
    return Span(text, _token(column, row, value, text))


def _token(column: TableColumn, row: int, value: object, text: str) -> str:
    if column.tokens is not None:
        return str(column.tokens[row])
    if text == MISSING:
        return "text.dim"
    if column.heat is not None:
        number = _as_number(value)
        level = 0 if number is None else heat_level(number, *column.heat)
        return heat_token(level) if level >= HOT_LEVEL else "text"
    if column.format == "severity" and str(value) in SEVERITY_GLYPHS:
        return f"state.{value}"
    return "text"
