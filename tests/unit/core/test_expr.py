from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.core.expr import Verdict, compile_expression
from console.model.builtin_metrics import BUILTIN
from console.model.columns import Column, same_time
from console.model.errors import ExpressionError
from console.model.jobs import Jobs
from console.model.levels import Level
from console.model.metrics import Metric, RollUp
from console.model.topology import Domain
from tests.support.panels import NOW, normal, site_frame, snapshot


def judge(text: str, level: Level, **site: object) -> Verdict:
    frame = site_frame("muc1", **{"hot": 43, "gone": 8, **site})  # type: ignore[arg-type]  # the helper's own keywords
    return compile_expression(text, BUILTIN, level, ["cdu"]).evaluate(frame, NOW, snapshot((frame,)))


@pytest.mark.parametrize(
    ("text", "level", "true", "unknown"),
    [
        ("temp_c > 85", Level.GPU, 1, 8),
        ("not (temp_c > 85)", Level.GPU, 183, 8),
        ("temp_c > 85 or missing(temp_c)", Level.GPU, 9, 0),
        ("temp_c in [60, 95]", Level.GPU, 184, 8),
        ("temp_c not in [60]", Level.GPU, 1, 8),
        ('any(gpu.temp_c > 85) and site == "muc1"', Level.NODE, 1, 1),
        ('job =~ "llm-.*" and site == "muc1"', Level.NODE, 2, 0),
        ('job == ""', Level.GPU, 176, 0),
        ("all(gpu.util_pct < 5)", Level.NODE, 0, 1),
        ("count(gpu.temp_c > 85) < 1", Level.NODE, 22, 1),
        ("any(gpu.temp_c > temp_c_avg + 20)", Level.NODE, 1, 1),
        ("any(node.temp_c_max > 90)", Level.RACK, 1, 1),
        ('cdu == "c1"', Level.GPU, 32, 0),
        ('rack in ["r001", "r002"]', Level.NODE, 8, 0),
        ('id == "muc1/h1/r002/n0006/g3"', Level.GPU, 1, 0),
        ('uuid == "GPU-00000000-0000-0001-0000-000000000001"', Level.GPU, 1, 0),
        ("age(temp_c) > 0.5", Level.GPU, 192, 0),
        ("gpu_power_w_sum / gpus_reporting > 400", Level.NODE, 23, 1),
        ("it_power_w > 99M", Level.SITE, 1, 0),
        ("pue > 1", Level.SITE, 0, 1),
        ("any(gpu.temp_c > 85) and gpus == 192", Level.FLEET, 1, 0),
    ],
)
def test_rows_are_judged(text: str, level: Level, true: int, unknown: int) -> None:
    verdict = judge(text, level)
    assert (int(verdict.true.sum()), int(verdict.unknown.sum())) == (true, unknown)


@pytest.mark.parametrize("text", ["util_pct > 5", "not (util_pct > 5)", 'job == "llm-7"', 'not (job == "llm-7")'])
def test_a_blind_hall_is_never_selected(text: str) -> None:
    verdict = judge(text, Level.HALL, stale=True)
    assert not verdict.true.any()
    assert verdict.unknown.all()


def test_the_age_of_a_stale_value_is_known() -> None:
    verdict = judge("age(temp_c) > 60", Level.GPU, age_s=90.0, stale=True)
    assert verdict.true.all()


def test_division_by_zero_is_unknown() -> None:
    verdict = judge("1 / (gpus - gpus) > 0", Level.NODE)
    assert verdict.unknown.all()


@pytest.mark.parametrize(
    ("text", "level", "column", "message"),
    [
        ("temp_c > 85", Level.NODE, 1, "temp_c_max or temp_c_avg"),
        ("temp_c_max > 85", Level.GPU, 1, "a gpu has temp_c"),
        ("util_pct > 5 and tmp_c > 85", Level.GPU, 18, "did you mean temp_c"),
        ("it_power_w > 5", Level.NODE, 1, "measured at a site"),
        ("site == muc1", Level.GPU, 9, "compare it with a text in quotes"),
        ("gpu.temp_c > 85", Level.NODE, 1, "put it into any"),
        ("any(gpu.temp_c > 85)", Level.GPU, 5, "nothing is finer"),
        ("any(hall.temp_c > 85)", Level.NODE, 5, "gpu."),
        ("any(temp_c_max > 85)", Level.NODE, 1, "speaks of finer rows"),
        ('temp_c > "85"', Level.GPU, 10, "compare it with a number"),
        ('site > "a"', Level.GPU, 6, "texts have no >"),
        ('site =~ "("', Level.GPU, 9, "no regular expression"),
        ('site =~ "(a+)+"', Level.GPU, 9, "may never end"),
        ('site =~ "(a|aa)+"', Level.GPU, 9, "may never end"),
        ('site =~ ".*.*.*.*.*x"', Level.GPU, 9, "at most"),
        ("temp_c = 85", Level.GPU, 8, "write =="),
        ("1 < temp_c < 5", Level.GPU, 12, "a < b and b < c"),
        ("temp_c", Level.GPU, 1, "temp_c > 0"),
        ("temp_c > 85 temp_c", Level.GPU, 13, "and, or"),
        ("(temp_c > 85", Level.GPU, 13, "column 1"),
        ('site == "muc1', Level.GPU, 9, "no closing"),
        ("temp_c > 85q", Level.GPU, 12, "no number ends in q"),
        ("max(temp_c) > 8", Level.GPU, 1, "any, all, count"),
        ("age(gpus) > 8", Level.NODE, 5, "metric"),
        ('cdu in [1, "c4"]', Level.GPU, 9, "texts in quotes"),
        ("", Level.GPU, 1, "empty"),
    ],
)
def test_an_error_points_at_its_column(text: str, level: Level, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, BUILTIN, level, ["cdu"])
    assert caught.value.column == column
    assert message in caught.value.message


def test_a_domain_kind_that_no_site_has_is_an_error_and_the_usual_ones_are_known_before_a_topology_is() -> None:
    assert compile_expression('cdu == "c4"', BUILTIN, Level.NODE)
    with pytest.raises(ExpressionError, match="no field cdu"):
        compile_expression('cdu == "c4"', BUILTIN, Level.NODE, [])


def test_a_node_without_a_domain_is_unknown() -> None:
    frame = site_frame("muc1")
    members = np.array([0, 1], dtype=np.int32)
    feed = Domain("feed", ("a", "b"), Level.NODE, np.repeat(members, 2)[:3], np.array([0, 2, 3], dtype=np.int32))
    frame = replace(frame, topology=replace(frame.topology, domains={"feed": feed}))
    for level, rows in ((Level.NODE, 24), (Level.GPU, 192)):
        verdict = compile_expression('feed != "a"', BUILTIN, level, ["feed"]).evaluate(frame, NOW)
        assert int(verdict.true.sum()) * 24 == rows
        assert int(verdict.unknown.sum()) * 24 == rows * 22


def test_jobs_that_nobody_tells_are_unknown() -> None:
    frame = replace(site_frame("muc1"), jobs=Jobs())
    assert compile_expression('job != "x"', BUILTIN, Level.GPU).evaluate(frame, NOW).unknown.all()


def test_a_metric_of_the_site_works_like_a_built_in_one() -> None:
    own = Metric("ib_errors", "count", "InfiniBand errors", {"ib_errors": RollUp.SUM}, level="node")
    metrics, frame = BUILTIN.with_own([own]), site_frame("muc1")
    values = np.arange(24, dtype=np.float32)
    column = Column("ib_errors", values, same_time(NOW, 24), 30.0, "prom")
    frame = replace(frame, columns={**frame.columns, "ib_errors": column})
    assert compile_expression("ib_errors >= 20", metrics, Level.NODE).evaluate(frame, NOW).true.sum() == 4


def test_the_fleet_row_speaks_of_every_site() -> None:
    everything = normal()
    expression = compile_expression("gpus_reporting == 376 and temp_c_max > 90", BUILTIN, Level.FLEET)
    assert expression.evaluate(everything.frame.sites[1], NOW, everything).true.tolist() == [True]
