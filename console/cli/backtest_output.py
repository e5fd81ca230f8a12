"""Writes what a backtest came to: tables for people, rows for scripts, alerts as CSV."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.backtest.records import ALERT_COLUMNS
from console.backtest.rows import alert_rows, data_row, score_rows
from console.cli.exits import Exit
from console.cli.output import write_rows
from console.cli.tables import write_columns
from console.model.errors import ConfigError
from console.model.views import Align, Table, TableColumn
from console.present.formats import format_value
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.backtest.run import Outcome, Scored
    from console.cli.options import Shape

NAME = "backtest"
_PERCENT, _COUNT, _LEAD, _PLAIN = "percent", "count", "lead", "plain"
_QUALITY = (
    ("class", "class", ""),
    ("faults", "faults", _COUNT),
    ("recall", "recall", _PERCENT),
    ("early_recall", "10 min before", _PERCENT),
    ("early_of_precursor", "of precursors", _PERCENT),
    ("precision", "precision", _PERCENT),
    ("foresight_precision", "of foresight", _PERCENT),
    ("f1", "F1", _PLAIN),
    ("true", "true", _COUNT),
    ("false", "false", _COUNT),
    ("repeats", "repeats", _COUNT),
    ("open", "open", _COUNT),
    ("false_per_1000_gpu_days", "false/1,000 GPU-d", _PLAIN),
    ("lead_p10_s", "lead p10", _LEAD),
    ("lead_p50_s", "p50", _LEAD),
    ("lead_p90_s", "p90", _LEAD),
    ("lead_late_p50_s", "late p50", _LEAD),
)
_RANKING = (
    ("class", "class", ""),
    ("pr_auc", "PR-AUC", _PLAIN),
    ("base_rate", "base rate", _PLAIN),
    ("lift", "lift", _PLAIN),
    ("recall_top_01pct", "recall top 0.1 %", _PERCENT),
    ("recall_top_1pct", "top 1 %", _PERCENT),
    ("calibration_error", "ECE", _PLAIN),
    ("class_right", "class right", _PERCENT),
    ("lead_of_onset", "lead of onset", _PERCENT),
    ("gpu_hours_saved", "GPU-h saved", _PLAIN),
)


def write_outcome(outcome: Outcome, shape: Shape) -> int:
    """Write a backtest in the chosen format and return the exit code."""
    rows = [{name: _safe(value) for name, value in row.items()} for row in score_rows(outcome)]
    if shape.format == "table":
        _write_tables(outcome, rows, shape)
        return Exit.DONE
    if shape.format == "json":
        document = {
            "schema": f"gigadeck/{NAME}/v1",
            "at": outcome.watched.end,
            "partial": False,
            "data": {name: _safe(value) for name, value in data_row(outcome).items()},
            "rows": rows,
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        return Exit.DONE
    fields = [name for name in (rows[0] if rows else ()) if name != "reliability"]
    return write_rows(rows, shape, name=NAME, at=outcome.watched.end, partial=False, total=len(rows), fields=fields)


def write_alerts(outcome: Outcome, path: Path) -> None:
    """Write every alert as CSV; `{}` in the name becomes whose they are, else they are the first one's alone."""
    for scored in outcome.scored if "{}" in str(path) else outcome.scored[:1]:
        target = Path(str(path).replace("{}", scored.name))
        try:
            with target.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(ALERT_COLUMNS)
                writer.writerows(alert_rows(scored.alerts))
        except OSError as error:
            raise ConfigError(str(target), 0, "", f"cannot be written: {error.strerror or error}") from error


def _write_tables(outcome: Outcome, rows: Sequence[Mapping[str, Any]], shape: Shape) -> None:
    watched = outcome.watched
    start, end = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (watched.start, watched.end))
    sys.stdout.write(
        f"{start} to {end} UTC, {watched.gpus:,} GPUs, {watched.gpu_days:,.1f} GPU-days heard, "
        f"{outcome.rows:,} samples, a look every {outcome.step_s:g} s\n"
    )
    for note in outcome.notes:
        sys.stdout.write(f"note: {clean(note, 400)}\n")
    for scored in outcome.scored:
        mine = [row for row in rows if row["alerts_of"] == clean(scored.name, 400)]
        _write_scored(scored, mine, shape)


def _write_scored(scored: Scored, rows: Sequence[Mapping[str, Any]], shape: Shape) -> None:
    sys.stdout.write(f"\n{clean(scored.title, 400)}: {len(scored.alerts):,} alerts\n")
    for columns in (_QUALITY, _RANKING):
        table = Table(
            tuple(
                TableColumn(
                    name, title, [_cell(row, name, kind) for row in rows], align=Align.RIGHT if kind else Align.LEFT
                )
                for name, title, kind in columns
            ),
            [row["id"] for row in rows],
            total=len(rows),
        )
        write_columns(table, shape)
        sys.stdout.write("\n" if columns is _QUALITY else "")


def _cell(row: Mapping[str, Any], name: str, kind: str) -> str:
    """Return a figure with its interval; `-` where nothing could be judged."""
    value = row[name]
    if value is None:
        return "-"
    if kind == _PERCENT:
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        between = f" [{low * 100:.0f}-{high * 100:.0f}]" if low is not None and high is not None else ""
        return f"{value * 100:.1f} %{between}"
    if kind == _LEAD:
        return format_value(value, "age")
    if kind == _COUNT:
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _safe(value: Any) -> Any:
    if isinstance(value, list):
        return [_safe(each) for each in value]
    return clean(value, 400) if isinstance(value, str) else value
