from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.segment import Segment
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Offset, Region, Size
from textual.strip import Strip

from console.ui.wire import hook
from console.ui.wire.hook import LEAVE_STYLES, SWITCH, Wire
from console.ui.wire.internals import ChopsUpdate, LayoutUpdate, surprises


class Outlet:
    backlog_bytes = 0
    gone = False


class Driver:
    is_headless = is_inline = is_web = False

    def __init__(self, wire):
        self.wire = wire
        self.written = []

    def write(self, text):
        self.wire.wrote(text, len(text))
        self.written.append(text)

    def flush(self):
        pass

    def take(self):
        written, self.written = "".join(self.written), []
        return written


class FakeApp(SimpleNamespace):
    """What the wire sees of an app."""

    def __init__(self):
        size = Size(10, 2)
        screen = SimpleNamespace(outer_size=size, refreshed=0)
        screen.refresh = lambda: setattr(screen, "refreshed", screen.refreshed + 1)
        super().__init__(
            screen=screen,
            size=size,
            console=Console(color_system="truecolor", force_terminal=True),
            cursor_position=Offset(0, 0),
            _batch_count=0,
            _running=True,
            _closed=False,
            _sync_available=False,
            displayed=0,
        )

    def post_display_hook(self):
        self.displayed += 1


def update(*lines):
    return LayoutUpdate([[Strip([Segment(line.ljust(10))], 10)] for line in lines], Region(0, 0, 10, len(lines)))


@pytest.fixture
def app(monkeypatch):
    for name in (SWITCH, "TMUX", "STY", "ZELLIJ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    hook.dialect.cache_clear()
    made = FakeApp()
    made.wire = Wire(made)
    made._driver = Driver(made.wire)
    return made


@pytest.fixture
async def sent(app):
    app.wire.started(None)
    assert app.wire.display(app.screen, update("ab", "cd"))
    app._driver.take()
    return app


def test_the_installed_textual_is_the_known_one():
    assert surprises() == ()


@pytest.mark.parametrize(
    ("owner", "name", "other", "told"),
    [
        (LayoutUpdate, "__init__", lambda self, lines, region: None, "LayoutUpdate.__init__(self, lines, region)"),
        (ChopsUpdate, "render_segments", lambda self, console: "", "ChopsUpdate.render_segments without chop_ends"),
        (App, "_display", lambda self, renderable: None, "App._display(self, renderable)"),
        (App, "_begin_update", None, "App without _begin_update"),
        (LinuxDriver, "start_application_mode", lambda self: None, "without WriterThread, _file"),
    ],
)
def test_another_textual_keeps_its_own_output(app, monkeypatch, caplog, owner, name, other, told):
    monkeypatch.setattr(owner, name, other)
    caplog.set_level(logging.WARNING)
    wire = Wire(app)
    assert not wire.active
    assert not wire.display(app.screen, update("ab", "cd"))
    assert wire.driver(LinuxDriver) is LinuxDriver
    assert told in caplog.text


def test_the_switch_leaves_the_screen_to_textual(app, monkeypatch):
    monkeypatch.setenv(SWITCH, "textual")
    wire = Wire(app)
    assert not wire.display(app.screen, update("ab", "cd"))
    assert app._driver.take() == ""


async def test_a_part_is_drawn_where_the_compositor_has_it(sent):
    chops = [{0: Strip([Segment("xy   ")], 5), 5: Strip([Segment("     ")], 5)}, {0: None}]
    assert sent.wire.display(sent.screen, ChopsUpdate(chops, [(0, 1, 10)], [[5, 10], [10]]))
    assert sent._driver.take() == "xy\r"
    assert sent.displayed == 2


async def test_frames_are_synchronised_where_the_terminal_can(sent):
    sent._sync_available = True
    sent.wire.display(sent.screen, update("ab", "xd"))
    assert sent._driver.take() == "\x1b[?2026h\x1b[Bx\x1b[H\x1b[?2026l"
    sent.wire.display(sent.screen, update("ab", "xd"))
    assert sent._driver.take() == ""


async def test_the_cursor_goes_where_the_input_is(sent):
    sent.cursor_position = Offset(4, 1)
    sent.wire.display(sent.screen, update("ab", "cd"))
    assert sent._driver.take() == "\x1b[2;5H"


@pytest.mark.parametrize("text", ["\x1b[?1000l\x1b[?1003l", "\x1b]52;c;YWJj\a", "\x07", "\x1b[?2026$p", "\x1b[?25l"])
async def test_modes_clipboard_and_bell_leave_what_is_shown(sent, text):
    sent._driver.write(text)
    sent._driver.take()
    sent.wire.display(sent.screen, update("ab", "cd"))
    assert sent._driver.take() == ""


@pytest.mark.parametrize("text", ["\x1b[?1049h", "hello", "\x1b[2J", "\x07x"])
async def test_after_anything_else_all_is_sent(sent, text):
    sent._driver.write(text)
    sent._driver.take()
    sent.wire.display(sent.screen, update("ab", "cd"))
    assert sent._driver.take().startswith("\x1b[Hab")


async def test_a_resumed_terminal_is_drawn_anew(sent):
    sent.wire.started(None)
    sent.wire.display(sent.screen, update("ab", "cd"))
    assert sent._driver.take().startswith("\x1b[Hab")


async def test_a_terminal_that_takes_nothing_gets_no_frames_and_then_the_newest(app):
    outlet = Outlet()
    app.wire.started(outlet)
    app.wire.display(app.screen, update("1", ""))
    app._driver.take()
    app.wire.answered()
    outlet.backlog_bytes = 1
    for number in range(2, 9):
        app.wire.display(app.screen, update(str(number), ""))
    assert app._driver.take() == ""
    outlet.backlog_bytes = 0
    app.wire.drained()
    await asyncio.sleep(0)
    assert app._driver.take().replace("\x1b[6n", "") == "8\r"


async def test_a_terminal_that_answers_late_gets_no_frames_until_it_answers(app, monkeypatch):
    clock = SimpleNamespace(now=10.0)
    monkeypatch.setattr(hook.time, "monotonic", lambda: clock.now)
    app.wire.started(Outlet())
    app.wire.display(app.screen, update("1", ""))
    assert app._driver.take().endswith("\x1b[6n")
    clock.now = 10.1
    app.wire.answered()
    await asyncio.sleep(0)
    app.wire.display(app.screen, update("2", ""))
    assert app._driver.take() == "2\r\x1b[6n"
    clock.now = 11.0
    app.wire.display(app.screen, update("3", ""))
    app.wire.display(app.screen, update("4", ""))
    assert app._driver.take() == ""
    app.wire.answered()
    await asyncio.sleep(0)
    assert app._driver.take() == "4\r\x1b[6n"
    app.wire.answered()


async def test_bytes_are_counted(sent, monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(hook.time, "monotonic", lambda: clock.now)
    sent._driver.write("\x07" * 50)
    clock.now = 1001.0
    assert sent.wire.bytes_per_s() == 5


async def test_a_fault_leaves_the_screen_to_textual_and_is_told_once(sent, caplog):
    caplog.set_level(logging.ERROR)

    def fails(*_):
        raise ValueError("no such glyph")

    sent.wire._writer.take = fails
    assert not sent.wire.display(sent.screen, update("xy", "cd"))
    assert not sent.wire.display(sent.screen, update("xz", "cd"))
    assert sent._driver.take() == LEAVE_STYLES
    assert sent.screen.refreshed == 1
    assert caplog.text.count("the frame writer failed") == 1


@pytest.mark.parametrize("what", ["is_headless", "is_inline", "is_web"])
async def test_only_a_terminal_s_full_screen_is_ours(sent, what):
    setattr(sent._driver, what, True)
    assert not sent.wire.display(sent.screen, update("xy", "cd"))


async def test_a_batch_is_textual_s_to_drop(sent):
    sent._batch_count = 1
    assert not sent.wire.display(sent.screen, update("xy", "cd"))


async def test_nothing_is_drawn_once_the_terminal_is_given_back(sent):
    sent.wire.stopped()
    assert sent.wire.display(sent.screen, update("xy", "cd"))
    sent.wire.drained()
    await asyncio.sleep(0)
    assert sent._driver.take() == ""
    sent.wire.started(None)
    sent.wire.display(sent.screen, update("xy", "cd"))
    assert sent._driver.take().startswith("\x1b[Hxy")


async def test_the_last_answer_is_waited_for_but_not_for_ever(app, monkeypatch):
    waits = []
    app.wire.started(Outlet())
    app.wire.display(app.screen, update("1", ""))
    monkeypatch.setattr(app.wire._answered, "wait", waits.append)
    app.wire.stopped()
    app.wire.answered()
    await asyncio.sleep(0)
    app.wire.stopped()
    assert waits == [hook.LAST_SLACK_S]
