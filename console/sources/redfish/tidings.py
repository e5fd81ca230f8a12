"""What BMCs report that somebody must see: leaks first, failed supplies and fans, log entries, BMCs of other nodes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from console.model.events import Alert, AlertState, Event
from console.model.levels import Severity
from console.sources.redfish.logs import meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.sources.redfish.owners import Owner
    from console.sources.redfish.targets import Target
    from console.sources.redfish.values import BmcState, LogEntry

MOST_EVENTS = 2000
TEXT_LIMIT = 240
# What is wrong, by the field of BmcState that names the parts.
_TROUBLES = (
    ("leaks", "leak", Severity.CRITICAL, "Leak", "liquid leak"),
    ("supplies", "psu_failed", Severity.WARNING, "PowerSupplyFailed", "power supply failed"),
    ("fans", "fan_failed", Severity.WARNING, "FanFailed", "fan failed"),
)


class Tidings:
    """Events of what changed, until they are taken; alerts of what is so now."""

    def __init__(self, site: str, source: str, targets: Sequence[Target]) -> None:
        self._site, self._source = site, source
        self._targets = targets
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._alerts: dict[tuple[int, str], Alert] = {}
        self._remarks: dict[int, str] = {}

    def events(self) -> tuple[Event, ...]:
        """Return what happened since they were last taken."""
        found = tuple(self._events)
        self._events.clear()
        return found

    def alerts(self, now: float) -> tuple[Alert, ...]:
        """Return everything that is wrong now, as alerts of this source."""
        return tuple(replace(each, heard_at=now) for each in self._alerts.values())

    def take(self, i: int, owner: Owner | None, before: BmcState | None, state: BmcState, now: float) -> None:
        """Compare what a BMC says with what it said before."""
        node = owner.name if owner is not None else ""
        for field, kind, severity, title, words in _TROUBLES:
            had: tuple[str, ...] = () if before is None else getattr(before, field)
            has: tuple[str, ...] = getattr(state, field)
            new = [each for each in has if each not in had]
            if new:
                self._add(now, i, node, kind, severity, f"{words}: {', '.join(new)}")
            if had and not has and state.values[kind] == 0:
                self._add(now, i, node, kind, Severity.INFO, f"{words}: no more")
            self._alert(i, node, title, severity, f"{words}: {', '.join(has)}" if has else "", now)
        self._owner(i, node, owner.remark if owner is not None else "", now)
        for entry in state.entries:
            self._entry(i, node, entry, now)

    def _owner(self, i: int, node: str, remark: str, now: float) -> None:
        if remark and self._remarks.get(i) != remark:
            self._add(now, i, node, "bmc_swapped", Severity.WARNING, remark)
        self._remarks[i] = remark
        self._alert(i, node, "BmcOfAnotherNode", Severity.WARNING, remark, now)

    def _entry(self, i: int, node: str, entry: LogEntry, now: float) -> None:
        kind, severity, text = meaning(entry, now)
        self._add(min(entry.at or now, now), i, node, kind, severity, text)

    def _add(self, at: float, i: int, node: str, kind: str, severity: Severity, text: str) -> None:
        path = f"{self._site}/{node}" if node else self._site
        said = text if node else f"{self._name(i)}: {text}"
        self._events.append(Event(at, self._site, path, kind, severity, said[:TEXT_LIMIT], self._source))

    def _alert(self, i: int, node: str, title: str, severity: Severity, text: str, now: float) -> None:
        had = self._alerts.pop((i, title), None)
        if not text:
            return
        labels = tuple(self._labels(i, node, title))
        self._alerts[i, title] = Alert(
            id=f"{self._source}/{self._name(i)}/{title}",
            state=AlertState.FIRING,
            severity=severity,
            title=title,
            site=self._site,
            path="",
            since=had.since if had is not None else now,
            origin=self._source,
            labels=labels,
            text=text[:TEXT_LIMIT],
        )

    def _labels(self, i: int, node: str, title: str) -> Iterator[tuple[str, str]]:
        yield "alertname", title
        yield "bmc", self._name(i)
        if node:
            yield "node", node

    def _name(self, i: int) -> str:
        return self._targets[i].shelf or self._targets[i].name
