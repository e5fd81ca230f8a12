from __future__ import annotations

import signal
import sys

import pytest

from tests.support.terminal import Terminal, gigadeck

DEMO = gigadeck("demo", "--gpus", "4000")


@pytest.fixture
def environ(tmp_path):
    return {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


def is_live(text):
    return "live " in text and "(4 of 4 sites)" in text and "SITES" in text


def test_the_demo_shows_data_and_q_gives_the_terminal_back(environ):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        for site in ("muc1", "bcn1", "osl1", "hel1"):
            assert site in terminal.text
        terminal.send("q")
        assert terminal.wait_for_end() == 0
        assert terminal.restored
        assert terminal.after == ""
        assert terminal.modes == terminal.modes_before


def test_it_survives_any_size(environ):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        terminal.resize(200, 50)
        terminal.wait_for("EVERY RACK")
        terminal.resize(30, 8)
        terminal.wait_for(lambda text: "EVERY RACK" not in text)
        terminal.resize(80, 24)
        terminal.wait_for(is_live)
        terminal.send("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_terminal_back(environ, number, code):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        terminal.signal(number)
        assert terminal.wait_for_end() == code
        assert terminal.restored
        assert terminal.after == ""
        assert terminal.modes == terminal.modes_before


def test_keys_go_deeper_and_back_and_copy(environ):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        terminal.send(":goto muc1\r")
        terminal.wait_for("muc1  1 hall")
        terminal.send("\r")
        terminal.wait_for("demo:4000 › muc1 › h")
        terminal.send("y")
        terminal.wait_for("copied muc1/h")
        assert "\x1b]52;c;" in terminal.raw
        terminal.send("?")
        terminal.wait_for("type to search")
        terminal.wait_for("Esc back  ↑ ↓ move")
        terminal.send("\x1b")
        terminal.wait_for(lambda text: "type to search" not in text and "demo:4000 › muc1 › h" in text)
        terminal.send("q")
        assert terminal.wait_for_end() == 0


def test_a_suspended_console_comes_back_whole(environ):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        terminal.send("\x1a")
        terminal.wait_until(terminal.stopped)
        assert terminal.restored
        terminal.clear()
        terminal.signal(signal.SIGCONT)
        whole = terminal.wait_for(lambda text: is_live(text) and "1 Fleet" in text and "q quit" in text)
        assert "muc1" in whole
        terminal.send("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "vt100", "COLORTERM": ""}])
def test_no_colour_is_sent_where_none_is_wanted(environ, more):
    import re

    with Terminal(DEMO, environ={**environ, **more}) as terminal:
        terminal.wait_for(is_live)
        terminal.send("q")
        assert terminal.wait_for_end() == 0
        assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|[34]8;[25])[;m]", terminal.raw)


def test_sixteen_colours_are_the_terminal_s_own(environ):
    import re

    with Terminal(DEMO, environ={**environ, "TERM": "linux", "COLORTERM": ""}) as terminal:
        terminal.wait_for("one cell")
        terminal.send("q")
        assert terminal.wait_for_end() == 0
        assert re.search(r"\x1b\[(?:\d+;)*3[0-7][;m]", terminal.raw)
        assert not re.search(r"\x1b\[(?:\d+;)*[34]8;[25]", terminal.raw)


FAULT = """
import sys
from console.ui.app import ConsoleApp
ConsoleApp.on_mount = lambda self: 1 / 0
from console.ui.run import run_app
from tests.support.pilot import make_setup
sys.exit(run_app(make_setup()))
"""
HANGS = """
import sys, time
from console.ui.run import run_app
from tests.support.pilot import make_setup
from console.ui.main_screen import MainScreen
MainScreen.freeze = lambda self: time.sleep(60)
sys.exit(run_app(make_setup()))
"""


def test_a_fault_is_one_message_and_code_1(environ):
    with Terminal([sys.executable, "-c", FAULT], environ=environ) as terminal:
        assert terminal.wait_for_end() == 1
        assert terminal.restored
        after = terminal.raw[terminal.raw.rfind("\x1b[?1049l") :]
        assert "gigadeck: the screen failed: ZeroDivisionError" in after
        assert "Traceback" not in terminal.raw


def test_a_screen_that_hangs_still_gives_the_terminal_back(environ):
    with Terminal([sys.executable, "-c", HANGS], environ=environ) as terminal:
        terminal.wait_for("muc1")
        terminal.send("p")
        terminal.read(0.5)
        terminal.signal(signal.SIGTERM)
        assert terminal.wait_for_end() == 143
        assert terminal.restored
        assert terminal.modes == terminal.modes_before
