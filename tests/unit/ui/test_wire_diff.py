from __future__ import annotations

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from console.ui.wire.dialects import LEAST, dialect
from console.ui.wire.moves import Dialect, move
from console.ui.wire.writer import FrameWriter

INK = Style.parse("#010203 on #040506")
PEN = "\x1b[38;2;1;2;3;48;2;4;5;6m"


class Line:
    def __init__(self, text, style=INK, **options):
        self.size = (20, 2)
        self.writer = FrameWriter(ColorSystem.TRUECOLOR, Dialect(**options))
        self.style = style
        self.write(text)

    def write(self, text, style=None, cursor=(0, 0)):
        self.writer.take([(0, 0, 20, [Segment(text.ljust(20), style or self.style)])], self.size, whole=True)
        return self.writer.send(cursor)


def test_nothing_new_is_nothing_to_send():
    line = Line("abc")
    assert line.write("abc") == ""
    assert not line.writer.pending


def test_only_the_cell_that_changed_is_sent():
    assert Line("temperature 71").write("temperature 72") == f"\x1b[14G{PEN}2\x1b[m\r"


def test_a_short_gap_is_written_over_and_a_long_one_jumped():
    assert Line("1234567890").write("x23y567890") == f"{PEN}x23y\x1b[m\r"
    assert Line("1234567890").write("x23456789y") == f"{PEN}x\x1b[8Cy\x1b[m\r"


def test_a_gap_of_another_pen_is_jumped():
    line = Line("")
    pieces = [(0, 0, 1, [Segment("a", INK)]), (0, 1, 2, [Segment("b")]), (0, 2, 3, [Segment("c", INK)])]
    line.writer.take(pieces, line.size)
    line.writer.send((0, 0))
    line.writer.take([(0, 0, 1, [Segment("x", INK)]), (0, 2, 3, [Segment("y", INK)])], line.size)
    assert line.writer.send((0, 0)) == f"{PEN}x\x1b[Cy\x1b[m\r"


def test_blanks_at_the_end_are_erased_where_that_keeps_the_background():
    assert Line("a long line of text", colored_erases=True).write("a") == "\x1b[3G\x1b[48;2;4;5;6m\x1b[K\x1b[m\r"
    assert "\x1b[K" not in Line("a long line of text").write("a")
    assert Line("a long line of text", Style()).write("a") == "\x1b[3G\x1b[K\r"


def test_blanks_in_the_middle_are_erased_if_many():
    assert Line("abcdefghijklmnopqrst", Style()).write("abc            pqrst") == "\x1b[4G\x1b[12X\r"
    assert Line("abcdefghijklmnopqrst", Style()).write("abcde fghi", cursor=(0, 1)).count("X") == 0


def test_blanks_need_no_other_ink():
    line = Line("ab")
    text = line.write("x  y", cursor=(0, 1))
    assert text == f"{PEN}x  y\x1b[m\r\n"


def test_a_wide_glyph_overwritten_by_half_is_blanked():
    line = Line("漢")
    line.writer.take([(0, 1, 2, [Segment("x", INK)])], line.size)
    assert line.writer.send((0, 0)) == "\x1b[48;2;4;5;6m \x1b[38;2;1;2;3mx\x1b[m\r"


def test_a_wide_glyph_cut_by_the_edge_is_blank():
    line = Line("")
    line.writer.take([(0, 19, 21, [Segment("漢", INK)])], line.size)
    assert line.writer.send((0, 0)) == ""


def test_behind_a_glyph_of_doubtful_width_the_column_is_told():
    line = Line("")
    assert line.write("🚀ab") == f"{PEN}🚀\x1b[3Gab\x1b[m\r"


def test_frames_that_were_not_sent_are_not_sent_later():
    line = Line("1")
    for number in range(2, 9):
        line.writer.take([(0, 0, 20, [Segment(str(number).ljust(20), INK)])], line.size, whole=True)
    assert line.writer.pending
    assert line.writer.send((0, 0)) == f"{PEN}8\x1b[m\r"


def test_after_somebody_else_wrote_everything_is_sent():
    line = Line("abc", colored_erases=True)
    line.writer.forget()
    assert line.write("abc").startswith(f"\x1b[H{PEN}abc\x1b[K")


def test_a_new_size_sends_everything():
    line = Line("abc")
    line.size = (20, 3)
    assert f"\x1b[H{PEN}abc" in line.write("abc")


def test_crowded_tables_start_anew_with_a_whole_frame(monkeypatch):
    monkeypatch.setattr("console.ui.wire.cells.MOST_PENS", 2)
    line = Line("abc")
    assert line.writer.crowded
    assert f"{PEN}xbc" in line.write("xbc")


@pytest.mark.parametrize(
    ("start", "end", "sequence"),
    [
        ((3, 3), (3, 3), ""),
        ((3, 3), (0, 0), "\x1b[H"),
        ((3, 3), (0, 9), "\x1b[10H"),
        ((3, 3), (0, 4), "\r\n"),
        ((3, 3), (0, 3), "\r"),
        ((3, 3), (4, 3), "\x1b[C"),
        ((3, 3), (2, 3), "\b"),
        ((30, 3), (3, 3), "\x1b[4G"),
        ((-1, 3), (4, 3), "\x1b[5G"),
        ((3, 3), (3, 5), "\x1b[2B"),
        ((3, 3), (3, 2), "\x1b[A"),
        ((-1, -1), (3, 2), "\x1b[3;4H"),
    ],
)
def test_a_move_is_the_shortest(start, end, sequence):
    assert move(*start, *end, Dialect()) == sequence


def test_a_simple_terminal_gets_absolute_moves():
    assert move(3, 3, 4, 3, LEAST) == "\x1b[4;5H"


def test_the_dialect_is_the_terminal_s():
    assert dialect("xterm-256color").colored_erases
    assert not dialect("screen-256color").colored_erases
    assert dialect("vt100") == dialect("") == LEAST
