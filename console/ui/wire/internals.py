"""What the frame writer knows of Textual's insides, and whether the installed Textual is still so."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual._compositor import ChopsUpdate, LayoutUpdate

    from console.ui.wire.writer import Piece

else:
    try:
        from textual._compositor import ChopsUpdate, LayoutUpdate
    except ImportError:  # told by `surprises`

        class ChopsUpdate:
            """Stands for what this Textual has not."""

        class LayoutUpdate:
            """Stands for what this Textual has not."""


__all__ = ["ChopsUpdate", "LayoutUpdate", "pieces", "surprises"]

# Of each function: its parameters (None: as they are), and names that it uses.
EXPECTED: tuple[tuple[type[Any], str, tuple[str, ...] | None, frozenset[str]], ...] = (
    (
        App,
        "_display",
        ("self", "screen", "renderable"),
        frozenset({"_batch_count", "_driver", "_running", "_closed", "cursor_position", "post_display_hook"}),
    ),
    (App, "_begin_update", ("self",), frozenset({"_sync_available"})),
    (LayoutUpdate, "__init__", ("self", "strips", "region"), frozenset()),
    (LayoutUpdate, "render_segments", None, frozenset({"strips", "region"})),
    (ChopsUpdate, "__init__", ("self", "chops", "spans", "chop_ends"), frozenset()),
    (ChopsUpdate, "render_segments", None, frozenset({"chops", "spans", "chop_ends", "crop"})),
    (LinuxDriver, "write", ("self", "data"), frozenset({"_writer_thread"})),
    (LinuxDriver, "start_application_mode", ("self",), frozenset({"WriterThread", "_file"})),
    (LinuxDriver, "disable_input", ("self",), frozenset()),
    (LinuxDriver, "process_message", ("self", "message"), frozenset()),
)


def surprises() -> tuple[str, ...]:
    """Return in what the installed Textual differs from the one that this module was written for (8.2)."""
    found = []
    for owner, name, parameters, names in EXPECTED:
        function = inspect.getattr_static(owner, name, None)
        if not inspect.isfunction(function):
            found.append(f"{owner.__name__} without {name}")
            continue
        if parameters is not None and tuple(inspect.signature(function).parameters) != parameters:
            found.append(f"{owner.__name__}.{name}{inspect.signature(function)}")
        missing = names - _names(function)
        if missing:
            found.append(f"{owner.__name__}.{name} without {', '.join(sorted(missing))}")
    return tuple(found)


def _names(function: Any) -> set[str]:
    code = function.__code__
    inner = [constant for constant in code.co_consts if inspect.iscode(constant)]
    return set(code.co_names).union(*(constant.co_names for constant in inner))


def pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[Piece]:
    """Yield what an update of the compositor draws: line, column, end column, segments."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for piece in strips:
                yield y, x, x + piece.cell_length, piece
                x += piece.cell_length
    else:
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is not None and x <= last and end > first:
                    stop = min(end, last)
                    yield y, x, stop, strip if stop == end else strip.crop(0, stop - x)
