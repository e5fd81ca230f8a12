"""The list of what the detector found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Table, TableColumn, clean

if TYPE_CHECKING:
    from console.plugin import Place, Size, Snapshot, View


class _Panel:
    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        found = [each for each in snapshot.findings if each.detector == "stuck_sensors"]
        columns = (
            TableColumn("path", "GPU", [clean(each.path) for each in found], weight=1),
            TableColumn("text", "what", [clean(each.text) for each in found], weight=2),
        )
        return Table(columns, ids=[each.path for each in found], title="STUCK SENSORS", empty="every sensor moves")


PANEL = _Panel()
