"""Failing checks as signs: one a check and site; the disagreements of voices are one a kind and site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.signs.draft import PATHS_SHOWN, Draft, counted, shared
from console.model.events import SiteHits
from console.model.incidents import Sign
from console.model.levels import Level, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.model.events import CheckResult
    from console.model.snapshot import SiteFrame, Snapshot

SHOWN = (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN)


def of_checks(snapshot: Snapshot, sites: Mapping[str, SiteFrame]) -> Iterator[Draft]:
    """Yield each failing check at each site where it fails, and what cannot be judged where that is so."""
    for check in snapshot.checks:
        if check.severity not in SHOWN:
            continue
        if check.rows:
            yield from _of_check(check, sites)
        elif snapshot.disagreements.at:  # before the voices were compared nobody knows, and nothing is wrong
            told = check.severity is not Severity.UNKNOWN and bool(snapshot.disagreements.groups)
            yield from _of_kinds(check, snapshot, sites) if told else _of_check(check, sites)


def _of_check(check: CheckResult, sites: Mapping[str, SiteFrame]) -> Iterator[Draft]:
    """Yield a check at each site; one of the whole fleet, or that cannot be read, is told at every site."""
    hits = {each.site: each for each in check.hits}
    everywhere = [(site, check.matches, check.unknown or 1) for site in sites]
    for name, matches, unknown in check.by_site or everywhere:
        site = sites.get(name)
        fails = matches > 0 if check.severity is not Severity.UNKNOWN else unknown > 0
        if site is not None and fails:
            yield _draft(check, site, matches, hits.get(name) or _named(check, name))


def _named(check: CheckResult, site: str) -> SiteHits:
    """Return what a check that tells no more names at a site."""
    paths = tuple(path for path in check.paths if path.partition("/")[0] == site)
    return SiteHits(site, check.since, paths, check.jobs)


def _draft(check: CheckResult, site: SiteFrame, matches: int, hits: SiteHits) -> Draft:
    complete = 0 < matches <= len(hits.paths)
    title = check.title or check.name
    bad = check.severity is not Severity.UNKNOWN
    key = f"check:{check.name}"
    rows = bad and check.level not in (Level.FLEET, Level.SITE)
    sign = Sign(
        key=key,
        site=site.site,
        severity=check.severity,
        title=title,
        text=f"{counted(key, check.level, matches)}: {title}" if rows else title if bad else check.text,
        path=(shared(hits.paths) if complete else "") or site.site,
        since=max(check.since, hits.since),
        paths=hits.paths[:PATHS_SHOWN],
        gpus=_at_risk(check, site, matches) if bad else 0,
        exact=check.level is Level.GPU,
        matches=matches,
        level=check.level,
        jobs=hits.jobs,
    )
    return Draft(sign, hits.paths, complete)


def _at_risk(check: CheckResult, site: SiteFrame, matches: int) -> int:
    """Return the GPUs in what matches at a site; wider rows count as many as they have on average."""
    if not check.rows:
        return 0
    rows = site.topology.count(check.level)
    if check.level is Level.GPU or not rows:
        return matches
    return round(matches * site.topology.gpus / rows)


def _of_kinds(check: CheckResult, snapshot: Snapshot, sites: Mapping[str, SiteFrame]) -> Iterator[Draft]:
    """Yield the disagreements by site and kind: each kind is another thing to do."""
    for group in snapshot.disagreements.groups:
        if group.site not in sites:
            continue
        complete = 0 < group.count <= len(group.paths)
        key = f"disagreement:{group.kind}"
        sign = Sign(
            key=key,
            site=group.site,
            severity=check.severity,
            title=group.title,
            text=f"{counted(key, Level.NODE, group.count)}: {group.title}",
            path=(shared(group.paths) if complete else "") or group.site,
            since=group.since,
            paths=group.paths[:PATHS_SHOWN],
            exact=False,
            matches=group.count,
            level=Level.NODE,
        )
        yield Draft(sign, group.paths, complete)
