"""The alerts of other systems at one site: who told which, each once, and where its labels lead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.alert_places import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.model.events import Alert
    from console.model.topology import SiteTopology

    Labels = tuple[tuple[str, str], ...]

MOST_ALERTS_A_SOURCE = 2000
MOST_ALERTS = 5000


class ForeignAlerts:
    """Keeps the last list of each source (a silent one's too: it is told when it was heard), at most 5,000 in all."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Alert, ...]] = {}
        self._listed: tuple[SiteTopology, tuple[Alert, ...]] | None = None
        self._topology: SiteTopology | None = None
        self._places: dict[Labels, tuple[str, int]] = {}

    def take(self, source: str, alerts: tuple[Alert, ...]) -> None:
        """Take a source's list in place of its last one."""
        if alerts or self._told.get(source):
            self._listed = None
        self._told[source] = alerts[:MOST_ALERTS_A_SOURCE]

    def listed(self, topology: SiteTopology, node_row: Callable[[str], int]) -> tuple[Alert, ...]:
        """Return every alert with its place; one that two sources tell of (a pair of Alertmanagers) is there once."""
        if self._listed is None or self._listed[0] is not topology:
            once: dict[str, Alert] = {}
            for alerts in self._told.values():
                for alert in alerts:
                    once.setdefault(alert.id, alert)
            self._listed = topology, self._placed(list(once.values())[:MOST_ALERTS], topology, node_row)
        return self._listed[1]

    def _placed(self, alerts: list[Alert], topology: SiteTopology, node_row: Callable[[str], int]) -> tuple[Alert, ...]:
        """Return alerts with their places, looking only for labels that the last list did not have."""
        before = self._places if self._topology is topology else {}
        self._topology, self._places = topology, {}
        for alert in alerts:
            found = before.get(alert.labels)
            self._places[alert.labels] = place_of(alert.labels, topology, node_row) if found is None else found
        places = self._places
        return tuple(replace(alert, path=places[alert.labels][0], gpus=places[alert.labels][1]) for alert in alerts)
