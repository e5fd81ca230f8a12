"""Notices: calm one-line messages, shown for a while beside the place and kept for `:notices`."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.model.levels import Severity
from console.model.values import dataclass
from console.model.views import Span, Text
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.model.views import Line

SHOWN_S = 6.0
KEPT = 200
LIMIT = 300
TOKENS = {Severity.WARNING: "state.warning", Severity.CRITICAL: "state.critical", Severity.OK: "state.ok"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message; `at` is UTC epoch seconds, `shown_until` on the clock of the caller."""

    at: float
    severity: Severity
    text: str
    shown_until: float


class Notices:
    """The notices of this session, bounded; what is said again while it is shown is not repeated."""

    def __init__(self) -> None:
        self._kept: deque[Notice] = deque(maxlen=KEPT)
        self._from_snapshots: set[str] = set()

    def tell(self, text: str, now: float, severity: Severity = Severity.INFO) -> None:
        """Add a message; the newest is the one that is shown."""
        line = _line(text)
        if self._kept and self._kept[-1].text == line and now < self._kept[-1].shown_until:
            self._kept.pop()
        self._kept.append(Notice(now, severity, line, now + SHOWN_S))

    def hear(self, texts: Iterable[str], now: float) -> None:
        """Tell what a snapshot notes, each once for as long as it stays."""
        heard = {_line(text) for text in texts}
        for text in sorted(heard - self._from_snapshots):
            self.tell(text, now, Severity.WARNING)
        self._from_snapshots = heard

    def hush(self) -> None:
        """Show the newest message no longer: the user has gone on, and it would be read as the answer to that.

        What a snapshot notes is no answer to anybody and stays for its time.
        """
        if self._kept and self._kept[-1].text not in self._from_snapshots:
            self._kept[-1] = replace(self._kept[-1], shown_until=0.0)

    def shown(self, now: float) -> Line:
        """Return the message to show now, empty if there is none."""
        newest = self._kept[-1] if self._kept else None
        if newest is None or now >= newest.shown_until:
            return ()
        return (Span(newest.text, TOKENS.get(newest.severity, "text")),)

    def all(self) -> Text:
        """Return every notice, the newest first."""
        lines = tuple(
            (
                Span(f"{datetime.fromtimestamp(each.at, UTC):%H:%M:%S}Z ", "text.dim"),
                Span(each.text, TOKENS.get(each.severity, "text")),
            )
            for each in reversed(self._kept)
        )
        return Text(lines or ((Span("nothing has been said yet", "text.dim"),),), title="NOTICES")


def _line(text: str) -> str:
    return clean(" ".join(text.split()), LIMIT)
