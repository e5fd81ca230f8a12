"""Tables for people who run a command in a terminal: the same cells as on the screen, as aligned text."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.model.views import Table

if TYPE_CHECKING:
    from console.cli.options import Shape
    from console.core.query import Rows
    from console.model.snapshot import Snapshot
    from console.model.views import Text

WIDE = 100_000


def write_table(rows: Rows, snapshot: Snapshot, shape: Shape, *, partial: bool) -> None:
    """Write rows as an aligned table; a partial answer says on standard error what is missing."""
    from console.present.columns import columns_of

    write_columns(Table(columns_of(rows.columns, snapshot.frame.metrics), rows.ids, total=rows.total), shape)
    if partial:
        stale = [site.site for site in snapshot.frame.sites if site.stale]
        at = datetime.fromtimestamp(snapshot.at, UTC).isoformat(timespec="seconds")
        missing = f"stale: {', '.join(stale)}" if stale else "a source is failing or late"
        sys.stderr.write(f"partial at {at}: {missing}; gigadeck doctor tells why\n")


def write_text(text: Text) -> None:
    """Write lines of text, as wide as they are: a terminal folds them, a pipe keeps them whole."""
    for line in text.lines:
        sys.stdout.write("".join(span.text for span in line).rstrip() + "\n")


def write_columns(table: Table, shape: Shape) -> None:
    """Write one table; as wide as the terminal, or as wide as it needs in a pipe."""
    from console.present.plain import render

    lines = render(table, _width())
    for line in lines if shape.header else lines[1:]:
        sys.stdout.write(line.rstrip() + "\n")


def _width() -> int:
    if not sys.stdout.isatty():
        return WIDE
    from shutil import get_terminal_size  # brings compression along, which a pipe need not wait for

    return get_terminal_size().columns
