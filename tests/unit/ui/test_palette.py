from __future__ import annotations

import pytest
from rich.color import ColorType

from tests.support.drawing import palette


def test_a_token_has_one_style_object() -> None:
    shown = palette()
    assert shown.style("state.critical") is shown.style("state.critical")
    assert shown.style("state.critical", "cursor") is shown.style("state.critical", "cursor")


def test_a_cursor_keeps_the_colour_of_what_is_under_it() -> None:
    style = palette().style("state.critical", "cursor")
    assert style.color is not None
    assert style.color.name == "#ff0000"
    assert style.bgcolor is not None
    assert style.bgcolor.name == "#334455"
    assert style.bold


def test_ramps_give_heat_and_plot_tokens_their_colours() -> None:
    shown = palette()
    assert shown.heat[3] is shown.style("heat.3")
    assert shown.heat[200] is shown.style("heat.missing")
    assert shown.style("heat.0").color != shown.style("heat.9").color
    assert shown.style("plot.7") == shown.style("plot.1")


def test_unknown_tokens_look_like_text() -> None:
    shown = palette()
    assert shown.style("no.such.token") == shown.base == shown.style("text")


def test_without_colours_there_are_none_and_the_cursor_is_reversed() -> None:
    shown = palette("none")
    for token in ("state.critical", "heat.9", "text", "border"):
        assert shown.style(token).color is None
        assert shown.style(token).bgcolor is None
    assert shown.style("text", "cursor").reverse
    assert shown.style("state.critical").bold


def test_sixteen_colours_leave_ground_and_ink_to_the_terminal() -> None:
    shown = palette("16")
    assert shown.base.color is None
    assert shown.base.bgcolor is None
    assert shown.style("text", "cursor").reverse
    critical = shown.style("state.critical").color
    assert critical is not None
    assert critical.type is ColorType.STANDARD


@pytest.mark.parametrize(("colors", "type"), [("true", ColorType.TRUECOLOR), ("256", ColorType.EIGHT_BIT)])
def test_colours_are_as_many_as_the_terminal_has(colors: str, type: ColorType) -> None:
    color = palette(colors).style("state.critical").color
    assert color is not None
    assert color.type is type
