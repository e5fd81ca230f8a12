"""What deeds would change in what is remembered: drawn up first, written to the store, taken over when that holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from console.model.errors import RefusedError
from console.model.events import AlertState
from console.model.incidents import Acknowledgement, DeedKind, Note, SharedView

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.incidents import Deed, Incident

LONGEST_NOTE = 4000
LONGEST_REASON = 500
LONGEST_VIEW = 16_384
LONGEST_NAME = 300
VIEW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Known(Protocol):
    """What is remembered now."""

    def incident(self, id: str) -> Incident | None:
        """Return an incident by its id."""
        ...

    def note(self, site: str, id: str) -> Note | None:
        """Return a note by its id."""
        ...

    def view(self, site: str, name: str) -> SharedView | None:
        """Return a shared view by its name."""
        ...


class Draft:
    """The changes of some deeds, in their order; a later deed sees what an earlier one would change.

    `incidents` by id, `notes` by (site, id) and `views` by (site, name); None is one that is dropped.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self.incidents: dict[str, Incident] = {}
        self.notes: dict[tuple[str, str], Note | None] = {}
        self.views: dict[tuple[str, str], SharedView | None] = {}

    def draw(self, deed: Deed) -> str:
        """Draw up what a deed changes; return what it comes to in words. Raises RefusedError, and changes nothing."""
        todo: dict[DeedKind, Callable[[Deed], str]] = {
            DeedKind.ACKNOWLEDGE: self._acknowledge,
            DeedKind.UNACKNOWLEDGE: self._take_back,
            DeedKind.NOTE: self._note,
            DeedKind.DROP_NOTE: self._drop_note,
            DeedKind.SAVE_VIEW: self._save_view,
            DeedKind.DROP_VIEW: self._drop_view,
        }
        return todo[deed.kind](deed)

    def _incident(self, deed: Deed) -> Incident:
        found = self.incidents.get(deed.subject) or self._known.incident(deed.subject)
        if found is None or found.site != deed.site:
            raise RefusedError(
                f"{deed.site}: no incident {deed.subject[:80]} is remembered; gigadeck alerts lists them"
            )
        if found.state is AlertState.RESOLVED:
            raise RefusedError(f"{deed.site}: incident {found.id} is over; there is nothing to acknowledge")
        return found

    def _acknowledge(self, deed: Deed) -> str:
        found, note = self._incident(deed), _bounded(deed, deed.text, LONGEST_REASON)
        told = Acknowledgement(deed.author, deed.at, found.sign.severity, note)
        self.incidents[found.id] = replace(
            found, state=AlertState.ACKNOWLEDGED, changed_at=deed.at, acknowledgement=told
        )
        return f"{found.id} is acknowledged by {deed.author}"

    def _take_back(self, deed: Deed) -> str:
        found = self._incident(deed)
        if found.acknowledgement is None:
            raise RefusedError(f"{deed.site}: incident {found.id} is not acknowledged by anybody")
        self.incidents[found.id] = replace(found, state=AlertState.FIRING, changed_at=deed.at, acknowledgement=None)
        return f"{found.id} is acknowledged no longer"

    def _note(self, deed: Deed) -> str:
        text, subject = _bounded(deed, deed.text, LONGEST_NOTE).strip(), _bounded(deed, deed.subject, LONGEST_NAME)
        if not text or not subject:
            raise RefusedError(f"{deed.site}: a note needs an object and some text")
        self.notes[deed.site, deed.id] = Note(deed.id, deed.site, subject, deed.author, deed.at, text)
        return f"the note on {subject} is kept"

    def _drop_note(self, deed: Deed) -> str:
        key = deed.site, deed.subject
        found = self.notes[key] if key in self.notes else self._known.note(*key)
        if found is None:
            raise RefusedError(f"{deed.site}: no note {deed.subject[:80]} is kept; :notes lists them")
        self.notes[key] = None
        return f"the note on {found.subject} is dropped"

    def _save_view(self, deed: Deed) -> str:
        if not VIEW_NAME.fullmatch(deed.subject):
            raise RefusedError(
                f"{deed.subject[:60]!r} is no name for a view: letters, digits, '-', '_', '.', at most 40"
            )
        spec = _bounded(deed, deed.text, LONGEST_VIEW)
        self.views[deed.site, deed.subject] = SharedView(deed.subject, deed.author, deed.at, spec)
        return f"the view {deed.subject} is shared"

    def _drop_view(self, deed: Deed) -> str:
        key = deed.site, deed.subject
        found = self.views[key] if key in self.views else self._known.view(*key)
        if found is None:
            raise RefusedError(f"{deed.site}: no view named {deed.subject[:60]} is shared; :view lists them")
        self.views[key] = None
        return f"the view {found.name} is shared no longer"


def _bounded(deed: Deed, text: str, most: int) -> str:
    if len(text) > most:
        raise RefusedError(f"{deed.site}: {deed.kind.value}: {len(text):,} characters are more than {most:,}")
    return text
