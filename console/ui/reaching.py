"""Shells on nodes (`x`) and logins that ask something (`:login`): what leaves the screen, or asks on it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import SuspendNotSupported
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from console.model.levels import Level, Severity
from console.model.views import Span
from console.present.safe import clean
from console.ui.line_bar import LineBar
from console.ui.objects import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from console.model.ports import Question
    from console.model.snapshot import Frame
    from console.ui.feed import Feed
    from console.ui.palette import Palette
    from console.ui.setup import AppSetup

MOST_ANSWER = 1024
SHOWN = 200


def node_at(frame: Frame, address: str) -> tuple[str, str] | None:
    """Return (site, node) of a node's or GPU's address, None for anything above or beside them."""
    found = resolve(frame, address)
    if found is None or found[1] not in (Level.NODE, Level.GPU):
        return None
    node = address if found[1] is Level.NODE else address.rpartition("/")[0]
    return found[0], node.rpartition("/")[2]


class Asked(Message):
    """A server asks something of the user; `answer` gets what is typed, None for nothing."""

    def __init__(self, question: Question, answer: Future[str | None]) -> None:
        super().__init__()
        self.question = question
        self.answer = answer


class Asker(ModalScreen[str]):
    """One question and a line to answer it, hidden unless the server lets it be seen; nothing is kept of it."""

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    Asker { align: center middle; background: transparent; }
    Asker > Vertical { width: 100%; max-width: 90; height: 6; border: round $edge; }
    Asker Input { height: 1; border: none; background: transparent; padding: 0 1; }
    Asker Input:focus { border: none; background: transparent; background-tint: transparent; }
    """

    def __init__(self, question: Question, palette: Palette) -> None:
        super().__init__()
        self._question = question
        self._palette = palette

    def compose(self) -> ComposeResult:
        """Lay out who asks, what, the answer, and the keys."""
        with Vertical():
            yield LineBar(self._palette, id="asker-title")
            yield LineBar(self._palette, id="asker-text")
            yield Input(password=not self._question.seen, compact=True, max_length=MOST_ANSWER, id="asker-answer")
            yield LineBar(self._palette, id="asker-keys")

    def on_mount(self) -> None:
        """Show the question."""
        title, text = clean(self._question.host, SHOWN), clean(self._question.text, SHOWN)
        self.query_one("#asker-title", LineBar).show(((Span(f" {title} asks", "title"),),))
        self.query_one("#asker-text", LineBar).show(((Span(f" {text}"),),))
        keys = ((" Enter", " answer  "), ("Esc", " leave it; the answer is used once and never kept"))
        line = tuple(span for key, word in keys for span in (Span(key, "key"), Span(word, "key.label")))
        self.query_one("#asker-keys", LineBar).show((line,))
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)

    def on_key(self, event: events.Key) -> None:
        """Leave on Esc; everything else is the answer's."""
        if event.key in ("escape", "ctrl+c"):
            event.stop()
            event.prevent_default()
            self.dismiss(None)


class Reaching:
    """Opens shells and logs in to sites for the screen; `lend` runs something on the bare terminal meanwhile."""

    def __init__(
        self,
        setup: AppSetup,
        feed: Feed,
        tell: Callable[..., None],
        lend: Callable[[Callable[[], int]], int],
    ) -> None:
        self._setup = setup
        self._feed = feed
        self._tell = tell
        self._lend = lend
        self._under_way: set[str] = set()

    def shell(self, frame: Frame | None, address: str) -> None:
        """Open a shell on the node at an address, or of the GPU there."""
        found = node_at(frame, address) if frame is not None and address else None
        prepare = self._setup.open_shell
        if found is None:
            self._tell("a shell needs a node: put the cursor on one, or on a GPU")
        elif prepare is None:
            self._tell("this console opens no shells")
        else:
            site, node = found
            self._feed.ask(_in_thread(lambda: prepare(site, node)), lambda run, error: self._run(found, run, error))

    def _run(self, who: tuple[str, str], run: Callable[[], int] | None, error: BaseException | None) -> None:
        where = "/".join(who)
        if error is not None:
            self._tell(f"{where}: {_words(error)}", Severity.WARNING)
        elif run is None:
            self._tell(f"{where}: a shell in a new tmux window")
        else:
            self._on_terminal(where, run)

    def _on_terminal(self, where: str, run: Callable[[], int]) -> None:
        try:
            code = self._lend(run)
        except SuspendNotSupported:
            self._tell(f"{where}: a shell needs a terminal of its own", Severity.WARNING)
            return
        except OSError as error:
            self._tell(f"{where}: {_words(error)}", Severity.WARNING)
            return
        severity = Severity.WARNING if code == 255 else Severity.INFO
        self._tell(f"{where}: the shell ended with {code}" + (": no connection" if code == 255 else ""), severity)

    def login(self, site: str) -> None:
        """Log in to a site where that asks for something."""
        sign_in = self._setup.sign_in
        if sign_in is None or site in self._under_way:
            self._tell(f"{site}: a login is under way" if sign_in else "this console logs in nowhere")
            return
        self._under_way.add(site)
        self._tell(f"{site}: logging in; a security key may want to be touched")

        def done(told: str | None, error: BaseException | None) -> None:
            self._under_way.discard(site)
            words = _words(error) if error is not None else told or "nothing waits for a login"
            self._tell(f"{site}: {words}", Severity.WARNING if error is not None else Severity.INFO)

        self._feed.ask(sign_in(site, self._ask), done)

    def _ask(self, question: Question) -> Future[str | None]:
        """Ask the user (any thread); the answer comes when there is one."""
        answer: Future[str | None] = Future()
        self._feed.hand_over(Asked(question, answer))
        return answer


def give(answer: Future[str | None], text: str | None) -> None:
    """Hand an answer over, unless nobody waits for it any more."""
    if answer.set_running_or_notify_cancel():
        answer.set_result(text)


def _words(error: BaseException) -> str:
    return clean(str(error).partition("\n")[0], SHOWN) or type(error).__name__


def _in_thread(function: Callable[[], Any]) -> Future[Any]:
    """Run something that may wait for a disk or for tmux, away from the screen and from the engine."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=work, name="gigadeck-shell", daemon=True).start()
    return future
