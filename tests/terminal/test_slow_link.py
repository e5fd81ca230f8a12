from __future__ import annotations

import random
import re
import time

import pytest

from tests.support.slow_link import Link
from tests.support.slow_terminal import SlowTerminal
from tests.support.terminal import gigadeck

PLACE = "muc1/h1"
ROW = re.compile(r"^▸[ ●]\s*(\S+)", re.MULTILINE)
# Longer than any key and its answer take, stalls on both ways and a slice of data before it.
ANSWER_S = 8.0
# A key has arrived and its answer is back by then, even if both stalled; at an end of the table nothing moves.
MOVED_S = 3.0
EYE_S = 0.12
MOVES = ["j", "j", "j", "k", "k", "G", "g", "\x1b[6~"]
ACTIONS = ["copy", "raw", "enter", "mark"]


def under_cursor(text):
    """Return the name of the object that the screen shows under the cursor, empty while it shows none."""
    found = ROW.findall(text)
    return found[0] if len(set(found)) == 1 else ""


def says(text, phrase):
    """Return whether the screen has a phrase that goes on no further."""
    return re.search(re.escape(phrase) + r"(?![\w/])", text) is not None


class User:
    """Acts on what the screen shows, at the moment it shows it."""

    def __init__(self, terminal, seed):
        self.terminal = terminal
        self.chance = random.Random(seed)
        self.acted = 0
        self.history = []

    @property
    def shown(self):
        return under_cursor(self.terminal.text)

    def press(self, key):
        self.terminal.send(key)

    def look(self):
        """Return what is under the cursor once the screen has been still for as long as an eye needs."""
        self.terminal.wait_for(lambda text: under_cursor(text) != "", ANSWER_S)
        seen, still_since = self.shown, time.monotonic()
        while time.monotonic() - still_since < EYE_S or not seen:
            self.terminal.read(0.02)
            if self.shown != seen:
                seen, still_since = self.shown, time.monotonic()
        return seen

    def move(self):
        """Press a key that moves the cursor, and watch until it has moved (at an end it does not)."""
        before = self.look()
        key = self.chance.choice(MOVES)
        self.press(key)
        until = time.monotonic() + MOVED_S
        while time.monotonic() < until and self.shown in ("", before):
            self.terminal.read(0.1)
        self.history.append((before, key, self.shown))

    def act(self):
        """Act on what is shown; AssertionError if it is not the object that was acted on."""
        name, action = self.look(), self.chance.choice(ACTIONS)
        self.history.append((name, action))
        try:
            getattr(self, action)(name)
        except AssertionError as error:
            raise AssertionError(f"after {self.acted} others: {self.history[-6:]}: {error}") from error
        self.acted += 1

    def copy(self, name):
        self.press("y")
        self.terminal.wait_for(lambda text: says(text, f"copied {PLACE}/{name}"), ANSWER_S)

    def raw(self, name):
        self.press("d")
        self.terminal.wait_for(lambda text: re.search(rf"\baddress\s+{PLACE}/{name}\b", text), ANSWER_S)
        self.back_to(name)

    def enter(self, name):
        self.press("\r")
        self.terminal.wait_for(lambda text: says(text, f"h1 › {name}") and "racks" not in text, ANSWER_S)
        self.back_to(name)

    def back_to(self, name):
        self.press("\x1b")
        self.terminal.wait_for(
            lambda text: under_cursor(text) == name and "32 racks" in text and "address " not in text, ANSWER_S
        )

    def mark(self, name):
        self.press(" ")
        self.terminal.wait_for(lambda text: re.search(rf"^[▸ ]●\s*{name}\b", text, re.MULTILINE), ANSWER_S)
        self.press("U")
        self.terminal.wait_for(lambda text: "●" not in text, ANSWER_S)


def acts_on_what_it_shows(tmp_path, seed, sequences, columns, lines):
    environ = {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "GIGADECK_STATE_DIR": str(tmp_path / "state"),
        "GIGADECK_CONFIG_DIR": str(tmp_path / "config"),
    }
    with SlowTerminal(gigadeck("demo", "--gpus", "4000"), columns, lines, environ, Link(seed=seed)) as terminal:
        terminal.wait_for("(4 of 4 sites)", 60)
        terminal.send("2")
        terminal.wait_for("by temp_c_max", ANSWER_S)
        terminal.send(f":goto {PLACE}\r")
        terminal.wait_for(lambda text: "32 racks" in text and under_cursor(text).startswith("r"), ANSWER_S)
        user = User(terminal, seed)
        for _ in range(sequences):
            terminal.pass_time(user.chance.uniform(0.0, 0.8))
            for _ in range(user.chance.randrange(3)):
                user.move()
            user.act()
        assert user.acted == sequences
        terminal.send("q")
        assert terminal.wait_for_end(20) == 0


def test_no_action_hits_another_object_than_the_one_shown(tmp_path):
    acts_on_what_it_shows(tmp_path, 7, 10, 100, 30)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(8))
def test_in_a_thousand_sequences_no_action_hits_another_object_than_the_one_shown(tmp_path, seed):
    acts_on_what_it_shows(tmp_path, seed, 125, *((80, 24), (200, 50))[seed % 2])
