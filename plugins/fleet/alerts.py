"""The alerts of other systems as lines among our own: one line for all that share a name, each with its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.plugin import AlertState, Severity, clean, format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.plugin import Alert, Snapshot

OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)
QUIET = {AlertState.SILENCED: "silenced", AlertState.INHIBITED: "inhibited"}
SHOWN = (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)


@dataclass(frozen=True)
class Group:
    """Open alerts of one site that have origin, name and severity in common."""

    alerts: tuple[Alert, ...]
    unheard_s: float = 0.0

    @property
    def first(self) -> Alert:
        """The alert that began first: it stands for the others."""
        return min(self.alerts, key=lambda alert: alert.since)

    @property
    def gpus(self) -> int:
        """GPUs at risk; of several alerts at one place once."""
        return sum({alert.path: alert.gpus for alert in self.alerts}.values())

    @property
    def why(self) -> str:
        """What is said, by whom, and how old that is where the teller has fallen silent."""
        first = self.first
        said = clean(f"{first.title}: {first.text}" if first.text else first.title, 160)
        more = f"; and {len(self.alerts) - 1:,} more" if len(self.alerts) > 1 else ""
        teller = f" · {clean(first.origin, 40)}" if first.origin else ""
        silent = f" (heard {format_value(self.unheard_s, 'age')} ago)" if self.unheard_s else ""
        return f"{said}{more}{teller}{silent}"


def groups(snapshot: Snapshot) -> list[Group]:
    """Return the open alerts that are worth a line; our own stay alone."""
    found: dict[object, list[Alert]] = {}
    for alert in snapshot.alerts:
        if alert.state in OPEN and alert.severity in SHOWN:
            key = (alert.origin, alert.site, alert.severity, alert.title) if alert.origin else id(alert)
            found.setdefault(key, []).append(alert)
    limits = {(source.site, source.name): source.stale_after_s for source in snapshot.sources}
    return [Group(tuple(alerts), _unheard_s(alerts[0], limits, snapshot.at)) for alerts in found.values()]


def _unheard_s(alert: Alert, limits: dict[tuple[str, str], float], now: float) -> float:
    """Return how long ago the teller spoke last, 0.0 while that is usual."""
    if not alert.heard_at:
        return 0.0
    silent_s = now - alert.heard_at
    usual_s = limits.get((alert.site, alert.origin), max(limits.values(), default=60.0))
    return silent_s if silent_s > usual_s else 0.0


def quiet(alerts: Iterable[Alert]) -> str:
    """Return how many alerts are silenced and inhibited, in words; empty if none are."""
    states: Sequence[AlertState] = [alert.state for alert in alerts]
    return ", ".join(f"{states.count(state):,} {word}" for state, word in QUIET.items() if state in states)
