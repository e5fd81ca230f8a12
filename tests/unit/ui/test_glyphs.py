from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from console.ui.glyphs import BARS, PlainLetters, glyphs_of_terminal, plain_text
from console.ui.keys import key_map
from tests.support.pilot import driven

ROOT = Path(__file__).resolve().parents[3]
# What stands for nothing that has a letter: `?` would tell nothing there.
DRAWN = re.compile(r"[^\x00-\x7f]")


@pytest.mark.parametrize(
    ("environ", "utf8_mode", "glyphs"),
    [
        ({}, True, "unicode"),
        ({"LANG": "C.UTF-8"}, False, "unicode"),
        ({"LANG": "de_DE.utf8"}, False, "unicode"),
        ({"LC_CTYPE": "UTF-8"}, False, "unicode"),
        ({"LANG": "C"}, True, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True, "ascii"),  # coerced by the interpreter
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False, "unicode"),  # the user's own
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8", "PYTHONUTF8": "1"}, True, "unicode"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True, "ascii"),
        ({"LANG": "en_US.ISO-8859-1"}, False, "ascii"),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, False, "ascii"),
        ({"LANG": "C.UTF-8", "TERM": "vt100"}, False, "ascii"),
        ({"LANG": "C.UTF-8", "TERM": "tmux-256color"}, False, "unicode"),
    ],
)
def test_the_environment_tells_what_can_be_shown(environ, utf8_mode, glyphs):
    assert glyphs_of_terminal(environ, utf8_mode=utf8_mode) == glyphs


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40))
def test_plain_letters_are_ascii_and_take_as_many_cells(text):
    plain = plain_text(text)
    assert plain.isascii()
    assert cell_len(plain) == cell_len(text)


def test_no_sign_that_we_draw_ourselves_becomes_a_question_mark():
    sources = [*(ROOT / "console/ui").rglob("*.py"), *(ROOT / "console/present").rglob("*.py")]
    drawn = {char for source in sources for char in DRAWN.findall(source.read_text(encoding="utf-8"))}
    assert len(drawn) > 20
    assert {char for char in drawn if plain_text(char) == "?"} == set()


def test_bars_and_braille_keep_their_meaning():
    assert len(set(BARS.values())) == len(BARS)
    assert plain_text("⠀⠁⢀⣿") == " '.:"


def test_ascii_segments_are_passed_on_as_they_are():
    segments = [Segment("muc1"), Segment("  79 C")]
    assert PlainLetters().apply(segments, Color(0, 0, 0)) is segments


def test_keys_are_named_by_words_where_signs_cannot_be_shown():
    words, _ = key_map(words=True)
    signs, _ = key_map()
    assert [words.shown("enter"), words.shown("back"), words.shown("page.down")] == ["Enter", "Esc", "PgDn"]
    assert signs.shown("enter") == "⏎"
    assert words.name_of("down") == "Down"


async def test_everything_on_the_screen_is_ascii_where_it_has_to_be():
    async with driven(glyphs="ascii", size=(120, 40)) as console:
        for key in ("1", "2", "3", "question_mark", "escape", "colon", "escape", "m"):
            await console.press(key)
            assert console.screen().isascii(), key
        assert "+--" in console.screen()
    async with driven() as console:
        assert not console.screen().isascii()
