"""From the fleet down to one GPU: what is below the place, worst first, beside the map of the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Level, Part, Size, Span, Split, Text, UsageError, clean, heat_map

from .chosen import chosen_map
from .details import gpu_view, node_head, node_plots
from .listing import listing
from .where import level_at, scope

if TYPE_CHECKING:
    from console.plugin import ExpressionError, HeatMap, Place, SiteFrame, Snapshot, View

    from .where import Scope

WIDE = 120
MAP_LINES = 7
TABLE_LINES = 6
PLOTS_LINES = 30


class DrilldownPanel:
    """The place and what is below it."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return a table and a map; of a GPU its details; of a place that is gone, where it was."""
        level = level_at(snapshot.frame, place.path)
        if level is None:
            return _gone(snapshot, place)
        site = snapshot.frame.site(place.path.partition("/")[0])
        if level is Level.GPU and site is not None:
            found = site.topology.resolve(place.path)
            return gpu_view(snapshot, place, size, site, found[1] if found else 0)
        shown = scope(snapshot, place, level)
        if shown.fault is not None:
            return _fault(shown.fault)
        try:
            table = listing(snapshot, place, shown)
        except UsageError as error:
            return _unanswered(error)
        above = _above(snapshot, place, site, level)
        height = size.height - sum(part.fixed for part in above)
        if size.width >= WIDE:
            return _beside(snapshot, place, Size(size.width, height), above, Part(table, weight=1, minimum=30), shown)
        cells = _map(snapshot, place, Size(size.width, max(MAP_LINES, height - TABLE_LINES - len(table.ids))), shown)
        if cells is None or height < MAP_LINES + TABLE_LINES:
            return Split((*above, Part(table)), focus=len(above)) if above and height > TABLE_LINES else table
        lines = max(MAP_LINES, min(height // 2, height - len(table.ids) - 2))
        return Split((*above, Part(cells, fixed=lines), Part(table, minimum=3)), focus=len(above) + 1)


def _beside(snapshot: Snapshot, place: Place, size: Size, above: tuple[Part, ...], table: Part, shown: Scope) -> View:
    right: list[Part] = []
    plots = node_plots(snapshot, place) if place.path and size.height >= PLOTS_LINES else []
    share = size.height - 8 * len(plots)
    cells = _map(snapshot, place, Size(size.width // 2, share - 2), shown)
    if cells is not None:
        right.append(Part(cells, minimum=MAP_LINES))
    right += [Part(plot, fixed=8) for plot in plots]
    if not right:
        return Split((*above, table), focus=len(above)) if above else table.view
    body = Split((table, Part(Split(tuple(right)), weight=1)), across=True)
    return Split((*above, Part(body)), focus=len(above)) if above else body


def _above(snapshot: Snapshot, place: Place, site: SiteFrame | None, level: Level) -> tuple[Part, ...]:
    """Return what stands over the table: a node's identity, a blind site's age, the fleet's blind sites."""
    if site is not None and level is Level.NODE:
        found = site.topology.resolve(place.path)
        head = node_head(snapshot, site, found[1] if found else 0)
        return (Part(head, fixed=len(head.lines) + 1),)
    blind = [each for each in snapshot.frame.sites if (each.stale or not each.data_at) and site in (None, each)]
    if not blind:
        return ()
    unheard = [clean(each.site, 24) for each in blind if snapshot.unheard(each.site)]
    waiting = [clean(each.site, 24) for each in blind if not each.data_at and not snapshot.unheard(each.site)]
    stale = [f"{clean(each.site, 24)} {snapshot.at - each.data_at:.0f} s" for each in blind if each.data_at]
    spans = [Span(f"waiting for the first reading of {', '.join(waiting)} …  ", "state.stale")] if waiting else []
    spans += [Span(f"NO DATA {', '.join(unheard)}: no source answers  ", "state.stale")] if unheard else []
    spans += [Span(f"STALE {', '.join(stale)}: no number here counts", "state.stale")] if stale else []
    return (Part(Text((tuple(spans),)), fixed=1),)


def _map(snapshot: Snapshot, place: Place, area: Size, shown: Scope) -> HeatMap | None:
    """Return the map of the place, or of the nodes that a filter keeps there."""
    site = snapshot.frame.site(place.path.partition("/")[0])
    if shown.where is not None and shown.level is Level.NODE and site is not None and not place.by:
        return chosen_map(snapshot, place, site, shown.where)
    wanted = place.options.get("cells", "")
    return heat_map(snapshot.frame, place.path, place.metric, area, by=place.by, cells=wanted)


def _fault(fault: ExpressionError) -> Text:
    text = clean(fault.text, 200)
    lines = (
        (Span("the filter cannot be read", "state.warning"),),
        (Span(clean(fault.message, 200)),),
        (Span(f"  {text}"),),
        (Span(f"  {' ' * max(0, fault.column - 1)}^ column {fault.column}", "state.warning"),),
        (Span("/ changes it, Esc takes it away", "text.dim"),),
    )
    return Text(lines, title="FILTER")


def _unanswered(error: UsageError) -> Text:
    lines = (
        (Span(clean(str(error), 300), "state.warning"),),
        (Span("s sorts by another field, b groups by another domain, Esc goes back", "text.dim"),),
    )
    return Text(lines)


def _gone(snapshot: Snapshot, place: Place) -> Text:
    path = clean(place.path, 120)
    if not snapshot.frame.sites or snapshot.loading:
        return Text(((Span(f"waiting for the first reading of {path} …", "text.dim"),),))
    lines = (
        (Span(f"{path} is not in the inventory now", "state.warning"),),
        (Span("it may have moved or been renamed; Esc goes back up", "text.dim"),),
    )
    return Text(lines)


PANEL = DrilldownPanel()
