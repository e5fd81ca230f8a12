"""The table of jobs: running first, then those that wait, then those that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import (
    Align,
    ExpressionError,
    Level,
    Table,
    TableColumn,
    clean,
    compile_expression,
    format_value,
    select,
    select_jobs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import Expression, Place, Rows, Snapshot

ROW_LIMIT = 1000
# Slurm is asked every 30 s, and every 120 s while it is busy: older than this a queue is no news.
OLD_S = 180.0
USUAL = "state"
FIELDS = (
    "job_id", "name", "user", "state", "words", "gpus", "nodes", "tasks", "time_s", "limit_s", "wait_s", "gpu_hours",
    "reason", "site", "cluster", "slowest_node", "slowest_by", "slowdown_pct", "straggler", "lost_gpu_hours",
    "ettr_ratio",
)  # fmt: skip
TOKENS = {
    "RUNNING": "state.ok",
    "FAILED": "state.critical",
    "NODE_FAIL": "state.critical",
    "BOOT_FAIL": "state.critical",
    "OUT_OF_MEMORY": "state.critical",
    "TIMEOUT": "state.warning",
    "DEADLINE": "state.warning",
    "PREEMPTED": "state.warning",
    "CANCELLED": "text.dim",
    "COMPLETED": "text.dim",
}
BROKEN = 'state in ["FAILED", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "DEADLINE", "PREEMPTED"]'
WRONG = f"({BROKEN} or straggler == 1)"


def jobs_of(snapshot: Snapshot, place: Place) -> Rows:
    """Return the jobs of a place; raises ExpressionError for a filter that speaks neither of jobs nor of GPUs.

    A filter over GPUs comes from another panel: it keeps the jobs that have one of those GPUs. TargetError is raised
    for a site that is not there.
    """
    sort = "" if sorted_by(place) == USUAL else place.sort
    parts = [f"({place.where})"] * bool(place.where.strip()) + [WRONG] * place.only_wrong
    where: str | Expression = " and ".join(parts)
    try:
        return select_jobs(snapshot, within=place.path, where=where, sort=sort, limit=ROW_LIMIT, fields=FIELDS)
    except ExpressionError:
        over_gpus = _over_gpus(snapshot, place.where)
        if over_gpus is None:
            # The user's own text alone: its columns are those that the user sees.
            return select_jobs(snapshot, within=place.path, where=place.where, limit=ROW_LIMIT, fields=FIELDS)
        return select_jobs(snapshot, within=place.path, where=over_gpus, sort=sort, limit=ROW_LIMIT, fields=FIELDS)


def sorted_by(place: Place) -> str:
    """Return the column that orders the rows; by state, running jobs come first."""
    return place.sort if place.sort.removeprefix("-") in FIELDS else USUAL


def _over_gpus(snapshot: Snapshot, text: str) -> Expression | None:
    kinds = sorted({kind for site in snapshot.frame.sites for kind in site.domains})
    try:
        return compile_expression(text, snapshot.frame.metrics, Level.GPU, domains=kinds)
    except ExpressionError:
        return None


def job_table(rows: Rows, snapshot: Snapshot, place: Place) -> Table:
    """Return jobs as a table; several sites or clusters have a column of their own."""
    texts = {name: [clean(text, 160) for text in rows.columns[name]] for name in ("words", "reason", "site", "cluster")}
    states = [str(state) for state in rows.columns["state"]]
    several = len(snapshot.frame.sites) > 1 and not place.path
    where = [_where(site, cluster, several) for site, cluster in zip(texts["site"], texts["cluster"], strict=True)]
    columns = (
        TableColumn("job_id", "job", [clean(id, 40) for id in rows.columns["job_id"]], width=8),
        TableColumn("name", "name", [clean(name, 60) for name in rows.columns["name"]], width=12, weight=3),
        TableColumn("user", "user", [clean(user, 24) for user in rows.columns["user"]], width=6, weight=1, drop=3),
        TableColumn("state", "state", texts["words"], tokens=[TOKENS.get(state, "text") for state in states]),
        _number("gpus", "GPUs", rows, "int"),
        _number("nodes", "nodes", rows, "int", drop=4),
        _tasks(rows),
        _number("time_s", "time", rows, "age", drop=1),
        TableColumn("limit_s", "limit", _limits(rows), align=Align.RIGHT, drop=6),
        _number("wait_s", "wait", rows, "age", drop=2),
        _number("gpu_hours", "GPU-h", rows, "si", drop=5),
        *_slowest(rows),
        _told("lost_gpu_hours", "lost h", rows, "si", drop=10),
        _told("ettr_ratio", "ETTR", rows, "ratio_pct", drop=11),
        TableColumn("reason", "reason", texts["reason"], weight=2, drop=7) if any(texts["reason"]) else None,
        TableColumn("site", "site", where, drop=8) if any(where) else None,
    )
    return Table(
        tuple(column for column in columns if column is not None),
        ids=rows.ids,
        title=_title(rows, snapshot, place),
        total=rows.total,
        sort=sorted_by(place),
        empty=_empty(snapshot, place),
        severities=None,
    )


def _number(key: str, title: str, rows: Rows, form: str, drop: int = 0) -> TableColumn:
    return TableColumn(key, title, np.asarray(rows.columns[key], dtype=np.float64), form, Align.RIGHT, drop=drop)


def _told(key: str, title: str, rows: Rows, form: str, drop: int) -> TableColumn | None:
    """Return a column of numbers, None where no job has lost anything."""
    values = np.asarray(rows.columns[key], dtype=np.float64)
    telling = values < 1 if key == "ettr_ratio" else values > 0
    return _number(key, title, rows, form, drop) if telling.any() else None


def _slowest(rows: Rows) -> list[TableColumn]:
    """Return the slowest node of each job and how far it is behind; both stand out where it is a straggler."""
    names = [clean(str(path or "").rpartition("/")[2], 24) for path in rows.columns["slowest_node"]]
    if not any(names):
        return []
    slow = np.asarray(rows.columns["straggler"], dtype=np.float64) > 0
    tokens = ["state.warning" if each else "text.dim" for each in slow.tolist()]
    behind = np.asarray(rows.columns["slowdown_pct"], dtype=np.float64)
    return [
        TableColumn("slowest_node", "slowest", names, tokens=tokens, drop=8),
        TableColumn("slowdown_pct", "behind", behind, "pct", Align.RIGHT, drop=8, tokens=tokens),
    ]


def _tasks(rows: Rows) -> TableColumn | None:
    tasks = np.asarray(rows.columns["tasks"], dtype=np.float64)
    return _number("tasks", "tasks", rows, "int", drop=9) if len(tasks) and tasks.max() > 1 else None


def _limits(rows: Rows) -> list[str]:
    limits: Sequence[float] = np.asarray(rows.columns["limit_s"], dtype=np.float64).tolist()
    return ["none" if limit == np.inf else format_value(limit, "age") for limit in limits]


def _where(site: str, cluster: str, several: bool) -> str:
    """Return the site where there are several, and the cluster where it has another name."""
    parts = [clean(site, 24)] * several + [clean(cluster, 24)] * (bool(cluster) and cluster != site)
    return "/".join(parts)


def _title(rows: Rows, snapshot: Snapshot, place: Place) -> str:
    of = f" of {clean(place.path, 60)}" if place.path else ""
    shown = f"{len(rows.ids):,} of {rows.total:,}" if len(rows.ids) < rows.total else f"{rows.total:,}"
    sites = [site for site in snapshot.frame.sites if _within(site.site, place)]
    silent = [clean(site.site, 24) for site in sites if not site.jobs.at]
    old = [(site.site, snapshot.at - site.jobs.at) for site in sites if site.jobs.at]
    late = [f"{clean(name, 24)} told {format_value(age_s, 'age')} ago" for name, age_s in old if age_s > OLD_S]
    notes = [_free(snapshot, place)] * (place.path.count("/") == 0)
    notes += [f"no scheduler at {', '.join(silent[:4])}"] * bool(silent and rows.total) + late[:4]
    return "   ".join((f"JOBS{of}  {shown}", *notes))


def _free(snapshot: Snapshot, place: Place) -> str:
    """Return how much is free at the place's sites, in a few words."""
    rows = select(snapshot, Level.SITE, fields=("id", "free_gpus", "free_blocks"))
    here = np.array([_within(site, place) for site in rows.ids], dtype=bool)
    gpus, blocks = (np.asarray(rows.columns[name], dtype=np.float64)[here] for name in ("free_gpus", "free_blocks"))
    if not here.any() or np.isnan(gpus).all():
        return "free: not known"
    return f"free {np.nansum(gpus):,.0f} GPUs, {np.nansum(blocks):,.0f} whole blocks (b: by domain)"


def _within(site: str, place: Place) -> bool:
    return place.path.partition("/")[0] in ("", site)


def _empty(snapshot: Snapshot, place: Place) -> str:
    if snapshot.loading:
        return "waiting for the first reading"
    if not any(site.jobs.at for site in snapshot.frame.sites if _within(site.site, place)):
        return "no source here tells of jobs: add one of kind slurm to the fleet file (docs/sites.md)"
    if place.where or place.only_wrong:
        return "no job is like that; Esc takes the filter away"
    return "no job here"
