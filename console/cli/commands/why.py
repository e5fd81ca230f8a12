"""`gigadeck why`: what happened to a job, a node or a GPU, with one suspect and its evidence."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from console.cli.options import Choice, Duration, Shape, fleet_options, shape_options

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot
    from console.model.why import WhyReport
    from console.wiring import Fleet

WINDOW_S = 600.0


class Moment(click.ParamType[float]):
    """A time: RFC 3339 (UTC where it has no zone) or epoch seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return UTC epoch seconds."""
        try:
            found = float(value)
        except ValueError:
            found = self._written(str(value))
        if not math.isfinite(found) or found <= 0:
            self.fail(f"{value!r} is not a time; write 2026-11-25T02:14:07Z or epoch seconds", param, ctx)
        return found

    def _written(self, text: str) -> float:
        try:
            read = datetime.fromisoformat(text.strip())
        except ValueError:
            return math.nan
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


@click.command()
@click.argument("target", metavar="job:ID|NODE|GPU|incident:ID")
@click.option("--at", type=Moment(), default=None, metavar="TIME", help="look around this time instead of the end")
@click.option("--window", type=Duration(), default=WINDOW_S, help="how much time to look at (10m)")
@shape_options(("table", "json"), rows=False)
@fleet_options()
def why(target: str, at: float | None, window: float, shape: Shape, choice: Choice) -> int:
    r"""What happened to a job, a node or a GPU: a time line, one suspect with evidence, the silent voices.

    \b
    Examples:
      gigadeck why job:4711
      gigadeck why muc1/h2/r017/n0653/g3 --window 1h
      gigadeck why incident:muc1-1a2b3c4d
      gigadeck why n0653 --at 2026-11-25T02:14:07Z --json
    """
    from console.cli.opening import is_partial, opened
    from console.core.why import explain

    with opened(choice, plugins=False, memory=True) as fleet:
        snapshot = _heard(fleet, choice)
        report = explain(snapshot, target, at=at or 0.0, window_s=max(window, 1.0))
    return write_why(report, snapshot, shape, partial=is_partial(snapshot))


def _heard(fleet: Fleet, choice: Choice) -> Snapshot:
    """Return the first snapshot in which all have spoken, memories too; raises NoDataError where nobody tells anything.

    A site whose scheduler alone is read has no telemetry, and has an answer all the same.
    """
    import contextlib

    from console.cli.deeds import is_whole
    from console.cli.opening import require_data
    from console.model.errors import NoDataError

    with contextlib.suppress(NoDataError):
        fleet.session.wait(is_whole, choice.timeout_s)
    latest = fleet.session.latest()
    if latest is None:
        raise NoDataError(f"no source answered within {choice.timeout_s:g} s; gigadeck doctor tells why")
    oldest = 0.0 if choice.max_age_s is None else latest.at - choice.max_age_s
    sites = latest.frame.sites
    words = [*(site.jobs.at for site in sites), *(told.at for site in sites for told in site.reports.values())]
    return latest if any(at and at >= oldest for at in words) else require_data(latest, choice)


def write_why(report: WhyReport, snapshot: Snapshot, shape: Shape, *, partial: bool) -> int:
    """Write a report and return the exit code."""
    from console.cli.output import exit_code, write_document

    if shape.format == "json":
        write_document("why", snapshot.at, partial, [as_row(report)])
    else:
        from console.cli.tables import write_text
        from console.present.why import why_text

        write_text(why_text(report))
    return exit_code(partial, shape)


def as_row(report: WhyReport) -> dict[str, Any]:
    """Return a report as one row of `gigadeck/why/v1`; every time is epoch seconds."""
    suspect = report.suspect
    return {
        "id": report.subject,
        "kind": report.kind,
        "site": report.site,
        "title": report.title,
        "state": report.state.value if report.state else None,
        "nodes": list(report.nodes),
        "at": _time(report.at),
        "at_is": report.at_is,
        "begin_at": _time(report.begin_at),
        "end_at": _time(report.end_at),
        "verdict": report.verdict,
        "suspect": None
        if suspect is None
        else {
            "text": suspect.text,
            "path": suspect.path,
            "kind": suspect.kind,
            "at": _time(suspect.at),
            "likely": suspect.likely,
            "evidence": list(suspect.evidence),
        },
        "moments": [
            {
                "at": _time(each.at),
                "path": each.path,
                "kind": each.kind,
                "voice": each.voice,
                "severity": each.severity.value,
                "text": each.text,
                "code": each.code if each.code >= 0 else None,
                "folded": list(each.folded),
            }
            for each in report.moments
        ],
        "left_out": report.left_out,
        "facts": [{"name": name, "text": text} for name, text in report.facts],
        "voices": [{"name": each.name, "hearing": each.hearing.value, "text": each.text} for each in report.voices],
    }


def _time(at: float) -> float:
    return round(at, 3)
