"""What each action of the key map does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.levels import Severity
from console.ui import objects
from console.ui.filter_check import domain_kinds
from console.ui.footer import sort_columns, sortable
from console.ui.orders import read_now
from console.ui.places import deeper, up

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.ui.keys import Action
    from console.ui.stage import Stage

SIDEWAYS_CELLS = 1
MARKS_LIMIT = 10_000
TREE = "tree"
WORST = "worst first"
# What is done to the row under the cursor.
ON_ROW = frozenset({"enter", "mark", "raw", "why", "logs", "shell", "copy", "acknowledge", "note"})


class Deeds:
    """Does actions on a stage; each looks at what is shown at the moment of the key."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._table: dict[str, Callable[[], None]] = {
            "row.down": lambda: stage.body.move(1),
            "row.up": lambda: stage.body.move(-1),
            "left": lambda: stage.body.sideways(-SIDEWAYS_CELLS),
            "right": lambda: stage.body.sideways(SIDEWAYS_CELLS),
            "page.down": lambda: stage.body.page(1),
            "page.up": lambda: stage.body.page(-1),
            "first": lambda: stage.body.home(),
            "last": lambda: stage.body.end(),
            "part.next": lambda: stage.body.next_part(),
            "enter": self._enter,
            "back": self._back,
            "place.back": lambda: self._walk(back=True),
            "place.forward": lambda: self._walk(back=False),
            "filter": stage.write_filter,
            "wrong": self._wrong,
            "sort": self._sort,
            "sort.reverse": self._reverse,
            "metric": self._metric,
            "by": self._by,
            "mark": self._mark,
            "unmark": self._unmark,
            "raw": self._raw,
            "why": self._why,
            "logs": self._logs,
            "acknowledge": lambda: stage.remembering.acknowledge(),
            "note": lambda: stage.remembering.note(),
            "shell": lambda: stage.open_shell(stage.body.selected or stage.trail.here.place.path),
            "copy": self._copy,
            "freeze": stage.freeze,
            "clock": lambda: stage.set_utc(not stage.trail.here.place.utc),
            "refresh": lambda: read_now(stage),
            "command": stage.write_command,
            "help": stage.read_help,
            "palette": stage.open_palette,
            "suspend": stage.suspend,
            "quit": stage.leave,
        }

    def do(self, action: Action) -> None:
        """Do an action; one that this version or this place does not have is said in one line."""
        self._stage.notices.hush()
        if action.later:
            self._stage.tell(f"{action.label}: this version does not have it yet")
        elif action.id in ON_ROW and (gone := self._stage.body.slipped_from()):
            self._stage.tell(f"{gone} just went away from under the cursor; press again for what is there now")
        elif action.id.startswith("panel."):
            self._panel(action.id.removeprefix("panel."))
        else:
            self._table[action.id]()

    def enter(self, row_id: str) -> None:
        """Go deeper to a row."""
        here = self._stage.trail.here
        there = deeper(here, row_id, self._stage.panel_ids)
        if there == here:
            self._stage.tell("there is nothing deeper here")
        else:
            self._stage.go(there)

    def _panel(self, key: str) -> None:
        panel = next((panel for panel in self._stage.setup.panels if panel.key == key), None)
        if panel is None:
            self._stage.tell(f"there is no panel {key}")
        else:
            self._stage.go(self._stage.trail.switch(panel.id))

    def _enter(self) -> None:
        if self._stage.arriving:
            return  # what is on the screen was entered already
        if self._stage.body.enterable and self._stage.body.selected:
            self.enter(self._stage.body.selected)
        else:
            self._stage.tell("there is nothing deeper here")

    def _back(self) -> None:
        here = self._stage.trail.here
        above = up(here, self._stage.panel_ids[0] if self._stage.panel_ids else here.panel)
        if above == here:
            self._stage.tell(f"this is the top; {self._stage.keys.shown('quit')} quits")
        else:
            self._stage.go(above)

    def _walk(self, *, back: bool) -> None:
        moved = self._stage.trail.back() if back else self._stage.trail.forward()
        if moved:
            self._stage.retrace()
        else:
            self._stage.tell("no place before this one" if back else "no place after this one")

    def _wrong(self) -> None:
        here = self._stage.trail.here
        self._stage.look(here.at(only_wrong=not here.place.only_wrong))

    def _sort(self) -> None:
        table = sortable(self._stage.view)
        if table is None:
            self._stage.tell("this panel keeps its own order")
            return
        columns = sort_columns(self._stage.view)
        choices = [(WORST, "the panel's own order"), *((column.key, column.title or column.key) for column in columns)]
        here = self._stage.trail.here

        def take(field: str) -> None:
            down = "" if field in (WORST, "id") else "-"
            self._stage.look(here.at(sort="" if field == WORST else f"{down}{field}"))

        self._stage.choose("sort by", choices, table.sort.removeprefix("-"), take)

    def _reverse(self) -> None:
        table = sortable(self._stage.view)
        if table is None:
            self._stage.tell("this panel keeps its own order")
            return
        field = table.sort.removeprefix("-")
        self._stage.look(self._stage.trail.here.at(sort=field if table.sort.startswith("-") else f"-{field}"))

    def _metric(self) -> None:
        snapshot = self._stage.shown
        if snapshot is None:
            self._stage.tell("no data yet")
            return
        known = snapshot.frame.metrics
        present = {name for site in snapshot.frame.sites for name in (*site.columns, *site.rollups)}
        names = [metric.name for metric in known.values() if metric.name in present] or list(known)
        found = (known[name] for name in names)
        choices = [(each.name, f"{each.title}, {each.unit}, of a {_word(each.level)}") for each in found]
        here = self._stage.trail.here
        self._stage.choose(
            "metric", choices, here.place.metric, lambda name: self._stage.look(here.at(metric=name, sort=""))
        )

    def _by(self) -> None:
        snapshot = self._stage.shown
        kinds = domain_kinds(snapshot.frame) if snapshot else []
        if not kinds:
            self._stage.tell("no domains are known here")
            return
        here = self._stage.trail.here
        choices = [(TREE, "halls, racks, nodes"), *((kind, f"by {kind}") for kind in kinds)]
        self._stage.choose(
            "group by",
            choices,
            here.place.by or TREE,
            lambda kind: self._stage.look(here.at(by="" if kind == TREE else kind, selected="")),
        )

    def _mark(self) -> None:
        snapshot, address = self._stage.shown, self._stage.body.selected
        key = objects.key_of(snapshot.frame, address) if snapshot and address else ""
        if not key:
            self._stage.tell("this row is no object that can be marked")
            return
        here = self._stage.trail.here
        marks = here.place.marks ^ {key}
        if len(marks) > MARKS_LIMIT:
            self._stage.tell(f"no more than {MARKS_LIMIT:,} marks", Severity.WARNING)
            return
        self._stage.look(here.at(marks=marks))
        self._stage.body.move(1)

    def _unmark(self) -> None:
        self._stage.look(self._stage.trail.here.at(marks=frozenset()))

    def _raw(self) -> None:
        row_id = self._stage.body.selected or self._stage.trail.here.place.path
        if row_id and self._stage.shown is not None:
            self._stage.read_record(row_id)
        else:
            self._stage.tell("nothing is under the cursor")

    def _why(self) -> None:
        row_id = self._stage.body.selected
        # A row that is no object of the tree and no job (an alert, a source) leaves the place itself to ask about.
        asked = row_id if objects.can_ask_why(row_id) else self._stage.trail.here.place.path
        if objects.can_ask_why(asked):
            self._stage.ask_why(asked)
        else:
            self._stage.tell("why: put the cursor on a job, a node, a GPU or a rack")

    def _logs(self) -> None:
        row_id = self._stage.body.selected
        asked = row_id if objects.keeps_logs(row_id) else self._stage.trail.here.place.path
        if objects.keeps_logs(asked):
            self._stage.follow_logs(asked)
        else:
            self._stage.tell("logs: put the cursor on a node, a GPU or a job")

    def _copy(self) -> None:
        address = self._stage.body.selected or self._stage.trail.here.place.path
        if address:
            self._stage.copy(address)
        else:
            self._stage.tell("nothing is under the cursor")


def _word(level: str) -> str:
    return "GPU" if level == "gpu" else level
