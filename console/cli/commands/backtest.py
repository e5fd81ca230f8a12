"""`gigadeck backtest`: what alerts would have come of recorded incidents, and how good they would have been."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.options import Duration, Shape, shape_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.backtest.run import Outcome
    from console.model.ports import Detector

PATH = click.Path(path_type=Path)
FORMATS = ("table", "json", "ndjson", "csv")


@click.command()
@click.argument("folder", type=PATH)
@click.option("--layout", default="", metavar="REGEX", help="how node names tell hall and rack: '(?P<rack>r[0-9]+)n'")
@click.option("--step", type=Duration(), default=None, help="time between looks (default: the data's own cadence)")
@click.option("--detectors", default="all", show_default=True, metavar="A,B", help="plugins' detectors; all or none")
@click.option("--rules", default="simple,tuned", show_default=True, metavar="A,B", help="rule files, or none")
@click.option("--alerts-in", multiple=True, type=PATH, metavar="FILE", help="score somebody else's alerts, too (CSV)")
@click.option("--alerts-out", type=PATH, metavar="FILE", help="write every alert as CSV ({} becomes whose they are)")
@click.option("--report", type=PATH, metavar="FILE.svg", help="draw the figures")
@click.option("--job-gpus", type=click.IntRange(min=1), default=8, show_default=True, help="GPUs that a stop stops")
@shape_options(FORMATS, rows=False)
def backtest(
    folder: Path,
    layout: str,
    step: float | None,
    detectors: str,
    rules: str,
    alerts_in: tuple[Path, ...],
    alerts_out: Path | None,
    report: Path | None,
    job_gpus: int,
    shape: Shape,
) -> int:
    r"""Play telemetry of past incidents back, raise alerts on it, and score them against what failed.

    FOLDER holds telemetry*.csv[.gz] or telemetry/*.parquet, events.csv and truth.csv (docs/backtest.md).

    \b
    Examples:
      gigadeck backtest incidents/ --layout '(?P<rack>r[0-9]+)n[0-9]+'
      gigadeck backtest incidents/ --alerts-out alerts.csv --report report.svg
      gigadeck backtest incidents/ --detectors none --alerts-in ours.csv --json
    """
    from console.backtest.rule_file import load_rules
    from console.backtest.run import Asked
    from console.backtest.run import backtest as run
    from console.cli.backtest_output import write_alerts, write_outcome
    from console.core.layout import Layout
    from console.core.scoring.savings import Stakes
    from console.model.builtin_metrics import BUILTIN

    if report is not None and report.suffix.lower() != ".svg":
        raise click.UsageError("--report writes SVG: give it a name that ends in .svg")
    asked = Asked(
        folder=folder,
        metrics=BUILTIN,
        detectors=_chosen(detectors),
        rules=[load_rules(each) for each in _names(rules)],
        alerts_in=_by_name(alerts_in),
        layout=Layout(layout) if layout else None,
        step_s=step or None,
        stakes=Stakes(job_gpus=job_gpus),
    )
    outcome = run(asked)
    if alerts_out is not None:
        write_alerts(outcome, alerts_out)
    if report is not None:
        _draw(outcome, report)
    return write_outcome(outcome, shape)


def _by_name(files: tuple[Path, ...]) -> dict[str, Path]:
    """Return files by their names without a suffix, by their whole paths where that says too little."""
    taken = ["detectors", "simple", "tuned", *(each.stem for each in files)]
    return {each.stem if taken.count(each.stem) == 1 else str(each): each for each in files}


def _names(text: str) -> list[str]:
    names = [each.strip() for each in text.split(",") if each.strip()]
    return [] if names == ["none"] else names


def _chosen(text: str) -> Mapping[str, Detector]:
    """Return the detectors of these plugins (`telemetry`) or by their own names (`telemetry.2`)."""
    names = _names(text)
    if not names:
        return {}
    from console.wiring import plugin_host

    found = plugin_host().detectors
    if names == ["all"]:
        return found
    chosen = {key: each for key, each in found.items() if key in names or key.partition(".")[0] in names}
    unknown = [name for name in names if name not in chosen and not any(key.startswith(f"{name}.") for key in chosen)]
    if unknown:
        raise click.UsageError(f"no detector is called {unknown[0]!r}; there are: {', '.join(found) or 'none'}")
    return chosen


def _draw(outcome: Outcome, path: Path) -> None:
    from console.backtest.picture import svg_report

    path.write_text(svg_report(outcome), encoding="utf-8")
