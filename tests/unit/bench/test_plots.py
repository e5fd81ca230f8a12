from __future__ import annotations

from math import nan

from bench import report
from bench.measure import Figure
from bench.plots import draw

GROWTH = {"gpus": [1_000, 10_000, 1_000_000], "tick_ms": [2.0, 3.0, 60.0], "rss_mib": [90.0, 95.0, 550.0]}


def figures() -> list[Figure]:
    return [
        Figure("growth", 0.3, "of linear", detail={"growth": GROWTH}),
        Figure("gigadeck", 900.0, "B/s", columns={"kB/s steady": "0.90"}),
        Figure("btop", 9500.0, "B/s", columns={"kB/s steady": "9.50"}, note="this machine"),
        Figure("k9s", nan, "B/s", columns={"kB/s steady": "-"}, note="not run"),
    ]


def test_both_plots_are_drawn_and_name_what_they_show(tmp_path):
    growth, wire = draw(figures(), tmp_path)
    assert "GPUs" in growth.read_text()
    assert "btop" in wire.read_text()
    assert "k9s" not in wire.read_text()


def test_the_same_figures_draw_the_same_files(tmp_path):
    first = [path.read_text() for path in draw(figures(), tmp_path)]
    assert [path.read_text() for path in draw(figures(), tmp_path)] == first


def test_nothing_is_drawn_from_nothing(tmp_path):
    assert draw([Figure("start", 1.0, "s")], tmp_path) == []


def test_programs_side_by_side_have_a_table_of_their_own():
    text = report.markdown(figures(), {"cores": 2}, [], ["wire.svg"])
    promised, _, beside = text.partition("## Side by side")
    assert "btop" not in promised
    assert "| btop | 9.50 | this machine |" in beside
    assert "| k9s | - | not run |" in beside
    assert "![wire](wire.svg)" in text
    assert "9.50" in report.text(figures())


def test_a_figure_not_measured_is_null_and_can_be_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    report.write("results", figures(), {"cores": 2}, [])
    report.update("results", [Figure("start", 1.0, "s")], {"scheduled as": "usual", "load average": 0.1})
    assert '"value": null' in (tmp_path / "results.json").read_text()
