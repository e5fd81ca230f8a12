"""What is remembered of the sites, in RAM: incidents, notes on objects, views for everybody."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from console.core.incident_book import IncidentBook
from console.core.incident_entry import is_open, of_state
from console.model.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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
        return self._book.find(id)

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
        unwritten: Mapping[str, Incident],
    ) -> dict[str, Incident]:
        """Take in what a store holds, which others may have written; return what of the `unwritten` is left to write.

        Notes, views and acknowledgements are what it says: nobody changes them without it. Of an incident the later
        word counts; one that the store does not know gives way to its open one of the same key.
        """
        self._notes = {(note.site, note.id): note for note in islice(notes, MOST_NOTES)}  # the newest come first
        self._views = {(site, view.name): view for site, found in views.items() for view in found}
        self._shown = None
        stored = {each.id: each for each in incidents}
        keys = {(each.site, each.sign.key) for each in stored.values() if is_open(each)}
        ours = {each.id: each for each in self._book.listed()}
        merged = {id: _merged(each, stored.get(id), id in unwritten) for id, each in ours.items()}
        merged |= {id: each for id, each in stored.items() if id not in ours}
        for id in unwritten.keys() - stored.keys():
            if id in merged and (merged[id].site, merged[id].sign.key) in keys:
                del merged[id]
        if merged != ours:
            self._book = IncidentBook(merged.values())
        return {id: merged.get(id, each) for id, each in unwritten.items() if id in merged or id not in ours}


def _merged(ours: Incident, theirs: Incident | None, unwritten: bool) -> Incident:
    """Return an incident as it is after both words on it."""
    if theirs is None or theirs == ours:
        return ours
    later = theirs if theirs.changed_at > ours.changed_at and not unwritten else ours
    if later.acknowledgement == theirs.acknowledgement:
        return later
    return of_state(replace(later, acknowledgement=theirs.acknowledgement), max(later.changed_at, theirs.changed_at))


def _put(kept: dict[tuple[str, str], _Value], changes: Mapping[tuple[str, str], _Value | None]) -> None:
    for key, value in changes.items():
        kept.pop(key, None)
        if value is not None:
            kept[key] = value
