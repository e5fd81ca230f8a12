"""Incidents as rows of a list: those of one key over several sites are one, and each row leads to its incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.incident_entry import by_urgency, is_open
from console.core.signs.draft import counted
from console.model.events import AlertState
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.model.incidents import Incident
    from console.model.levels import Severity
    from console.model.snapshot import Snapshot

NOBODY = "-"


@dataclass(frozen=True, eq=False)
class IncidentRow:
    """Open incidents of one key, severity and state; `id` is an address where one is free, else `incident:ID`."""

    id: str
    incidents: tuple[Incident, ...]

    @property
    def first(self) -> Incident:
        """The one with most GPUs at risk: it stands for the others."""
        return self.incidents[0]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.first.sign.severity

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has taken all of it on."""
        return self.first.state is AlertState.ACKNOWLEDGED

    @property
    def gpus(self) -> int:
        """GPUs at risk."""
        return sum(each.sign.gpus for each in self.incidents)

    @property
    def exact(self) -> bool:
        """Whether these are counted, not estimated."""
        return all(each.sign.exact for each in self.incidents)

    @property
    def since(self) -> float:
        """When the first of them began, UTC epoch seconds."""
        return min(each.opened_at for each in self.incidents)

    @property
    def sites(self) -> tuple[str, ...]:
        """Where they are."""
        return tuple(dict.fromkeys(each.site for each in self.incidents))

    @property
    def place(self) -> str:
        """The address of all of it, empty where it is at several sites."""
        return self.first.sign.path if len(self.incidents) == 1 else ""

    @property
    def jobs(self) -> tuple[str, ...]:
        """Jobs that are hit."""
        return tuple(dict.fromkeys(job for each in self.incidents for job in each.sign.jobs))

    @property
    def text(self) -> str:
        """What is wrong, in words: of several, what the first says, with the count of all."""
        sign = self.first.sign
        signs = [each.sign for each in self.incidents]
        own = [f"{counted(each.key, each.level, each.matches)}: " for each in signs]
        counts = all(each.matches == 1 or each.text.startswith(prefix) for each, prefix in zip(signs, own, strict=True))
        if len(signs) == 1 or not counts or sign.level in (Level.FLEET, Level.SITE):
            return sign.text
        total = counted(sign.key, sign.level, sum(each.matches for each in signs))
        return f"{total}: {sign.text.removeprefix(own[0])}"

    @property
    def taken_by(self) -> str:
        """Who acknowledged it, `-` for nobody; with `!` where it has become worse since."""
        taken = [each.acknowledgement.author for each in self.incidents if each.acknowledgement]
        authors = tuple(dict.fromkeys(taken))
        if not authors:
            return NOBODY
        more = f" +{len(authors) - 1}" if len(authors) > 1 else ""
        return f"{authors[0]}{more}{'' if self.acknowledged else '!'}"


def incident_rows(snapshot: Snapshot) -> tuple[IncidentRow, ...]:
    """Return the open incidents, grouped and worst first; what nobody has taken on comes before what somebody has."""
    groups: dict[tuple[str, Severity, AlertState], list[Incident]] = {}
    for incident in snapshot.incidents:
        if is_open(incident):
            groups.setdefault((incident.sign.key, incident.sign.severity, incident.state), []).append(incident)
    rows = [tuple(sorted(group, key=by_urgency)) for group in groups.values()]
    rows.sort(key=_order)
    taken: set[str] = set()
    return tuple(IncidentRow(_row_id(row, taken), row) for row in rows)


def ids_of_row(snapshot: Snapshot, row_id: str) -> tuple[str, ...]:
    """Return the ids of the open incidents that a row stands for: of its line, else those that name its object.

    `row_id` is that of a line of the list, `incident:ID`, `check:NAME` or an address.
    """
    row = next((row for row in incident_rows(snapshot) if row.id == row_id), None)
    if row is not None:
        return tuple(each.id for each in row.incidents)
    still_open = [each for each in snapshot.incidents if is_open(each)]
    kind, _, name = row_id.partition(":")
    if kind == "incident":
        return tuple(each.id for each in still_open if each.id == name)
    return tuple(each.id for each in still_open if _is_of(each, row_id))


def _is_of(incident: Incident, row_id: str) -> bool:
    sign = incident.sign
    return row_id in (sign.key, *sign.folds, sign.path, *sign.paths)


def _order(row: tuple[Incident, ...]) -> tuple[int, bool, int, str]:
    sign, taken = row[0].sign, row[0].state is AlertState.ACKNOWLEDGED
    return -sign.severity.rank, taken, -sum(each.sign.gpus for each in row), sign.key


def _row_id(row: Iterable[Incident], taken: set[str]) -> str:
    """Return the best address that no row above has taken."""
    found = next(each for each in _candidates(tuple(row)) if each not in taken)
    taken.add(found)
    return found


def _candidates(row: tuple[Incident, ...]) -> Iterator[str]:
    if len(row) == 1:
        yield row[0].sign.path
    for incident in row:
        yield from incident.sign.paths
    yield f"incident:{row[0].id}"
