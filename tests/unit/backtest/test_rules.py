from __future__ import annotations

import numpy as np
import pytest

from console.backtest.conditions import Test, peers_median
from console.backtest.folder import look_into, read_telemetry
from console.backtest.records import read_events
from console.backtest.replay import Replay
from console.backtest.rule_file import BUNDLED, Condition, Rule, RuleFile, load_rules
from console.backtest.ruling import Ruling
from console.backtest.spill import Spill
from console.core.inventory import build_topology
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ConfigError
from console.model.inventory import NodeSpec
from console.model.levels import Level
from console.model.xid import xid_of
from tests.support.backtests import T0, folder

Test.__test__ = False  # it is the condition of a rule, not of ours
STEP = 60


def alerts_of(tmp_path, rules, series, *, metric="temp_c", events=""):
    """Return (minute of rise, minute of the end, GPU) of the alerts of rules on {gpu: values by minute}."""
    rows = "".join(
        f"{T0 + STEP * i},lab,n1,{gpu},{value}\n" for gpu, values in series.items() for i, value in enumerate(values)
    )
    path = folder(tmp_path, f"at,site,node,gpu,{metric}\n{rows}", events=events)
    found = look_into(path, BUILTIN)
    with Spill(found.names) as spill:
        telemetry = read_telemetry(found, spill)
        ruling = Ruling(RuleFile("mine", "mine", tuple(rules)), telemetry.rows.topologies)
        for moment in Replay(telemetry, read_events(path / "events.csv"), STEP):
            ruling.take(moment)
    return [(round((a.at - T0) / STEP), round((a.until - T0) / STEP), a.gpu) for a in ruling.finished()], ruling


def rule(*conditions, **more):
    return Rule("r", "c", 0.5, tuple(conditions), **more)


def test_an_alert_is_up_while_its_condition_holds(tmp_path):
    hot = rule(Condition("temp_c", "above", 85))
    told, _ = alerts_of(tmp_path, [hot], {0: [80, 86, 87, 80, 80, 90], 1: [85] * 6})
    assert told == [(1, 2, 0), (5, 5, 0)]


def test_for_s_waits_and_keep_s_joins_what_comes_back(tmp_path):
    hot = rule(Condition("temp_c", "above", 85), for_s=120, keep_s=180)
    told, _ = alerts_of(tmp_path, [hot], {0: [80, 86, 80, 86, 86, 86, 80, 86, 80, 80, 80, 80, 80, 80]})
    assert told == [(5, 7, 0)]


def test_all_conditions_of_a_rule_have_to_hold(tmp_path):
    both = rule(Condition("temp_c", "above", 50), Condition("temp_c", "below", 60))
    told, _ = alerts_of(tmp_path, [both], {0: [40, 55, 65, 55, 40]})
    assert told == [(1, 1, 0), (3, 3, 0)]


def test_a_counter_alerts_on_what_it_rose_by_and_not_on_where_it_stands_or_restarts(tmp_path):
    rising = rule(Condition("ecc_sbe", "rises", 10, within_s=600))
    series = {0: [5000] * 12, 1: [0, 4, 8, 12, 12, 12, 12], 2: [900, 3, 3, 3], 3: [0] * 9}
    told, _ = alerts_of(tmp_path, [rising], series, metric="ecc_sbe")
    assert [each for each in told if each[2] in (0, 2)] == []
    # The last value holds for three steps.
    assert (3, 9, 1) in told
    # One a minute is never more than ten in ten minutes, two a minute are, five minutes after they began at the latest.
    slow, _ = alerts_of(tmp_path / "slow", [rule(Condition("ecc_sbe", "rises", 11, within_s=600))], {0: range(60)},
                        metric="ecc_sbe")  # fmt: skip
    assert slow == []
    steep = [*[0] * 20, *range(0, 40, 2), *[38] * 20]
    fast, _ = alerts_of(tmp_path / "fast", [rising], {0: steep}, metric="ecc_sbe")
    assert fast[0][0] == 25


def test_bits_and_missing_values(tmp_path):
    slow = rule(Condition("clock_events", "any_bits", 0xE8))
    told, _ = alerts_of(tmp_path, [slow], {0: [1, 4, 0x24, "", 5]}, metric="clock_events")
    # A value holds for three steps, as it would in a session.
    assert told == [(2, 3, 0)]


def test_peers_are_compared_with_their_median(tmp_path):
    warm = rule(Condition("temp_c", "over_peers", 12, of="node"))
    told, _ = alerts_of(tmp_path, [warm], {0: [50, 90], 1: [50, 90], 2: [52, 91], 3: [63, 91]})
    assert told == [(0, 0, 3)]
    few, _ = alerts_of(tmp_path / "few", [warm], {0: [50], 1: [80]})
    assert few == []


def test_medians_leave_missing_values_out_and_hold_for_groups_of_any_size():
    topology = build_topology("s", [NodeSpec("a", gpus=5), NodeSpec("b", gpus=2), NodeSpec("c", gpus=4)])
    values = np.array([1, 2, 9, np.nan, 3, 7, 7, 4, np.nan, np.nan, 8], dtype=np.float32)
    found = peers_median(values, topology, Level.GPU, Level.NODE)
    assert found[:5].tolist() == [2] * 5
    assert np.isnan(found[5:]).all()
    rack = peers_median(values, topology, Level.GPU, Level.RACK)
    assert set(rack.tolist()) == {4.0}


def test_an_xid_is_an_alert_from_its_own_time_and_lasts(tmp_path):
    lost = Rule("lost", "xid", 0.9, xids=frozenset({79}), keep_s=300)
    events = f"{T0 + 90},lab,n1,1,79\n{T0 + 200},lab,n1,1,79\n{T0 + 100},lab,n1,0,31\n{T0 + 100},lab,n1,,79\n"
    told, ruling = alerts_of(tmp_path, [lost], {0: [50] * 30, 1: [50] * 30}, events=events)
    assert sorted((a.at - T0, a.until - T0, a.gpu) for a in ruling.finished()) == [(90, 500, 1), (100, 400, -1)]
    assert len(told) == 2


def test_a_rule_without_its_metric_says_so(tmp_path):
    _, ruling = alerts_of(tmp_path, [rule(Condition("leak", "above", 0))], {0: [50]})
    assert ruling.unheard == ("r",)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_files_are_sound(name):
    file = load_rules(name)
    assert file.name == name
    assert len({each.name for each in file.rules}) == len(file.rules)
    xids = [code for each in file.rules for code in each.xids]
    # Application faults are no hardware: 13, 31, 43 and 45 outnumber everything else.
    assert not {13, 31, 43, 45} & set(xids)
    assert all(not xid_of(code).meaning.startswith("unused") for code in xids)


def test_simple_rules_are_what_people_start_with():
    told = {(c.metric, c.test, c.bound) for each in load_rules("simple").rules for c in each.conditions}
    assert {("temp_c", "above", 85), ("ecc_dbe", "above", 0), ("clock_events", "any_bits", 0xE8)} == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: 3", "a list of rules"),
        ("rules: [{name: a, class: b, probability_24h: 2, xids: [1]}]", "0 to 1 is a probability"),
        ("rules: [{name: a, class: b, probability_24h: 1}]", "either `all`"),
        (
            "rules: [{name: a, class: b, probability_24h: 1, all: [{metric: warmth, above: 1}]}]",
            "'warmth' is no",
        ),
        ("rules: [{name: a, class: b, probability_24h: 1, all: [{metric: temp_c}]}]", "one test is needed"),
        ("rules: [{name: a, class: b, probability_24h: 1, all: [{metric: temp_c, above: hot}]}]", "a number is needed"),
        ("rules: [{name: a, class: b, probability_24h: 1, all: [{metric: ecc_sbe, rises: 1}]}]", "needs a time"),
        ("rules: [{name: a, class: b, probability_24h: 1, colour: red, xids: [1]}]", "colour: is not known"),
        ("rules: [", "is no YAML"),
        ("rules: [7]", "keys and values are needed"),
    ],
)
def test_bad_rule_files_are_told(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")
