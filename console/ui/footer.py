"""The footer: the keys that work here, the most wanted first."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from console.model.values import dataclass
from console.model.views import HeatMap, Span, Split, Table
from console.ui.bars import Segment, ends, fit
from console.ui.header import environment_token
from console.ui.objects import can_ask_why, keeps_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.place import Place
    from console.model.views import Line, TableColumn, View
    from console.ui.keys import KeyMap

# In this order on the screen, and what is last leaves first; help and quit stay to the end.
ORDER = (
    "command",
    "filter",
    "enter",
    "back",
    "wrong",
    "acknowledge",
    "sort",
    "metric",
    "by",
    "raw",
    "why",
    "logs",
    "note",
    "shell",
    "mark",
    "unmark",
    "copy",
    "freeze",
    "part.next",
    "place.back",
    "clock",
    "help",
    "quit",
)
STAYING = {"help": 0, "quit": 1, "enter": 2, "command": 3, "back": 4}
ALWAYS = frozenset(
    {"command", "freeze", "clock", "help", "quit", "refresh", "palette", "wrong", "copy", "suspend", "filter"}
)


@dataclass(frozen=True)
class Facts:
    """What decides which keys work here; `selected` is a row's id: an `object` of the tree, a `node` or GPU.

    `incident` says that it has an open incident.
    """

    view: View | None
    place: Place
    first_panel: bool = True
    enterable: bool = False
    selected: str = ""
    object: bool = False
    node: bool = False
    incident: bool = False
    domains: bool = False
    history: bool = False


def flat(view: View | None) -> Iterator[View]:
    """Yield the views inside a view, in reading order."""
    if isinstance(view, Split):
        for part in view.parts:
            yield from flat(part.view)
    elif view is not None:
        yield view


def sortable(view: View | None) -> Table | None:
    """Return the table whose order the user can choose, None where no panel offers one."""
    return next((each for each in flat(view) if isinstance(each, Table) and each.sort), None)


def sort_columns(view: View | None) -> tuple[TableColumn, ...]:
    """Return the columns that rows can be sorted by: names and numbers; what is only written (`7/8`) is no field."""
    table = sortable(view)
    columns = table.columns if table is not None else ()
    return tuple(column for column in columns if column.key == "id" or isinstance(column.values, np.ndarray))


def possible(facts: Facts) -> frozenset[str]:
    """Return the ids of the actions that do something here."""
    parts = list(flat(facts.view))
    table = sortable(facts.view)
    charted = table is not None or any(isinstance(part, HeatMap) for part in parts)
    place = facts.place
    conditions = {
        "enter": facts.enterable,
        "back": bool(place.where or place.by or place.path or not facts.first_panel),
        "sort": table is not None,
        "sort.reverse": table is not None,
        "metric": charted,
        "by": charted and facts.domains,
        "raw": bool(facts.selected),
        "why": can_ask_why(facts.selected) or can_ask_why(place.path),
        "logs": keeps_logs(facts.selected) or keeps_logs(place.path),
        "mark": facts.object,
        "acknowledge": facts.incident,
        "note": facts.object or facts.incident or facts.selected.startswith("job:"),
        "shell": facts.node,
        "unmark": bool(place.marks),
        "part.next": len(parts) > 1,
        "place.back": facts.history,
    }
    return ALWAYS | {name for name, works in conditions.items() if works}


@lru_cache(maxsize=8)
def footer_line(keys: KeyMap, works: frozenset[str], environment: str, width: int) -> Line:
    """Return the line, exactly `width` cells."""
    segments = []
    for rank, name in enumerate(ORDER):
        key = keys.shown(name)
        if name in works and key:
            form: Line = (Span(key, "key"), Span(f" {keys[name].label}", "key.label"))
            segments.append(Segment((form,), STAYING.get(name, len(STAYING) + rank)))
    line = fit(segments, max(0, width - 1))
    return ends((Span(" ", environment_token(environment)), *line), (), width)
