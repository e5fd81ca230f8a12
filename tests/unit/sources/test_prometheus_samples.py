from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.sources.prometheus.samples import gaps_of_line, gaps_of_pairs, is_empty, newest_lines, newest_pairs

SERIES = st.lists(
    st.tuples(st.integers(1, 2_000_000_000_000), st.one_of(st.none(), st.floats(-1e9, 1e9), st.just("Infinity"))),
    min_size=1,
    max_size=5,
    unique_by=lambda sample: sample[0],
)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


@settings(deadline=None, max_examples=60)
@given(st.lists(SERIES, max_size=6))
def test_the_newest_sample_of_each_line_is_taken_in_whatever_order(lines: list[list[tuple[int, object]]]) -> None:
    at, values = newest_lines(
        [raw([v for _, v in line]) for line in lines], [raw([t for t, _ in line]) for line in lines]
    )
    assert len(at) == len(values) == len(lines)
    for line, when, value in zip(lines, at, values, strict=True):
        stamp, wanted = max(line, key=lambda sample: sample[0])
        assert when == stamp / 1000
        if wanted is None:
            assert math.isnan(value)
        else:
            assert value == (math.inf if wanted == "Infinity" else wanted)


def test_the_last_pair_is_taken_with_infinity_as_prometheus_writes_it() -> None:
    pieces = [raw([[1.5, "3"], [2.5, "4.25"]]), raw([[7, "+Inf"]]), raw([[8, "NaN"]])]
    at, values = newest_pairs(pieces)
    assert at == [2.5, 7.0, 8.0]
    assert values[:2] == [4.25, math.inf]
    assert math.isnan(values[2])


def test_gaps_are_those_between_samples_and_none_is_backwards() -> None:
    assert gaps_of_pairs(raw([[10, "+Inf"], [15, "1"], [14, "1"], [30, "1"]])) == [5, 16]
    assert gaps_of_line(raw([1000, 16000])) == [15]
    assert is_empty(raw([]))
    assert not is_empty(raw([0]))


@pytest.mark.parametrize(
    ("values", "stamps"), [([1, 2], [1]), ([[1]], [1]), (["a,b"], [1]), ([1], ["x"]), ({"a": 1}, [1])]
)
def test_lines_that_do_not_fit_are_refused(values: object, stamps: object) -> None:
    with pytest.raises(msgspec.MsgspecError):
        newest_lines([raw(values)], [raw(stamps)])


@pytest.mark.parametrize("pairs", [[[1]], [[1, "2", "3"]], ["x"], {"a": [1, "2"]}, [[1, {}]]])
def test_pairs_that_do_not_fit_are_refused(pairs: object) -> None:
    with pytest.raises(msgspec.MsgspecError):
        newest_pairs([raw(pairs)])
