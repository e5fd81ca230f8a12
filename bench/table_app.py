"""A small Textual app with a table of 1,000 rows, of which 50 change each second: what such apps cost as they come."""

from __future__ import annotations

import random

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Header, Sparkline

ROWS = 1000
SEEN = 50
COLUMNS = ("node", "state", "util %", "temp C", "power W", "job")


class TableApp(App[None]):
    """A header, a sparkline and the table."""

    def compose(self) -> ComposeResult:
        """Return the widgets."""
        yield Header()
        yield Sparkline([0.0] * 60)
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        """Fill the table and start the beat."""
        self._chance = random.Random(1)
        table = self.query_one(DataTable)
        self._keys = table.add_columns(*COLUMNS)
        self._rows = [table.add_row(f"n{row:04d}", "ok", "0", "40", "500", f"job-{row % 40}") for row in range(ROWS)]
        table.focus()
        self.set_interval(1.0, self._beat)

    def _beat(self) -> None:
        table, chance = self.query_one(DataTable), self._chance
        for row in self._rows[:SEEN]:
            table.update_cell(row, self._keys[2], str(chance.randint(0, 100)))
            table.update_cell(row, self._keys[3], str(chance.randint(40, 80)))
        spark = self.query_one(Sparkline)
        spark.data = [*(spark.data or [])[1:], chance.random()]


if __name__ == "__main__":
    TableApp().run()
