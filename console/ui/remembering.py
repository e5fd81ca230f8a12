"""What a person does to what is remembered: takes incidents on, writes notes, shares views; the answer is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from console.model.errors import ConsoleError
from console.model.events import AlertState
from console.model.incidents import Deed, DeedKind
from console.model.levels import Severity
from console.model.views import Span
from console.present.formats import format_value
from console.present.safe import clean
from console.ui.saying import SayMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from console.model.incidents import Incident
    from console.model.snapshot import Snapshot
    from console.model.views import Line
    from console.ui.feed import Feed
    from console.ui.places import Trail
    from console.ui.setup import AppSetup
    from console.ui.view_area import ViewArea

MOST_AT_ONCE = 200
SHOWN = 200
TAKE_BACK = "take back"
READ_ONLY = "read-only: nothing is acknowledged, noted or shared from this console"


class Shows(Protocol):
    """What this needs of the screen."""

    setup: AppSetup
    trail: Trail
    feed: Feed

    @property
    def shown(self) -> Snapshot | None:
        """The snapshot that is on the screen."""
        ...

    @property
    def body(self) -> ViewArea:
        """The widget that shows the panel."""
        ...

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Say something in one line."""
        ...

    def choose(self, title: str, choices: Sequence[tuple[str, str]], present: str, take: Callable[[str], None]) -> None:
        """Let the user choose one."""
        ...

    def read(self, title: str, lines: Sequence[Line]) -> None:
        """Show lines on a sheet."""
        ...

    def write_words(self, mode: SayMode) -> None:
        """Open the prompt for some words."""
        ...


class Remembering:
    """Does on the screen what goes to a memory; it acts on what was shown when the key was pressed."""

    def __init__(self, screen: Shows) -> None:
        self._screen = screen

    # Incidents

    def acknowledge(self, note: str | None = None) -> None:
        """Take on the incidents of the marks or of the row, after asking for a note unless there is one.

        Those that somebody has taken on can be taken back.
        """
        found = self._incidents()
        if not found or self._refused():
            return
        waiting = [each for each in found if each.state is not AlertState.ACKNOWLEDGED]
        if not waiting:
            self._offer_to_take_back(found)
        elif note is not None:
            self._acknowledge(waiting, note)
        else:
            what = clean(waiting[0].sign.text or waiting[0].sign.title, 80)
            more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            hint = f"Enter acknowledges {waiting[0].id}{more} (a note, if you like); Esc leaves   {what}"
            self._screen.write_words(SayMode("A", "acknowledge", hint, lambda text: self._acknowledge(waiting, text)))

    def _incidents(self) -> list[Incident]:
        """Return the open incidents of what is marked, else of the row; says so where there is none."""
        shown = self._screen.shown
        if shown is None or not shown.incidents:
            self._screen.tell("there is no incident now")
            return []
        from console.core.incident_rows import ids_of_row

        ids = [id for row_id in self._rows(shown) for id in ids_of_row(shown, row_id)]
        by_id = {each.id: each for each in shown.incidents}
        found = [by_id[id] for id in dict.fromkeys(ids)]
        if not found:
            what = "what is marked" if self._screen.trail.here.place.marks else "this row"
            self._screen.tell(f"{what} has no open incident")
        return found[:MOST_AT_ONCE]

    def _rows(self, shown: Snapshot) -> list[str]:
        """Return the addresses of what is marked, else the id of the row under the cursor, else the place."""
        from console.ui.marks import where_marked

        place = self._screen.trail.here.place
        if place.marks:
            return sorted(where_marked(shown.frame, place.marks))
        row_id = self._screen.body.selected or place.path
        return [row_id] if row_id else []

    def _acknowledge(self, incidents: Sequence[Incident], note: str) -> None:
        deeds = [_deed(DeedKind.ACKNOWLEDGE, each.site, each.id, note.strip()) for each in incidents]
        self._keep(deeds, "acknowledged")

    def _offer_to_take_back(self, incidents: Sequence[Incident]) -> None:
        shown, first = self._screen.shown, incidents[0]
        told = first.acknowledgement
        who, ago = "somebody", ""
        if told is not None and shown is not None:
            who, ago = clean(told.author, 40), f" {format_value(max(0.0, shown.at - told.at), 'age')} ago"
        note = f": {clean(told.note, 60)}" if told is not None and told.note else ""
        title = f"{first.id} was acknowledged by {who}{ago}{note}"
        many = f"{len(incidents)} acknowledgements" if len(incidents) > 1 else "the acknowledgement"
        choices = (("leave it", "as it is"), (TAKE_BACK, f"take {many} back: it is new to everybody again"))

        def take(choice: str) -> None:
            if choice == TAKE_BACK:
                deeds = [_deed(DeedKind.UNACKNOWLEDGE, each.site, each.id) for each in incidents]
                self._keep(deeds, "taken back")

        self._screen.choose(title, choices, "leave it", take)

    # Notes

    def note(self, text: str = "") -> None:
        """Write a note on what is marked, else on the row under the cursor; asks for the text unless there is one."""
        subjects = self._subjects()
        if not subjects or self._refused():
            return
        if text.strip():
            self._note(subjects, text)
            return
        more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
        hint = f"Enter keeps the note on {clean(subjects[0][1], 80)}{more} for everybody here; Esc leaves"
        mode = SayMode("N", "note", hint, lambda words: self._note(subjects, words), required=True)
        self._screen.write_words(mode)

    def read_notes(self, row_id: str = "") -> None:
        """Show the notes on something, else on the row under the cursor, else all that are kept."""
        from console.ui.note_lines import note_lines

        shown = self._screen.shown
        notes = shown.notes if shown is not None else ()
        if row_id and shown is not None:
            from console.core.note_subjects import notes_on

            notes = notes_on(shown, row_id)
        lines = list(note_lines(notes, shown.at if shown is not None else 0.0, with_subject=not row_id))
        title = f"notes on {clean(row_id, 80)}" if row_id else "notes"
        self._screen.read(title, lines or [(Span("no notes are kept", "text.dim"),)])

    def _subjects(self) -> list[tuple[str, str]]:
        """Return the site and the key of what a note is to be on; says so where there is nothing."""
        from console.core.note_subjects import key_of_row

        shown = self._screen.shown
        rows = self._rows(shown) if shown is not None else []
        found = [key_of_row(shown.frame, row_id) for row_id in rows] if shown is not None else []
        subjects = [each for each in found if each is not None]
        if not subjects:
            self._screen.tell("put the cursor on an object, a job or an incident to write a note on it")
        return subjects[:MOST_AT_ONCE]

    def _note(self, subjects: Sequence[tuple[str, str]], text: str) -> None:
        self._keep([_deed(DeedKind.NOTE, site, key, text.strip()) for site, key in subjects], "noted")

    # Views

    def share(self, name: str, spec: str, path: str) -> None:
        """Share a view with everybody who uses the memory of its place."""
        if not self._refused():
            self._keep([_deed(DeedKind.SAVE_VIEW, site, name, spec) for site in self._sites(path)], "shared")

    def unshare(self, name: str, path: str) -> None:
        """Share a view no longer."""
        if not self._refused():
            self._keep([_deed(DeedKind.DROP_VIEW, site, name) for site in self._sites(path)], "shared no longer")

    def _sites(self, path: str) -> list[str]:
        """Return the site of a place; of the fleet one site of each memory there is."""
        shown = self._screen.shown
        if path or shown is None:
            return [path.partition("/")[0]] if path else []
        first = {(each.kind, each.where): each.site for each in reversed(shown.memories)}
        return sorted(first.values())

    # Keeping

    def _refused(self) -> bool:
        if self._screen.setup.read_only:
            self._screen.tell(READ_ONLY, Severity.WARNING)
        return self._screen.setup.read_only

    def _keep(self, deeds: Sequence[Deed], done: str) -> None:
        """Have deeds kept, and tell what they came to when the last one is answered."""
        if not deeds:
            self._screen.tell("nobody remembers anything here yet", Severity.WARNING)
            return
        futures = [self._screen.setup.session.keep(each) for each in deeds]
        answers = _Answers(len(deeds), done, self._screen.tell)
        if not all(future.done() for future in futures):
            self._screen.tell("waiting for the memory …")
        for future in futures:
            self._ask(future, answers)

    def _ask(self, future: Future[str], answers: _Answers) -> None:
        self._screen.feed.ask(future, answers.take)


class _Answers:
    """What several deeds came to, told in one line when the last one is answered."""

    def __init__(self, expected: int, done: str, tell: Callable[..., None]) -> None:
        self._expected = expected
        self._done = done
        self._tell = tell
        self._told: list[str] = []
        self._faults: list[BaseException] = []

    def take(self, outcome: str | None, error: BaseException | None) -> None:
        """Take one answer."""
        if error is not None:
            self._faults.append(error)
        else:
            self._told.append(outcome or self._done)
        if len(self._told) + len(self._faults) == self._expected:
            self._say()

    def _say(self) -> None:
        if not self._faults:
            self._tell(self._told[0] if self._expected == 1 else f"{self._expected} are {self._done}")
            return
        first = self._faults[0]
        words = clean(str(first).partition("\n")[0], SHOWN) if isinstance(first, ConsoleError) else type(first).__name__
        some = f"{len(self._faults)} of {self._expected} are not {self._done}: " if self._expected > 1 else ""
        self._tell(f"{some}{words}", Severity.WARNING)


def _deed(kind: DeedKind, site: str, subject: str, text: str = "") -> Deed:
    from uuid import uuid4

    return Deed(str(uuid4()), kind, site, subject, text)
