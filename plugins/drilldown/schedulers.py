"""What each scheduler says of a node, in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Span, clean, format_value

if TYPE_CHECKING:
    from console.plugin import Line, SiteFrame, Snapshot

# Words of Slurm and Kubernetes for a node that takes no new work.
OUT = (
    "DOWN", "DRAIN", "FAIL", "ERROR", "INVAL", "NOT_RESPONDING", "MAINTENANCE", "POWERED_DOWN", "POWERING_DOWN",
    "REBOOT_ISSUED", "REBOOT_REQUESTED", "SchedulingDisabled", "NotReady",
)  # fmt: skip
SHOWN = 3


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
