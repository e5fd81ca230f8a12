"""What is remembered of the sites, in RAM: incidents, notes on objects, views for everybody."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from console.core.incident_book import IncidentBook
from console.model.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from console.engine.drafting import Draft
    from console.model.incidents import Incident, Note, SharedView, Sign

MOST_NOTES = 5000

_Value = TypeVar("_Value")


class Remembrance:
    """All that is remembered; its owner sees to it that one thread at a time is in it."""

    def __init__(self) -> None:
        self._book = IncidentBook()
        self._notes: dict[tuple[str, str], Note] = {}
        self._views: dict[tuple[str, str], SharedView] = {}
        self._shown: tuple[tuple[Note, ...], tuple[SharedView, ...]] | None = None

    # What drafts ask

    def incident(self, id: str) -> Incident | None:
        """Return an incident by its id."""
        return next((each for each in self._book.listed() if each.id == id), None)

    def note(self, site: str, id: str) -> Note | None:
        """Return a note by its id."""
        return self._notes.get((site, id))

    def view(self, site: str, name: str) -> SharedView | None:
        """Return a shared view by its name."""
        return self._views.get((site, name))

    # What snapshots show

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many signs of a site have no incident because it has too many already."""
        return self._book.left_out

    def incidents(self) -> tuple[Incident, ...]:
        """Return the open incidents and those that were over lately, worst first."""
        return self._book.listed()

    def shown(self) -> tuple[tuple[Note, ...], tuple[SharedView, ...]]:
        """Return notes, the newest first, and views by name; the same objects while nothing changes."""
        if self._shown is None:
            notes = sorted(self._notes.values(), key=lambda note: (-note.at, note.id))
            views = sorted(self._views.values(), key=lambda view: view.name)
            self._shown = tuple(notes), tuple(views)
        return self._shown

    # What changes it

    def update(self, signs: Sequence[Sign], now: float, heard: Collection[str]) -> tuple[Incident, ...]:
        """Take in what is wrong now; return the incidents that changed and are worth keeping."""
        self._book.update(signs, now, heard)
        return self._book.changed()

    def take(self, draft: Draft) -> None:
        """Make what was drawn up so; what went on meanwhile goes before it."""
        for drawn in draft.incidents.values():
            told = drawn.acknowledgement
            with contextlib.suppress(RefusedError):  # it ended meanwhile
                if told is not None:
                    self._book.acknowledge(drawn.id, told.author, told.at, told.note)
                else:
                    self._book.unacknowledge(drawn.id, "", drawn.changed_at)
        _put(self._notes, draft.notes)
        _put(self._views, draft.views)
        while len(self._notes) > MOST_NOTES:
            del self._notes[min(self._notes, key=lambda key: self._notes[key].at)]
        self._shown = None

    def hear(
        self,
        incidents: Iterable[Incident],
        notes: Iterable[Note],
        views: Mapping[str, Iterable[SharedView]],
        *,
        unwritten: AbstractSet[str],
    ) -> frozenset[str]:
        """Take in what a store holds, which others may have written; return the ids that gave way to its own.

        Notes and views are what it says. An incident that it knows better (changed later, acknowledged there) takes
        the place of ours; one that it does not know gives way to its open one of the same key, while it is `unwritten`.
        """
        self._notes = {(note.site, note.id): note for note in notes}
        self._views = {(site, view.name): view for site, found in views.items() for view in found}
        self._shown = None
        ours = {each.id: each for each in self._book.listed()}
        stored = {each.id: each for each in incidents}
        better = {
            id: each
            for id, each in stored.items()
            if id not in unwritten and (id not in ours or each.changed_at > ours[id].changed_at)
        }
        keys = {(each.site, each.sign.key) for each in stored.values() if not each.resolved_at}
        gone = frozenset(
            id
            for id, each in ours.items()
            if id not in stored and id in unwritten and (each.site, each.sign.key) in keys
        )
        if better or gone:
            kept = {id: each for id, each in ours.items() if id not in gone}
            self._book = IncidentBook({**kept, **better}.values())
        return gone


def _put(kept: dict[tuple[str, str], _Value], changes: Mapping[tuple[str, str], _Value | None]) -> None:
    for key, value in changes.items():
        kept.pop(key, None)
        if value is not None:
            kept[key] = value
