from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.scoring.matching import match
from console.core.scoring.ranking import rank
from console.core.scoring.score import score
from console.core.scoring.values import DAY_S, HORIZON_S, HOUR_S, BacktestAlert, Fault, Watched, same_hardware

START, DAYS = 1_000_000.0, 10
NODES = [f"n{i}" for i in range(4)]
WATCHED = Watched(START, START + DAYS * DAY_S, 160.0, {("lab", node): (0, 1, 2, 3) for node in NODES})

hours = st.integers(0, DAYS * 24)
gpus = st.integers(-1, 3)
alerts = st.builds(
    lambda at, node, gpu, up, sure: BacktestAlert(
        START + at * HOUR_S, "lab", node, gpu, "x", sure, START + (at + up) * HOUR_S
    ),
    hours,
    st.sampled_from(NODES),
    gpus,
    st.integers(0, 50),
    st.sampled_from([0.1, 0.5, 0.9]),
)
faults = st.builds(
    lambda at, node, gpu: Fault(START + at * HOUR_S, "lab", node, gpu, "x"), hours, st.sampled_from(NODES), gpus
)


def fits(alert: BacktestAlert, fault: Fault) -> bool:
    in_time = alert.at - HORIZON_S <= fault.at <= max(alert.at + HORIZON_S, alert.until)
    return in_time and same_hardware(alert, fault)


@settings(deadline=None, max_examples=80)
@given(st.lists(alerts, max_size=12), st.lists(faults, max_size=6))
def test_each_alert_and_fault_has_one_outcome(raised, came):
    matches = match(raised, came, WATCHED)
    assert all(fits(alert, fault) for alert, fault in matches.pairs)
    assert len(matches.pairs) + len(matches.missed) + matches.outside_faults == len(came)
    parts = (matches.pairs, matches.false, matches.repeats, matches.open)
    assert sum(map(len, parts)) + matches.outside_alerts == len(raised)
    assert not any(fits(alert, fault) for alert in (*matches.false, *matches.open) for fault in came)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_most_faults_of_one_gpu_that_can_be_matched_are(data):
    raised = [alert for alert in data.draw(st.lists(alerts, max_size=5)) if alert.gpu >= 0]
    came = [Fault(each.at, "lab", "n0", 0, "x") for each in data.draw(st.lists(faults, max_size=4))]
    raised = [BacktestAlert(each.at, "lab", "n0", 0, "x", 1.0, each.until) for each in raised]
    most = 0
    for chosen in itertools.permutations([*raised, *[None] * len(came)], len(came)):
        most = max(most, sum(a is not None and fits(a, f) for a, f in zip(chosen, came, strict=True)))
    assert len(match(raised, came, WATCHED).pairs) == most


@settings(deadline=None, max_examples=30)
@given(st.lists(alerts, max_size=12), st.lists(faults, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(raised, came, chance):
    before = score(raised, came, WATCHED)
    chance.shuffle(raised)
    chance.shuffle(came)
    after = score(raised, came, WATCHED)
    assert repr(before.rows) == repr(after.rows)
    assert before.bins == after.bins


@settings(deadline=None, max_examples=30)
@given(st.sets(st.tuples(st.integers(2, DAYS - 1), st.sampled_from(NODES), st.integers(0, 3)), min_size=1, max_size=8))
def test_perfect_alerts_have_every_figure_perfect(places):
    came = [Fault(START + day * DAY_S, "lab", node, gpu, "x") for day, node, gpu in places]
    raised = [BacktestAlert(f.at - DAY_S, "lab", f.node, f.gpu, "x", 1.0, f.at) for f in came]
    row = score(raised, came, WATCHED).rows[0]
    assert (row.precision.value, row.recall.value, row.early_recall.value, row.f1) == (1, 1, 1, 1)
    assert row.ranking.pr_auc == 1
    assert row.ranking.recall_top_01pct > 0
    assert row.calibration_error == 0
    assert row.false == row.repeats == row.open == 0
    assert row.leads.p50_s == DAY_S


def test_without_skill_there_is_no_lift_and_with_it_there_is():
    chance = random.Random(4)
    nodes = {("lab", f"n{i:03d}"): tuple(range(8)) for i in range(200)}
    watched = Watched(START, START + 30 * DAY_S, 48_000.0, nodes)
    places = [(site, node, gpu) for (site, node), slots in nodes.items() for gpu in slots]
    came = [Fault(START + chance.uniform(2, 29) * DAY_S, *place, "x") for place in chance.sample(places, 300)]
    ahead = [(f.at - chance.uniform(0, 20) * HOUR_S, f) for f in came]
    skilled = [BacktestAlert(at, f.site, f.node, f.gpu, "x", 0.8, f.at) for at, f in ahead]
    elsewhere = chance.sample(places, len(skilled))
    shuffled = [BacktestAlert(a.at, *place, "x", 0.8, a.until) for a, place in zip(skilled, elsewhere, strict=True)]
    assert rank(skilled, came, watched).lift > 20
    assert 0.8 < rank(shuffled, came, watched).lift < 1.6
    assert score(skilled, came, watched).rows[0].precision.value > 0.99
    assert score(shuffled, came, watched).rows[0].precision.value < 0.05
