"""Questions to a snapshot about incidents and alerts: filtered, sorted, as plain rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.expr import compile_expression
from console.core.incident_entry import by_urgency, is_open
from console.core.naming import natural_key
from console.core.registry import INCIDENT, INCIDENT_NUMBERS, field_named
from console.core.texts import TextValues
from console.model.errors import TargetError
from console.model.events import AlertState
from console.model.levels import Severity
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from console.core.registry import Field
    from console.core.rows import Children
    from console.model.events import Alert
    from console.model.incidents import Incident
    from console.model.levels import Level
    from console.model.snapshot import Snapshot

    Row = dict[str, Any]

INCIDENTS, ALERTS = "incidents", "alerts"
LISTS = ("jobs", "folds", "paths", "silenced_by")
SHOWN = (
    "id", "kind", "state", "severity", "site", "path", "title", "text", "since", "age_s", "gpus", "exact", "matches",
    "level", "jobs", "acknowledged_by", "acknowledged_at", "note", "worse", "worst", "changed_at", "seen_at",
    "resolved_at", "returns", "key", "folds", "paths", "keeper", "origin", "silenced_by",
)  # fmt: skip


def select_incidents(
    snapshot: Snapshot,
    *,
    kinds: Collection[str] = (INCIDENTS,),
    resolved: bool = False,
    where: str = "",
    sort: str = "",
    limit: int = 0,
    after: str = "",
    fields: Sequence[str] = (),
) -> list[Row]:
    """Return incidents (`kinds`: and alerts of other systems) as rows of these fields (all), always with `id`.

    They come worst first, or in order of the field `sort` (`-` is descending); those that are over only if `resolved`.
    Raises UnknownFieldError, ExpressionError and TargetError (an `after` that is not among them).
    """
    names = tuple(fields) or SHOWN
    for name in (*names, sort.removeprefix("-") or "id"):
        if name != "paths":
            field_named(name, INCIDENT, snapshot.frame.metrics)
    rows = list(_rows(snapshot, kinds, resolved=resolved))
    if where:
        hit = compile_expression(where, snapshot.frame.metrics, INCIDENT, ()).judge(_Table(rows)).true
        rows = [row for row, counts in zip(rows, hit.tolist(), strict=True) if counts]
    if sort:
        rows = _sorted(rows, sort)
    if after:
        rows = rows[_place(rows, after) + 1 :]
    wanted = ("id", *(name for name in names if name != "id")) if "id" not in names else names
    return [{name: row[name] for name in wanted} for row in (rows[:limit] if limit else rows)]


def _rows(snapshot: Snapshot, kinds: Collection[str], *, resolved: bool) -> Iterator[Row]:
    if INCIDENTS in kinds:
        for incident in sorted(snapshot.incidents, key=by_urgency):
            if resolved or is_open(incident):
                yield incident_row(incident, snapshot.at)
    if ALERTS in kinds:
        for alert in sorted(snapshot.alerts, key=lambda each: (-each.severity.rank, each.since, each.site, each.id)):
            if resolved or alert.state is not AlertState.RESOLVED:
                yield alert_row(alert, snapshot.at)


def incident_row(incident: Incident, now: float) -> Row:
    """Return an incident with every field by name; times are epoch seconds, what is missing is None."""
    sign, taken = incident.sign, incident.acknowledgement
    end = incident.resolved_at or now
    return {
        "id": incident.id,
        "kind": "incident",
        "state": incident.state.value,
        "severity": sign.severity.value,
        "site": incident.site,
        "path": sign.path,
        "title": sign.title,
        "text": sign.text,
        "since": _time(incident.opened_at),
        "age_s": round(max(0.0, end - incident.opened_at)),
        "gpus": sign.gpus,
        "exact": sign.exact,
        "matches": sign.matches,
        "level": sign.level.value,
        "jobs": list(sign.jobs),
        "acknowledged_by": taken.author if taken else None,
        "acknowledged_at": _time(taken.at) if taken else None,
        "note": (taken.note or None) if taken else None,
        "worse": sign.severity.rank > taken.severity.rank if taken else None,
        "worst": incident.worst.value,
        "changed_at": _time(incident.changed_at),
        "seen_at": _time(incident.seen_at),
        "resolved_at": _time(incident.resolved_at),
        "returns": incident.returns,
        "key": sign.key,
        "folds": list(sign.folds),
        "paths": list(sign.paths),
        "keeper": incident.keeper or None,
        "origin": None,
        "silenced_by": [],
    }


def alert_row(alert: Alert, now: float) -> Row:
    """Return an alert of another system with the same fields; what only incidents have is None."""
    return {
        **dict.fromkeys(SHOWN),
        "id": alert.id,
        "kind": "alert",
        "state": alert.state.value,
        "severity": alert.severity.value,
        "site": alert.site,
        "path": alert.path or alert.site,
        "title": alert.title,
        "text": alert.text,
        "since": _time(alert.since),
        "age_s": round(max(0.0, now - alert.since)) if alert.since else None,
        "gpus": alert.gpus,
        "exact": True,
        "matches": 1,
        "jobs": list(alert.jobs),
        "seen_at": _time(alert.heard_at),
        "key": f"alert:{alert.title}",
        "folds": [],
        "paths": [alert.path or alert.site],
        "origin": alert.origin or None,
        "silenced_by": list(alert.silenced_by),
    }


def _time(at: float) -> float | None:
    return round(at, 3) if at else None


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows that an expression may be asked about; satisfies RowColumns."""

    rows: Sequence[Row]

    @property
    def count(self) -> int:
        return len(self.rows)

    def number(self, field: Field) -> NDArray[np.float64]:
        """Return a float column; NaN is missing."""
        values = (row[field.name] for row in self.rows)
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)

    def text(self, field: Field) -> TextValues:
        """Return a text column; what is a list is one text with commas, and missing where it is empty."""
        texts = [_text(row[field.name]) for row in self.rows]
        codes = np.array([row if text is not None else -1 for row, text in enumerate(texts)], dtype=np.int32)
        return TextValues([text or "" for text in texts], codes, len(texts))

    def age(self, field: Field) -> NDArray[np.float64]:
        """Return NaN: incidents have no samples."""
        return np.full(self.count, np.nan)

    def children(self, level: Level) -> Children:
        """Raise: no expression over incidents speaks of finer rows (`core.registry` lets none compile)."""
        raise NotImplementedError(level)


def _text(value: Any) -> str | None:
    return (", ".join(value) or None) if isinstance(value, list) else value


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    """Return rows in order of a field; missing comes last, ties break by id."""
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    known = [row for row in rows if _text(row[name]) is not None]
    missing = [row for row in rows if _text(row[name]) is None]
    known.sort(key=lambda row: natural_key(row["id"]))
    known.sort(key=lambda row: _order(name, row[name]), reverse=descending)
    return [*known, *sorted(missing, key=lambda row: natural_key(row["id"]))]


def _order(name: str, value: Any) -> Any:
    if name in ("severity", "worst"):
        return Severity(value).rank
    return value if name in INCIDENT_NUMBERS else natural_key(_text(value) or "")


def _place(rows: Sequence[Row], after: str) -> int:
    ids = [row["id"] for row in rows]
    if after not in ids:
        raise TargetError(f"{after} is not among these incidents; begin again without it")
    return ids.index(after)
