from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from console.model.errors import ConsoleError
from console.model.ports import Question
from console.ui.reaching import Asker
from tests.support.pilot import Driven, driven

NODE = "muc1/h1/r001/n0001"


async def told(console: Driven, words: str) -> str:
    """Return the notices as soon as one holds some words; what is told comes from another thread."""
    for _ in range(500):
        await console.pilot.pause(0.01)
        text = "\n".join("".join(span.text for span in line) for line in console.main.notices.all().lines)
        if words in text:
            return text
    raise AssertionError(f"not told: {words}; but:\n{text}")


def a_node(console: Driven) -> str:
    from console.model.levels import Level

    site = console.main.shown.frame.sites[0]
    path: str = site.topology.path(Level.NODE, 0)
    return path


async def test_x_opens_a_shell_on_the_node_under_the_cursor_and_says_how_it_ended() -> None:
    asked: list[tuple[str, str]] = []

    def prepare(site: str, node: str) -> Any:
        asked.append((site, node))

        def run() -> int:
            return 3

        return run

    async with driven(open_shell=prepare) as console:
        console.main._reaching._lend = lambda run: run()
        node = a_node(console)
        await console.write(f":shell {node}/g0")
        await console.press("enter")
        await told(console, "the shell ended with 3")
        assert asked == [(node.partition("/")[0], node.rpartition("/")[2])]


async def test_a_shell_in_a_window_of_its_own_is_said() -> None:
    async with driven(open_shell=lambda site, node: None) as console:
        console.main.open_shell(a_node(console))
        assert "new tmux window" in await told(console, "new tmux window")


async def test_a_shell_that_cannot_be_opened_is_one_message() -> None:
    def prepare(site: str, node: str) -> Any:
        raise ConsoleError("the demo has no nodes [red]to log in to[/]")

    async with driven(open_shell=prepare) as console:
        console.main.open_shell(a_node(console))
        await told(console, "the demo has no nodes [red]to log in to[/]")


@pytest.mark.parametrize("address", ["", "muc1", "muc1/nowhere", "check:hot"])
async def test_a_shell_needs_a_node(address: str) -> None:
    async with driven(open_shell=lambda site, node: pytest.fail("opened")) as console:
        console.main.open_shell(address)
        await told(console, "a shell needs a node")


async def test_without_a_terminal_of_its_own_a_shell_is_refused() -> None:
    async with driven(open_shell=lambda site, node: lambda: 0) as console:  # the pilot's driver cannot suspend
        console.main.open_shell(a_node(console))
        await told(console, "a shell needs a terminal of its own")


class Login:
    """A login that asks what the test says."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.asked: Future[str | None] | None = None
        self.told: Future[str] = Future()
        self.sites: list[str] = []

    def __call__(self, site: str, ask: Any) -> Future[str]:
        self.sites.append(site)
        self.asked = ask(self.question)
        return self.told


async def asker(console: Driven) -> Asker:
    for _ in range(200):
        await console.pilot.pause(0.01)
        if isinstance(console.app.screen, Asker):
            await console.settle()
            return console.app.screen
    raise AssertionError("nothing was asked")


async def test_login_asks_hides_the_answer_and_keeps_nothing_of_it() -> None:
    login = Login(Question("bastion", "One-time code:\x1b[31m"))
    async with driven(sign_in=login) as console:
        await console.write(":login muc1")
        await console.press("enter")
        sheet = await asker(console)
        screen = console.screen()
        assert "bastion asks" in screen
        assert "One-time code:" in screen
        await console.write("739")
        assert "739" not in console.screen()
        await console.press("enter")
        assert login.asked is not None
        assert login.asked.result(timeout=5) == "739"
        assert not sheet.is_attached
        login.told.set_result("logged in on bastion")
        everything = await told(console, "logged in on bastion")
        assert "739" not in everything
        await console.press("colon", "up")
        assert "739" not in console.screen()
        assert login.sites == ["muc1"]


async def test_esc_answers_nothing() -> None:
    login = Login(Question("bastion", "Password:"))
    async with driven(sign_in=login) as console:
        console.main.log_in("muc1")
        await asker(console)
        await console.press("4", "escape")
        assert login.asked is not None
        assert login.asked.result(timeout=5) is None
        console.main.log_in("muc1")
        await told(console, "a login is under way")
        login.told.set_exception(ConsoleError("bastion refuses"))
        await told(console, "bastion refuses")


async def test_an_answer_that_may_be_seen_is_shown() -> None:
    login = Login(Question("bastion", "Your name:", seen=True))
    async with driven(sign_in=login) as console:
        console.main.log_in("muc1")
        await asker(console)
        await console.write("ada")
        assert "ada" in console.screen()


async def test_an_answer_that_comes_too_late_harms_nothing() -> None:
    login = Login(Question("bastion", "Code:"))
    async with driven(sign_in=login) as console:
        console.main.log_in("muc1")
        await asker(console)
        assert login.asked is not None
        assert login.asked.cancel()
        await console.press("1", "enter")
        assert console.app.is_running


async def test_login_names_the_sites_there_are_and_completes_them() -> None:
    async with driven(sign_in=lambda site, ask: pytest.fail("asked")) as console:
        await console.write(":login nowhere")
        await console.press("enter")
        await told(console, "no site named nowhere")
        await console.write(":login mu")
        await console.press("tab")
        assert "login muc1" in console.screen()
