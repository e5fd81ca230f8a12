from __future__ import annotations

import json

import pytest

from bench.measure import Figure
from bench.regressions import changes, worth_telling


@pytest.fixture
def committed(tmp_path):
    path = tmp_path / "quick.json"
    rows = [
        {"name": "tick", "ratio": 400.0},
        {"name": "memory", "ratio": None},
        {"name": "start", "ratio": 2.0},
        {"name": "gone", "ratio": 1.0},
    ]
    path.write_text(json.dumps({"figures": rows}))
    return path


def ratio(name: str, value: float) -> Figure:
    return Figure(name, value, "s", 1.0, "the same run's")


def test_a_ratio_that_more_than_doubled_fails(committed):
    found = changes([ratio("tick", 801.0), ratio("start", 3.9)], committed)
    assert [(each.name, each.too_much) for each in found] == [("tick", True), ("start", False)]
    assert "TOO SLOW: tick: ratio 400 before, 801 now (2.00 x)" in found[0].line()


def test_what_has_no_ratio_is_not_compared(committed):
    assert changes([Figure("memory", 9e9, "MiB"), ratio("new", 1.0)], committed) == []


def test_only_changes_of_more_than_a_quarter_are_told(committed):
    found = changes([ratio("tick", 480.0), ratio("start", 1.5)], committed)
    assert [each.line().partition(":")[0] for each in worth_telling(found)] == ["faster"]


def test_without_a_committed_run_there_is_nothing_to_compare(tmp_path):
    assert changes([ratio("tick", 1.0)], tmp_path / "none.json") == []
