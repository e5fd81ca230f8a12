from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from tests.support.terminal import Terminal, gigadeck

DEMO = gigadeck("demo", "--gpus", "4000")
COLOR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|[34]8;[25])[;m]")


@pytest.fixture
def environ(tmp_path):
    return {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "GIGADECK_STATE_DIR": str(tmp_path / "state"),
        "GIGADECK_CONFIG_DIR": str(tmp_path / "config"),
    }


def is_live(text):
    return "live " in text and "(4 of 4 sites)" in text and "SITES" in text


def leave(terminal):
    terminal.send("q")
    assert terminal.wait_for_end() == 0
    assert terminal.restored
    assert terminal.after == ""
    assert terminal.modes == terminal.modes_before


@pytest.mark.parametrize(
    ("term", "colors", "unicode"),
    [("", True, True), ("screen", True, True), ("tmux-256color", True, True), ("linux", True, False)],
)
def test_it_draws_on_any_terminal(environ, term, colors, unicode):
    chosen = {key: value for key, value in environ.items() if key not in ("TERM", "COLORTERM")}
    with Terminal(DEMO, environ={**chosen, "TERM": term} if term else chosen) as terminal:
        shown = terminal.wait_for(lambda text: is_live(text) and "q quit" in text)
        assert shown.isascii() is not unicode
        leave(terminal)
        assert bool(COLOR.search(terminal.raw)) is colors
        assert "\x1b[38;2" not in terminal.raw


def test_a_dumb_terminal_gets_one_status_and_the_reason(environ):
    with Terminal(DEMO, environ={**environ, "TERM": "dumb"}) as terminal:
        assert terminal.wait_for_end(30) == 0
        assert "TERM=dumb" in terminal.text
        assert "muc1" in terminal.text
        assert "\x1b" not in terminal.raw


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "C"}, {"LANG": "en_US.ISO-8859-1"}])
def test_a_locale_without_unicode_is_drawn_in_ascii(environ, locale):
    with Terminal(DEMO, environ={**environ, **locale}) as terminal:
        terminal.wait_for(is_live)
        for key, shown in (("2", "by temp_c_max"), ("3", "disagreements"), ("?", "one row down")):
            terminal.send(key)
            assert terminal.wait_for(shown).isascii()
        terminal.send("\x1b")
        terminal.wait_for(lambda text: "disagreements" in text and "one row down" not in text)
        leave(terminal)
        assert terminal.raw.isascii()


def test_the_settings_choose_the_glyphs(environ, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/settings.yaml").write_text("glyphs: ascii\n")
    with Terminal(DEMO, environ=environ) as terminal:
        assert terminal.wait_for(is_live).isascii()
        leave(terminal)


@pytest.mark.parametrize(("columns", "lines"), [(20, 5), (40, 10), (500, 150)])
def test_it_draws_at_any_size(environ, columns, lines):
    with Terminal(DEMO, columns, lines, environ) as terminal:
        terminal.wait_for("INCIDENTS")
        for key, shown in (("2", "fleet  4 site"), ("4", "SOURCES"), ("?", "Panels")):
            terminal.send(key)
            terminal.wait_for(shown)
        terminal.send("\x1b")
        terminal.wait_for(lambda text: "SOURCES" in text and "Panels" not in text)
        leave(terminal)


def test_a_size_in_the_environment_is_not_believed(environ):
    with Terminal(DEMO, 120, 40, {**environ, "COLUMNS": "80", "LINES": "24"}) as terminal:
        terminal.wait_for(is_live)
        assert max(map(len, terminal.text.splitlines())) > 100
        leave(terminal)


def test_a_storm_of_sizes_ends_in_the_last_one(environ):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        for number in range(200):
            terminal.resize(20 + number % 150, 5 + number % 50)
            terminal.signal(signal.SIGWINCH)
            terminal.read(0.0)
        terminal.resize(100, 30)
        terminal.wait_for(lambda text: is_live(text) and len(text.splitlines()) == 30 and "q quit" in text)
        leave(terminal)


def test_stopping_and_going_on_again_and_again_loses_nothing(environ):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        for _ in range(3):
            terminal.send("\x1a")
            terminal.wait_until(terminal.stopped)
            assert terminal.restored
            assert terminal.modes == terminal.modes_before
            terminal.clear()
            terminal.signal(signal.SIGCONT)
            terminal.wait_for(lambda text: is_live(text) and "q quit" in text)
        leave(terminal)


def test_a_terminal_that_disappears_ends_it_with_its_journal_complete(environ, tmp_path):
    with Terminal(DEMO, environ=environ) as terminal:
        terminal.wait_for(is_live)
        assert terminal.hang_up() == 129
    text = (tmp_path / "state/journal.jsonl").read_text()
    assert text.endswith("\n")
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert (events[0], events[-1]) == ("started", "stopped")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_no_terminal(environ, closed):
    command = f"exec {subprocess.list2cmdline(DEMO)} {closed}"
    with Terminal(["/bin/sh", "-c", command], environ=environ) as terminal:
        assert terminal.wait_for_end(30) == 0
        assert "\x1b" not in terminal.raw
        assert "Traceback" not in terminal.raw


def test_the_limits_of_the_link_reach_the_screen(environ):
    program = [sys.executable, "-m", "console", "--fps", "2", "--bandwidth", "800", "demo", "--gpus", "4000"]
    with Terminal(program, environ=environ) as terminal:
        terminal.wait_for(is_live)
        terminal.send(":link\r")
        terminal.wait_for(lambda text: re.search(r"link \d+ B/s", text) is not None)
        leave(terminal)
