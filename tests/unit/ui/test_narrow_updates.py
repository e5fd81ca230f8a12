from __future__ import annotations

import io

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from console.ui import narrow_updates

WIDTH = 20


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChopsUpdate, "render_segments", ChopsUpdate.render_segments)
    narrow_updates.install()


def written(chops: list[dict[int, Strip | None]], spans: list[tuple[int, int, int]], ends: list[list[int]]) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
    return ChopsUpdate(chops, spans, ends).render_segments(console)


def line(text: str) -> Strip:
    red, blue = Style(color="#ff0000"), Style(color="#0000ff")
    return Strip([Segment(text[:7], red), Segment(text[7:], blue)], len(text))


def on_screen(before: str, sent: str) -> str:
    screen = pyte.Screen(WIDTH, 2)
    pyte.Stream(screen).feed(before + sent)
    return screen.display[0]


def test_a_change_in_the_middle_of_a_line_sends_its_cells_alone() -> None:
    sent = written([{0: line("abcdefghijklmnopqrst")}], [(0, 12, 14)], [[WIDTH]])
    assert "mn" in sent
    assert "l" not in sent.replace("\x1b", "")
    assert on_screen("." * WIDTH, sent) == "............mn......"


def test_pieces_of_several_widgets_and_hidden_ones_are_kept_apart() -> None:
    chops: list[dict[int, Strip | None]] = [{0: line("aaaaaaaaaa"), 10: None, 15: line("bbbbb")}]
    sent = written(chops, [(0, 8, 17)], [[10, 15, WIDTH]])
    assert on_screen("." * WIDTH, sent) == "........aa.....bb..."


def test_a_whole_line_is_sent_whole() -> None:
    sent = written([{0: line("abcdefghijklmnopqrst")}], [(0, 0, WIDTH)], [[WIDTH]])
    assert on_screen("", sent) == "abcdefghijklmnopqrst"


def test_several_spans_of_a_line_do_not_repeat_what_is_before_them() -> None:
    sent = written([{0: line("abcdefghijklmnopqrst")}], [(0, 2, 3), (0, 18, 19)], [[WIDTH]])
    assert on_screen("." * WIDTH, sent) == "..c...............s."
