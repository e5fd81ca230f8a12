"""The sheet that follows logs: lines as they come, newest at the end, which can be paused and searched."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from console.model.views import Span, Text
from console.ui.keys import spelling
from console.ui.line_bar import LineBar
from console.ui.sheets import Sheet, holds
from console.ui.told import log_line, voices_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from console.engine.log_stream import LogStream
    from console.model.views import Line
    from console.ui.palette import Palette

TICK_S = 0.25
KEPT_LINES = 2000
UPWARDS = frozenset({"up", "k", "pageup", "g", "home"})
NEWEST = frozenset({"G", "end"})


class LogSheet(Sheet):
    """Follows a stream until it is left; the stream is closed then, whatever it still does."""

    def __init__(self, title: str, stream: LogStream, palette: Palette) -> None:
        super().__init__(title, palette, search=False)
        self._stream = stream
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._counts: Counter[str] = Counter()
        self._paused = False
        self._at_end = True

    def above(self) -> ComposeResult:
        """Lay out what each voice does."""
        yield LineBar(self._palette, id="sheet-voices")

    def on_mount(self) -> None:
        """Begin to follow."""
        super().on_mount()
        self.tick()
        self.set_interval(TICK_S, self.tick)

    def on_unmount(self) -> None:
        """Follow no longer."""
        self._stream.close()

    def tick(self) -> None:
        """Take what came; while paused it is kept and not shown."""
        voices = self._stream.voices
        came = self._stream.take()
        self._lines.extend(log_line(each, named=len(voices) > 1) for each in came)
        self._counts.update(each.source for each in came)
        self.query_one("#sheet-voices", LineBar).show((voices_line(voices, self._counts, self._stream.dropped),))
        if came and self._ready and not self._paused:
            self._show()

    def keys_line(self) -> Line:
        """Return the keys that work here."""
        pairs = ((" Esc", "back"), ("p", "go on" if self._paused else "pause"), ("/", "search"), ("G", "newest"))
        spans = [span for key, word in pairs for span in (Span(key, "key"), Span(f" {word}  ", "key.label"))]
        return (*spans, Span("paused", "state.warning")) if self._paused else tuple(spans)

    def search(self, words: str) -> None:
        """Show the lines that hold every word."""
        self._show()

    def take(self, key: str, character: str | None) -> bool:
        """Do what a key does here; looking at older lines stays with them until the newest are asked for."""
        if not self._ready:
            return super().take(key, character)
        name = key if self._searching else spelling(key, character)
        if name == "p" and not self._searching:
            self._pause()
            return True
        self._at_end = name in NEWEST or (self._at_end and name not in UPWARDS)
        return super().take(key, character)

    def _pause(self) -> None:
        self._paused = not self._paused
        self.query_one("#sheet-keys", LineBar).show((self.keys_line(),))
        if not self._paused:
            self._show()

    def _show(self) -> None:
        wanted = self._words.lower().split()
        lines = self._lines if not wanted else [line for line in self._lines if holds(line, wanted)]
        empty = "nothing fits" if wanted else "no line yet" if self._stream.voices else ""
        self.body.show(Text(tuple(lines) or ((Span(empty, "text.dim"),),)))
        if self._at_end:
            self.body.end()
