"""What is wrong at each site now, told once: failing checks, findings, alerts of other systems, blindness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.signs.alerts import of_alerts
from console.core.signs.blind import is_heard, of_blindness
from console.core.signs.checks import of_checks
from console.core.signs.findings import of_findings
from console.core.signs.folding import folded

if TYPE_CHECKING:
    from console.model.incidents import Sign
    from console.model.snapshot import Snapshot

__all__ = ["heard_sites", "signs_of", "worst_first"]


def signs_of(snapshot: Snapshot) -> tuple[Sign, ...]:
    """Return what is wrong at every site that we judge ourselves, worst first; those of one thing are one sign.

    Of a site that is blind, or has told nothing yet, only that it is so and what other systems say of it is told.
    """
    mine = {site.site: site for site in snapshot.frame.sites if site.judged is None}
    heard = {name: site for name, site in mine.items() if is_heard(site)}
    drafts = [
        *of_blindness(snapshot, mine),
        *of_checks(snapshot, heard),
        *of_findings(snapshot, heard),
        *of_alerts(snapshot, mine),
    ]
    return tuple(sorted(folded(drafts), key=worst_first))


def heard_sites(snapshot: Snapshot) -> frozenset[str]:
    """Return the sites whose incidents can be said to be over: those that we judge ourselves, and that are not blind.

    Before anything was judged there is none.
    """
    if snapshot.loading or not snapshot.checks:
        return frozenset()
    return frozenset(site.site for site in snapshot.frame.sites if site.judged is None and is_heard(site))


def worst_first(sign: Sign) -> tuple[int, int, str, str]:
    """Return the key that sorts signs: the worst first, then those with most GPUs at risk, then by site and key."""
    return -sign.severity.rank, -sign.gpus, sign.site, sign.key
