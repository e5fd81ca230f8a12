"""One incident as its book keeps it: how it opens, is seen again and comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.model.events import AlertState
from console.model.incidents import Incident, incident_id
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from console.model.incidents import Sign

# `seen_at` moves on in steps, so that an incident that only lasts stays the same object, and is not told anew.
SEEN_EVERY_S = 60.0
# Before the words of one whose sign is away, until that has lasted long enough or it is back.
GONE = "gone: "


@dataclass(eq=False)
class Entry:
    """An incident, when its sign was there last, and since when it is away (None: it is not, as far as we see)."""

    incident: Incident
    seen_at: float = 0.0
    gone_at: float | None = None

    @property
    def id(self) -> str:
        """The incident's id."""
        return self.incident.id


def is_open(incident: Incident) -> bool:
    """Whether an incident is not over."""
    return incident.state is not AlertState.RESOLVED


def of_state(incident: Incident, now: float) -> Incident:
    """Return an open incident in the state that its acknowledgement gives it: one that became worse fires again."""
    taken = incident.acknowledgement
    covered = taken is not None and incident.sign.severity.rank <= taken.severity.rank
    state = AlertState.ACKNOWLEDGED if covered else AlertState.FIRING
    if not is_open(incident) or state is incident.state:
        return incident
    return replace(incident, state=state, changed_at=now)


def opened(sign: Sign, now: float, used: AbstractSet[str]) -> Incident:
    """Return a new incident: it began with its sign, unless that would be one that was there before."""
    at = sign.since if 0 < sign.since <= now else now
    id = incident_id(sign.site, sign.key, at)
    while id in used:
        at = now if at < now else at + 0.001
        id = incident_id(sign.site, sign.key, at)
    return Incident(id, AlertState.FIRING, sign, at, now, now, sign.severity)


def seen(incident: Incident, sign: Sign, now: float) -> Incident:
    """Return an open incident whose sign is there now."""
    worst = max(incident.worst, sign.severity, key=lambda severity: severity.rank)
    worse = sign.severity is not incident.sign.severity or worst is not incident.worst
    if sign == incident.sign and not worse and 0 <= now - incident.seen_at < SEEN_EVERY_S:
        return incident
    at = now if worse else incident.changed_at
    return of_state(replace(incident, sign=sign, seen_at=now, worst=worst, changed_at=at), now)


def away(incident: Incident) -> Incident:
    """Return an open incident whose sign is not there now, which its words say."""
    sign = incident.sign
    return incident if sign.text.startswith(GONE) else replace(incident, sign=replace(sign, text=f"{GONE}{sign.text}"))


def over(incident: Incident, seen_at: float, now: float) -> Incident:
    """Return an incident whose sign has been away for long enough."""
    return replace(
        incident,
        state=AlertState.RESOLVED,
        sign=replace(incident.sign, text=incident.sign.text.removeprefix(GONE)),
        resolved_at=now,
        changed_at=now,
        seen_at=max(seen_at, incident.seen_at),
    )


def returned(incident: Incident, sign: Sign, now: float) -> Incident:
    """Return an incident that was over and is there again, with its acknowledgement."""
    back = replace(
        incident,
        state=AlertState.FIRING,
        sign=sign,
        seen_at=now,
        changed_at=now,
        resolved_at=0.0,
        returns=incident.returns + 1,
        worst=max(incident.worst, sign.severity, key=lambda severity: severity.rank),
    )
    return of_state(back, now)


def by_urgency(incident: Incident) -> tuple[bool, int, bool, int, float, str]:
    """Return the key that sorts incidents: what is over last; else the worst, then what nobody has taken on."""
    sign = incident.sign
    taken = incident.state is AlertState.ACKNOWLEDGED
    return not is_open(incident), -sign.severity.rank, taken, -sign.gpus, incident.opened_at, incident.id
