"""Rows of an inventory before they mean anything: a line, and texts or lists of texts by column."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.config.scalars import shown
from console.config.yaml_reader import Document, Map, parse_yaml
from console.model.errors import ConfigError

SEPARATOR = ";"
Cell = str | int | tuple[str, ...]
Row = tuple[int, str, Mapping[str, Cell]]  # line (0: not known), how a message calls the row, cells by column


@dataclass(eq=False)
class Faults:
    """What is wrong with one inventory."""

    file: str
    errors: list[ConfigError] = field(default_factory=list)

    def add(self, line: int, key: str, message: str) -> None:
        """Note one fault; line 0 is not known, an empty key is the row itself."""
        self.errors.append(ConfigError(self.file, line, key, message))


def csv_rows(text: str, faults: Faults) -> list[Row]:
    """Return the rows of CSV with a header line; blank lines and those that begin with # do not count."""
    reader = csv.reader(without_comments(text), strict=True)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next((row for row in reader if row), [])]
        if not _good_header(header, reader.line_num, faults):
            return []
        for cells in reader:
            if len(cells) != len(header):
                if cells:
                    message = f"has {len(cells)} columns, the header has {len(header)}"
                    faults.add(reader.line_num, "", message)
                continue
            rows.append((reader.line_num, "", dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        faults.add(reader.line_num, "", f"is not valid CSV: {error}")
    return rows


def yaml_rows(text: str, faults: Faults) -> list[Row]:
    """Return the rows of a YAML list of nodes, or of the list under `nodes`."""
    document = parse_yaml(text, faults.file)
    faults.errors += document.errors
    if document.data is None:
        return []
    return list(_mapped(document.data, faults, document))


def json_rows(text: str, faults: Faults) -> list[Row]:
    """Return the rows of a JSON list of nodes, or of the list under `nodes`; JSON has no lines to tell."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        faults.add(error.lineno, "", f"is not valid JSON: {error.msg}")
        return []
    except (ValueError, RecursionError):
        faults.add(0, "", "is not valid JSON: a number or a nesting is too big")
        return []
    return list(_mapped(data, faults, None))


def without_comments(text: str) -> Iterable[str]:
    """Return the lines of a text, comments as empty ones."""
    if "#" not in text:
        return text.splitlines(keepends=True)
    return ("\n" if line.lstrip()[:1] == "#" else line for line in text.splitlines(keepends=True))


def _good_header(header: list[str], line: int, faults: Faults) -> bool:
    if "node" not in header:
        faults.add(line, "", "the first line must name the columns, one of them node")
        return False
    twice = sorted({name for name in header if header.count(name) > 1})
    for name in twice:
        faults.add(line, shown(name), "is the name of two columns")
    return not twice


def _mapped(data: Any, faults: Faults, document: Document | None) -> Iterable[Row]:
    inside = isinstance(data, Mapping)
    items = data.get("nodes") if inside else data
    if not isinstance(items, list):
        faults.add(0, "nodes" if inside else "", "expected a list of nodes")
        return
    for index, item in enumerate(items):
        called = f"nodes[{index}]" if inside else f"[{index}]"
        line = item.line if isinstance(item, Map) else document.line_of((index,)) if document else 0
        if isinstance(item, Mapping):
            yield line, called, _cells(item, line, called, faults)
        else:
            faults.add(line, called, "expected keys with values, such as node: n1")


def _cells(item: Mapping[str, Any], line: int, called: str, faults: Faults) -> Mapping[str, Cell]:
    lines = item.lines if isinstance(item, Map) else {}
    cells: dict[str, Cell] = {}
    for key, value in item.items():
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            cells[key] = value
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            cells[key] = tuple(value)
        elif value is not None:
            faults.add(lines.get(key, line), f"{called}.{shown(key)}", "expected text or a list of texts")
    return cells
