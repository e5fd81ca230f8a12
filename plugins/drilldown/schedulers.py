"""What each voice says of a node, in its own words, and what they disagree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Level, Span, clean, format_value, node_voices

if TYPE_CHECKING:
    from console.plugin import Line, SiteFrame, Snapshot

# Words of Slurm and Kubernetes for a node that takes no new work.
OUT = (
    "DOWN", "DRAIN", "FAIL", "ERROR", "INVAL", "NOT_RESPONDING", "MAINTENANCE", "POWERED_DOWN", "POWERING_DOWN",
    "REBOOT_ISSUED", "REBOOT_REQUESTED", "SchedulingDisabled", "NotReady",
)  # fmt: skip
SHOWN = 3
DISPUTES = 2


def scheduler_lines(snapshot: Snapshot, site: SiteFrame, node: int) -> list[Line]:
    """Return one line for each scheduler that knows the node (at most three of them)."""
    lines: list[Line] = []
    for source in sorted(site.reports):
        reports = site.reports[source]
        report = reports.report(node)
        if report is None:
            continue
        token = "state.warning" if any(report.state.has(word) for word in OUT) else "text"
        spans = [Span(f"{clean(source, 24)} ", "text.dim"), Span(clean(report.state.text, 60), token)]
        if report.gpus > 0:
            told = f"{report.gpus_allocated} of {report.gpus} GPUs allocated"
            spans.append(Span(f"   {told if report.gpus_allocated >= 0 else f'{report.gpus} GPUs'}"))
        if report.reason is not None:
            by = [clean(report.reason.by, 24)] * bool(report.reason.by)
            since = [f"{format_value(snapshot.at - report.reason.at, 'age')} ago"] * bool(report.reason.at)
            told = ", ".join((*by, *since))
            spans.append(Span(f"   {clean(report.reason.text, 120)}{f' ({told})' if told else ''}", token))
        if reports.at:
            spans.append(Span(f"   told {format_value(snapshot.at - reports.at, 'age')} ago", "text.dim"))
        lines.append(tuple(spans))
    return lines[:SHOWN]


def other_voices(snapshot: Snapshot, site: SiteFrame, node: int) -> list[Line]:
    """Return one line of what the other voices say, where anything but telemetry speaks; a stale one is marked."""
    voices = [voice for voice in node_voices(snapshot, site, node) if voice.voice not in site.reports]
    if len(voices) < 2:
        return []
    spans: list[Span] = []
    for voice in voices:
        age = f" {format_value(snapshot.at - voice.at, 'age')} ago" if voice.at else ""
        spans.append(Span(f"{'   ' if spans else ''}{clean(voice.voice, 24)} ", "text.dim"))
        spans.append(Span(clean(voice.says, 100), "state.stale" if voice.stale else "text"))
        spans.append(Span(f"{' STALE' if voice.stale else ''}{age}", "text.dim"))
    return [tuple(spans)]


def finding_lines(snapshot: Snapshot, path: str) -> list[Line]:
    """Return one line for each thing that detectors found at a place or below it (at most two of them)."""
    found = [each for each in snapshot.findings if each.path == path or each.path.startswith(f"{path}/")]
    lines: list[Line] = []
    for each in found[:DISPUTES]:
        where = clean(each.path.removeprefix(path).strip("/"), 20)
        since = f"   for {format_value(snapshot.at - each.since, 'age')}" if each.since else ""
        told = f"{where}{' ' * bool(where)}{clean(each.fault, 40)}: {clean(each.text, 200)}"
        lines.append((Span(told, f"state.{each.severity.value}"), Span(since, "text.dim")))
    return lines


def dispute_lines(snapshot: Snapshot, site: SiteFrame, node: int) -> list[Line]:
    """Return one line for each thing that the voices disagree on (at most two of them)."""
    path = site.topology.path(Level.NODE, node)
    lines: list[Line] = []
    for row in snapshot.disagreements.rows:
        if row.path == path:
            since = f"   since {format_value(snapshot.at - row.since, 'age')}"
            token = f"state.{row.severity.value}"
            lines.append((Span(f"{clean(row.kind, 40)}: {clean(row.text, 200)}", token), Span(since, "text.dim")))
    return lines[:DISPUTES]
