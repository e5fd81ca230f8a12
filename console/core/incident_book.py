"""The life of incidents: a sign opens one, people take it on, it is over when its sign stays away; without a clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.incident_entry import Entry, away, by_urgency, is_open, of_state, opened, over, returned, seen
from console.core.incident_match import Matches
from console.model.errors import RefusedError
from console.model.incidents import Acknowledgement
from console.model.levels import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from console.model.incidents import Incident, Sign

# Two readings of a scheduler or of alerts: what is away for less has only flapped.
HOLD_S = 60.0
REMEMBER_S = 900.0
# What only wobbles (counts, words) is stored no more often.
STORE_EVERY_S = 30.0
MOST_OPEN = 1000
# The others are kept free for what is critical.
MOST_MILD = 900
MOST_OVER = 1000
MOST_NOTE = 500
# Ids that were given, so that none is given again.
MOST_USED = 50_000


class IncidentBook:
    """All incidents of the sites that we judge; one owner calls `update` in order of time.

    `restored` are those that a memory kept: the open ones go on, those that are over are remembered for what is left
    of `remember_s`.
    """

    def __init__(
        self, restored: Iterable[Incident] = (), *, hold_s: float = HOLD_S, remember_s: float = REMEMBER_S
    ) -> None:
        self._hold_s = hold_s
        self._remember_s = remember_s
        self._entries: dict[str, Entry] = {}
        self._handed: dict[str, Incident] = {}
        self._handed_at: dict[str, float] = {}
        self._used: dict[str, None] = {}
        self._now = 0.0
        self._left_out: dict[str, int] = {}
        for incident in restored:
            self._entries[incident.id] = Entry(incident)
            self._handed[incident.id] = incident
            self._used[incident.id] = None

    def update(self, signs: Sequence[Sign], now: float, heard: Collection[str] | None = None) -> tuple[Incident, ...]:
        """Return every open incident and those resolved lately, worst first.

        `heard` are the sites whose incidents can be over (all, if not given): at the others a sign that is away says
        nothing, since nobody sees whether it is.
        """
        self._now = now
        matches = Matches(entry for entry in self._entries.values() if self._is_remembered(entry, now))
        taken: set[str] = set()
        unmatched: list[Sign] = []
        for sign in matches.in_order(signs):
            entry = matches.find(sign, taken)
            if entry is None:
                unmatched.append(sign)
            else:
                taken.add(entry.id)
                self._see(entry, sign, now)
        for entry in self._entries.values():
            if entry.id not in taken:
                self._miss(entry, now, seen=heard is None or entry.incident.site in heard)
        self._open(unmatched, now)
        self._forget(now)
        return self.listed()

    def listed(self) -> tuple[Incident, ...]:
        """Return every open incident and those resolved lately, worst first, as of the last update or deed."""
        return tuple(sorted((entry.incident for entry in self._entries.values()), key=by_urgency))

    def find(self, incident_id: str) -> Incident | None:
        """Return an incident by its id, None where none has it (any more)."""
        entry = self._entries.get(incident_id)
        return entry.incident if entry is not None else None

    def acknowledge(self, incident_id: str, author: str, at: float, note: str = "") -> Incident:
        """Take an incident on; raises RefusedError for one that is unknown or over."""
        entry = self._entry(incident_id)
        if not is_open(entry.incident):
            raise RefusedError(f"incident {incident_id} is over already: there is nothing to acknowledge")
        severity = entry.incident.sign.severity
        return self._say(entry, Acknowledgement(author, at, severity, note[:MOST_NOTE]), at)

    def unacknowledge(self, incident_id: str, author: str, at: float) -> Incident:
        """Take an acknowledgement back; raises RefusedError for an incident that is unknown or has none."""
        entry = self._entry(incident_id)
        if entry.incident.acknowledgement is None:
            raise RefusedError(f"incident {incident_id} is not acknowledged: {author} has nothing to take back")
        return self._say(entry, None, at)

    def changed(self) -> tuple[Incident, ...]:
        """Return what has changed since this was last asked, to be stored; what only wobbles comes now and then."""
        found = [entry.incident for entry in self._entries.values() if self._is_news(entry.incident)]
        for incident in found:
            self._handed[incident.id] = incident
            self._handed_at[incident.id] = self._now
        return tuple(found)

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many signs of a site have no incident because it has too many already."""
        return dict(self._left_out)

    def _entry(self, incident_id: str) -> Entry:
        if incident_id not in self._entries:
            raise RefusedError(f"there is no incident {incident_id}; gigadeck alerts lists those that there are")
        return self._entries[incident_id]

    def _say(self, entry: Entry, acknowledgement: Acknowledgement | None, at: float) -> Incident:
        entry.incident = of_state(replace(entry.incident, acknowledgement=acknowledgement, changed_at=at), at)
        return entry.incident

    def _see(self, entry: Entry, sign: Sign, now: float) -> None:
        entry.gone_at, entry.seen_at = None, now
        if is_open(entry.incident):
            entry.incident = seen(entry.incident, sign, now)
        else:
            entry.incident = returned(entry.incident, sign, now)

    def _open(self, signs: Iterable[Sign], now: float) -> None:
        """Open an incident for each sign that has none, as far as there is room at its site."""
        counts = Counter(each.incident.site for each in self._entries.values() if is_open(each.incident))
        left_out: Counter[str] = Counter()
        for sign in signs:
            if counts[sign.site] >= (MOST_OPEN if sign.severity is Severity.CRITICAL else MOST_MILD):
                left_out[sign.site] += 1
                continue
            counts[sign.site] += 1
            incident = opened(sign, now, self._used.keys())
            self._entries[incident.id] = Entry(incident, now)
            self._used[incident.id] = None
        self._left_out = dict(left_out)

    def _miss(self, entry: Entry, now: float, *, seen: bool) -> None:
        """Take in that a sign is away: after a while its incident is over. A clock that went back begins anew."""
        if not seen or not is_open(entry.incident):
            entry.gone_at = None
            return
        if entry.gone_at is None or now < entry.gone_at:
            entry.gone_at = now
        long = now - entry.gone_at >= self._hold_s
        entry.incident = over(entry.incident, entry.seen_at, now) if long else away(entry.incident)

    def _forget(self, now: float) -> None:
        """Let go of what has been over for long, and of the oldest where that is much; what is to be stored waits."""
        ended = [entry for entry in self._entries.values() if not is_open(entry.incident)]
        ended.sort(key=lambda entry: -entry.incident.resolved_at)
        kept: Counter[str] = Counter()
        for entry in ended:
            kept[entry.incident.site] += 1
            number, is_stored = kept[entry.incident.site], self._handed.get(entry.id) is entry.incident
            old = number > MOST_OVER or not self._is_remembered(entry, now)
            if old and (is_stored or number > 2 * MOST_OVER):
                del self._entries[entry.id]
                self._handed.pop(entry.id, None)
                self._handed_at.pop(entry.id, None)
        while len(self._used) > MOST_USED:
            del self._used[next(iter(self._used))]

    def _is_remembered(self, entry: Entry, now: float) -> bool:
        return is_open(entry.incident) or now - entry.incident.resolved_at <= self._remember_s

    def _is_news(self, incident: Incident) -> bool:
        before = self._handed.get(incident.id)
        if before is None or _core(before) != _core(incident):
            return True
        wobbles = before.sign != incident.sign
        return wobbles and abs(self._now - self._handed_at.get(incident.id, 0.0)) >= STORE_EVERY_S


def _core(incident: Incident) -> tuple[object, ...]:
    """Return what of an incident is worth storing at once."""
    sign = incident.sign
    return (
        incident.state, incident.worst, incident.resolved_at, incident.returns, incident.acknowledgement, sign.key,
        sign.severity, sign.title, sign.path, sign.folds,
    )  # fmt: skip
