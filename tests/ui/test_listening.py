from __future__ import annotations

from concurrent.futures import Future

import pytest

from console.engine.log_stream import LogStream
from console.model.voices import FollowState, VoiceRecord
from console.ui.log_sheet import KEPT_LINES, LogSheet
from tests.support import panels
from tests.support.pilot import driven, make_session

NODE = "muc1/h1/r001/n0001"
SIZE = (110, 40)
XID = "NVRM: Xid (PCI:0000:9b:00): 79, pid=1, GPU has fallen off the bus."


def record(source="slurm", **more):
    return VoiceRecord("muc1", source, source, at=panels.NOW, latency_s=0.12, **more)


async def at_a_node(console):
    await console.press("enter", "enter", "enter")
    assert console.main.body.selected.startswith(NODE[:10])


async def fill(console, *lines, source="ssh"):
    for line in lines:
        console.session.stream.put(source, line, panels.NOW)
    console.app.screen.tick()
    await console.settle()


async def test_where_nobody_keeps_logs_no_line_is_waited_for():
    session = make_session()
    session.stream = LogStream(())
    async with driven(session, SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        shown = console.screen()
        assert "no source of this site keeps logs of it; these kinds do: ssh, kubernetes, redfish, logs" in shown
        assert "no line yet" not in shown


# d: the untouched record of each voice


async def test_what_is_known_is_shown_at_once_and_each_voice_when_it_answers():
    session = make_session()
    slurm, ssh = Future(), Future()
    session.voices = {"slurm": slurm, "ssh": ssh}
    async with driven(session, SIZE) as console:
        await at_a_node(console)
        await console.press("d")
        shown = console.screen()
        assert "address" in shown
        assert shown.count("asked, no answer yet") == 2
        assert session.asked_of == [console.main.body.selected]
        slurm.set_result(record(text="NodeName=n0001\n  State=IDLE"))
        await console.settle()
        assert "NodeName=n0001" in console.screen()
        assert "answered in 0.12 s" in console.screen()
        assert console.screen().count("asked, no answer yet") == 1
        ssh.set_result(record("ssh", error="no connection; is sshd running?"))
        await console.settle()
        assert "no connection; is sshd running?" in console.screen()
        await console.press("escape")
        assert console.app.screen is console.main


async def test_a_voice_that_knows_nothing_or_fails_says_so():
    session = make_session()
    nothing, broken = Future(), Future()
    nothing.set_result(record())
    broken.set_exception(RuntimeError("the session is closed"))
    session.voices = {"slurm": nothing, "ssh": broken}
    async with driven(session, SIZE) as console:
        await at_a_node(console)
        await console.press("d")
        assert "knows nothing of it" in console.screen()
        assert "the session is closed" in console.screen()


async def test_a_record_never_reaches_the_terminal_raw():
    session = make_session()
    evil = Future()
    evil.set_result(record(text="a\x1b[31mred\x1b]0;title\x07 [bold]b\u202e\rc"))
    session.voices = {"slurm\x1b[2J": evil}
    async with driven(session, SIZE) as console:
        await at_a_node(console)
        await console.press("d")
        shown = console.screen()
        assert "[bold]b" in shown
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(shown)


async def test_a_record_can_be_searched():
    session = make_session()
    told = Future()
    told.set_result(record(text="\n".join(f"Field{n}=value" for n in range(200))))
    session.voices = {"slurm": told}
    async with driven(session, SIZE) as console:
        await at_a_node(console)
        await console.press("d", "slash")
        await console.write("field17")
        shown = console.screen()
        assert "Field17=value" in shown
        assert "Field175=value" in shown
        assert "Field20=value" not in shown
        await console.press("escape")
        assert console.app.screen is not console.main
        assert "Field20=value" in console.screen()
        await console.press("q")
        assert console.app.screen is console.main


async def test_a_voice_that_answers_after_the_sheet_was_left_harms_nothing():
    session = make_session()
    late = Future()
    session.voices = {"slurm": late}
    async with driven(session, SIZE) as console:
        await at_a_node(console)
        await console.press("d", "escape")
        late.set_result(record(text="late"))
        await console.settle()
        assert console.app.screen is console.main


# L: logs


async def test_lines_come_with_their_voices_and_go_on_until_the_sheet_is_left():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        assert isinstance(console.app.screen, LogSheet)
        assert console.session.asked_of == [console.main.body.selected]
        assert "no line yet" in console.screen()
        console.session.stream.say("slurm", FollowState.FAILED, "no slurmd answers")
        await fill(console, "first line", XID)
        shown = console.screen()
        assert "ssh" in shown
        assert "first line" in shown
        assert "ssh follows, 2 lines" in shown
        assert "slurm failed: no slurmd answers" in shown
        await console.press("escape")
        assert console.app.screen is console.main
        assert console.session.stream.closed


async def test_voices_without_a_log_are_named():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        console.session.stream.say("slurm", FollowState.NO_LOG)
        await console.press("L")
        await fill(console)
        assert "slurm has no log of it" in console.screen()


async def test_a_pause_keeps_what_comes_and_shows_it_afterwards():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        await fill(console, "before")
        await console.press("p")
        await fill(console, "meanwhile")
        assert "paused" in console.screen()
        assert "meanwhile" not in console.screen()
        await console.press("p")
        assert "meanwhile" in console.screen()
        assert "paused" not in console.screen()


async def test_the_newest_line_is_in_sight_unless_older_ones_are_looked_at():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        await fill(console, *(f"line {n}." for n in range(100)))
        assert "line 99." in console.screen()
        await console.press("g")
        await fill(console, "line 100.")
        assert "line 0." in console.screen()
        assert "line 100." not in console.screen()
        await console.press("G")
        await fill(console, "line 101.")
        assert "line 101." in console.screen()


async def test_lines_are_searched_and_new_ones_too():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        await fill(console, "usb found", "nfs lost")
        await console.press("slash")
        await console.write("nfs")
        await fill(console, "usb again", "nfs back")
        assert "nfs lost" in console.screen()
        assert "nfs back" in console.screen()
        assert "usb" not in console.screen()


async def test_old_lines_are_let_go():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        for part in range(3):
            await fill(console, *(f"line {part}.{n}." for n in range(1000)))
        assert len(console.app.screen._lines) == KEPT_LINES
        await console.press("g")
        assert "line 1.0." in console.screen()


async def test_a_log_line_never_reaches_the_terminal_raw():
    async with driven(make_session(), SIZE) as console:
        await at_a_node(console)
        await console.press("L")
        await fill(console, "a\x1b[2Jb\x07 [/]c", source="ssh")
        shown = console.screen()
        assert "[/]c" in shown
        assert not {"\x1b", "\x07"} & set(shown)


@pytest.mark.parametrize("presses", [(), ("enter",)], ids=["site", "hall"])
async def test_nobody_is_followed_above_a_node(presses):
    async with driven(make_session(), SIZE) as console:
        await console.press(*presses, "L")
        assert console.app.screen is console.main
        assert "put the cursor on a node, a GPU or a job" in console.bar("breadcrumb")


async def test_the_command_follows_an_address_and_a_job():
    async with driven(make_session(), SIZE) as console:
        await console.press("colon")
        await console.write("logs job:muc1/4711")
        await console.press("enter")
        assert isinstance(console.app.screen, LogSheet)
        assert console.session.asked_of == ["job:muc1/4711"]
