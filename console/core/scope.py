"""All rows that a question is about: of one level or kind of domain, at every site, and those within a place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from console.core.naming import natural_key
from console.core.registry import Family, Field, UnknownFieldError
from console.core.rows import RowColumns, SiteRows
from console.core.wide_rows import DomainRows, FleetRows, JoinedRows
from console.model.columns import distinct
from console.model.errors import TargetError
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.core.rows import Numbers
    from console.core.texts import TextValues
    from console.model.metrics import MetricTable
    from console.model.snapshot import SiteFrame, Snapshot

ID = Field("id", Family.TEXT)


@dataclass(frozen=True, eq=False)
class Scope:
    """Rows of `kind` (a level or a domain kind), site after site; `positions` int64 are those within the place."""

    kind: str
    by: str
    metrics: MetricTable
    domains: tuple[str, ...]
    parts: tuple[RowColumns, ...]
    frames: tuple[SiteFrame, ...]
    positions: NDArray[np.int64]
    partial: bool

    @property
    def count(self) -> int:
        """The number of rows of all sites."""
        return self._rows.count

    @cached_property
    def _rows(self) -> JoinedRows:
        return JoinedRows(self.parts)

    def number(self, field: Field) -> Numbers:
        """Return a float column of all rows."""
        with np.errstate(all="ignore"):
            return self._rows.number(field)

    def number_at(self, field: Field, page: NDArray[np.int64]) -> Numbers:
        """Return a float column of some rows; sites without any of them cost nothing."""
        found, before = np.full(len(page), np.nan), 0
        for part in self.parts:
            here = (page >= before) & (page < before + part.count)
            if here.any():
                found[here] = part.number(field)[page[here] - before]
            before += part.count
        return found

    def ranks(self, field: Field) -> Numbers:
        """Return what sorts all rows by a text column."""
        return self._rows.text(field).ranks()

    def texts(self, field: Field) -> PartTexts:
        """Return a text column of all rows, spelled when looked at."""
        return PartTexts([part.text(field) for part in self.parts])

    def joined(self, each: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return one truth column of all rows from those of the sites."""
        return np.concatenate([np.zeros(0, dtype=bool), *each])

    @cached_property
    def ids(self) -> PartTexts:
        """The ids of all rows."""
        return self.texts(ID)

    def position(self, path: str) -> int | None:
        """Return where an id is among all rows, None if it is not."""
        return self.ids.find(path)


class PartTexts(Sequence[str]):
    """A text column of the rows of several sites, spelled when looked at; a missing text reads as an empty one."""

    def __init__(self, texts: Sequence[TextValues]) -> None:
        self._texts = texts
        self._ends = np.cumsum([text.count for text in self._texts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        return self.exact(index) or ""

    def exact(self, index: int) -> str | None:
        """Return one row's text, None where it is missing."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = int(np.searchsorted(self._ends, index, side="right"))
        text = self._texts[part]
        return text.at(index - int(self._ends[part]) + text.count)

    def find(self, path: str) -> int | None:
        """Return the position of an id, None if there is none."""
        for text, end in zip(self._texts, self._ends.tolist(), strict=True):
            code = text.find(path) if text.find is not None else _index(text.names, path)
            if code >= 0:
                return int(end - text.count + code)
        return None


def _index(names: Sequence[str], path: str) -> int:
    return next((at for at, name in enumerate(names) if name == path), -1)


def scope_of(snapshot: Snapshot, level: Level, by: str, within: str) -> Scope:
    """Return the rows of a level, or of domains `by`, and which of them are within a place; raises TargetError."""
    frame = snapshot.frame
    level = Level(level)
    frames = tuple(sorted(frame.sites, key=lambda site: natural_key(site.site)))
    domains = tuple(sorted({kind for site in frames for kind in site.domains}))
    spoken = any(site.data_at or site.topology.nodes for site in frames)
    if by and by not in domains and spoken:
        raise UnknownFieldError(_no_domain(by, domains))
    name = within.partition("/")[0]
    kept = tuple(site for site in frames if not name or site.site == name or (level is Level.FLEET and not by))
    if not kept and name:
        raise TargetError(f"no site named {name}; there are: {', '.join(site.site for site in frames) or 'none yet'}")
    parts: tuple[RowColumns, ...]
    if by:
        parts = tuple(DomainRows(site, by, frame.metrics, frame.at, snapshot) for site in kept)
    elif level is Level.FLEET:
        parts = (FleetRows(frame.fleet, frames, frame.at, snapshot),)
    else:
        parts = tuple(SiteRows(site, level, frame.at, snapshot) for site in kept)
    partial = any(site.stale or not site.data_at for site in kept)
    positions = np.arange(sum(part.count for part in parts), dtype=np.int64)
    if "/" in within and (by or level is not Level.FLEET):
        positions = _inside(kept[0], level, by, within)
    return Scope(by or level.value, by, frame.metrics, domains, parts, kept, positions, partial)


def _no_domain(by: str, domains: Sequence[str]) -> str:
    return f"no domain kind {by}; there are: {', '.join(domains)}" if domains else f"no site has domains (such as {by})"


def _inside(site: SiteFrame, level: Level, by: str, place: str) -> Any:
    """Return the rows of one site at, below, or (if wider) above an address or a domain's id."""
    topology = site.topology
    found = topology.resolve(place)
    if found is None:
        return _inside_domain(site, level, by, place)
    at, row = found
    if by:
        domain = site.domains.get(by)
        return (
            np.zeros(0, dtype=np.int64) if domain is None else _touched(domain, _rows(topology, at, row, domain.unit))
        )
    rows = _rows(topology, at, row, level)
    return np.arange(rows.start, rows.stop, dtype=np.int64)


def _rows(topology: Any, at: Level, row: int, level: Level) -> slice:
    if level.depth >= at.depth:
        return slice(row, row + 1) if level is at else topology.span(at, row, level)
    upper = topology.parent(at, row, level)
    return slice(upper, upper + 1)


def _touched(domain: Any, rows: slice) -> Any:
    inside = (domain.members >= rows.start) & (domain.members < rows.stop)
    owners = np.repeat(np.arange(len(domain.names)), np.diff(domain.starts))
    return distinct(owners[inside]).astype(np.int64)


def _inside_domain(site: SiteFrame, level: Level, by: str, place: str) -> Any:
    """Return the rows that belong to (or hold members of) a domain, whose id is `site/kind:name`."""
    kind, _, name = place.partition("/")[2].partition(":")
    domain = site.domains.get(kind)
    if domain is None or name not in domain.names:
        raise TargetError(f"{place} leads nowhere: it may have moved or been renamed")
    at = domain.names.index(name)
    members = domain.members[domain.starts[at] : domain.starts[at + 1]]
    if by:
        return np.array([at], dtype=np.int64) if by == kind else _sharing(site.domains.get(by), members)
    topology = site.topology
    if level.depth <= domain.unit.depth:
        return distinct(members if level is domain.unit else topology.parents(domain.unit, level)[members])
    belongs = np.zeros(topology.count(domain.unit), dtype=bool)
    belongs[members] = True
    return np.flatnonzero(belongs[topology.parents(level, domain.unit)])


def _sharing(domain: Any, members: Any) -> Any:
    if domain is None:
        return np.zeros(0, dtype=np.int64)
    owners = np.repeat(np.arange(len(domain.names)), np.diff(domain.starts))
    return distinct(owners[np.isin(domain.members, members)]).astype(np.int64)
