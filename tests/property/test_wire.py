from __future__ import annotations

import unicodedata

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from console.ui.narrow_updates import AS_TEXTUAL_HAS_IT
from console.ui.wire.hook import pieces
from console.ui.wire.moves import Dialect
from console.ui.wire.writer import FrameWriter

# What pyte shows right: letters, blanks, block and braille glyphs, a wide glyph, marks that combine.
GLYPHS = st.sampled_from(["a", "b", " ", " ", "  ", "█", "⣿", "漢", "字", "e\u0301", "o\u0308\u0323", "q\u0307"])
COLORS = st.sampled_from([None, None, "default", "#ff8000", "#101010", "rgb(1,2,3)", "red", "color(99)"])
FLAGS = ("bold", "dim", "italic", "underline", "blink", "reverse", "strike")
SYSTEMS = ["standard", "256", "truecolor"]
DIALECTS = [
    Dialect(colored_erases=True),
    Dialect(),
    Dialect(short_moves=False, ends=False, erases=False),
]


@st.composite
def styles(draw):
    flags = draw(st.sets(st.sampled_from(FLAGS), max_size=2))
    color, background = draw(COLORS), draw(COLORS)
    link = draw(st.sampled_from(["", "", "", "https://example.org/a"]))
    return Style(color=color, bgcolor=background, link=link or None, **dict.fromkeys(flags, True))


PALETTE = st.lists(styles(), min_size=1, max_size=4)


@st.composite
def strips(draw, width, palette):
    segments = []
    used = 0
    while used < width:
        text = draw(st.lists(GLYPHS, min_size=1, max_size=5).map("".join)) * draw(st.sampled_from([1, 1, 4]))
        style = draw(st.sampled_from([None, *palette]))
        segments.append(Segment(text, style))
        used += segments[-1].cell_length
    return Strip(segments).adjust_cell_length(width)


@st.composite
def whole_frames(draw, palette):
    width, height = draw(st.integers(1, 24)), draw(st.integers(1, 5))
    cut = draw(st.integers(0, width))
    widths = [size for size in (cut, width - cut) if size]
    lines = [[draw(strips(size, palette)) for size in widths] for _ in range(height)]
    return LayoutUpdate(lines, Region(0, 0, width, height))


@st.composite
def partial_frames(draw, palette, width, height):
    cuts = [sorted({0, width, *draw(st.lists(st.integers(0, width), max_size=2))}) for _ in range(height)]
    chops = [dict.fromkeys(line[:-1]) for line in cuts]
    spans = []
    for y in sorted(draw(st.sets(st.integers(0, height - 1), min_size=1, max_size=height))):
        first = draw(st.integers(0, width - 1))
        spans.append((y, first, draw(st.integers(first + 1, width))))
        # As the compositor does, draw something in every span: Textual's output would scroll otherwise.
        for x, end in zip(cuts[y], cuts[y][1:], strict=False):
            needed = x <= first < end
            chops[y][x] = draw(strips(end - x, palette) if needed else st.none() | strips(end - x, palette))
    return ChopsUpdate(chops, spans, [line[1:] for line in cuts])


@st.composite
def sequences(draw):
    palette = draw(PALETTE)
    frames = [draw(whole_frames(palette))]
    for _ in range(draw(st.integers(1, 5))):
        region = next(frame.region for frame in reversed(frames) if isinstance(frame, LayoutUpdate))
        whole = draw(st.integers(0, 4)) == 0
        frames.append(draw(whole_frames(palette) if whole else partial_frames(palette, region.width, region.height)))
    return frames


class Glass:
    """A pyte screen that keeps within its lines, as Textual tells the terminal."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(1, 1)
        self.stream = pyte.Stream(self.screen)

    def resize(self, width, height):
        self.screen.resize(height, width)
        self.feed("\x1b[?7l")

    def feed(self, text):
        self.stream.feed(text)

    def cells(self):
        screen = self.screen
        return [[seen(screen.buffer[y], x, screen.columns) for x in range(screen.columns)] for y in range(screen.lines)]

    @property
    def cursor(self):
        return min(self.screen.cursor.x, self.screen.columns - 1), self.screen.cursor.y


def is_wide(char):
    return bool(char) and unicodedata.east_asian_width(char[0]) in "WF"


def seen(line, x, columns):
    """What an eye sees of a cell: half a wide glyph is blank (pyte leaves it), and a blank shows no ink."""
    cell = line[x]
    data = cell.data
    halved = (is_wide(data) and (x + 1 == columns or line[x + 1].data != "")) or (
        data == "" and not (x and is_wide(line[x - 1].data))
    )
    cell = cell._replace(data=" " if halved else unicodedata.normalize("NFC", data))
    if cell.data == " " and not (cell.reverse or cell.underscore or cell.strikethrough):
        cell = cell._replace(fg="default", bold=False, italics=False, blink=False)
    return cell


def textual_output(frame, console, cursor):
    x, y = cursor
    for *_, strip in pieces(frame):
        for segment in strip:
            if segment.style is not None:
                segment.style._ansi = None  # Rich keeps it, even for a console of other colours
    # Another test may have installed what cuts updates at both ends.
    render = AS_TEXTUAL_HAS_IT if isinstance(frame, ChopsUpdate) else LayoutUpdate.render_segments
    return render(frame, console) + f"\x1b[{y + 1};{x + 1}H"


def sent_in_slices(writer, glass, cursor):
    """Send what waits a line or two at a time, the lowest lines first."""
    while writer.pending:
        waiting = writer.waiting
        glass.feed(writer.send(cursor, waiting[::-1] if waiting else None, 10))


@settings(max_examples=80, deadline=None)
@given(
    sequences(),
    st.sampled_from(SYSTEMS),
    st.sampled_from(DIALECTS),
    st.lists(st.sampled_from(["sent", "skipped", "suspended", "sliced"]), min_size=6, max_size=6),
)
def test_the_terminal_shows_what_textual_s_own_output_shows(frames, system, dialect, fates):
    console = Console(color_system=system, force_terminal=True)
    writer = FrameWriter(console._color_system or ColorSystem.TRUECOLOR, dialect)
    theirs, ours = Glass(), Glass()
    for number, frame in enumerate(frames):
        whole = isinstance(frame, LayoutUpdate)
        if whole:
            width, height = frame.region.size
            theirs.resize(width, height)
            ours.resize(width, height)
        cursor = (number % width, number % height)
        theirs.feed(textual_output(frame, console, cursor))
        writer.take(pieces(frame), (width, height), whole=whole)
        fate = fates[number]
        if fate == "skipped" and frame is not frames[-1]:
            continue
        if fate == "suspended":  # the shell wrote over it, on the other screen and on this one
            ours.feed("\x1b[?1049l\x1b[Hsomething else\x1b[?1049h\x1b[3;2H\x1b[1;31mxyz\x1b[m")
            writer.forget()
        if fate == "sliced":
            sent_in_slices(writer, ours, cursor)
        ours.feed(writer.send(cursor))
        assert ours.cells() == theirs.cells()
        assert ours.cursor == theirs.cursor
        assert writer.send(cursor) == ""
