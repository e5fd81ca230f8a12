from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from console.config.colours import contrast, mix, of_oklab, oklab, ramp
from console.config.places import theme_folders
from console.config.themes import TokenStyle, load_theme, load_themes
from console.model.errors import ConfigErrors
from console.model.tokens import TOKENS

if TYPE_CHECKING:
    from pathlib import Path

    from console.config.themes import Theme

SMALL = """\
dark: true
palette: {sea: "#7fb4e8"}
background: "#0d1117"
foreground: "#ced6e0"
surface: "#161c25"
accent: sea
heat: ["#5a6ba3", "#ffffff"]
plot: [sea, "#FFFFFF"]
"""


def load(base: Path, text: str, name: str = "mine.yaml") -> Theme:
    (base / name).write_text(text)
    return load_theme(base / name)


def faults(base: Path, text: str, name: str = "mine.yaml") -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(base, text, name)
    return [str(error).removeprefix(f"{base / name}:").strip() for error in caught.value.errors]


def test_four_colours_and_two_ramps_are_a_whole_theme(tmp_path: Path) -> None:
    theme = load(tmp_path, SMALL)
    assert (theme.name, theme.title, theme.dark, theme.accent) == ("mine", "mine", True, "#7fb4e8")
    assert set(theme.styles) == set(TOKENS)
    assert theme.styles["text"] == TokenStyle("#ced6e0")
    assert theme.styles["title"] == TokenStyle("#7fb4e8", bold=True)
    assert theme.styles["plot.axis"] == theme.styles["text.dim"]
    assert theme.plot == ("#7fb4e8", "#ffffff") * 3
    assert (theme.heat[0], theme.heat[-1]) == ("#5a6ba3", "#ffffff")


def test_a_style_is_a_colour_or_says_more(tmp_path: Path) -> None:
    styles = (
        'styles:\n  state.ok: sea\n  state.critical: {color: "#ff7b72", bold: true, reverse: true}\n  text.dim: sea\n'
    )
    theme = load(tmp_path, SMALL + styles + "title: Mine\n")
    assert theme.title == "Mine"
    assert theme.styles["state.ok"] == TokenStyle("#7fb4e8")
    assert theme.styles["state.critical"] == TokenStyle("#ff7b72", bold=True, reverse=True)
    assert theme.styles["plot.axis"] == TokenStyle("#7fb4e8")


def test_every_fault_of_a_theme_is_told_at_once(tmp_path: Path) -> None:
    text = """\
dark: "yes"
palette: {sea: "#7fb4e8", bad: "#12", worse: 5, none: }
background: #0d1117
foreground: sae
surface: red
accent: "#zzzzzz"
colour: sea
styles:
  text: {color: sea, blink: true}
  state.okay: sea
  heat.3: sea
  title: 5
  link: {background: see}
heat: [sea]
plot: [sea, nope]
"""
    listed = "the keys here are sea"
    assert faults(tmp_path, text) == [
        '1: dark: expected true or false, found "yes"',
        '2: palette.bad: expected a colour ("#rrggbb" or a name of the palette), found "#12"',
        '2: palette.worse: expected a colour ("#rrggbb" or a name of the palette), found "#5"',
        '2: palette.none: is empty; a colour stands in quotes ("#0e1116"), for a bare # begins a comment',
        '3: background: is empty; a colour stands in quotes ("#0e1116"), for a bare # begins a comment',
        "3: background: is required",
        '4: foreground: "sae" is not in the palette; did you mean sea?',
        f'5: surface: "red" is not in the palette; {listed}',
        '6: accent: expected a colour ("#rrggbb" or a name of the palette), found "#zzzzzz"',
        (
            "7: colour: is not a known key; the keys here are accent, background, dark, foreground, heat, heat_missing,"
            " palette, plot, styles, surface, title"
        ),
        (
            "9: styles.text.blink: is not a known key; the keys here are background, bold, color, dim, italic, reverse,"
            " underline"
        ),
        "10: styles.state.okay: is not a known key; did you mean state.ok?",
        "11: styles.heat.3: comes from the ramp; set heat: instead",
        '12: styles.title: expected a colour ("#rrggbb" or a name of the palette), found the number 5',
        '13: styles.link.background: "see" is not in the palette; did you mean sea?',
        "14: heat: expected a list of 2 to 10 colours",
        f'15: plot[1]: "nope" is not in the palette; {listed}',
    ]


def test_too_little_contrast_is_told_where_the_colour_is_said(tmp_path: Path) -> None:
    styles = 'styles:\n  state.ok: "#333333"\n  header: {color: "#888888", background: "#777777"}\n'
    text = SMALL.replace('"#5a6ba3", "#ffffff"', '"#222222", "#ffffff"') + styles
    assert [fault.partition(" on ")[0] for fault in faults(tmp_path, text)] == [
        "7: heat: contrast of #222222",
        "10: styles.state.ok: contrast of #333333",
        "11: styles.header: contrast of #888888",
    ]


def test_a_theme_is_named_after_its_file(tmp_path: Path) -> None:
    assert faults(tmp_path, SMALL, "My Theme.yaml") == ["must be named of lower-case letters, digits and '-'"]


def test_one_broken_theme_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL)
    (tmp_path / "b.yaml").write_text("[")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.yaml").write_text(SMALL + "title: Later\n")
    themes, errors = load_themes([tmp_path, tmp_path / "missing", tmp_path / "later"])
    assert {name: theme.title for name, theme in themes.items()} == {"a": "Later"}
    assert [error.file for error in errors] == [str(tmp_path / "b.yaml")]


def test_contrast_is_wcag_s() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_colours_survive_oklab() -> None:
    for colour in ("#000000", "#ffffff", "#123456", "#ff8000", "#0b5cad"):
        assert of_oklab(oklab(colour)) == colour
    assert mix("#000000", "#ffffff", 0.0) == "#000000"


def test_a_ramp_passes_through_its_stops() -> None:
    stops = ["#000000", "#808080", "#ffffff"]
    assert ramp(stops, 3) == tuple(stops)
    assert ramp(stops, 5)[::2] == tuple(stops)


def test_the_theme_of_the_documentation_loads(tmp_path: Path) -> None:
    text = (theme_folders()[0].parent / "docs" / "themes.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert [load(tmp_path, block).title for block in blocks] == ["Deep sea"]
    assert [token for token in TOKENS if token.partition(".")[0] not in text] == []
