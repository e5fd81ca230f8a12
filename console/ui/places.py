"""Where the screen is and where it was: the panel and the place, and how keys move between them."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from console.model.place import Place
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT_STOPS = 100
DRILLDOWN = "drilldown"
CHECKS = "checks"


@dataclass(frozen=True)
class Stop:
    """One panel at one place; `borrowed` tells that the row under the cursor is that of another panel."""

    panel: str
    place: Place = field(default_factory=Place)
    borrowed: bool = False

    def at(self, **changes: object) -> Stop:
        """Return the same panel with parts of the place changed."""
        place = replace(self.place, **changes)  # type: ignore[arg-type]  # fields of Place
        return replace(self, place=place, borrowed=self.borrowed and "selected" not in changes)

    def same_spot(self, other: Stop) -> bool:
        """Whether two stops differ in what is under the cursor and marked alone."""
        plain = {"selected": "", "marks": frozenset()}
        return self.at(**plain) == other.at(**plain)


class Trail:
    """The stops that `[` and `]` walk; bounded."""

    def __init__(self, start: Stop) -> None:
        self._before: list[Stop] = []
        self._after: list[Stop] = []
        self._rows: dict[tuple[str, str], str] = {}
        self.here = start

    def switch(self, panel: str) -> Stop:
        """Return the stop of another panel at this place, with the cursor where it was in that panel."""
        place = self.here.place
        self._rows = {**self._rows, (self.here.panel, place.path): place.selected}
        if len(self._rows) > KEPT_STOPS:
            self._rows.pop(next(iter(self._rows)))
        own = self._rows.get((panel, place.path))
        there = replace(self.here, panel=panel)
        return replace(there, borrowed=True) if own is None else there.at(selected=own)

    def go(self, stop: Stop) -> None:
        """Move to a new stop; what was ahead is forgotten."""
        if stop.same_spot(self.here):
            self.here = stop
            return
        self._before = [*self._before, self.here][-KEPT_STOPS:]
        self._after = []
        self.here = stop

    @property
    def has_before(self) -> bool:
        """Whether there is a stop before."""
        return bool(self._before)

    def adjust(self, stop: Stop) -> None:
        """Change how the present stop is looked at without making it a new one."""
        self.here = stop

    def back(self) -> bool:
        """Go to the stop before; return whether there was one."""
        if not self._before:
            return False
        self._after.append(self.here)
        self.here = self._kept(self._before.pop())
        return True

    def forward(self) -> bool:
        """Undo a `back`; return whether there was one."""
        if not self._after:
            return False
        self._before.append(self.here)
        self.here = self._kept(self._after.pop())
        return True

    def _kept(self, stop: Stop) -> Stop:
        """Return an old stop with the marks and the clock of now: they belong to the user, not to the place."""
        return stop.at(marks=self.here.place.marks, utc=self.here.place.utc)


def deeper(stop: Stop, row_id: str, panels: Sequence[str]) -> Stop:
    """Return where Enter on a row leads: the object in the drill-down, a check in its panel, the rows of a domain.

    An incident leads to its site.
    """
    kind, colon, name = row_id.partition(":")
    panel = DRILLDOWN if DRILLDOWN in panels else stop.panel
    site, slash, bare = kind.partition("/")
    if colon and slash and bare == stop.place.by:
        return deeper(stop.at(path=site), f"{bare}:{name}", panels)
    if not colon or "/" in kind:
        return replace(stop, panel=panel).at(path=row_id, selected="", where="", by="", only_wrong=False)
    if kind == "job" and name:
        return replace(stop, panel=panel).at(**_nodes_of_job(name), selected="", by="", only_wrong=False)
    if kind == "incident" and "-" in name:  # an incident without a place of its own is of its whole site
        return replace(stop, panel=panel).at(
            path=name.rpartition("-")[0], selected="", where="", by="", only_wrong=False
        )
    if kind == "check":
        return replace(stop, panel=CHECKS if CHECKS in panels else stop.panel).at(selected=f"check:{name}")
    if kind == stop.place.by:
        return replace(stop, panel=panel).at(by="", where=f"{kind} == {_quoted(name)}", selected="")
    return stop


def _nodes_of_job(name: str) -> dict[str, str]:
    """Return the place of the nodes of `SITE/ID` (`SITE/ID@CLUSTER` where the site has several clusters)."""
    site, _, id = name.partition("/")
    # Only rows of nodes and GPUs have a node: the list begins there, not at the halls.
    return {"path": site, "where": f'node != "" and job_id == {_quoted(id.partition("@")[0])}'}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def up(stop: Stop, first_panel: str) -> Stop:
    """Return where Esc leads: without the filter, without the grouping, to the parent, to the first panel."""
    place = stop.place
    if place.where:
        return stop.at(where="")
    if place.by:
        return stop.at(by="", selected="")
    if place.path:
        parent = place.path.rpartition("/")[0]
        return stop.at(path=parent, selected=place.path)
    return replace(stop, panel=first_panel)
