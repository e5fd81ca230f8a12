from __future__ import annotations

from pathlib import Path

import pytest

from console.ui.help import help_lines
from console.ui.keys import ACTIONS, RESERVED, as_markdown, key_map, spelling

ROOT = Path(__file__).resolve().parents[3]


def test_no_default_collides_with_tmux_or_screen():
    assert not [(action.id, key) for action in ACTIONS for key in action.keys if key in RESERVED]


def test_every_default_key_does_one_thing():
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))


def test_no_single_key_of_this_version_changes_a_site():
    assert {action.id for action in ACTIONS if action.later} >= {"act"}


def test_a_user_takes_a_key_from_its_action():
    keys, faults = key_map({"quit": ["Q", "s"]})
    assert not faults
    assert keys.of("s").id == keys.of("Q").id == "quit"
    assert keys["sort"].keys == ()
    assert keys.of("q") is None


def test_one_key_may_be_given_as_text():
    assert key_map({"help": "f1"})[0].of("f1").id == "help"


@pytest.mark.parametrize(
    ("own", "said"), [({"quitt": "Q"}, "no such action"), ({"quit": "s", "sort": "s"}, "given to quit already")]
)
def test_what_is_wrong_with_own_keys_is_said(own, said):
    keys, faults = key_map(own)
    assert said in " ".join(faults)
    assert keys.of("j").id == "row.down"


@pytest.mark.parametrize(
    ("key", "character", "name"),
    [
        ("G", "G", "G"),
        ("question_mark", "?", "?"),
        ("space", " ", "space"),
        ("tab", "\t", "tab"),
        ("ctrl+p", "\x10", "ctrl+p"),
        ("up", None, "up"),
    ],
)
def test_keys_are_spelt_as_they_print(key, character, name):
    assert spelling(key, character) == name


def test_the_document_of_keys_is_in_step():
    assert (ROOT / "docs/keys.md").read_text(encoding="utf-8") == as_markdown(key_map()[0]), (
        "write it anew: python -c 'from console.ui.keys import *; print(as_markdown(key_map()[0]), end=\"\")'"
    )


def test_every_line_of_the_help_can_be_read_at_80_columns():
    room = 80 - 4  # the sheet's border and padding
    for line in help_lines(key_map()[0], ()):
        told = "".join(span.text for span in line if span.token != "text.dim")
        assert len(told) <= room, told
