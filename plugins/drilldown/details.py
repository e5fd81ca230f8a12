"""A node or a GPU in full: what it is, every metric with its age and source, and the last hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import (
    Align,
    HistoryRef,
    Level,
    Part,
    Plot,
    Series,
    Span,
    Split,
    Table,
    TableColumn,
    Text,
    clean,
    format_value,
)

from .listing import field_at, job_of
from .schedulers import dispute_lines, finding_lines, other_voices, scheduler_lines
from .values import MISSING, value_format, written

if TYPE_CHECKING:
    from console.plugin import Line, Metric, Place, SiteFrame, Size, Snapshot, View

SPAN_S = 3600.0
WIDE = 120
HEAD_LINES = 5
PLOT_LINES = 7
PLOTTED = ("temp_c", "power_w", "sm_active_ratio", "util_pct")
# Fields that are kept for every node and above, by the metric that they stand for.
ABOVE = {"temp_c": "temp_c_max", "power_w": "gpu_power_w_sum", "sm_active_ratio": "sm_active_ratio"}
ID = "metric:"


def gpu_view(snapshot: Snapshot, place: Place, size: Size, site: SiteFrame, row: int) -> View:
    """Return one GPU: who it is, its metrics, and plots beside them (below them on a narrow screen)."""
    head = gpu_head(snapshot, site, row)
    table = metric_table(snapshot, site, row)
    lines = max(HEAD_LINES, len(head.lines))
    if size.height < lines + 4:
        return Split((Part(head, fixed=2), Part(table, minimum=1)), focus=1)
    plots = _plots(snapshot, place, site, row)
    if size.width >= WIDE:
        tall = Split(tuple(Part(plot, minimum=PLOT_LINES) for plot in plots))
        body = Part(Split((Part(table, weight=2), Part(tall, weight=3)), across=True), minimum=3)
        return Split((Part(head, fixed=lines), body), focus=1)
    spare = size.height - lines - len(table.ids) - 2
    below = (Part(plots[0], fixed=max(PLOT_LINES, spare)),) if size.height >= lines + PLOT_LINES + 6 else ()
    return Split((Part(head, fixed=lines), Part(table, minimum=3), *below), focus=1)


def gpu_head(snapshot: Snapshot, site: SiteFrame, row: int) -> Text:
    """Return what a GPU is: address, model, keys, job, domains, and how many of its node report."""
    topology = site.topology
    node = topology.parent(Level.GPU, row, Level.NODE)
    path = topology.path(Level.GPU, row)
    span = topology.span(Level.NODE, node, Level.GPU)
    live = int(site.reporting[span].sum())
    model = clean(topology.gpu_model(row), 40) or "model not known"
    token = "text" if live == span.stop - span.start else "state.warning"
    lines = (
        (Span(clean(path, 120), "text.strong"), Span(f"   {model}   "), *_state(snapshot, site)),
        _pair("uuid", clean(topology.uuid(row), 60) or "not known") + _pair("  serial", _serial(site, node)),
        _pair("job", clean(job_of(snapshot, path), 60) or "none known"),
        _pair("domains", _domains(site, node, row)),
        (Span(f"{live} of {span.stop - span.start} GPUs of {clean(topology.nodes[node], 40)} report", token),),
        *finding_lines(snapshot, path),
    )
    return Text(lines)


def node_head(snapshot: Snapshot, site: SiteFrame, node: int) -> Text:
    """Return what a node is, in three lines, and below what each voice says of it and what they disagree on."""
    topology = site.topology
    span = topology.span(Level.NODE, node, Level.GPU)
    model = clean(topology.gpu_model(span.start), 40) if span.stop > span.start else ""
    bmc = clean(topology.bmcs[node], 60) if node < len(topology.bmcs) else ""
    jobs = sorted(
        {job for row in range(span.start, span.stop) if (job := job_of(snapshot, topology.path(Level.GPU, row)))}
    )
    lines = (
        (
            Span(clean(topology.path(Level.NODE, node), 120), "text.strong"),
            Span(f"   {model}   "),
            *_state(snapshot, site),
        ),
        _pair("serial", _serial(site, node)) + _pair("  bmc", bmc or "not known") + _pair("  jobs", _named(jobs)),
        _pair("domains", _domains(site, node, span.start)),
        *scheduler_lines(snapshot, site, node),
        *other_voices(snapshot, site, node),
        *dispute_lines(snapshot, site, node),
        *finding_lines(snapshot, topology.path(Level.NODE, node)),
    )
    return Text(lines)


def metric_table(snapshot: Snapshot, site: SiteFrame, row: int) -> Table:
    """Return every metric that the site has of a GPU: value, age, source."""
    now = snapshot.at
    metrics = [metric for metric in snapshot.frame.metrics.at("gpu") if metric.name in site.columns]
    columns = [site.columns[metric.name] for metric in metrics]
    values = [float(column.current(now)[row]) for column in columns]
    ages = [now - float(column.at[row]) if column.at[row] else np.nan for column in columns]
    old = [age > column.stale_after_s for age, column in zip(ages, columns, strict=True)]
    tokens = ["state.stale" if each else "text" for each in old]
    return Table(
        columns=(
            TableColumn("metric", "metric", [clean(metric.title, 40) for metric in metrics], weight=1),
            TableColumn(
                "value", "value", [written(m, v) for m, v in zip(metrics, values, strict=True)], align=Align.RIGHT
            ),
            TableColumn("age", "age", np.array(ages, dtype=np.float64), "age", Align.RIGHT, tokens=tokens),
            TableColumn("source", "source", [clean(column.source, 40) for column in columns], drop=1),
        ),
        ids=[f"{ID}{metric.name}" for metric in metrics],
        title="METRICS",
        total=len(metrics),
        empty=f"{clean(site.site, 24)} offers no metric of single GPUs",
        enter=False,
    )


def node_plots(snapshot: Snapshot, place: Place) -> list[Plot]:
    """Return the last hour of a node or anything wider: the place's metric first."""
    metrics = snapshot.frame.metrics
    names = dict.fromkeys((place.metric, *ABOVE))
    fields = [(ABOVE.get(name) or field_at(snapshot, name, Level.NODE), name) for name in names if name in metrics]
    zone = _zone(snapshot, place)
    return [_plot(place.path, field, metrics[name], zone) for field, name in fields[:3]]


def _plots(snapshot: Snapshot, place: Place, site: SiteFrame, row: int) -> list[Plot]:
    chosen = place.selected.removeprefix(ID) if place.selected.startswith(ID) else place.metric
    names = [name for name in dict.fromkeys((chosen, *PLOTTED)) if name in snapshot.frame.metrics]
    offered = [name for name in names if name in site.columns] or names
    path = site.topology.path(Level.GPU, row)
    zone = _zone(snapshot, place)
    return [_plot(path, name, snapshot.frame.metrics[name], zone) for name in offered[:3]]


def _zone(snapshot: Snapshot, place: Place) -> str:
    """Return the zone of a place's site, empty (UTC) where that is what the user wants."""
    site = None if place.utc else snapshot.frame.site(place.path.partition("/")[0])
    return site.topology.geo.timezone if site else ""


def _plot(path: str, field: str, metric: Metric, zone: str) -> Plot:
    line = Series(field, ref=HistoryRef(path, field, SPAN_S))
    title = f"{clean(metric.title, 40)}, last hour"
    return Plot((line,), title=title, unit=metric.unit, format=value_format(metric), timezone=zone)


def _state(snapshot: Snapshot, site: SiteFrame) -> Line:
    age = format_value(snapshot.at - site.data_at, "age") if site.data_at else ""
    if not age:
        return (Span(f"waiting for the first reading of {clean(site.site, 24)}", "state.stale"),)
    return (Span(f"STALE {age}", "state.stale"),) if site.stale else (Span(f"{age} old", "text.dim"),)


def _pair(name: str, value: str) -> Line:
    return (Span(f"{name} ", "text.dim"), Span(value))


def _serial(site: SiteFrame, node: int) -> str:
    serials = site.topology.serials
    return clean(serials[node], 40) if node < len(serials) and serials[node] else MISSING


def _domains(site: SiteFrame, node: int, gpu: int) -> str:
    found = []
    for kind, domain in sorted(site.domains.items()):
        names = domain.of(gpu if domain.unit is Level.GPU else node)
        found += [f"{clean(kind, 20)} {clean(', '.join(names[:4]), 60)}"] if names else []
    return "   ".join(found) or "none known"


def _named(jobs: list[str]) -> str:
    told = ", ".join(clean(job, 30) for job in jobs[:3])
    return f"{told} +{len(jobs) - 3}" if len(jobs) > 3 else told or "none known"
