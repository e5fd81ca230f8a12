from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.expr import compile_expression
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ExpressionError
from console.model.levels import Level
from tests.support.columns import random_site
from tests.support.panels import NOW

SITES = [random_site("muc1", seed) for seed in range(3)]
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
Row = dict[str, Any]
# An example is its text and what judges one row: True, False, or None for unknown.
Judge = Callable[[Row], bool | None]
Case = tuple[str, Judge]


def compare(field: str, sign: str, number: int) -> Case:
    def judge(row: Row) -> bool | None:
        return None if math.isnan(row[field]) else SIGNS[sign](row[field], number)

    return f"{field} {sign} {number}", judge


def named(sign: str, name: str) -> Case:
    return f'node {sign} "{name}"', lambda row: (row["node"] == name) is (sign == "==")


def is_missing(field: str) -> Case:
    return f"missing({field})", lambda row: math.isnan(row[field])


def negate(case: Case) -> Case:
    text, judge = case

    def negated(row: Row) -> bool | None:
        found = judge(row)
        return None if found is None else not found

    return f"not ({text})", negated


def join(word: str, left: Case, right: Case) -> Case:
    strong = word == "or"

    def joined(row: Row) -> bool | None:
        found = [left[1](row), right[1](row)]
        if strong in found:
            return strong
        return None if None in found else not strong

    return f"({left[0]}) {word} ({right[0]})", joined


fields = st.sampled_from(["temp_c", "util_pct"])
leaves = st.one_of(
    st.builds(compare, fields, st.sampled_from(list(SIGNS)), st.integers(-1, 6)),
    st.builds(named, st.sampled_from(["==", "!="]), st.sampled_from(["n0001", "n0007", "nowhere"])),
    st.builds(is_missing, fields),
)
cases = st.recursive(
    leaves,
    lambda inner: st.one_of(st.builds(negate, inner), st.builds(join, st.sampled_from(["and", "or"]), inner, inner)),
    max_leaves=8,
)


def rows_of(site: Any) -> list[Row]:
    topology = site.topology
    nodes = topology.parents(Level.GPU, Level.NODE)
    columns = {name: site.values(name, NOW).tolist() for name in ("temp_c", "util_pct")}
    return [
        {"node": topology.nodes[nodes[row]], **{name: column[row] for name, column in columns.items()}}
        for row in range(topology.gpus)
    ]


@settings(max_examples=120, deadline=None)
@given(cases, st.sampled_from(SITES))
def test_columns_judge_as_a_judge_of_single_rows_does(case: Case, site: Any) -> None:
    text, judge = case
    verdict = compile_expression(text, BUILTIN, Level.GPU).evaluate(site, NOW)
    expected = [judge(row) for row in rows_of(site)]
    assert verdict.true.tolist() == [each is True for each in expected]
    assert verdict.unknown.tolist() == [each is None for each in expected]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["any", "all", "count"]),
    st.sampled_from(list(SIGNS)),
    st.integers(-1, 6),
    st.sampled_from(list(SIGNS)),
    st.integers(0, 9),
    st.sampled_from(SITES),
)
def test_finer_rows_are_folded_as_every_completion_of_the_gaps_agrees(
    function: str, sign: str, number: int, outer: str, amount: int, site: Any
) -> None:
    text = f"{function}(gpu.temp_c {sign} {number})" + (f" {outer} {amount}" if function == "count" else "")
    verdict = compile_expression(text, BUILTIN, Level.NODE).evaluate(site, NOW)
    temps = site.values("temp_c", NOW).reshape(-1, 8)
    for node, values in enumerate(temps.tolist()):
        known = [SIGNS[sign](value, number) for value in values if not math.isnan(value)]
        gaps = len(values) - len(known)
        counts = range(sum(known), sum(known) + gaps + 1)
        if function == "count":
            answers = {SIGNS[outer](count, amount) for count in counts}
        else:
            answers = {count > 0 if function == "any" else count == len(values) for count in counts}
        assert bool(verdict.unknown[node]) is (len(answers) > 1)
        assert bool(verdict.true[node]) is (answers == {True})


words = st.sampled_from(
    ["temp_c", "gpu.temp_c", "site", "and", "or", "not", "in", "[", "]", "(", ")", ",", "1", "85k", "1e400", '"a"',
     '"(a+)+"', "'[[x'", "any(", "count(", "missing(", "age(", "==", "=~", "!~", "<", "-", "*", "/", "+", ".", "="]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(words, max_size=14).map(" ".join)), st.sampled_from(list(Level)))
def test_any_text_compiles_or_is_an_expression_error_inside_the_text(text: str, level: Level) -> None:
    try:
        compiled = compile_expression(text, BUILTIN, level)
    except ExpressionError as error:
        refused = error
    else:
        verdict = compiled.evaluate(SITES[0], NOW)
        assert not (verdict.true & verdict.unknown).any()
        assert len(verdict.true) == (1 if level is Level.FLEET else SITES[0].topology.count(level))
        return
    assert 1 <= refused.column <= len(refused.text) + 1


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "not " * 5000, "-" * 5000 + "1 > 0", "1" + "+1" * 5000 + " > 0", "any(" * 300, '"' + "a" * 70000],
)
def test_endless_nesting_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text, BUILTIN, Level.GPU)


def test_a_long_chain_of_conditions_is_fine() -> None:
    text = " and ".join(["temp_c >= 0"] * 3000)
    verdict = compile_expression(text, BUILTIN, Level.GPU).evaluate(SITES[0], NOW)
    assert np.array_equal(verdict.true, SITES[0].values("temp_c", NOW) >= 0)
