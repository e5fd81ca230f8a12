from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.support.terminal import Terminal, gigadeck

# The console on data that never change and a clock that stands still, so that two runs show the same.
STILL = """
import sys
from console.ui.run import run_app
from tests.support.pilot import make_setup
sys.exit(run_app(make_setup(colors=None)))
"""
KEYS = ["j", "j", "\r", "\x1b", ":", "goto bcn1", "\r", "2", "3", "?", "x", "\x1b", "\x1b", "1", "p"]


@pytest.fixture
def environ(tmp_path):
    return {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TEXTUAL_ANIMATIONS": "none",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


def settle(terminal, quiet_s=0.2, limit_s=10.0):
    """Read until the terminal has been quiet for a while."""
    deadline = time.monotonic() + limit_s
    while terminal.read(quiet_s) and time.monotonic() < deadline:
        pass


def looks(terminal):
    """Return what each cell looks like; a blank shows no ink."""
    screen = terminal._screen
    cells = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    return [
        [
            cell._replace(fg="default", bold=False, italics=False)
            if cell.data == " " and not (cell.reverse or cell.underscore)
            else cell
            for cell in line
        ]
        for line in cells
    ]


def agree(ours, theirs, limit_s=20.0):
    """Read both until they are quiet and look the same; AssertionError after the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        settle(theirs, 0.1)
        settle(ours, 0.05)
        if looks(ours) == looks(theirs):
            return
        if time.monotonic() > deadline:
            assert ours.text == theirs.text
            assert looks(ours) == looks(theirs)


@pytest.mark.parametrize("more", [{}, {"TERM": "linux", "COLORTERM": ""}, {"NO_COLOR": "1"}])
def test_the_screen_is_the_one_of_textual_s_own_output(environ, more):
    command = [sys.executable, "-c", STILL]
    environ = {**environ, **more}
    with (
        Terminal(command, environ=environ) as ours,
        Terminal(command, environ={**environ, "GIGADECK_WIRE": "textual"}) as theirs,
    ):
        for terminal in (ours, theirs):
            terminal.wait_for("muc1")
        for key in KEYS:
            for terminal in (ours, theirs):
                terminal.send(key)
            agree(ours, theirs)
        for terminal in (ours, theirs):
            terminal.resize(100, 30)
        agree(ours, theirs)
        assert len(ours.raw) < len(theirs.raw) / 2
        for terminal in (ours, theirs):
            terminal.send("\x1b")
            terminal.send("q")
            assert terminal.wait_for_end() == 0
            assert terminal.restored


def test_the_demo_drawn_bit_by_bit_is_the_one_drawn_at_once(environ):
    with Terminal(gigadeck("demo", "--gpus", "4000"), 120, 30, environ) as terminal:
        terminal.wait_for(lambda text: "(4 of 4 sites)" in text)
        before = len(terminal.raw)
        terminal.wait_for(lambda _: len(terminal.raw) > before + 2000)  # some frames of moving data
        for key in ("2", "j", "\t", "l", "p"):
            terminal.send(key)
            settle(terminal)
        terminal.wait_for("FROZEN")
        settle(terminal)
        bit_by_bit = looks(terminal)[1:]  # the first line has the clock
        terminal._screen.reset()
        terminal.resize(120, 31)
        terminal.wait_for("FROZEN")
        settle(terminal)
        terminal._screen.reset()
        terminal.resize(120, 30)
        terminal.wait_for("FROZEN")
        settle(terminal)
        assert looks(terminal)[1:] == bit_by_bit
        terminal.send("q")
        assert terminal.wait_for_end() == 0


def test_a_console_that_was_suspended_draws_itself_anew(environ):
    with Terminal([sys.executable, "-c", STILL], environ=environ) as terminal:
        terminal.wait_for("muc1")
        settle(terminal)
        before = terminal.text
        terminal.signal(signal.SIGTSTP)
        settle(terminal)
        assert terminal.restored
        terminal._screen.reset()
        terminal.signal(signal.SIGCONT)
        terminal.wait_for(lambda text: text == before)
        terminal.send("q")
        assert terminal.wait_for_end() == 0
