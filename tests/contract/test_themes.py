from __future__ import annotations

import itertools
import math
from dataclasses import astuple
from typing import TYPE_CHECKING

import pytest

from console.config.colours import channels, contrast, luminance, oklab
from console.config.places import theme_folders
from console.config.theme_file import TEXT_CONTRAST
from console.config.themes import Theme, load_themes
from console.model.tokens import HEAT, TOKENS

if TYPE_CHECKING:
    from console.config.themes import TokenStyle

THEMES, ERRORS = load_themes([theme_folders()[0]])
every_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
STATES = tuple(token for token in TOKENS if token.startswith("state."))
ENVIRONMENTS = ("environment.production", "environment.staging", "environment.lab")


def drawn(theme: Theme, token: str) -> tuple[str, str]:
    """The colours of the letters and of the ground as they are drawn."""
    style = theme.styles[token]
    front, back = style.color or theme.foreground, style.background or theme.background
    return (back, front) if style.reverse else (front, back)


def distance(one: str, other: str) -> float:
    return math.dist(oklab(one), oklab(other))


def test_the_five_themes_load() -> None:
    assert [str(error) for error in ERRORS] == []
    assert set(THEMES) == {"dark", "light", "high-contrast", "colour-blind", "mono"}
    assert {name: theme.dark for name, theme in THEMES.items() if not theme.dark} == {"light": False}


@every_theme
def test_every_token_has_a_style(theme: Theme) -> None:
    assert set(theme.styles) == set(TOKENS)
    assert (len(theme.heat), len(theme.plot)) == (10, 6)
    assert tuple(theme.styles[token].color for token in HEAT) == theme.heat
    assert theme.styles["heat.missing"].color == theme.heat_missing


@every_theme
def test_dark_says_what_the_theme_is(theme: Theme) -> None:
    assert (luminance(theme.background) < luminance(theme.foreground)) is theme.dark


@every_theme
def test_heat_changes_evenly_in_lightness(theme: Theme) -> None:
    lightness = [oklab(colour)[0] for colour in theme.heat]
    steps = [after - before for before, after in itertools.pairwise(lightness)]
    assert all(step > 0 for step in steps) if theme.dark else all(step < 0 for step in steps)
    assert abs(lightness[-1] - lightness[0]) > 0.3
    assert all(distance(one, other) > 0.02 for one, other in zip(theme.heat, theme.heat[1:], strict=False))


@every_theme
def test_the_worst_heat_stands_out_most(theme: Theme) -> None:
    ratios = [contrast(colour, theme.background) for colour in theme.heat]
    assert max(ratios) == ratios[-1]


@every_theme
def test_what_the_cursor_is_on_can_still_be_read(theme: Theme) -> None:
    for cursor in ("cursor", "cursor.dim"):
        style = theme.styles[cursor]
        if style.color:
            assert contrast(style.color, style.background) >= TEXT_CONTRAST
            continue
        for token in ("text", "text.strong", "title", "mark", "link", *STATES):
            own = theme.styles[token]
            if not own.background and not own.reverse:
                needed = 3.0 if token == "state.stale" else TEXT_CONTRAST
                assert contrast(own.color or theme.foreground, style.background) >= needed, (cursor, token)


@every_theme
def test_the_cursor_is_seen(theme: Theme) -> None:
    assert distance(theme.styles["cursor"].background, theme.background) > 0.06
    assert distance(theme.styles["cursor"].background, theme.styles["cursor.dim"].background) > 0.02


@every_theme
def test_production_looks_unmistakably_different(theme: Theme) -> None:
    _, production = drawn(theme, "environment.production")
    for other in ENVIRONMENTS[1:]:
        assert distance(production, drawn(theme, other)[1]) > 0.2, other
    assert distance(production, theme.background) > 0.3
    assert theme.styles["environment.production"].bold


@every_theme
def test_states_that_matter_are_told_apart(theme: Theme) -> None:
    def look(token: str) -> tuple[object, ...]:
        return astuple(theme.styles[token])

    told_apart = ("state.ok", "state.unknown", "state.warning", "state.critical", "state.stale", "state.down")
    assert len({look(token) for token in told_apart}) == len(told_apart)


def test_colour_blind_states_differ_in_lightness_or_weight() -> None:
    theme = THEMES["colour-blind"]

    def flags(style: TokenStyle) -> tuple[bool, ...]:
        return (style.bold, style.italic, style.underline, style.reverse, bool(style.background))

    for one, other in (("ok", "warning"), ("ok", "critical"), ("warning", "critical"), ("ok", "down")):
        first, second = theme.styles[f"state.{one}"], theme.styles[f"state.{other}"]
        apart = abs(oklab(first.color)[0] - oklab(second.color)[0])
        assert apart > 0.1 or flags(first) != flags(second), (one, other)


def test_colour_blind_heat_goes_from_blue_to_yellow() -> None:
    blue_to_yellow = [oklab(colour)[2] for colour in THEMES["colour-blind"].heat]
    assert blue_to_yellow[0] < -0.02
    assert blue_to_yellow[-1] > 0.1
    assert blue_to_yellow[:-1] == sorted(blue_to_yellow[:-1])


def test_high_contrast_is_at_least_seven_to_one() -> None:
    theme = THEMES["high-contrast"]
    ratios = {token: contrast(*drawn(theme, token)) for token in TOKENS if token not in ("border", "heat.missing")}
    assert {token: ratio for token, ratio in ratios.items() if ratio < 6.9} == {}


def test_mono_has_no_hue() -> None:
    theme = THEMES["mono"]
    styles = [colour for style in theme.styles.values() for colour in (style.color, style.background) if colour]
    base = (theme.background, theme.foreground, theme.surface, theme.accent)
    for colour in (*base, *styles, *theme.heat, *theme.plot, theme.heat_missing):
        assert len(set(channels(colour))) == 1, colour
