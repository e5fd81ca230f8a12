from __future__ import annotations

import pytest

from console.model.errors import ExpressionError
from console.ui.command_bar import CommandMode
from console.ui.commands import Known
from console.ui.filter_bar import FilterMode
from console.ui.filter_check import LIMIT, filter_fault
from tests.support import panels


def plain(line):
    return "".join(span.text for span in line)


@pytest.mark.parametrize("column", [1, 4, 40, 200])
def test_the_mark_stands_below_the_fault(column):
    mode = FilterMode(lambda text: ExpressionError(text, column, "no such field"), Known)
    line = plain(mode.hint("x", 2))
    assert line.index("^") == 2 + column - 1
    assert "no such field" in line
    assert mode.fault("x")


def test_a_good_filter_has_no_mark():
    mode = FilterMode(lambda text: None, lambda: Known(metrics=("temp_c", "temp_c_max")))
    assert "^" not in plain(mode.hint("temp", 2))
    assert "temp_c_max" in plain(mode.hint("temp", 2))
    assert "such as" in plain(mode.hint(" ", 2))
    assert not mode.fault("temp_c > 1")


def test_a_command_shows_its_usage_and_what_fits():
    mode = CommandMode(lambda: Known(themes=("dark", "light")))
    assert "[NAME]" in plain(mode.hint("theme l", 2))
    assert "light" in plain(mode.hint("theme l", 2))
    assert "Tab completes" in plain(mode.hint("zzz", 2))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("temp_c > 85", ""),
        ("temp_c_max > 85", "muc1/h1"),
        ('cdu == "c1"', "muc1"),
        ("temp_c > 1", "muc1/h1/r001/n0001"),
    ],
)
def test_a_filter_is_good_at_any_level_below_the_place(text, path):
    assert filter_fault(text, panels.normal().frame, path) is None


@pytest.mark.parametrize(("text", "column"), [("temp_c >", 9), ("nothing > 1", 1), ("temp_c > 1 and nothing > 2", 16)])
def test_a_fault_names_its_column(text, column):
    assert filter_fault(text, panels.normal().frame, "").column == column


def test_an_endless_filter_is_not_compiled():
    assert "longer than" in filter_fault("x" * (LIMIT + 1), panels.normal().frame, "").message
