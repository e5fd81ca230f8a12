from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from console.ui.wire.cells import GLYPHS, CellTable, clusters
from console.ui.wire.pens import Pens


@pytest.fixture
def table():
    return CellTable(Pens())


def shown(table, *segments):
    return [table.text(int(cell & GLYPHS)) for cell in table.cells(segments)]


def test_plain_text_is_a_cell_a_character(table):
    assert shown(table, Segment("a█"), Segment("é")) == ["a", "█", "é"]


@pytest.mark.parametrize(
    ("text", "glyphs"),
    [
        ("漢a", ["漢", "", "a"]),
        ("e\u0301x", ["e\u0301", "x"]),
        ("👩\u200d🚀!", ["👩\u200d🚀", "", "!"]),
        ("❤\ufe0f!", ["❤\ufe0f", "", "!"]),
        ("\u0301a", ["a"]),
    ],
)
def test_glyphs_take_the_cells_that_rich_counts(table, text, glyphs):
    assert shown(table, Segment(text)) == glyphs
    assert len(glyphs) == cell_len(text)


@pytest.mark.parametrize("char", ["\x1b", "\x00", "\n", "\t", "\x07", "\x7f", "\x9b"])
def test_control_characters_never_come_through(table, char):
    assert shown(table, Segment(f"a{char}b漢{char}c")) == ["a", "b", "漢", "", "c"]


def test_a_lone_surrogate_is_a_question_mark(table):
    assert shown(table, Segment("\ud800x")) == ["?", "x"]


def test_a_pile_of_marks_is_cut():
    text = "e" + "\u0301" * 100
    (start, end, cells), *rest = clusters(text, [1] + [0] * 100)
    assert (start, cells, rest) == (0, 1, [])
    assert end <= 12


def test_blanks_that_look_the_same_are_the_same(table):
    first = table.cells([Segment(" ", Style.parse("bold red on blue"))])
    assert first == table.cells([Segment(" ", Style.parse("italic green on blue"))])
    assert first != table.cells([Segment(" ", Style.parse("underline red on blue"))])
    assert first != table.cells([Segment(" ", Style.parse("red on black"))])


def test_too_many_clusters_crowd_the_table_and_are_forgotten(table, monkeypatch):
    monkeypatch.setattr("console.ui.wire.cells.MOST_CLUSTERS", 2)
    assert shown(table, Segment("e\u0301")) == ["e\u0301"]
    assert not table.crowded
    assert shown(table, Segment("o\u0301a\u0301")) == ["o\u0301", "a"]
    assert table.crowded
    table.forget()
    assert not table.crowded
    assert shown(table, Segment("a\u0301")) == ["a\u0301"]


def test_nothing_is_no_cell(table):
    assert table.cells([]).dtype == np.uint64
    assert len(table.cells([Segment("")])) == 0
