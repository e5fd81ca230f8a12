"""Alerts of other systems as signs: one a name and site, as bad as the worst of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.signs.draft import PATHS_SHOWN, Draft, counted, level_at, shared
from console.model.events import AlertState
from console.model.incidents import Sign
from console.model.levels import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.model.events import Alert
    from console.model.snapshot import SiteFrame, Snapshot

OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)
SHOWN = (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)
TEXT, TELLERS = 160, 40
LONGEST_NAME = 200


def of_alerts(snapshot: Snapshot, sites: Mapping[str, SiteFrame]) -> Iterator[Draft]:
    """Yield the open alerts that somebody should look at; what is silenced or inhibited elsewhere is quiet here."""
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in snapshot.alerts:
        if alert.state in OPEN and alert.severity in SHOWN and alert.site in sites:
            groups.setdefault((alert.site, name_of(alert)), []).append(alert)
    limits = {(source.site, source.name): source.stale_after_s for source in snapshot.sources}
    for (site, title), alerts in groups.items():
        alerts.sort(key=lambda alert: (-alert.severity.rank, alert.since, alert.id))
        yield _draft(site, title, alerts, _silence(alerts, limits, snapshot.at))


def name_of(alert: Alert) -> str:
    """Return the name by which alerts are one: what another system calls them, bounded."""
    return alert.title[:LONGEST_NAME]


def _draft(site: str, title: str, alerts: Sequence[Alert], silence: str) -> Draft:
    paths = tuple(dict.fromkeys(alert.path or site for alert in alerts))
    place = shared(paths) or site
    key = f"alert:{title}"
    sign = Sign(
        key=key,
        site=site,
        severity=alerts[0].severity,
        title=title,
        text=f"{_said(key, alerts)}{silence}",
        path=place,
        since=min(alert.since for alert in alerts),
        paths=paths[:PATHS_SHOWN],
        gpus=sum({alert.path: alert.gpus for alert in alerts}.values()),
        matches=len(alerts),
        level=level_at(max(paths, key=lambda path: path.count("/"))),
        jobs=tuple(dict.fromkeys(job for alert in alerts for job in alert.jobs)),
    )
    return Draft(sign, paths, all=True)


def _said(key: str, alerts: Sequence[Alert]) -> str:
    """Return how many there are, what the worst and oldest says, and who tells of them."""
    first = alerts[0]
    said = (f"{first.title}: {first.text}" if first.text else first.title)[:TEXT]
    many = f"{counted(key, level_at(first.path), len(alerts))}: " if len(alerts) > 1 else ""
    tellers = sorted({alert.origin for alert in alerts if alert.origin})
    told = f" · {', '.join(tellers[:2])[:TELLERS]}" if tellers else ""
    return f"{many}{said}{told}"


def _silence(alerts: Sequence[Alert], limits: Mapping[tuple[str, str], float], now: float) -> str:
    """Return how long ago the last teller spoke, empty while that is usual."""
    times = [(now - alert.heard_at, alert) for alert in alerts if alert.heard_at]
    if not times or len(times) < len(alerts):
        return ""
    silent_s, alert = min(times, key=lambda pair: pair[0])
    usual_s = limits.get((alert.site, alert.origin), max(limits.values(), default=60.0))
    return f" (heard {_age(silent_s)} ago)" if silent_s > usual_s else ""


def _age(seconds: float) -> str:
    """Return an age in its largest unit, so that the words change seldom."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
