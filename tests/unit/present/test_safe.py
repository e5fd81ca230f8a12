from __future__ import annotations

import pytest

from console.present.safe import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("muc1/h2/r017", "muc1/h2/r017"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x1b]52;c;c2VjcmV0", ""),
        ("a\r\nb\tc", "a  b c"),
        ("\x00\x08\x7f\x85bell\x07", " bell"),
        ("gpu\u202egnp\u2066.txt", "gpugnp.txt"),
        ("ad\u200bmin\ufeff", "admin"),
        ("\ud800half", "\ufffdhalf"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
        ("Zürich 漢字 é", "Zürich 漢字 é"),
        ("", ""),
    ],
)
def test_only_what_prints_as_itself_is_left(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_long_names_end_in_an_ellipsis() -> None:
    assert clean("n" * 300, 20) == "n" * 19 + "…"
    assert clean("é" * 300, 20) == "é" * 19 + "…"
    assert clean("abc", 3) == "abc"
    assert clean("abc", 0) == ""


def test_stacked_marks_are_thinned() -> None:
    assert clean("a" + "\u0301" * 50) == "a\u0301\u0301"
    assert clean("\u0301a") == "a"


def test_a_huge_hostile_text_is_cut_before_it_is_read() -> None:
    assert clean("\x1b]" * 2_000_000) == ""
    assert clean("\x1b[" + "1;" * 2_000_000) == ""
    assert clean("\x1b[0m" * 1000 + "far") == ""
