from __future__ import annotations

import numpy as np
import pytest

from console.model.views import Span, TableColumn
from console.present.formats import FORMATS, format_cell, format_value

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "format", "text"),
    [
        (612.4, "power", "612 W"),
        (5120, "power", "5.12 kW"),
        (999.6, "power", "1.00 kW"),
        (135e6, "power", "135 MW"),
        (135.2e6, "megawatt", "135"),
        (3.21e6, "megawatt", "3.21"),
        (1, "age", "1 s"),
        (41.4, "age", "41 s"),
        (59.9, "age", "1m"),
        (400, "age", "6m"),
        (3700, "age", "1h"),
        (3 * 86400, "age", "3d"),
        (-90, "age", "-1m"),
        (0.584, "ratio", "0.58"),
        (0.584, "ratio_pct", "58 %"),
        (58.4, "pct", "58 %"),
        (79.4, "temp", "79 C"),
        (-0.2, "temp", "0 C"),
        (-12.0, "temp", "-12 C"),
        (12345, "si", "12.3k"),
        (8.5e10, "bytes", "85.0 GB"),
        (0, "bytes", "0 B"),
        (1605, "mhz", "1,605 MHz"),
        (1.214, "pue", "1.21"),
        (123456.0, "int", "123,456"),
        (np.float32(3.0), "number", "3"),
        (3.14159, "number", "3.14"),
        (np.int64(79), "code", "79"),
        (0x28, "hex", "0x28"),
        ("critical", "severity", "✖ critical"),
        ("warning", "severity", "▲ warning"),
        (1_800_000_000, "time", "08:00:00Z"),
        (1_800_000_000, "datetime", "2027-01-15 08:00:00Z"),
        ("n0655", "text", "n0655"),
        ("\x1b[31mred", "int", "red"),
        (None, "int", "—"),
        (NAN, "power", "—"),
        (np.float32("nan"), "int", "—"),
        (float("inf"), "int", "inf"),
        (1e17, "time", "—"),
        (1e300, "age", "1e+300"),
        (True, "int", "1"),
        ((1, 2), "int", "(1, 2)"),
        (5, "no such format", "5"),
    ],
)
def test_values_are_written_with_fixed_digits_and_a_unit(value: object, format: str, text: str) -> None:
    assert format_value(value, format) == text


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_says_missing_with_a_dash(name: str) -> None:
    assert format_value(NAN, name) == "—"


def test_a_cell_has_the_token_of_its_row_its_heat_or_its_severity() -> None:
    values = np.array([25.0, 89.0, NAN])
    hot = TableColumn("t", "t", values, "temp", heat=(25, 90))
    assert format_cell(hot, 0) == Span("25 C", "text")
    assert format_cell(hot, 1) == Span("89 C", "heat.9")
    assert format_cell(hot, 2) == Span("—", "text.dim")
    told = TableColumn("t", "t", values, "temp", tokens=["state.ok", "link", "mark"], heat=(25, 90))
    assert format_cell(told, 1).token == "link"
    bad = TableColumn("s", "s", ["critical"], "severity")
    assert format_cell(bad, 0) == Span("✖ critical", "state.critical")
