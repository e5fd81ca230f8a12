"""Short lists (plugins, themes, doctor's findings) in every format."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.cli.options import Shape


def write_simple(rows: list[dict[str, Any]], fields: Sequence[str], shape: Shape, *, name: str) -> None:
    """Write a short list of rows; texts in a table are made safe for the terminal."""
    if shape.format != "table":
        from console.cli.output import write_rows

        write_rows(rows, shape, name=name, at=time.time(), partial=False, total=len(rows), fields=fields)
        return
    from console.cli.tables import write_columns
    from console.model.views import Table, TableColumn

    columns = tuple(
        TableColumn(field, field.upper().replace("_", " "), [_text(row[field]) for row in rows])
        for field in fields
        if any(_text(row[field]) for row in rows)
    )
    write_columns(Table(columns, [str(row[fields[0]]) for row in rows]), shape)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clean(", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value), 500)
