"""Notes and acknowledgements as lines to read: when, who, and the words as they were written, made safe."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.model.views import Span
from console.present.formats import format_value
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.model.incidents import Note
    from console.model.views import Line

WIDTH = 400
MOST_LINES = 60


def note_lines(notes: Iterable[Note], now: float, *, with_subject: bool = False) -> Iterator[Line]:
    """Yield each note: who wrote it and how long ago, then its lines."""
    for note in notes:
        age = format_value(max(0.0, now - note.at), "age")
        on = (Span(f"  on {clean(note.subject, 160)}", "key"),) if with_subject else ()
        yield (
            Span(moment(note.at), "text.dim"),
            Span(f"  {clean(note.author, 80)}"),
            Span(f", {age} ago", "text.dim"),
            *on,
        )
        for line in note.text.splitlines()[:MOST_LINES]:
            yield (Span(f"  {clean(line, WIDTH)}"),)


def notes_section(notes: Iterable[Note], now: float) -> Iterator[Line]:
    """Yield the notes on an object with a title, nothing where there are none."""
    lines = list(note_lines(notes, now))
    if lines:
        yield ()
        yield (Span("notes", "title"),)
        yield from lines


def moment(at: float) -> str:
    """Return a time as people write it, UTC."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (OverflowError, OSError, ValueError):
        return str(at)
