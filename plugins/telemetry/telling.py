"""Findings in bounded number, each with the time at which it was first seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.plugin import Finding, Level, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.plugin import SiteFrame

MOST_A_SITE = 50
GPUS_SHOWN = "the first ones are listed"


@dataclass(frozen=True)
class Fault:
    """What one detector looks for: its name among findings, how bad it is, and what all of them together are called."""

    detector: str
    name: str
    severity: Severity
    many: str


def is_due(last_at: float, now: float, every_s: float) -> bool:
    """Return whether to look again; a clock that went back leaves nobody waiting until it has caught up."""
    return not 0 <= now - last_at < every_s


class Book:
    """Since when each finding has been seen; it forgets what is not told any more."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, str], float] = {}

    def dated(self, findings: Sequence[Finding], now: float) -> tuple[Finding, ...]:
        """Return the findings of this time, each with the time of its first sight."""
        since = {_key(each): self._since.get(_key(each), each.since or now) for each in findings}
        self._since = since
        return tuple(replace(each, since=since[_key(each)]) for each in findings)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.site, finding.fault, finding.key


def of_gpus(
    site: SiteFrame, fault: Fault, rows: Sequence[int], source: str, text: Callable[[int], tuple[str, tuple[str, ...]]]
) -> list[Finding]:
    """Return a finding a GPU for the first of `rows`, and one of the whole site where there are more of them.

    `text` gives what is to be said of a row, and the evidence.
    """
    found = []
    for row in rows[:MOST_A_SITE]:
        said, evidence = text(row)
        key, path = site.topology.key(Level.GPU, row), site.topology.path(Level.GPU, row)
        found.append(
            Finding(
                fault.detector,
                fault.name,
                site.site,
                Level.GPU,
                key,
                path,
                fault.severity,
                said,
                evidence,
                source=source,
            )
        )
    if len(rows) > MOST_A_SITE:
        found.append(of_site(site, fault, f"{fault.many}: {len(rows):,} GPUs; {GPUS_SHOWN}", source))
    return found


def of_site(site: SiteFrame, fault: Fault, text: str, source: str, since: float = 0.0) -> Finding:
    """Return a finding about a whole site, or about what one source says of it."""
    key = f"{site.site}:{source}"
    return Finding(
        fault.detector, fault.name, site.site, Level.SITE, key, site.site, fault.severity, text, (), since, source
    )
