"""What detectors found as signs: one a fault and site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.signs.draft import PATHS_SHOWN, Draft, counted, shared
from console.model.incidents import Sign
from console.model.levels import Level, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.model.events import Finding
    from console.model.snapshot import SiteFrame, Snapshot

SHOWN = (Severity.CRITICAL, Severity.WARNING)
TEXT = 160


def of_findings(snapshot: Snapshot, sites: Mapping[str, SiteFrame]) -> Iterator[Draft]:
    """Yield what detectors found, grouped by site and fault; as bad as the worst of each group."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in snapshot.findings:
        if finding.severity in SHOWN and finding.site in sites:
            groups.setdefault((finding.site, finding.fault), []).append(finding)
    for (site, fault), found in groups.items():
        yield _draft(site, fault, sorted(found, key=lambda each: (each.since, each.path)))


def _draft(site: str, fault: str, found: Sequence[Finding]) -> Draft:
    """Return one sign of all findings, the oldest first; a finding of the site beside those of GPUs tells of more."""
    single = [each for each in found if each.level is not Level.SITE] or found
    rest = [each for each in found if each.level is Level.SITE and single is not found]
    paths = tuple(dict.fromkeys(each.path for each in single))
    gpus = len({each.key for each in single if each.level is Level.GPU})
    sign = Sign(
        key=f"fault:{fault}",
        site=site,
        severity=max((each.severity for each in found), key=lambda severity: severity.rank),
        title=fault,
        text=_text(fault, single, rest),
        path=(shared(paths) if not rest else "") or site,
        since=min((each.since for each in found if each.since), default=0.0),
        paths=paths[:PATHS_SHOWN],
        gpus=gpus,
        exact=not rest,
        matches=len(single),
        level=single[0].level,
    )
    return Draft(sign, paths, all=not rest)


def _text(fault: str, single: Sequence[Finding], rest: Sequence[Finding]) -> str:
    """Return how many it is of, what is said of the oldest, and the sources."""
    sources = sorted({each.source for each in single if each.source})
    told = f" · {', '.join(sources[:2])}" if sources else ""
    if rest:
        return f"{fault}: {rest[0].text[:TEXT]}{told}"
    level = single[0].level
    many = f"{counted(fault, level, len(single))}: " if len(single) > 1 and level is not Level.SITE else ""
    return f"{many}{fault}: {single[0].text[:TEXT]}{told}"
