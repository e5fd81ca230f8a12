"""Sheets over the screen: something to read or to choose from, with a line to search it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from console.model.views import Span, Table, TableColumn, Text
from console.ui.keys import spelling
from console.ui.line_bar import LineBar
from console.ui.view_area import ViewArea

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from console.model.views import Line, View
    from console.ui.palette import Palette

MOVES = {"up": -1, "down": 1}
CHOOSER_LINES = 6  # border, title, search, headings, keys
PAGES = {"pageup": -1, "pagedown": 1}


class SearchInput(Input):
    """The line to search with; moving keys are left to the sheet."""

    BINDINGS: ClassVar[list[BindingType]] = []


class Sheet(ModalScreen[str]):
    """A sheet: title, optional search, body, one line of keys. It returns what was chosen, empty for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    Sheet { align: center middle; background: transparent; }
    Sheet > Vertical { width: 100%; height: 100%; max-width: 110; max-height: 100%; border: round $edge; }
    Sheet SearchInput { height: 1; border: none; background: transparent; }
    Sheet SearchInput.-textual-compact { padding: 0 1; }
    Sheet SearchInput:focus { border: none; background: transparent; background-tint: transparent; }
    Sheet ViewArea { height: 1fr; }
    """

    def __init__(self, title: str, palette: Palette, *, search: bool = True) -> None:
        super().__init__()
        self._title = title
        self._palette = palette
        self._search = search
        self._ready = False
        self._searched = ""
        self._early: list[tuple[str, str | None]] = []
        self._left = False

    def leave(self, value: str) -> None:
        """Leave with a value, once: a key that was typed ahead may come by two ways."""
        if not self._left:
            self._left = True
            self.dismiss(value)

    def compose(self) -> ComposeResult:
        """Lay out the parts."""
        with Vertical():
            yield LineBar(self._palette, id="sheet-title")
            yield from self.above()
            field = SearchInput(id="sheet-search", compact=True, placeholder="type to search")
            field.display = self._search
            yield field
            yield ViewArea(self._palette, id="sheet-body")
            yield LineBar(self._palette, id="sheet-keys")

    def above(self) -> ComposeResult:
        """Lay out what stands between title and search."""
        yield from ()

    def on_mount(self) -> None:
        """Show everything."""
        self.query_one("#sheet-title", LineBar).show(((Span(f" {self._title}", "title"),),))
        self.query_one("#sheet-keys", LineBar).show((self.keys_line(),))
        field = self.query_one(SearchInput)
        field.cursor_blink = False
        (field if self._search else self.body).focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Fill the body when it has its size, then do what was typed ahead."""
        self._ready = True
        self._search_for(self._words)
        for key, character in self._early:
            self.take(key, character)

    @property
    def _words(self) -> str:
        return self.query_one(SearchInput).value

    @property
    def _searching(self) -> bool:
        """Whether letters are words to search for."""
        return bool(self.query_one(SearchInput).display)

    @property
    def body(self) -> ViewArea:
        """What is shown."""
        return self.query_one("#sheet-body", ViewArea)

    def keys_line(self) -> Line:
        """Return the keys that work here."""
        return (Span(" Esc", "key"), Span(" back  ", "key.label"), Span("↑ ↓", "key"), Span(" move", "key.label"))

    def search(self, words: str) -> None:
        """Show what fits the words."""

    def chosen(self) -> str:
        """Return what Enter takes."""
        return ""

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._ready and self._searched != event.value:
            self._search_for(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._take_chosen()

    def _take_chosen(self) -> None:
        """Leave with what fits the words as they are now: the news of the last letter may still be on its way."""
        if self._searched != self._words:
            self._search_for(self._words)
        self.leave(self.chosen())

    def _search_for(self, words: str) -> None:
        self._searched = words
        self.search(words)

    @on(ViewArea.Entered)
    def _entered(self, event: ViewArea.Entered) -> None:
        event.stop()
        self.leave(event.id)

    def on_key(self, event: events.Key) -> None:
        """Move, choose, or leave; what edits the search line is left to it."""
        if self.take(event.key, event.character):
            event.stop()
            event.prevent_default()

    def take(self, key: str, character: str | None) -> bool:
        """Do what a key does here; return whether it does anything. Before the sheet is there the key waits."""
        if not self._ready:
            self._early.append((key, character))
            return True
        name = spelling(key, character)
        searching = self._searching
        if name == "escape" and searching and not self._search:
            self._search_line(shown=False)
        elif name in ("escape", "ctrl+c") or (not searching and name == "q"):
            self.leave("")
        elif name in MOVES:
            self.body.move(MOVES[name])
        elif name in PAGES:
            self.body.page(PAGES[name])
        elif name == "enter":
            self._take_chosen()
        elif not searching:
            self._read_key(name)
        elif character is not None and character.isprintable():  # typed before the search line had the focus
            self.query_one(SearchInput).insert_text_at_cursor(character)
        else:
            return False
        return True

    def _read_key(self, name: str) -> None:
        """Handle the letters that move where nothing is searched."""
        moves = {"j": (1, 0), "k": (-1, 0), "h": (0, -8), "left": (0, -8), "l": (0, 8), "right": (0, 8)}
        if name in moves:
            rows, cells = moves[name]
            self.body.move(rows) if rows else self.body.sideways(cells)
        elif name in ("g", "home"):
            self.body.home()
        elif name in ("G", "end"):
            self.body.end()
        elif name == "/":
            self._search_line(shown=True)

    def _search_line(self, *, shown: bool) -> None:
        """Open the search line of a sheet that is read, or put it away with what was searched for."""
        field = self.query_one(SearchInput)
        field.display = shown
        if not shown:
            field.value = ""
            self._search_for("")
        (field if shown else self.body).focus()


class Reader(Sheet):
    """Lines to read; searching (with `search` at once, else with /) keeps those that hold every word."""

    def __init__(self, title: str, lines: Sequence[Line], palette: Palette, *, search: bool = False) -> None:
        super().__init__(title, palette, search=search)
        self._lines = tuple(lines)

    def keys_line(self) -> Line:
        """Return the keys that work here."""
        more = () if self._search else (Span("  /", "key"), Span(" search", "key.label"))
        return (*super().keys_line(), *more)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        self._lines = tuple(lines)
        if self._ready and self.is_attached:
            self.search(self._words)

    def search(self, words: str) -> None:
        """Keep the lines that hold every word."""
        wanted = words.lower().split()
        self.body.show(Text(tuple(line for line in self._lines if holds(line, wanted))))


def holds(line: Line, wanted: Sequence[str]) -> bool:
    """Whether a line has every one of these words, which are in small letters."""
    text = "".join(span.text for span in line).lower()
    return all(word in text for word in wanted)


class Chooser(Sheet):
    """A list to choose one of; (value, words about it) each."""

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], palette: Palette, present: str = "") -> None:
        super().__init__(title, palette)
        self._choices = tuple(choices)
        self._present = present

    def on_mount(self) -> None:
        """Take no more lines than the choices need."""
        super().on_mount()
        self.query_one(Vertical).styles.height = len(self._choices) + CHOOSER_LINES

    def keys_line(self) -> Line:
        """Return the keys that work here."""
        return (Span(" Enter", "key"), Span(" choose  ", "key.label"), *super().keys_line())

    def search(self, words: str) -> None:
        """Keep the choices that hold every word."""
        wanted = words.lower().split()
        kept = [(v, t) for v, t in self._choices if all(word in f"{v} {t}".lower() for word in wanted)]
        self.body.show(_choice_table(kept))
        if kept:
            self.body.select(self._present if any(v == self._present for v, _ in kept) else kept[0][0])

    def chosen(self) -> str:
        """Return the value under the cursor."""
        return self.body.selected


def _choice_table(choices: Sequence[tuple[str, str]]) -> View:
    columns = (
        TableColumn("value", "name", [value for value, _ in choices], width=24),
        TableColumn("about", "what it is", [text for _, text in choices], weight=1),
    )
    return Table(columns, ids=[value for value, _ in choices], empty="nothing fits", total=len(choices))
