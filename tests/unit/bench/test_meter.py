from __future__ import annotations

import sys

from bench.meter import Key, Program, metered, moved
from bench.shades import ShadeScreen

# A bar on one of three lines, that `j` moves; it says nothing else.
BAR = """
import os, sys, tty
tty.setraw(0)
at = 0
while True:
    for line in range(3):
        print(f"\\x1b[{line + 1};1H\\x1b[{'7' if line == at else '0'}mline {line}\\x1b[0m", end="", flush=True)
    if os.read(0, 1) == b"q":
        break
    at = (at + 1) % 3
"""


def test_a_key_is_answered_when_the_bar_has_moved():
    program = Program("bar", [sys.executable, "-c", BAR], (Key(b"j", moved),), settle_s=0.05)
    told = metered(program, 40, 5, seconds=0.1, presses=2)
    assert len(told.key_s) == 2
    assert told.lost == 0
    assert told.bytes_per_s == 0
    assert min(told.key_bytes) > 10
    assert told.rss_mib > 1


def test_the_bar_is_seen_in_any_notation():
    screen = ShadeScreen(10, 2)
    screen.feed(b"\x1b[>1uab\x1b[48;2;1;2;3mcd\x1b[0m\x1b]0;title\x07\x1b[7")
    screen.feed(b"mx\x1b[0m")
    text, shades = screen.look()
    assert text[0] == "abcdx     "
    assert shades[0][2:5] == ("010203", "010203", "reverse")
