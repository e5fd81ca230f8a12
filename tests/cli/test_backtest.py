from __future__ import annotations

import csv
import json
import xml.dom.minidom

import pytest

from tests.support.backtests import HEADER, SAMPLE, T0, folder
from tests.support.cli import gigadeck

LAYOUT = r"(?P<rack>r\d+)n\d+"


@pytest.fixture(scope="module")
def said():
    return gigadeck("backtest", str(SAMPLE), "--layout", LAYOUT, "--json")


def row(said, name):
    return next(each for each in said.json["rows"] if each["id"] == name)


def test_json_has_everybody_side_by_side_in_all_and_by_class(said):
    assert said.code == 0, said.err
    assert said.json["schema"] == "gigadeck/backtest/v1"
    data = said.json["data"]
    assert (data["nodes"], data["gpus"], data["faults"], data["step_s"]) == (4, 16, 5, 1200)
    assert {each["alerts_of"] for each in said.json["rows"]} == {"detectors", "simple", "tuned"}
    assert row(said, "tuned/all")["faults"] == 4
    assert "column firmware is not used" in data["notes"][0]
    assert any("1 faults of truth.csv are outside" in each for each in data["notes"])
    assert any("1 events of events.csv are outside" in each for each in data["notes"])


def test_the_sample_scores_as_it_was_made(said):
    # Hot for 20 h and a pending remap for 10 h before they fail; the bus and the host give no sign.
    simple, tuned = row(said, "simple/all"), row(said, "tuned/all")
    for each in (simple, tuned):
        assert each["recall"] == 0.75
        assert each["early_recall"] == 0.5
        assert each["early_of_precursor"] == 1
        assert each["lift"] > 1
        assert each["false"] == 0
    assert row(said, "tuned/host")["recall"] == 0
    assert row(said, "tuned/memory")["lead_p50_s"] == pytest.approx(10 * 3600, abs=1300)
    assert row(said, "detectors/off-bus")["foreseen"] == 0
    assert row(said, "detectors/off-bus")["recall"] == 1
    assert tuned["reliability"]


def test_the_table_names_each_figure(said):
    told = gigadeck("backtest", str(SAMPLE), "--detectors", "none")
    assert told.code == 0
    text = told.out
    for words in ("what people start with", "tuned rules", "recall", "precision", "PR-AUC", "base rate", "lift", "ECE",
                  "top 0.1 %", "false/1,000 GPU-d", "lead p10", "GPU-h saved", "note: column firmware"):  # fmt: skip
        assert words in text
    assert "gigadeck's detectors" not in text


def test_alerts_out_come_back_in_and_score_the_same(tmp_path):
    out = tmp_path / "{}.csv"
    told = gigadeck("backtest", str(SAMPLE), "--detectors", "none", "--alerts-out", str(out), "--json")
    with (tmp_path / "tuned.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["at", "site", "node", "gpu", "class", "probability_24h", "until"]
    (tmp_path / "tuned.csv").rename(tmp_path / "ours.csv")
    words = ("--detectors", "none", "--rules", "none", "--alerts-in", str(tmp_path / "ours.csv"))
    again = gigadeck("backtest", str(SAMPLE), *words, "--json")
    ours, tuned = row(again, "ours/all"), row(told, "tuned/all")
    assert {**ours, "id": "", "alerts_of": ""} == {**tuned, "id": "", "alerts_of": ""}


def test_the_report_is_a_picture(tmp_path):
    target = tmp_path / "report.svg"
    assert gigadeck("backtest", str(SAMPLE), "--rules", "simple", "--report", str(target)).code == 0
    words = [each.firstChild.data for each in xml.dom.minidom.parse(str(target)).getElementsByTagName("text")]
    assert any(each.startswith("what people start with") for each in words)
    assert "thermal" in words
    told = gigadeck("backtest", str(SAMPLE), "--report", str(tmp_path / "report.png"))
    assert told.code == 2
    assert ".svg" in told.err


def test_what_cannot_be_is_a_usage_error_with_its_place(tmp_path):
    path = folder(tmp_path, f"{HEADER}\n{T0},lab,n1,0,warm,300\n")
    told = gigadeck("backtest", str(path))
    assert told.code == 2
    assert "telemetry.csv:2: temp_c: 'warm' is not a number" in told.err
    (path / "truth.csv").unlink()
    told = gigadeck("backtest", str(path))
    assert told.code == 2
    assert "truth.csv: is missing" in told.err
    assert gigadeck("backtest", str(tmp_path / "none")).code == 2
    assert gigadeck("backtest", str(SAMPLE), "--layout", "(").code == 2
    assert gigadeck("backtest", str(SAMPLE), "--detectors", "magic").code == 2
    assert gigadeck("backtest", str(SAMPLE), "--alerts-in", str(tmp_path / "none.csv")).code == 3
    (tmp_path / "empty").mkdir()
    assert gigadeck("backtest", str(tmp_path / "empty")).code == 3


def test_text_from_outside_never_reaches_the_terminal_raw(tmp_path):
    evil = "n\x1b]0;owned\x07"
    path = folder(
        tmp_path, f"{HEADER},a\x1b[2J\n{T0},lab,{evil},0,50,300,1\n{T0 + 60},lab,{evil},0,50,300,1\n",
        f"{T0 + 30},lab,{evil},0,x\x1b[31m,,\n",
    )  # fmt: skip
    told = gigadeck("backtest", str(path), "--detectors", "none", "--rules", "simple")
    assert told.code == 0
    assert "\x1b" not in told.out
    assert "\x07" not in told.out
    json.loads(gigadeck("backtest", str(path), "--detectors", "none", "--json").out)


def test_faults_without_one_alert_and_data_without_one_fault_are_told_as_nothing_to_judge(tmp_path):
    path = folder(tmp_path, f"{HEADER}\n{T0},lab,n1,0,50,300\n{T0 + 60},lab,n1,0,50,300\n")
    told = gigadeck("backtest", str(path), "--json")
    assert told.code == 0
    found = row(told, "tuned/all")
    assert (found["faults"], found["recall"], found["precision"], found["lift"]) == (0, None, None, None)
    assert gigadeck("backtest", str(path)).code == 0
