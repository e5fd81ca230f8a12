"""What the voices of a site say of one node, and where they do not say the same."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.model.levels import Severity


@dataclass(frozen=True, slots=True)
class Statement:
    """What one voice says of one node.

    `voice` is a source's name, `telemetry`, `alerts` or `inventory`; `at` is UTC epoch seconds when that was known (0:
    a voice without a clock, such as the inventory); `stale` voices are shown and count for nothing.
    """

    voice: str
    says: str
    at: float = 0.0
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Voices that do not say the same of one node: `path` is its address, `since` when that was first seen."""

    kind: str
    site: str
    path: str
    severity: Severity
    text: str
    since: float
    voices: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class DisagreementGroup:
    """All disagreements of one kind at one site: how many nodes (or names), since when the first, the first addresses.

    `title` says what the kind is; a kind that is only worth knowing has no group.
    """

    site: str
    kind: str
    title: str
    count: int
    since: float
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Disagreements:
    """All disagreements of a fleet as they were judged at `at`, UTC epoch seconds (0: not judged yet).

    `rows` are the worst and oldest of them, bounded (spelled out when read first, where nobody looks on); `counts` says
    how many there are of each kind. `nodes` is how many nodes there are, `unjudged` how many of them a voice that it
    takes is silent of, `disputed` how many have something that somebody should look at, `paths` where the first of
    these are. `by_site` has (site, how many disagreements that somebody should look at, unjudged); `groups` those that
    somebody should look at, by site and kind.
    """

    rows: Sequence[Disagreement] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    nodes: int = 0
    unjudged: int = 0
    at: float = 0.0
    by_site: tuple[tuple[str, int, int], ...] = ()
    disputed: int = 0
    paths: tuple[str, ...] = ()
    groups: tuple[DisagreementGroup, ...] = ()

    @property
    def total(self) -> int:
        """How many there are, those that are only worth knowing left out."""
        return sum(rows for _, rows, _ in self.by_site)
