"""Lists the disagreements, the worst and oldest first; what each voice says is spelled out when that is read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, overload

import numpy as np

from console.core.disagreements import kinds
from console.core.disagreements.words import minority_text, spoken, voices_of
from console.model.disagreements import Disagreement, DisagreementGroup, Disagreements
from console.model.levels import Level, Severity
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from console.core.disagreements.hearing import Hearing
    from console.core.disagreements.kinds import Kind
    from console.model.snapshot import Frame, SiteFrame

MOST_ROWS = 1000
MOST_A_KIND = 100
ROWS_A_STEP = 25
PATHS_A_GROUP = 20


@dataclass(frozen=True, eq=False)
class Listed:
    """The nodes of one site of which one kind is told, oldest first, and since when (UTC epoch seconds)."""

    site: SiteFrame
    kind: Kind
    rows: NDArray[np.int64]
    since: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Draft:
    """A disagreement that nobody has spelled out yet; a name that leads to no node has the row -1."""

    severity: Severity
    since: float
    site: str
    row: int
    spell: Callable[[], Disagreement]

    @property
    def order(self) -> tuple[int, float, str, int]:
        return -self.severity.rank, self.since, self.site, self.row


class _Drafts(Sequence[Disagreement]):
    """Disagreements that are spelled out when the first of them is read."""

    def __init__(self, drafts: Sequence[_Draft]) -> None:
        self._drafts = drafts
        self._count = len(drafts)

    @cached_property
    def _rows(self) -> tuple[Disagreement, ...]:
        rows = tuple(draft.spell() for draft in self._drafts)
        self._drafts = ()
        return rows

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Disagreement: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Disagreement, ...]: ...
    def __getitem__(self, index: int | slice) -> Disagreement | tuple[Disagreement, ...]:
        return self._rows[index]


def told(
    frame: Frame,
    hearing: Hearing,
    listed: Sequence[Listed],
    names: Sequence[Disagreement],
    unjudged: dict[str, int],
    *,
    spell: bool,
) -> Iterator[Disagreements | None]:
    """Yield None after each short step, and at last all disagreements, of which the listed are spelled out or not."""
    drafts = _drafts(frame, hearing, listed, names)
    rows: list[Disagreement] = []
    for draft in drafts if spell else ():
        rows.append(draft.spell())
        if len(rows) % ROWS_A_STEP == 0:
            yield None
    counts = {kinds.UNKNOWN_NAME.name: len(names)} if names else {}
    found = dict.fromkeys(unjudged, 0)
    for each in listed:
        counts[each.kind.name] = counts.get(each.kind.name, 0) + len(each.rows)
        found[each.site.site] += len(each.rows) if each.kind.severity is not Severity.INFO else 0
    for name in names:
        found[name.site] += 1
    yield Disagreements(
        rows=tuple(rows) if spell else _Drafts(drafts),
        counts=dict(sorted(counts.items())),
        nodes=sum(len(site.topology.nodes) for site in frame.sites),
        unjudged=sum(unjudged.values()),
        at=frame.at,
        by_site=tuple((site.site, found[site.site], unjudged[site.site]) for site in frame.sites),
        disputed=sum(_disputed(site, listed) for site in frame.sites),
        paths=tuple(_path(frame, draft) for draft in drafts if draft.severity is not Severity.INFO),
        groups=(*_groups(listed), *_groups_of_names(names)),
    )


def _groups(listed: Sequence[Listed]) -> Iterator[DisagreementGroup]:
    """Yield how many nodes of a site each kind is true of, those that are only worth knowing left out."""
    for each in listed:
        if each.kind.severity is not Severity.INFO:
            topology, rows = each.site.topology, each.rows[:PATHS_A_GROUP].tolist()
            paths = tuple(topology.path(Level.NODE, row) for row in rows)
            since = float(each.since.min())
            yield DisagreementGroup(each.site.site, each.kind.name, each.kind.title, len(each.rows), since, paths)


def _groups_of_names(names: Sequence[Disagreement]) -> Iterator[DisagreementGroup]:
    kind = kinds.UNKNOWN_NAME
    for site in dict.fromkeys(name.site for name in names):
        since = [name.since for name in names if name.site == site]
        yield DisagreementGroup(site, kind.name, kind.title, len(since), min(since))


def _disputed(site: SiteFrame, listed: Sequence[Listed]) -> int:
    """Return how many nodes of a site have something that somebody should look at."""
    mine = [each.rows for each in listed if each.site is site and each.kind.severity is not Severity.INFO]
    return len(np.unique(np.concatenate(mine))) if mine else 0


def _drafts(
    frame: Frame, hearing: Hearing, listed: Sequence[Listed], names: Sequence[Disagreement]
) -> Sequence[_Draft]:
    """Return the oldest of each kind and site, as many as are told, the worst first."""
    found = [_Draft(name.severity, name.since, name.site, -1, partial(_as_is, name)) for name in names]
    for each in sorted(listed, key=lambda each: -each.kind.severity.rank):
        for row, since in zip(each.rows[:MOST_A_KIND].tolist(), each.since[:MOST_A_KIND].tolist(), strict=True):
            spell = partial(_row, each.site, each.kind, row, since, hearing, frame.at)
            found.append(_Draft(each.kind.severity, since, each.site.site, row, spell))
    return sorted(found[:MOST_ROWS], key=lambda draft: draft.order)


def _as_is(name: Disagreement) -> Disagreement:
    return name


def _path(frame: Frame, draft: _Draft) -> str:
    site = frame.site(draft.site)
    return site.topology.path(Level.NODE, draft.row) if site is not None and draft.row >= 0 else draft.site


def _row(site: SiteFrame, kind: Kind, row: int, since: float, hearing: Hearing, now: float) -> Disagreement:
    voices = voices_of(site, row, hearing, now)
    if kind.name.startswith(kinds.MINORITY):
        text = minority_text(site, kind.name.removeprefix(kinds.MINORITY).replace("-", "_"), row, hearing)
    else:
        text = spoken(kind, voices, frozenset(site.reports)) or kind.title
    path = site.topology.path(Level.NODE, row)
    return Disagreement(kind.name, site.site, path, kind.severity, text, since, voices)
