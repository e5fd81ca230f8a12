"""Writes rows in the formats of the contract; the one place that knows how each looks."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from console.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from console.cli.options import Shape

JSON_ROW_LIMIT = 10_000
Row = dict[str, Any]


def write_rows(
    rows: Iterable[Row], shape: Shape, *, name: str, at: float, partial: bool, total: int, fields: Sequence[str]
) -> int:
    """Write rows in the chosen format (all but `table`) and return the exit code.

    `name` becomes the schema `gigadeck/<name>/v1`; `total` is how many rows will come; ndjson streams them.
    """
    if shape.format == "json":
        if total > JSON_ROW_LIMIT:
            raise click.UsageError(f"{total:,} rows are too many for one JSON value: use --format ndjson, or --limit")
        write_document(name, at, partial, list(rows))
    elif shape.format == "ndjson":
        _write_ndjson(rows, partial)
    elif shape.format == "csv":
        _write_csv(rows, fields, shape.header)
    else:
        _write_lines(str(row.get("id", "")) for row in rows)
    return exit_code(partial, shape)


def exit_code(partial: bool, shape: Shape) -> int:
    """Return 4 for partial data under --strict, else 0."""
    return Exit.PARTIAL if partial and shape.strict else Exit.DONE


def write_document(name: str, at: float, partial: bool, rows: list[Row]) -> None:
    """Write the JSON envelope of the contract."""
    document = {"schema": f"gigadeck/{name}/v1", "at": round(at, 3), "partial": partial, "rows": rows}
    sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=None) + "\n")


def write_json_line(value: Row) -> None:
    """Write one JSON value on one line, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _write_ndjson(rows: Iterable[Row], partial: bool) -> None:
    count = 0
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
        count += 1
    write_json_line({"end": True, "rows": count, "partial": partial})


def _write_csv(rows: Iterable[Row], fields: Sequence[str], header: bool) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if header:
        writer.writerow(fields)
    for row in rows:
        writer.writerow(["" if row.get(field) is None else _flat(row[field]) for field in fields])


def _flat(value: Any) -> Any:
    return ";".join(str(each) for each in value) if isinstance(value, (list, tuple)) else value


def _write_lines(lines: Iterator[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


def csv_text(fields: Sequence[str], rows: Iterable[Row]) -> str:
    """Return rows as CSV text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([[row.get(field, "") for field in fields] for row in rows])
    return buffer.getvalue()


def wants_color(shape: Shape) -> bool:
    """Return whether to colour a table: asked for, or a terminal without NO_COLOR."""
    import os

    if shape.color is not None:
        return shape.color
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
