from __future__ import annotations

import json

import pytest

from bench import report
from bench.measure import Figure, quantile


def test_a_ratio_is_reached_or_not():
    figure = Figure("start", 0.5, "s", 0.1, "imports", must=5)
    assert figure.ratio == pytest.approx(5)
    assert figure.reached
    assert Figure("start", 0.51, "s", 0.1, "imports", must=5).reached is False


def test_without_a_reference_the_value_itself_counts():
    assert Figure("memory", 599, "MiB", must=600).reached
    assert Figure("memory", 601, "MiB", must=600).reached is False
    assert Figure("memory", 601, "MiB").reached is None


def test_the_table_names_the_reference_and_says_no_loudly():
    cells = report.row(Figure("start", 1.0, "s", 0.1, "imports", must=5, note="why"))
    assert cells == ["start", "1 s", "0.1 s (imports)", "10", "5", "NO", "why"]


def test_a_report_is_written_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    report.write("results", [Figure("keys", 2.5, "ms", must=5)], {"cores": 2}, ["victoria: no server"])
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["machine"] == {"cores": 2}
    assert document["figures"][0]["reached"] is True
    text = (tmp_path / "results.md").read_text()
    assert "| keys | 2.5 ms |" in text
    assert "Could not be run: victoria: no server" in text


def test_quantiles_never_leave_the_values():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.999) == 1.0


def test_figures_of_a_run_apart_take_the_place_of_old_ones_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    report.write("results", [Figure("keys", 9.0, "ms", must=5), Figure("start", 1.0, "s")], {"cores": 2}, [])
    report.update("results", [Figure("keys", 2.5, "ms", must=5)], {"scheduled as": "usual", "load average": 0.5})
    keys, start = json.loads((tmp_path / "results.json").read_text())["figures"]
    assert (keys["value"], keys["reached"]) == (2.5, True)
    assert "run apart" in keys["note"]
    assert start == Figure("start", 1.0, "s").as_json()
