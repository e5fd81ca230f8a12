"""Which voices are heard: one that is silent or stale disagrees with nobody."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.snapshot import SourceState
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.model.snapshot import SourceStatus

PATIENCE_S = 90.0


@dataclass(frozen=True)
class Hearing:
    """What is known of the sources of all sites, by (site, source): whose data is stale, and how old is too old."""

    stale: frozenset[tuple[str, str]] = frozenset()
    patience_s: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def hears(self, site: str, source: str, at: float, now: float) -> bool:
        """Whether a source's word of `at` counts; one that was put together of several, only if all do."""
        names = [source, *source.split("+")] if "+" in source else [source]
        if any((site, name) in self.stale for name in names):
            return False
        patience_s = max((self.patience_s[site, name] for name in names if (site, name) in self.patience_s), default=0)
        return at > 0 and now - at <= (patience_s or PATIENCE_S)

    def is_quiet(self, site: str, source: str) -> bool:
        """Whether a source has nothing fresh to say at all."""
        where, _, name = source.rpartition("/")  # an alert may be told by another site's source
        return any((where or site, each) in self.stale for each in (source, *name.split("+")))


def hearing_of(sources: tuple[SourceStatus, ...]) -> Hearing:
    """Return what the states of sources say of their voices."""
    quiet = (SourceState.STALE, SourceState.DISABLED)
    return Hearing(
        frozenset((each.site, each.name) for each in sources if each.state in quiet),
        {(each.site, each.name): each.stale_after_s for each in sources},
    )
