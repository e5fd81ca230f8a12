"""The queue of every site: jobs of the place, and the nodes of the one under the cursor as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import ExpressionError, Part, Span, Split, TargetError, Text, clean

from .free import free_view
from .nodes import details, find
from .queue import job_table, jobs_of

if TYPE_CHECKING:
    from console.plugin import Place, Size, Snapshot, View

CHROME_LINES = 2
DETAIL_LINES = 9


class JobsPanel:
    """Jobs as a list, and one of them in full where there is room."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return the list with the selected job's nodes below; why it cannot be read where the filter is at fault.

        Grouped by a domain it is the free capacity of these domains.
        """
        try:
            if place.by:
                return free_view(snapshot, place, size)
            rows = jobs_of(snapshot, place)
        except ExpressionError as fault:
            return _fault(fault)
        except TargetError as fault:
            text = str(fault) if not snapshot.loading else "waiting for the first reading"
            return Text(((Span(clean(text, 200), "text.dim"),),), title="JOBS")
        table = job_table(rows, snapshot, place)
        chosen = find(rows, snapshot, place.selected)
        if chosen is None or size.height < CHROME_LINES + 3 + DETAIL_LINES:
            return table
        above = min(
            len(rows.ids) + CHROME_LINES, max(CHROME_LINES + 3, size.height - max(DETAIL_LINES, size.height // 3))
        )
        below = details(chosen, snapshot, place)
        return Split((Part(table, fixed=above), Part(below, minimum=CHROME_LINES + 2)))


def _fault(fault: ExpressionError) -> Text:
    lines = (
        (Span("the filter cannot be read here", "state.warning"),),
        (Span(clean(fault.message, 200)),),
        (Span(f"  {clean(fault.text, 200)}"),),
        (Span(f"  {' ' * max(0, fault.column - 1)}^ column {fault.column}", "state.warning"),),
        (Span("/ changes it, Esc takes it away; jobs have state, gpus, user, wait_s, reason, ...", "text.dim"),),
    )
    return Text(lines, title="FILTER")


PANEL = JobsPanel()
