from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style

from console.ui.draw.changes import changed_spans

RED, BLUE = Style(color="red"), Style(color="blue")
CELLS = st.lists(st.tuples(st.sampled_from("ab▁█"), st.sampled_from([RED, BLUE])), min_size=40, max_size=40)


def line(*runs: tuple[str, Style]) -> list[Segment]:
    return [Segment(text, style) for text, style in runs]


def test_only_the_cells_that_differ_are_sent() -> None:
    old = line(("a" * 20, RED), ("b" * 20, BLUE))
    assert changed_spans(old, line(("a" * 20, RED), ("b" * 20, BLUE)), 40) == []
    assert changed_spans(old, line(("a" * 19, RED), ("b" * 21, BLUE)), 40) == [(19, 1)]
    assert changed_spans(old, line(("x", RED), ("a" * 19, RED), ("b" * 19, BLUE), ("x", RED)), 40) == [(0, 1), (39, 1)]


def test_near_changes_are_one_span() -> None:
    old = line(("a" * 10, RED))
    assert changed_spans(old, line(("xaaax", RED), ("a" * 5, RED)), 10) == [(0, 5)]


def test_a_change_of_style_alone_counts() -> None:
    assert changed_spans(line(("ab", RED)), line(("a", RED), ("b", BLUE)), 2) == [(1, 1)]


def test_lines_with_wide_characters_are_sent_whole() -> None:
    assert changed_spans(line(("漢", RED)), line(("ab", RED)), 2) == [(0, 2)]


@settings(deadline=None, max_examples=100)
@given(CELLS, CELLS)
def test_every_changed_cell_is_in_a_span(old: list[tuple[str, Style]], new: list[tuple[str, Style]]) -> None:
    spans = changed_spans(line(*old), line(*new), 40)
    sent = {x for start, size in spans for x in range(start, start + size)}
    assert {x for x in range(40) if old[x] != new[x]} <= sent
    assert all(one[0] + one[1] < other[0] for one, other in pairwise(spans))
