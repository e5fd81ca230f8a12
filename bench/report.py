"""The table of figures: on standard output, and as JSON and Markdown under docs/benchmarks."""

from __future__ import annotations

import json
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.plots import draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measure import Figure

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def number(value: float | None) -> str:
    """Return a number with three significant digits."""
    return "" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def row(figure: Figure) -> list[str]:
    """Return a figure as the cells of a table."""
    reached = {True: "yes", False: "NO", None: ""}[figure.reached]
    return [
        figure.name,
        f"{number(figure.value)} {figure.unit}",
        f"{number(figure.reference)} {figure.unit} ({figure.reference_name})" if figure.reference else "",
        number(figure.ratio),
        number(figure.must),
        reached,
        figure.note,
    ]


HEAD = ["what", "measured", "reference in the same run", "ratio", "must reach", "reached", "note"]


def markdown(
    figures: Sequence[Figure], machine: Mapping[str, Any], failures: Sequence[str], plots: Sequence[str] = ()
) -> str:
    """Return the whole report as Markdown."""
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    lines = ["# Benchmarks", "", f"Made by `make bench` on: {told}.", ""]
    lines += ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    lines += ["| " + " | ".join(row(figure)) + " |" for figure in figures if not figure.columns]
    lines += side_by_side(figures)
    lines += [f"\n![{each.removesuffix('.svg')}]({each})" for each in plots]
    lines += [f"\nCould not be run: {each}" for each in failures]
    return "\n".join(lines) + "\n"


def side_by_side(figures: Sequence[Figure]) -> list[str]:
    """Return the rows of programs measured in the same way as Markdown, none where there are none."""
    rows = [figure for figure in figures if figure.columns]
    if not rows:
        return []
    titles = list(rows[0].columns)
    lines = ["", "## Side by side", "", "| program | " + " | ".join(titles) + " | note |"]
    lines.append("|" + " --- |" * (len(titles) + 2))
    return [*lines, *(_beside(figure, titles) for figure in rows)]


def _beside(figure: Figure, titles: Sequence[str]) -> str:
    return "| " + " | ".join([figure.name, *(figure.columns.get(title, "") for title in titles), figure.note]) + " |"


def text(figures: Sequence[Figure]) -> str:
    """Return the tables as aligned text."""
    promised = [row(figure)[:6] for figure in figures if not figure.columns]
    tables = [_aligned([HEAD[:6], *promised])] if promised else []
    measured = [figure for figure in figures if figure.columns]
    if measured:
        titles = list(measured[0].columns)
        rows = [[each.name, *(each.columns.get(title, "") for title in titles), each.note] for each in measured]
        tables.append(_aligned([["program", *titles, "note"], *rows]))
    return "\n\n".join(tables)


def _aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table)


def update(name: str, figures: Sequence[Figure], machine: Mapping[str, Any]) -> None:
    """Put figures of a run of its own into the last report, in the place of those of the same name; each says so."""
    from bench.measure import Figure

    document = json.loads((FOLDER / f"{name}.json").read_text())
    fields = {field.name for field in dataclass_fields(Figure)}
    rows = [{key: value for key, value in row.items() if key in fields} for row in document["figures"]]
    kept = {row["name"]: Figure(**{**row, "value": nan if row["value"] is None else row["value"]}) for row in rows}
    told = f"run apart: scheduled as {machine['scheduled as']}, load average {machine['load average']}"
    fresh = {each.name: replace(each, note=f"{each.note}; {told}".lstrip("; ")) for each in figures}
    write(name, list({**kept, **fresh}.values()), document["machine"], document["not_run"])


def write(name: str, figures: Sequence[Figure], machine: Mapping[str, Any], failures: Sequence[str]) -> None:
    """Write `name`.json and `name`.md."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    document = {"machine": dict(machine), "figures": [each.as_json() for each in figures], "not_run": list(failures)}
    plots = draw(figures, FOLDER) if name == "results" else []
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    (FOLDER / f"{name}.md").write_text(markdown(figures, machine, failures, [plot.name for plot in plots]))
