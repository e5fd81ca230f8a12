"""Heat maps of a place: the finest cells that fit the area, in labelled groups of the tree or of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.levels import LEVELS, Level
from console.model.metrics import Kind, Metric, MetricTable, RollUp
from console.model.values import dataclass
from console.model.views import HeatGroup, HeatMap
from console.present.paths import Paths
from console.present.safe import clean
from console.present.scale import heat_levels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from console.model.place import Size
    from console.model.snapshot import Frame, SiteFrame

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

LABEL_LIMIT = 24
GROUP_LIMIT = 4000
GAP = 2
SCREENS = 3


@dataclass(frozen=True)
class Shown:
    """A metric and how several values become one cell."""

    metric: Metric
    how: RollUp

    @property
    def title(self) -> str:
        """What the cells stand for, in words."""
        return self.metric.title if self.how is RollUp.LAST else f"{self.metric.title}, {self.how.value}"


def shown_metric(metrics: MetricTable, name: str) -> Shown | None:
    """Return the metric that a field's name stands for; a bare name shows the worst, or the mean, in each cell."""
    metric = metrics.get(name)
    if metric is None:
        aggregate = metrics.aggregate(name)
        return Shown(*aggregate) if aggregate else None
    hows = set(metric.aggregates.values())
    if metric.kind in (Kind.COUNTER, Kind.FLAG):
        return Shown(metric, RollUp.SUM)
    return Shown(metric, RollUp.MAX if RollUp.MAX in hows and metric.worse > 0 else RollUp.MEAN)


def level_values(site: SiteFrame, shown: Shown, level: Level, now: float) -> Floats:
    """Return float32[count(level)] of one metric; NaN where nothing reports, everywhere when the site is stale."""
    missing = np.full(site.topology.count(level), np.nan, dtype=np.float32)
    if site.stale:
        return missing
    if level.value == shown.metric.level:
        values = site.values(shown.metric.name, now)
        return missing if values is None else values
    rollups = site.rollups.get(shown.metric.name)
    if rollups is None or level not in rollups.sums:
        return missing
    found = rollups.get(level, shown.how)
    return np.where(rollups.counts[level] > 0, found, np.float32(np.nan))


@dataclass(frozen=True, eq=False)
class _Cells:
    """What one site gives to a map: rows of `level`, cut into named groups."""

    site: SiteFrame
    level: Level
    rows: Ints
    starts: Ints
    group_ids: Sequence[str]
    labels: Sequence[str]


def heat_map(
    frame: Frame, path: str, field: str, area: Size, *, by: str = "", cells: str = "", title: str = ""
) -> HeatMap | None:
    """Return the map of a place by a metric's field name, None where no such metric or place is known.

    The cells are the finest that take at most SCREENS times `area`, for maps scroll (or those of level `cells`); `by`
    groups them by a domain kind.
    """
    shown = shown_metric(frame.metrics, field)
    parts = _domain_cells(frame, path, by) if by else None
    if shown is None:
        return None
    if parts is None:
        parts = _tree_cells(frame, path, shown, area, cells)
    if not parts or not any(len(part.rows) for part in parts):
        return None
    return _assemble(parts, shown, frame.at, title)


def rows_map(
    frame: Frame, site: SiteFrame, level: Level, rows: NDArray[np.integer[Any]], field: str, *, title: str = ""
) -> HeatMap | None:
    """Return the map of some rows of one site (in order), in groups of the level above; None where there is none."""
    shown = shown_metric(frame.metrics, field)
    if shown is None or not len(rows):
        return None
    above = site.topology.parents(level, level.parent)[rows]
    starts = np.flatnonzero(np.diff(above, prepend=-1))
    groups = above[starts].tolist()
    ids = [site.topology.path(level.parent, row) for row in groups]
    labels = [site.topology.name(level.parent, row) for row in groups]
    part = _Cells(site, level, rows.astype(np.int64), np.append(starts, len(rows)), ids, labels)
    return _assemble([part], shown, frame.at, title)


def _assemble(parts: list[_Cells], shown: Shown, now: float, title: str) -> HeatMap:
    values = np.concatenate([level_values(part.site, shown, part.level, now)[part.rows] for part in parts])
    low, high = shown.metric.heat
    cell = parts[0].level
    name = shown.metric.title if cell.value == shown.metric.level else shown.title
    what = f"{name}, one cell a {'GPU' if cell is Level.GPU else cell.value}"
    return HeatMap(
        values=values,
        levels=heat_levels(values, low, high),
        ids=Paths([(part.site.topology, part.level, part.rows) for part in parts]),
        groups=tuple(_groups(parts)),
        title=f"{title} {what}".strip(),
        unit=shown.metric.unit,
        low=low,
        high=high,
        total=len(values),
    )


def _groups(parts: list[_Cells]) -> Iterator[HeatGroup]:
    before = 0
    for part in parts:
        for i, name in enumerate(part.group_ids):
            start, stop = before + int(part.starts[i]), before + int(part.starts[i + 1])
            if stop > start:
                yield HeatGroup(name, clean(part.labels[i], LABEL_LIMIT), start, stop)
        before += len(part.rows)


def _tree_cells(frame: Frame, path: str, shown: Shown, area: Size, cells: str) -> list[_Cells]:
    where = _resolve(frame, path)
    if where is None or shown.metric.level not in list(Level):
        return []
    sites, level, row = where
    pairs = _pairs(level, Level(shown.metric.level), cells) or _pairs(level, Level(shown.metric.level))
    for cell, group in pairs:
        last = (cell, group) == pairs[-1]
        if cells or last or _lines(sites, level, row, cell, group, area.width) <= area.height * SCREENS:
            coarse = _fewer_groups(sites, group, level)
            return [_site_cells(site, level, row, cell, coarse) for site in sites]
    return []


def _fewer_groups(sites: list[SiteFrame], group: Level, level: Level) -> Level:
    while group.depth > max(level.depth, 1) and sum(site.topology.count(group) for site in sites) > GROUP_LIMIT:
        group = group.parent
    return group


def _resolve(frame: Frame, path: str) -> tuple[list[SiteFrame], Level, int] | None:
    if not path:
        return list(frame.sites), Level.FLEET, 0
    site = frame.site(path.partition("/")[0])
    found = site.topology.resolve(path) if site else None
    if site is None or found is None:
        return None
    level, row = found
    if level is Level.GPU:
        level, row = Level.NODE, site.topology.parent(level, row, Level.NODE)
    return [site], level, row


def _pairs(level: Level, finest: Level, cells: str = "") -> list[tuple[Level, Level]]:
    """Return (cell, group) levels from the finest to the coarsest; none where the metric is wider than the place."""
    if finest.depth <= level.depth:
        return [(finest, finest)] if finest is level else []
    return [
        (cell, LEVELS[max(cell.depth - 1, level.depth, 1)])
        for cell in reversed(LEVELS[1:])
        if level.depth < cell.depth <= finest.depth and (not cells or cell.value == cells)
    ]


def _sizes(site: SiteFrame, level: Level, row: int, cell: Level, group: Level) -> tuple[slice, Ints]:
    topology = site.topology
    if group.depth <= level.depth:
        span = topology.span(level, row, cell) if cell.depth > level.depth else slice(row, row + 1)
        return slice(row, row + 1), np.array([span.start, span.stop], dtype=np.int64)
    groups = topology.span(level, row, group)
    return groups, topology.starts(group, cell)[groups.start : groups.stop + 1].astype(np.int64)


def _lines(sites: list[SiteFrame], level: Level, row: int, cell: Level, group: Level, width: int) -> int:
    """Return about how many lines the map would take, labels and gaps included."""
    cut = [_sizes(site, level, row, cell, group) for site in sites]
    sizes = [np.diff(starts) for _, starts in cut]
    # The names of all the nodes of a large fleet would take half a second.
    first = [_labels(site, level, row, group, _first(groups))[1] for site, (groups, _) in zip(sites, cut, strict=True)]
    label = min(LABEL_LIMIT, max((len(name) for names in first for name in names), default=0)) + 1
    widest = max((int(each.max()) for each in sizes if len(each)), default=1)
    room = max(1, width - label)
    if widest <= room:
        across = max(1, (width + GAP) // (widest + label + GAP))
        return -(-sum(len(each) for each in sizes) // across)
    return int(sum(np.ceil(each / room).sum() for each in sizes))


def _first(rows: slice) -> slice:
    return slice(rows.start, min(rows.start + 1, rows.stop))


def _labels(site: SiteFrame, level: Level, row: int, group: Level, groups: slice) -> tuple[list[str], list[str]]:
    """Return the addresses of groups and what is left of them below the place."""
    topology = site.topology
    names = [topology.name(group, each) for each in range(groups.start, groups.stop)]
    above = group.parent
    if above.depth >= 1 and names:
        owners = topology.parents(group, above)[groups].tolist()
        paths = {owner: topology.path(above, owner) for owner in set(owners)}
        names = [f"{paths[owner]}/{name}" for owner, name in zip(owners, names, strict=True)]
    prefix = 0 if level is Level.FLEET else len(topology.path(level, row)) + 1
    return names, [name[prefix:] or name.rpartition("/")[2] for name in names]


def _site_cells(site: SiteFrame, level: Level, row: int, cell: Level, group: Level) -> _Cells:
    groups, starts = _sizes(site, level, row, cell, group)
    names, labels = _labels(site, level, row, group, groups)
    rows = np.arange(int(starts[0]), int(starts[-1]), dtype=np.int64)
    return _Cells(site, cell, rows, starts - starts[0], names, labels)


def _domain_cells(frame: Frame, path: str, kind: str) -> list[_Cells] | None:
    where = _resolve(frame, path)
    if where is None:
        return []
    sites, level, row = where
    parts = [part for site in sites if (part := _one_site_domains(site, level, row, kind)) is not None]
    return parts or None


def _one_site_domains(site: SiteFrame, level: Level, row: int, kind: str) -> _Cells | None:
    domain = site.domains.get(kind)
    if domain is None:
        return None
    span = site.topology.span(level, row, domain.unit) if level.depth < domain.unit.depth else slice(row, row + 1)
    inside = (domain.members >= span.start) & (domain.members < span.stop)
    starts = np.concatenate([[0], np.cumsum(inside)])[domain.starts].astype(np.int64)
    ids = [f"{site.site}/{kind}:{name}" for name in domain.names]
    return _Cells(site, domain.unit, domain.members[inside].astype(np.int64), starts, ids, domain.names)
