from __future__ import annotations

import math

import numpy as np
import pytest

from console.core.scoring.calibration import calibration_error, reliability
from console.core.scoring.intervals import rate, share
from console.core.scoring.matching import days_up, match
from console.core.scoring.ranking import LEVELS, ranked
from console.core.scoring.savings import Stakes, gpu_hours_saved
from console.core.scoring.score import score
from console.core.scoring.values import DAY_S, HOUR_S, BacktestAlert, Fault, Watched

START = 1_000_000.0
NODES = {("lab", f"n{i}"): (0, 1, 2, 3) for i in range(10)}
WATCHED = Watched(START, START + 10 * DAY_S, 400.0, NODES)


def alert(day: float, node: str = "n0", gpu: int = 0, *, up_h: float = 0.0, name: str = "hbm", p: float = 0.9):
    at = START + day * DAY_S
    return BacktestAlert(at, "lab", node, gpu, name, p, at + up_h * HOUR_S)


def fault(day: float, node: str = "n0", gpu: int = 0, *, name: str = "hbm", onset: float | None = None, hint=None):
    begins = None if onset is None else START + onset * DAY_S
    return Fault(START + day * DAY_S, "lab", node, gpu, name, begins, hint)


def test_an_alert_of_the_day_before_foresees_a_fault_and_one_of_two_days_before_does_not():
    matches = match([alert(1.5), alert(4.0)], [fault(2.0), fault(6.0)], WATCHED)
    assert [(each.at, one.at) for each, one in matches.pairs] == [(alert(1.5).at, fault(2.0).at)]
    assert matches.missed == (fault(6.0),)
    assert matches.false == (alert(4.0),)


def test_an_alert_that_is_up_until_the_fault_foresees_it_however_early_it_came():
    (pair,) = match([alert(1.0, up_h=96)], [fault(4.9)], WATCHED).pairs
    assert pair[1].at - pair[0].at == pytest.approx(3.9 * DAY_S)


def test_an_alert_within_a_day_after_a_fault_detects_it_and_has_no_lead():
    row = score([alert(2.1)], [fault(2.0)], WATCHED).rows[0]
    assert (row.found, row.foreseen, row.early) == (1, 0, 0)
    assert row.precision.value == 1
    assert math.isnan(row.foresight_precision.value)
    assert row.leads.late_p50_s == pytest.approx(0.1 * DAY_S)
    assert match([alert(3.1)], [fault(2.0)], WATCHED).missed


def test_one_alert_stands_for_one_fault_and_one_fault_for_one_alert():
    matches = match([alert(1.9), alert(1.8)], [fault(2.0)], WATCHED)
    assert len(matches.pairs) == 1
    assert len(matches.repeats) == 1
    assert not matches.false
    matches = match([alert(1.9)], [fault(2.0), fault(2.2)], WATCHED)
    assert len(matches.pairs) == 1
    assert matches.missed == (fault(2.2),)


def test_the_alert_whose_time_ends_first_is_taken_so_that_most_faults_find_one():
    early, late = alert(1.5), alert(2.3)
    matches = match([late, early], [fault(2.0), fault(3.0)], WATCHED)
    assert matches.pairs == ((early, fault(2.0)), (late, fault(3.0)))


def test_an_alert_of_another_gpu_node_or_site_does_not_count():
    others = [alert(1.9, gpu=1), alert(1.9, node="n1")]
    assert match(others, [fault(2.0)], WATCHED).missed == (fault(2.0),)


def test_a_whole_node_fits_each_of_its_gpus_either_way():
    assert match([alert(1.9, gpu=-1)], [fault(2.0, gpu=3)], WATCHED).pairs
    assert match([alert(1.9, gpu=3)], [fault(2.0, gpu=-1)], WATCHED).pairs


def test_what_lies_outside_of_the_data_is_counted_and_not_judged():
    strange = [alert(1.0, node="n99"), alert(1.0, gpu=7), alert(-1.0)]
    matches = match(strange, [fault(2.0, node="n99"), fault(11.0)], WATCHED)
    assert (matches.outside_alerts, matches.outside_faults) == (3, 2)
    assert not matches.false
    assert not matches.missed


def test_an_alert_of_the_last_day_stays_open():
    matches = match([alert(9.5)], [], WATCHED)
    assert matches.open == (alert(9.5),)
    assert not matches.false


def test_a_false_alert_is_false_once_for_each_day_that_it_is_up():
    assert days_up(alert(1.0), WATCHED.end) == 1
    assert days_up(alert(1.0, up_h=25), WATCHED.end) == 2
    assert days_up(alert(1.0, up_h=1e6), WATCHED.end) == 9
    row = score([alert(1.0, up_h=49)], [], WATCHED).rows[0]
    assert row.false == 3
    assert row.false_per_1000_gpu_days.value == pytest.approx(3 / 0.4)


def test_classes_take_recall_from_faults_and_precision_from_alerts():
    rows = {
        row.fault_class: row
        for row in score([alert(1.9, name="hot"), alert(5.0, name="hot")], [fault(2.0), fault(8.0)], WATCHED).rows
    }
    assert rows["hbm"].recall.value == 0.5
    assert math.isnan(rows["hbm"].precision.value)
    assert rows["hot"].precision.value == 0.5
    assert rows["hot"].faults == 0
    assert rows["all"].class_right == 0


def test_leads_are_told_against_fault_and_onset():
    alerts = [alert(day - lead, node=f"n{i}") for i, (day, lead) in enumerate([(2, 0.1), (3, 0.5), (4, 0.9)])]
    faults = [fault(day, node=f"n{i}", onset=day - 1) for i, day in enumerate([2, 3, 4])]
    leads = score(alerts, faults, WATCHED).rows[0].leads
    assert leads.p50_s == pytest.approx(0.5 * DAY_S)
    assert leads.p10_s == pytest.approx(0.18 * DAY_S)
    assert leads.of_onset == pytest.approx(0.5)


def test_early_recall_counts_ten_minutes_and_the_share_of_precursors_those_that_had_one():
    late = START + 2 * DAY_S - 599
    alerts = [BacktestAlert(late, "lab", "n0", 0, "x", 1, late), alert(2.9, node="n1")]
    faults = [fault(2.0, hint=False), fault(3.0, node="n1", hint=True), fault(5.0, node="n2", hint=True)]
    row = score(alerts, faults, WATCHED).rows[0]
    assert (row.foreseen, row.early, row.with_precursor) == (2, 1, 2)
    assert row.early_of_precursor.value == 0.5


def test_shares_have_wilsons_interval():
    # Brown, Cai and DasGupta's form by hand for 8 of 10.
    found = share(8, 10)
    assert (found.value, found.low, found.high) == (
        0.8,
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )
    assert share(0, 5).low == 0
    assert share(5, 5).high == 1
    assert math.isnan(share(0, 0).value)


def test_rates_have_a_poisson_interval():
    # Exact limits of a count of 10: 4.795 and 18.390 (Garwood 1936).
    found = rate(10, 1.0)
    assert found.low == pytest.approx(4.795, rel=0.01)
    assert found.high == pytest.approx(18.390, rel=0.01)
    assert rate(0, 2.0).high == pytest.approx(3.689 / 2, rel=1e-3)
    assert math.isnan(rate(1, 0.0).value)


def counts(pairs: dict[float, tuple[int, int]]):
    positives, totals = np.zeros(LEVELS, dtype=np.int64), np.zeros(LEVELS, dtype=np.int64)
    for said, (hits, of) in pairs.items():
        positives[round(said * (LEVELS - 1))], totals[round(said * (LEVELS - 1))] = hits, of
    return positives, totals


def test_average_precision_is_that_of_the_textbook():
    # Scores 0.9 (1 of 1), 0.5 (1 of 2), 0 (2 of 97): 1/4 * 1 + 1/4 * 2/3 + 2/4 * 4/100.
    found = ranked(*counts({0.9: (1, 1), 0.5: (1, 2), 0.0: (2, 97)}))
    assert found.pr_auc == pytest.approx(0.25 + 0.25 * 2 / 3 + 0.5 * 0.04)
    assert found.base_rate == pytest.approx(0.04)
    assert found.lift == pytest.approx(found.pr_auc / 0.04)
    assert found.recall_top_1pct == pytest.approx(0.25)


def test_ties_at_the_top_are_shared():
    found = ranked(*counts({0.5: (10, 100), 0.0: (0, 900)}))
    assert found.recall_top_1pct == pytest.approx(0.1)
    assert ranked(*counts({0.0: (0, 100)})).base_rate == 0


def test_calibration_error_weighs_bins_by_their_alerts():
    said, came = [0.9] * 10 + [0.25] * 30, [True] * 9 + [False] + [True] * 15 + [False] * 15
    bins = reliability(said, came)
    assert [(each.low, each.alerts) for each in bins] == [(0.2, 30), (0.9, 10)]
    assert calibration_error(bins) == pytest.approx(0.75 * 0.25)
    assert math.isnan(calibration_error(()))
    assert reliability([1.0], [True])[0].high == 1.0


def test_gpu_hours_follow_the_formula():
    stakes = Stakes(job_gpus=100, checkpoint_h=1, restart_h=0.5, planned_h=0.25, inspect_h=2, node_gpus=8)
    assert gpu_hours_saved(2, 1, stakes) == pytest.approx(2 * 100 * 0.75 - (100 * 0.25 + 16))
