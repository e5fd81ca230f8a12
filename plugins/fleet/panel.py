"""The fleet at 3 in the morning: what is wrong first, then the sites, then the place, as the screen allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import HistoryRef, Part, Plot, Series, Size, Span, Split, Text, clean, heat_map

from .incidents import incident_table
from .sites import site_table

if TYPE_CHECKING:
    from console.plugin import Place, Snapshot, Table, View

WIDE = 160
TALL = 34
MAP_LINES = 5
CHROME_LINES = 2
PLOT_SPAN_S = 3600.0
PLOTS = (
    ("it_power_w", "IT power", "W", "megawatt"),
    ("sm_active_ratio", "SM active", "", "ratio_pct"),
    ("temp_c_max", "hottest GPU", "C", "temp"),
)
LINES_IN_A_PLOT = 8
PLOT_LINES = 9


class FleetPanel:
    """Incidents, sites and the map of every rack."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return the view; what matters least leaves first as the screen shrinks."""
        wrong, sites = incident_table(snapshot, size.width), site_table(snapshot, size.width)
        if size.height < len(sites.ids) + len(wrong.ids) + 2 * CHROME_LINES:
            return Split(_tables(wrong, sites, size.height), focus=0 if wrong.ids else 1)
        if size.width >= WIDE and size.height >= TALL:
            return _wide(snapshot, place, size, wrong, sites)
        parts = _tables(wrong, sites, size.height)
        left = size.height - sum(part.fixed for part in parts)
        if left >= MAP_LINES:
            parts = (*parts, Part(_map(snapshot, place, Size(size.width, left)), minimum=MAP_LINES))
        return Split(parts, focus=0 if wrong.ids else 1)


def _lines(table: Table) -> int:
    return max(1, len(table.ids)) + CHROME_LINES


def _tables(wrong: Table, sites: Table, height: int) -> tuple[Part, ...]:
    """Return both tables: as they are if they fit, else the sites get what a full list of incidents leaves."""
    need = _lines(wrong) + _lines(sites)
    if need <= height:
        return Part(wrong, fixed=_lines(wrong)), Part(sites, fixed=_lines(sites))
    above = min(_lines(wrong), max(CHROME_LINES + 1, height - min(_lines(sites), height // 2)))
    return Part(wrong, fixed=above), Part(sites, minimum=CHROME_LINES + 1)


def _wide(snapshot: Snapshot, place: Place, size: Size, wrong: Table, sites: Table) -> View:
    above = min(_lines(wrong), size.height // 3)
    trends = _trends(snapshot)
    left = size.height - above - _lines(sites) - PLOT_LINES
    parts = [Part(wrong, fixed=above), Part(sites, fixed=_lines(sites))]
    if trends is not None:
        parts.append(Part(trends, fixed=PLOT_LINES))
    strip = left // 2 if place.path else left
    parts.append(Part(_strip(snapshot, place, Size(size.width, strip)), minimum=MAP_LINES))
    if place.path:
        parts.append(Part(_map(snapshot, place, Size(size.width, left - strip)), minimum=MAP_LINES))
    return Split(tuple(parts), focus=0 if wrong.ids else 1)


def _trends(snapshot: Snapshot) -> Split | None:
    """Return the last hour of each site, side by side; None before there is anything to draw."""
    plots = [_plot(snapshot, *each) for each in PLOTS]
    drawn = tuple(Part(plot, minimum=30) for plot in plots if plot is not None)
    return Split(drawn, across=True) if drawn else None


def _plot(snapshot: Snapshot, field: str, title: str, unit: str, form: str) -> Plot | None:
    metric, _ = snapshot.frame.metrics.aggregate(field) or (None, None)
    sites = [
        site for site in snapshot.frame.sites if metric and (metric.name in site.columns or metric.name in site.rollups)
    ]
    lines = tuple(
        Series(clean(site.site, 12), token=f"plot.{i % 6 + 1}", ref=HistoryRef(site.site, field, PLOT_SPAN_S))
        for i, site in enumerate(sites[:LINES_IN_A_PLOT])
    )
    return Plot(lines, title=title, unit=unit, format=form) if lines else None


def _strip(snapshot: Snapshot, place: Place, area: Size) -> View:
    """Return every rack of every site, one cell a rack."""
    cells = heat_map(snapshot.frame, "", place.metric, area, cells="rack", title="EVERY RACK")
    return cells or _no_map(snapshot, place)


def _map(snapshot: Snapshot, place: Place, area: Size) -> View:
    """Return the map of the place, one cell for the finest that fits."""
    name = clean(place.path.replace("/", " › "), 80) or "FLEET"
    cells = heat_map(snapshot.frame, place.path, place.metric, area, by=place.by, title=name)
    return cells or _no_map(snapshot, place)


def _no_map(snapshot: Snapshot, place: Place) -> Text:
    why = (
        "waiting for the first reading"
        if snapshot.loading
        else f"no map of {place.metric} at {place.path or 'the fleet'}"
    )
    return Text(((Span(clean(why, 120), "text.dim"),),))


PANEL = FleetPanel()
