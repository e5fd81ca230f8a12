"""Sites of which we see nothing: always wrong, whatever the fleet checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.signs.draft import Draft
from console.model.incidents import Sign
from console.model.levels import Level, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.model.snapshot import SiteFrame, Snapshot, SourceStatus

BLIND = "site:blind"
TITLE = "site is blind"
SAID = 160


def is_heard(site: SiteFrame) -> bool:
    """Whether a site has told something that still counts."""
    return bool(site.data_at) and not site.stale


def of_blindness(snapshot: Snapshot, sites: Mapping[str, SiteFrame]) -> Iterator[Draft]:
    """Yield the sites whose telemetry is stale, and those whose sources all fail and never told anything."""
    for name, site in sites.items():
        stale, unheard = site.stale and bool(site.data_at), snapshot.unheard(name)
        if stale or unheard:
            yield Draft(_sign(snapshot, site), (name,), all=True)


def _sign(snapshot: Snapshot, site: SiteFrame) -> Sign:
    sources = [each for each in snapshot.sources if each.site == site.site]
    what = "no telemetry any more" if site.data_at else "no source has told anything yet"
    since = site.data_at or min((each.since for each in sources if each.since), default=0.0)
    return Sign(
        key=BLIND,
        site=site.site,
        severity=Severity.CRITICAL,
        title=TITLE,
        text=f"blind: {what}{_said(sources)}",
        path=site.site,
        since=since,
        paths=(site.site,),
        gpus=site.topology.gpus,
        matches=1,
        level=Level.SITE,
    )


def _said(sources: list[SourceStatus]) -> str:
    """Return what the first source that fails says, and how many more fail."""
    failing = [each for each in sources if each.last_error]
    if not failing:
        return ""
    more = f"; and {len(failing) - 1} more" if len(failing) > 1 else ""
    return f": {failing[0].last_error[:SAID]}{more}"
