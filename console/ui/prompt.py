"""The bar at the bottom where commands and filters are written: history, completion, and faults as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from textual import on
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from console.model.views import Span
from console.ui.bars import cut
from console.ui.line_bar import LineBar

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from console.model.views import Line
    from console.ui.commands import Completion
    from console.ui.palette import Palette

HISTORY = 100
LIMIT = 2000
TAKEN = ("up", "down", "tab", "shift+tab", "escape")


class Mode(Protocol):
    """What is being written: a command or a filter."""

    prefix: str
    name: str

    def complete(self, value: str) -> Completion:
        """Return what may stand at the end."""
        ...

    def hint(self, value: str, column: int) -> Line:
        """Return the line below; `column` is where the text begins on the screen."""
        ...

    def fault(self, value: str) -> bool:
        """Whether the text cannot be taken as it is."""
        ...


class PromptInput(Input):
    """One line of text; the keys that the prompt wants are left to it."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def on_key(self, event: events.Key) -> None:
        """Pass history, completion and the end on to the prompt."""
        if event.key in TAKEN:
            event.stop()
            event.prevent_default()
            self.post_message(Prompt.KeyPressed(event.key))


class Prompt(Vertical):
    """The bar: one line to write, one line that helps."""

    DEFAULT_CSS = """
    Prompt { height: 2; }
    Prompt Horizontal { height: 1; }
    Prompt #prompt-prefix { width: 2; }
    Prompt PromptInput { height: 1; border: none; padding: 0; width: 1fr; background: transparent; }
    Prompt PromptInput:focus { border: none; background: transparent; background-tint: transparent; }
    """

    class KeyPressed(Message):
        """A key that is not text."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Submitted(Message):
        """The text is ready."""

        def __init__(self, mode: Mode, value: str) -> None:
            super().__init__()
            self.mode = mode
            self.value = value

    class Closed(Message):
        """The user thought better of it."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(id="prompt")
        self._palette = palette
        self._mode: Mode | None = None
        self._history: dict[str, list[str]] = {}
        self._at = 0
        self._cycle: tuple[str, ...] = ()
        self._draft = ""
        self.display = False

    def compose(self) -> ComposeResult:
        """Lay out the prefix, the text and the hint."""
        with Horizontal():
            yield LineBar(self._palette, id="prompt-prefix")
            yield PromptInput(id="prompt-text", compact=True, select_on_focus=False, max_length=LIMIT)
        yield LineBar(self._palette, id="prompt-hint")

    @property
    def is_open(self) -> bool:
        """Whether the user is writing."""
        return self._mode is not None

    @property
    def hint_text(self) -> str:
        """The line that helps, without styles."""
        return self.query_one("#prompt-hint", LineBar).plain

    @property
    def value(self) -> str:
        """What is written."""
        return self._input.value

    @property
    def _input(self) -> PromptInput:
        return self.query_one(PromptInput)

    def set_palette(self, palette: Palette) -> None:
        """Draw in other colours."""
        self._palette = palette
        for bar in self.query(LineBar):
            bar.set_palette(palette)

    def open(self, mode: Mode, value: str = "") -> None:
        """Begin to write."""
        self._mode = mode
        self._at = len(self._history.setdefault(mode.name, []))
        self._cycle = ()
        self.query_one("#prompt-prefix", LineBar).show(((Span(f" {mode.prefix}", "prompt"),),))
        self._input.cursor_blink = False
        self._write(value)
        self._hint()
        self.display = True  # at once, not by a class: the next key may be in the queue already
        self.screen.set_focus(self._input)

    def close(self) -> None:
        """Put the bar away."""
        self._mode = None
        self.display = False

    def take(self, key: str, character: str | None) -> bool:
        """Take a key that was pressed before the bar had the focus; return whether it is one that the bar knows."""
        if key in TAKEN:
            self.post_message(self.KeyPressed(key))
            return True
        if character is not None and character.isprintable():
            self._input.insert_text_at_cursor(character)
            return True
        return False

    def refresh_hint(self) -> None:
        """Judge the text again: what it may name has changed."""
        if self._mode is not None:
            self._hint()

    def _write(self, value: str) -> None:
        self._input.value = value
        self._input.cursor_position = len(value)

    def _hint(self) -> None:
        if self._mode is not None:
            line = self._mode.hint(self._input.value, 2)
            self.query_one("#prompt-hint", LineBar).show((cut(line, max(1, self.size.width or 80)),))

    @on(Input.Changed, "#prompt-text")
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._hint()

    @on(Input.Submitted, "#prompt-text")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._mode is None or self._mode.fault(event.value):
            return
        self._remember(self._mode.name, event.value)
        self.post_message(self.Submitted(self._mode, event.value))

    @on(KeyPressed)
    def _key(self, event: KeyPressed) -> None:
        event.stop()
        if event.key == "escape":
            self.post_message(self.Closed())
        elif event.key in ("up", "down"):
            self._recall(-1 if event.key == "up" else 1)
        else:
            self._complete(backwards=event.key == "shift+tab")

    def _remember(self, name: str, value: str) -> None:
        kept = [line for line in self._history[name] if line != value]
        self._history[name] = [*kept, value][-HISTORY:] if value.strip() else kept

    def _recall(self, step: int) -> None:
        lines = self._history[self._mode.name] if self._mode else []
        if self._at == len(lines):
            self._draft = self._input.value
        self._at = min(max(self._at + step, 0), len(lines))
        self._write(self._draft if self._at == len(lines) else lines[self._at])

    def _complete(self, *, backwards: bool) -> None:
        """Take the only word, else what all have in common, else one after the other."""
        if self._mode is None:
            return
        value = self._input.value
        if self._cycle and value in self._cycle:
            self._write(self._cycle[(self._cycle.index(value) + (-1 if backwards else 1)) % len(self._cycle)])
            return
        found = self._mode.complete(value)
        head = value[: found.start]
        common = _shared(found.words)
        if len(head) + len(common) > len(value):
            self._cycle = ()
            self._write(head + common)
        elif found.words:
            self._cycle = tuple(head + word for word in found.words)
            self._write(self._cycle[-1 if backwards else 0])


def _shared(words: tuple[str, ...]) -> str:
    """Return the beginning that all words have in common."""
    shortest = min(words, key=len, default="")
    same = next((i for i, char in enumerate(shortest) if any(word[i] != char for word in words)), len(shortest))
    return shortest[:same]
