"""`:view`: views saved by name, the user's own and those that are shared with everybody at a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.errors import ConsoleError
from console.present.safe import clean
from console.ui.commands import VIEW_DEEDS
from console.ui.saved_views import as_text, from_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.incidents import SharedView
    from console.ui.places import Stop
    from console.ui.stage import Stage

SHARED = "shared:"
USAGE = "write :view open NAME, or save, delete, share, unshare; :view alone lists them"


class ViewOrders:
    """Saves, opens and shares views on a stage; raises ConsoleError."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._table: dict[str, Callable[[str], None]] = {
            "open": self._open,
            "save": self._save,
            "delete": self._delete,
            "share": self._share,
            "unshare": self._unshare,
        }

    def run(self, argument: str) -> None:
        """Do what `:view` was told; nothing lists all views to choose from."""
        deed, _, name = argument.partition(" ")
        name = name.strip()
        if not deed:
            self._list()
        elif deed not in VIEW_DEEDS or not name:
            raise ConsoleError(USAGE)
        else:
            self._table[deed](name)

    def _list(self) -> None:
        own = [(name, self._about(self._stage.saved.load(name))) for name in self._stage.saved.names()]
        taken = {name for name, _ in own}
        shared = [
            (f"{SHARED}{name}" if name in taken else name, f"shared by {clean(view.author, 40)}: {self._words(view)}")
            for name, view in sorted(self._shared().items())
        ]
        if not own and not shared:
            self._stage.tell("no view is saved; :view save NAME keeps this one, :view share NAME is for everybody")
            return
        self._stage.choose("views", [*own, *shared], "", self._open)

    def _about(self, stop: Stop) -> str:
        """Return what a view shows."""
        place = stop.place
        parts = [clean(stop.panel, 20), clean(place.path, 60) or "the fleet"]
        parts += [f"by {clean(place.by, 20)}"] if place.by else []
        parts += [clean(place.where, 60)] if place.where else []
        return ", ".join(parts)

    def _words(self, view: SharedView) -> str:
        try:
            return self._about(from_text(view.name, view.spec))
        except ConsoleError:
            return "cannot be read"

    def _shared(self) -> dict[str, SharedView]:
        shown = self._stage.shown
        return {view.name: view for view in (shown.views if shown is not None else ())}

    def _named(self, name: str) -> Stop:
        """Return the user's own view of a name, else the shared one; `shared:NAME` is the shared one."""
        bare, shared = name.removeprefix(SHARED), self._shared()
        if bare in shared and (name.startswith(SHARED) or name not in self._stage.saved.names()):
            return from_text(bare, shared[bare].spec)
        return self._stage.saved.load(bare)

    def _open(self, name: str) -> None:
        found, here = self._named(name), self._stage.trail.here
        if found.panel not in self._stage.panel_ids:
            raise ConsoleError(f"view {name} is of a panel that is not there: {clean(found.panel, 40)}")
        self._stage.go(found.at(marks=here.place.marks, utc=here.place.utc))

    def _save(self, name: str) -> None:
        self._stage.saved.save(name, self._stage.trail.here)
        self._stage.tell(f"view {name} is saved")

    def _delete(self, name: str) -> None:
        self._stage.saved.delete(name)
        self._stage.tell(f"view {name} is deleted")

    def _share(self, name: str) -> None:
        """Share the user's own view of this name; where there is none, what is on the screen."""
        stop = self._stage.saved.load(name) if name in self._stage.saved.names() else self._stage.trail.here
        self._stage.remembering.share(name, as_text(stop), stop.place.path)

    def _unshare(self, name: str) -> None:
        shared = self._shared().get(name)
        if shared is None:
            raise ConsoleError(f"no view named {name} is shared; :view lists them")
        self._stage.remembering.unshare(name, from_text(name, shared.spec).place.path)
