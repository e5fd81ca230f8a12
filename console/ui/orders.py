"""What each command of the `:` bar does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.model.errors import ConsoleError
from console.model.levels import Severity
from console.model.views import Span
from console.ui import objects
from console.ui.commands import Order, UnknownOrderError, read
from console.ui.filter_check import domain_kinds, filter_fault
from console.ui.footer import sort_columns, sortable
from console.ui.places import DRILLDOWN, up
from console.ui.view_orders import ViewOrders

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.views import Line
    from console.ui.stage import Stage

NAMED = 5
# From here on a number of the statistics has no digits behind the point.
WRITTEN_WHOLE = 1e4
CELLS = ("", "site", "hall", "rack", "node", "gpu")


class Orders:
    """Runs commands on a stage; a fault is said in one line."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._table: dict[str, Callable[[str], None]] = {
            "panel": self._panel,
            "goto": self._goto,
            "site": self._site,
            "up": lambda _: self._up(),
            "filter": self.filter,
            "metric": self._metric,
            "by": self._by,
            "sort": self._sort,
            "cells": self._cells,
            "wrong": lambda _: self._look(only_wrong=not stage.trail.here.place.only_wrong),
            "view": lambda argument: ViewOrders(stage).run(argument),
            "acknowledge": lambda note: stage.remembering.acknowledge(note or None),
            "note": lambda text: stage.remembering.note(text),
            "notes": self._notes,
            "theme": lambda name: stage.set_theme(name) if name else stage.reload_themes(),
            "utc": lambda _: stage.set_utc(True),
            "time": lambda _: stage.set_utc(False),
            "freeze": lambda _: stage.freeze(),
            "refresh": lambda _: read_now(stage),
            "raw": lambda path: stage.read_record(path or stage.body.selected or stage.trail.here.place.path),
            "why": self._why,
            "logs": self._logs,
            "copy": lambda _: stage.copy(stage.body.selected or stage.trail.here.place.path),
            "shell": lambda path: stage.open_shell(path or stage.body.selected or stage.trail.here.place.path),
            "login": lambda site: self._login(site),
            "unmark": lambda _: self._look(marks=frozenset()),
            "link": lambda _: self._link(),
            "statistics": lambda _: self._statistics(),
            "notices": lambda _: stage.read("notices", stage.notices.all().lines),
            "help": lambda _: stage.read_help(),
            "quit": lambda _: stage.leave(),
        }

    def run(self, line: str) -> None:
        """Run a line."""
        if not line.strip():
            return
        try:
            self.do(read(line, self._stage.panel_ids))
        except UnknownOrderError as fault:
            self._stage.tell(str(fault), Severity.WARNING)

    def do(self, order: Order) -> None:
        """Run an order; what was said of the one before is not left beside its answer."""
        self._stage.notices.hush()
        try:
            self._table[order.name](order.argument)
        except ConsoleError as error:
            self._stage.tell(str(error).partition("\n")[0], Severity.WARNING)

    def _why(self, named: str) -> None:
        here = self._stage.body.selected
        asked = named or (here if objects.can_ask_why(here) else self._stage.trail.here.place.path)
        if not asked:
            raise ConsoleError("write :why job:ID, :why NODE or an address")
        self._stage.ask_why(asked)

    def _logs(self, named: str) -> None:
        here = self._stage.body.selected
        asked = named or (here if objects.keeps_logs(here) else self._stage.trail.here.place.path)
        if not objects.keeps_logs(asked):
            raise ConsoleError("write :logs job:SITE/ID, or :logs with the address of a node or GPU")
        self._stage.follow_logs(asked)

    def _notes(self, named: str) -> None:
        asked = named or self._stage.body.selected or self._stage.trail.here.place.path
        self._stage.remembering.read_notes("" if named == "all" else asked)

    def _look(self, **changes: object) -> None:
        self._stage.look(self._stage.trail.here.at(**changes))

    def _panel(self, panel_id: str) -> None:
        self._stage.go(self._stage.trail.switch(panel_id))

    def _goto(self, name: str) -> None:
        snapshot = self._stage.shown
        found = objects.find(snapshot.frame, name) if snapshot else []
        if len(found) != 1:
            listed = ", ".join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")
            raise ConsoleError(f"{name}: known as {listed}; name one of them" if found else f"{name}: not known here")
        self._to(found[0])

    def _site(self, name: str) -> None:
        snapshot = self._stage.shown
        sites = [site.site for site in snapshot.frame.sites] if snapshot else []
        if name not in sites:
            raise ConsoleError(f"no site named {name}; there are: {', '.join(sites) or 'none yet'}")
        self._to(name)

    def _login(self, site: str) -> None:
        snapshot = self._stage.shown
        names = [each.site for each in snapshot.frame.sites] if snapshot else []
        if site not in names:
            raise ConsoleError(f"no site named {site}; there are: {', '.join(names) or 'none yet'}")
        self._stage.log_in(site)

    def _to(self, path: str) -> None:
        here = self._stage.trail.here
        panel = DRILLDOWN if DRILLDOWN in self._stage.panel_ids else here.panel
        self._stage.go(replace(here, panel=panel).at(path=path, selected="", where="", by="", only_wrong=False))

    def _up(self) -> None:
        here = self._stage.trail.here
        self._stage.go(up(here, self._stage.panel_ids[0] if self._stage.panel_ids else here.panel))

    def filter(self, text: str) -> None:
        """Filter the rows of the place; a panel that has none gives way to the drill-down."""
        snapshot, here = self._stage.shown, self._stage.trail.here
        fault = filter_fault(text, snapshot.frame, here.place.path) if snapshot else None
        if fault is not None:
            raise ConsoleError(f"filter: {fault.message} (column {fault.column})")
        filters = not text.strip() or sortable(self._stage.view) is not None or DRILLDOWN not in self._stage.panel_ids
        panel = here.panel if filters else DRILLDOWN
        self._stage.go(replace(here, panel=panel).at(where=text.strip()))

    def _metric(self, name: str) -> None:
        metrics = self._stage.setup.metrics
        if name not in metrics and metrics.aggregate(name) is None:
            from difflib import get_close_matches

            near = get_close_matches(name, list(metrics), n=3)
            raise ConsoleError(f"no metric named {name}" + (f"; did you mean {', '.join(near)}?" if near else ""))
        self._look(metric=name, sort="")

    def _by(self, kind: str) -> None:
        snapshot = self._stage.shown
        kinds = domain_kinds(snapshot.frame) if snapshot else []
        if kind and kind != "tree" and kind not in kinds:
            raise ConsoleError(f"no domain named {kind}; there are: {', '.join(kinds) or 'none'}")
        self._look(by="" if kind == "tree" else kind, selected="")

    def _sort(self, field: str) -> None:
        name, metrics = field.removeprefix("-"), self._stage.setup.metrics
        columns = [column.key for column in sort_columns(self._stage.view)]
        if name and name not in columns and name not in metrics and metrics.aggregate(name) is None:
            raise ConsoleError(f"no column named {name}; there are: {', '.join(columns) or 'none'}")
        self._look(sort=field)

    def _cells(self, level: str) -> None:
        if level not in CELLS:
            raise ConsoleError(f"no level named {level}; write one of {', '.join(CELLS[1:])}, or nothing")
        here = self._stage.trail.here
        options = {key: value for key, value in here.place.options.items() if key != "cells"}
        self._look(options={**options, "cells": level} if level else options)

    def _link(self) -> None:
        self._stage.meters.shown = not self._stage.meters.shown

    def _statistics(self) -> None:
        lines: list[Line] = []
        for part, numbers in self._stage.setup.session.statistics().items():
            lines.append((Span(part, "title"),))
            lines += [(Span(f"  {name:<24}", "text.dim"), Span(_measured(value))) for name, value in numbers.items()]
        self._stage.read("statistics", lines)


def read_now(stage: Stage) -> None:
    """Have the sources of the place read now, and say so."""
    site = stage.trail.here.place.path.partition("/")[0]
    stage.setup.session.refresh(site)
    stage.tell(f"reading the sources of {site or 'every site'} now")


def _measured(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= WRITTEN_WHOLE else f"{value:,.6g}"
