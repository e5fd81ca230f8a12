from __future__ import annotations

import pytest
from rich.color import ColorSystem
from rich.style import Style

from console.ui.wire.pens import LINK_END, PLAIN, RESET, Pens


def numbers(pens, *styles):
    return pens.numbers([Style.parse(style) for style in styles])


@pytest.mark.parametrize(
    ("old", "new", "sequence"),
    [
        ("#010203 on #040506", "#070809 on #040506", "\x1b[38;2;7;8;9m"),
        ("#010203 on #040506", "#010203", "\x1b[49m"),
        ("bold #010203 on #040506", "#010203 on #040506", "\x1b[22m"),
        ("bold dim #010203 on #040506", "dim #010203 on #040506", "\x1b[22;2m"),
        ("underline #010203 on #040506", "italic #010203 on #040506", "\x1b[24;3m"),
        ("bold underline reverse", "red", "\x1b[0;31m"),
        ("bold", "none", RESET),
        ("none", "bold", "\x1b[1m"),
    ],
)
def test_a_step_is_the_shortest(old, new, sequence):
    pens = Pens()
    assert pens.step(*numbers(pens, old, new)) == sequence


def test_a_terminal_without_ends_gets_none():
    pens = Pens(ends=False)
    assert pens.step(*numbers(pens, "bold underline", "bold")) == "\x1b[0;1m"
    assert pens.step(*numbers(pens, "bold", "bold underline")) == "\x1b[4m"


@pytest.mark.parametrize(
    ("system", "sequence"),
    [
        (ColorSystem.STANDARD, "\x1b[31m"),
        (ColorSystem.EIGHT_BIT, "\x1b[38;5;196m"),
        (ColorSystem.TRUECOLOR, "\x1b[38;2;255;0;0m"),
    ],
)
def test_colours_are_those_the_terminal_has(system, sequence):
    pens = Pens(system)
    assert pens.step(PLAIN, *numbers(pens, "#ff0000")) == sequence


def test_a_link_is_begun_and_ended():
    pens = Pens()
    link, other, plain = pens.numbers([Style(link="https://a.example"), Style(link="https://b.example"), None])
    assert pens.step(plain, link) == f"\x1b]8;id={link};https://a.example\x1b\\"
    assert pens.step(link, other) == f"\x1b]8;id={other};https://b.example\x1b\\"
    assert pens.step(other, plain) == LINK_END


def test_links_of_one_address_are_one_pen_though_rich_numbers_them():
    pens = Pens()
    first, second = pens.numbers([Style(link="https://a.example"), Style(link="https://a.example")])
    assert first == second


def test_an_address_with_control_characters_is_no_link():
    pens = Pens()
    assert pens.numbers([Style(link="https://a.example\x1b]0;x\x07")]) == [PLAIN]


def test_many_styles_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("console.ui.wire.pens.BY_IDENTITY", 8)
    pens = Pens()
    for _ in range(5):
        assert len(set(pens.numbers([Style(color=f"color({n})") for n in range(20)]))) == 20
    assert len(pens._held) <= 8
    assert len(pens.pens) == 21
