from __future__ import annotations

import re

import pyte
import pytest

from bench.screen import Screen


def both(text, columns=20, lines=4):
    ours, theirs = Screen(columns, lines), pyte.Screen(columns, lines)
    ours.feed(text.encode())
    pyte.Stream(theirs).feed(text)
    return ours.lines, theirs.display


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2;3Hhello",
        "\x1b[1;1Habc\x1b[4G\x1b[1mde\x1b[0m",
        "abc\r\ndef\x1b[Ax\x1b[2Dy\x1b[Bz\x1b[3C!",
        "abcdef\x1b[1;3H\x1b[K",
        "abcdef\x1b[1;3H\x1b[2X",
        "abcdef\x1b[1;3H\x1b[1K",
        "abcdef\x1b[2J\x1b[Hx",
        "\x1b]0;a title\x07x\x1b[?25l\x1b[>1uy\x1b[38;5;2;48;5;16mz",
        "a\x1b[3d\x1b[5Gb",
    ],
)
def test_draws_as_a_terminal_does(text):
    ours, theirs = both(text)
    assert ours == theirs


def test_repeats_a_character():
    screen = Screen(10, 1)
    screen.feed(b"ab\x1b[3b")
    assert screen.lines == ["abbbb     "]


def test_takes_sequences_and_letters_cut_anywhere():
    text = "\x1b[2;3Hh▸é\x1b[1;1H\x1b]8;;x\x1b\\q\x1b[38;5;1m▸".encode()
    whole = Screen(12, 3)
    whole.feed(text)
    for cut in range(1, len(text)):
        parts = Screen(12, 3)
        parts.feed(text[:cut])
        parts.feed(text[cut:])
        assert parts.lines == whole.lines, cut


def test_finds_the_line_that_begins_with_a_glyph():
    screen = Screen(12, 3)
    assert screen.line_of("▸") == -1
    screen.feed("\x1b[2;1H▸ muc1 12/14\x1b[3;5H▸".encode())
    assert screen.line_of("▸") == 1
    assert screen.find(re.compile(r"\d+/\d+"))
    assert not screen.find(re.compile(r"hel1"))
