"""The answer to why as lines: the suspect first, then the time line, what stands out, and the voices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.levels import Severity
from console.model.views import Span, Text
from console.model.why import Hearing
from console.present.formats import format_value
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.views import Line
    from console.model.why import Moment, WhyReport

WIDTH = 400
NAME_CELLS = 18
TOKENS = {
    Severity.CRITICAL: "state.critical",
    Severity.WARNING: "state.warning",
    Severity.UNKNOWN: "state.unknown",
    Severity.INFO: "text.dim",
    Severity.OK: "text",
}
_HEARING = {
    Hearing.HEARD: "text",
    Hearing.SILENT: "text.dim",
    Hearing.LATE: "state.warning",
    Hearing.MISSING: "state.warning",
}
FOLDED_SHOWN = 6


def why_text(report: WhyReport) -> Text:
    """Return a report as lines of text; what came from outside is made safe."""
    lines = [*_head(report), *_suspect(report), *_time_line(report), *_facts(report), *_voices(report)]
    return Text(tuple(lines), title=f"WHY {clean(report.title, 200)}")


def _head(report: WhyReport) -> Iterator[Line]:
    nodes = [clean(path.rpartition("/")[2], 60) for path in report.nodes[:4]]
    more = f" and {len(report.nodes) - 4:,} more" if len(report.nodes) > 4 else ""
    yield _pair("what", clean(report.title, WIDTH))
    if nodes and report.kind != "node":
        yield _pair("nodes", f"{', '.join(nodes)}{more}")
    yield _pair("around", f"{format_value(report.at, 'datetime')}, {report.at_is}")
    begun, over = (format_value(at, "datetime") for at in (report.begin_at, report.end_at))
    yield _pair("looked at", f"{begun} to {over}")
    yield ()


def _suspect(report: WhyReport) -> Iterator[Line]:
    suspect = report.suspect
    if suspect is None:
        yield (Span("SUSPECT  ", "title"), Span(clean(report.verdict, WIDTH)))
        return
    sure = "likely" if suspect.likely else "possible"
    token = "state.critical" if suspect.likely else "state.warning"
    yield (Span("SUSPECT  ", "title"), Span(f"{sure}  ", token), Span(clean(suspect.text, WIDTH), token))
    yield _pair("  where", clean(suspect.path, WIDTH))
    yield _pair("  when", format_value(suspect.at, "datetime"))
    for each in suspect.evidence:
        yield _pair("  evidence", clean(each, WIDTH))


def _time_line(report: WhyReport) -> Iterator[Line]:
    yield ()
    count = len(report.moments)
    yield (Span(f"TIME LINE  {count:,} of {count + report.left_out:,}" if report.left_out else "TIME LINE", "title"),)
    if not report.moments:
        yield (Span("  nothing was told of in this time", "text.dim"),)
    for moment in report.moments:
        yield from _moment(moment, report)


def _moment(moment: Moment, report: WhyReport) -> Iterator[Line]:
    token = TOKENS[moment.severity]
    where = clean(moment.path.removeprefix(f"{report.site}/"), 60)
    yield (
        Span(f"  {relative(moment.at - report.at):>9}  ", "text.dim"),
        Span(f"{clean(moment.voice, 20):<12} ", "text.dim"),
        Span(f"{where}  ", "text"),
        Span(clean(moment.text, WIDTH), token),
    )
    for line in moment.folded[:FOLDED_SHOWN]:
        yield (Span(f"{'':25}{clean(line, WIDTH)}", "text.dim"),)
    if len(moment.folded) > FOLDED_SHOWN:
        yield (Span(f"{'':25}and {len(moment.folded) - FOLDED_SHOWN} more that followed it", "text.dim"),)


def relative(seconds: float) -> str:
    """Return a distance from the end: `-1:05`, `+0:08`."""
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 and whole else "+"
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}" if hours else f"{rest // 60}"
    return f"{sign}{f'{hours}:' if hours else ''}{minutes}:{rest % 60:02d}"


def _facts(report: WhyReport) -> Iterator[Line]:
    if report.facts:
        yield ()
        yield (Span("BESIDE THAT", "title"),)
    for name, text in report.facts:
        yield _pair(f"  {clean(name, 60)}", clean(text, WIDTH))


def _voices(report: WhyReport) -> Iterator[Line]:
    yield ()
    yield (Span("VOICES", "title"),)
    for voice in report.voices:
        token = _HEARING[voice.hearing]
        yield (
            Span(f"  {clean(voice.name, 40):<{NAME_CELLS}}", "text.dim"),
            Span(f"{voice.hearing.value:<9}", token),
            Span(clean(voice.text, WIDTH), token),
        )


def _pair(name: str, value: str) -> Line:
    return (Span(f"{name:<{NAME_CELLS}}", "text.dim"), Span(value))
