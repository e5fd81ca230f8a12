"""The table of what is below a place, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Align, Level, Table, TableColumn, clean, select, shown_metric

from .values import MISSING, value_format

if TYPE_CHECKING:
    from console.plugin import Place, Rows, SiteTopology, Snapshot

    from .where import Scope

ROW_LIMIT = 2000
NAME_WIDTH = 26


@dataclass(frozen=True)
class Number:
    """A field that rows may have: heading, format, the order in which it leaves, its heat scale."""

    field: str
    title: str
    format: str
    drop: int = 0
    heat: tuple[float, float] | None = None


ABOVE = (
    Number("sm_active_ratio", "SM act", "ratio_pct", 3),
    Number("util_pct", "util", "pct", 4),
    Number("temp_c_max", "temp max", "temp", 0, (25, 90)),
    Number("temp_c_avg", "avg", "temp", 6, (25, 90)),
    Number("gpu_power_w_sum", "power", "power", 2),
    Number("it_power_w", "IT MW", "megawatt", 5),
    Number("pue", "PUE", "pue", 7),
    Number("ecc_dbe", "ecc", "int", 5),
    Number("alerts", "alerts", "int", 3),
    Number("jobs", "jobs", "int", 4),
    Number("age_s", "age", "age", 1),
)
GPU = (
    Number("temp_c", "temp", "temp", 0, (25, 90)),
    Number("mem_temp_c", "mem", "temp", 4, (30, 95)),
    Number("sm_active_ratio", "SM act", "ratio_pct", 2),
    Number("util_pct", "util", "pct", 6),
    Number("power_w", "power", "power", 0),
    Number("sm_clock_mhz", "clock", "mhz", 5),
    Number("mem_used_bytes", "memory", "bytes", 6),
    Number("ecc_dbe", "ecc", "int", 3),
    Number("nvlink_errors", "nvlink", "int", 7),
    Number("xid", "xid", "int", 4),
    Number("age_s", "age", "age", 1),
)


def listing(snapshot: Snapshot, place: Place, scope: Scope) -> Table:
    """Return the rows of a scope below a place, worst first by the sort or else by the place's metric."""
    numbers = _numbers(snapshot, place, scope.level)
    sort = sort_key(snapshot, place, scope.level)
    rows = select(
        snapshot,
        scope.level,
        within=place.path,
        where=scope.where,
        by=place.by,
        sort=sort,
        limit=ROW_LIMIT,
        fields=("id", "gpus", "gpus_reporting", *(number.field for number in numbers)),
    )
    columns = (_name(rows, place), *_live(snapshot, rows, scope.level), *_job(snapshot, rows, scope.level))
    return Table(
        columns=(*columns, *(column for number in numbers if (column := _column(number, rows)) is not None)),
        ids=rows.ids,
        title=_title(rows, place, scope.level, sort),
        total=rows.total,
        sort=sort,
        empty=_empty(snapshot, place),
    )


def sort_key(snapshot: Snapshot, place: Place, level: Level) -> str:
    """Return the field to sort by, as this level spells it, with `-` where more comes first."""
    wanted = place.sort.removeprefix("-")
    shown = shown_metric(snapshot.frame.metrics, wanted or place.metric)
    if shown is None:
        return place.sort
    field = field_at(snapshot, wanted or place.metric, level)
    down = place.sort.startswith("-") if place.sort else shown.metric.worse > 0
    return f"-{field}" if down else field


def field_at(snapshot: Snapshot, name: str, level: Level) -> str:
    """Return the name of a metric's field at a level: `temp_c` of a GPU, `temp_c_max` above."""
    shown = shown_metric(snapshot.frame.metrics, name)
    if shown is None or shown.metric.level == level.value:
        return name if shown is None else shown.metric.name
    if name in shown.metric.aggregates:
        return name
    fitting = [field for field, how in shown.metric.aggregates.items() if how is shown.how]
    return next(iter(fitting or shown.metric.aggregates), name)


def _numbers(snapshot: Snapshot, place: Place, level: Level) -> list[Number]:
    """Return the usual numbers of the level, and the place's metric where it is none of them."""
    usual = GPU if level is Level.GPU else ABOVE
    field = field_at(snapshot, place.metric, level)
    shown = shown_metric(snapshot.frame.metrics, place.metric)
    if shown is None or any(number.field == field for number in usual):
        return list(usual)
    own = Number(field, clean(shown.metric.title, 16), value_format(shown.metric), 0, shown.metric.heat)
    return [own, *usual]


def _column(number: Number, rows: Rows) -> TableColumn | None:
    """Return a column, None where no row has the number."""
    found = rows.columns.get(number.field)
    if found is None:
        return None
    values = np.asarray(found, dtype=np.float64)
    if not len(values) or np.isnan(values).all() or (number.field in ("alerts", "ecc_dbe") and not np.nansum(values)):
        return None
    return TableColumn(
        number.field, number.title, values, number.format, Align.RIGHT, drop=number.drop, heat=number.heat
    )


def _name(rows: Rows, place: Place) -> TableColumn:
    prefix = f"{place.path}/" if place.path else ""
    names = [clean(each.removeprefix(prefix), 60) for each in rows.ids]
    longest = max(map(len, names), default=0)
    return TableColumn("id", place.by or "name", names, width=min(max(8, longest), NAME_WIDTH), weight=1)


def _live(snapshot: Snapshot, rows: Rows, level: Level) -> list[TableColumn]:
    gpus, reporting = rows.columns.get("gpus"), rows.columns.get("gpus_reporting")
    if level is Level.GPU or gpus is None or reporting is None:
        return []
    stale = {site.site for site in snapshot.frame.sites if site.stale}
    texts, tokens = [], []
    for path, told, expected in zip(rows.ids, _whole(reporting), _whole(gpus), strict=True):
        live = 0 if path.partition("/")[0] in stale else told
        texts.append(f"{live:,}/{expected:,}" if live else f"{MISSING}/{expected:,}")
        tokens.append("text" if live >= expected else "state.warning" if live else "state.stale")
    return [TableColumn("live", "live/expected", texts, align=Align.RIGHT, tokens=tokens)]


def _whole(values: object) -> list[int]:
    numbers: list[int] = np.nan_to_num(np.asarray(values, dtype=np.float64)).astype(np.int64).tolist()
    return numbers


def _job(snapshot: Snapshot, rows: Rows, level: Level) -> list[TableColumn]:
    """Return the job of each GPU, where jobs are known."""
    if level is not Level.GPU or not any(len(site.jobs.gpu_job) for site in snapshot.frame.sites):
        return []
    names = [clean(job_of(snapshot, each), 24) for each in rows.ids]
    return [TableColumn("job", "job", names, width=10, weight=1, drop=2)] if any(names) else []


def job_of(snapshot: Snapshot, path: str) -> str:
    """Return the name of the job on a GPU, empty where it is free or not known."""
    site = snapshot.frame.site(path.partition("/")[0])
    row = _gpu_row(site.topology, path) if site else -1
    if site is None or not 0 <= row < len(site.jobs.gpu_job):
        return ""
    at = int(site.jobs.gpu_job[row])
    return site.jobs.rows[at].name if 0 <= at < len(site.jobs.rows) else ""


def _gpu_row(topology: SiteTopology, path: str) -> int:
    """Return a GPU's row by its node's name, -1 if unknown; for thousands of rows `resolve` would walk every rack."""
    _, _, tail = path.rpartition("/")
    node = topology.node_row(path.split("/")[-2]) if path.count("/") > 1 else None
    if node is None or not tail[1:].isdecimal():
        return -1
    span = topology.span(Level.NODE, node, Level.GPU)
    at = np.flatnonzero(topology.gpu_slot[span] == int(tail[1:]))
    return span.start + int(at[0]) if len(at) else -1


def _title(rows: Rows, place: Place, level: Level, sort: str) -> str:
    here = clean(place.path.replace("/", " › "), 80) or "fleet"
    what = f"{place.by} domain" if place.by else "GPU" if level is Level.GPU else level.value
    shown = f"{len(rows.ids):,} of " if rows.total > len(rows.ids) else ""
    kept = "".join([" that are wrong" * place.only_wrong, " that match" * bool(place.where)])
    order = f", by {sort.removeprefix('-')} {'falling' if sort.startswith('-') else 'rising'}" if sort else ""
    return f"{here}  {shown}{rows.total:,} {what}{'' if rows.total == 1 else 's'}{kept}{order}"


def _empty(snapshot: Snapshot, place: Place) -> str:
    if not snapshot.frame.sites or snapshot.loading:
        return "waiting for the first reading"
    if place.where:
        return "nothing matches the filter; what is missing or stale never matches"
    if place.only_wrong:
        return "nothing is wrong here; ! shows everything"
    return f"no {place.by} domains here" if place.by else "nothing below this place"
