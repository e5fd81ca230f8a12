"""Questions to a snapshot about jobs: those of a place, filtered, sorted, paged, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.answer import LazyTexts, Rows
from console.core.expr import Expression, compile_expression
from console.core.job_rows import JobColumns
from console.core.naming import natural_key
from console.core.ordering import ordered
from console.core.registry import JOB, JOB_FIELD_NUMBERS, JOB_FIELD_TEXTS, field_named
from console.core.rows import SiteRows
from console.model.errors import TargetError
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.core.answer import Column
    from console.model.snapshot import SiteFrame, Snapshot

    Picks = NDArray[np.int64]

# Six digits are enough of a measured value, not of a time.
WHOLE = frozenset(JOB_FIELD_NUMBERS) - {"gpu_hours", "lost_gpu_hours", "slowdown_pct", "slowest_z", "ettr_ratio"}
MAY_MISS = frozenset({"slowest_node", "slowest_by", "output", "comment", "features", "reservation"})
SHOWN = (
    "id", "name", "user", "state", "gpus", "nodes", "tasks", "time_s", "limit_s", "wait_s", "gpu_hours", "reason",
    "site", "cluster", "account", "partition", "submit_at", "start_at", "end_at", "words", "array", "job_id",
    "slowest_node", "slowest_by", "slowdown_pct", "slowest_z", "straggler", "lost_gpu_hours", "ettr_ratio", "restarts",
    "exit_code", "exit_signal", "output", "comment", "features", "reservation",
)  # fmt: skip


def select_jobs(
    snapshot: Snapshot,
    *,
    within: str = "",
    where: str | Expression | None = None,
    sort: str = "",
    limit: int = 0,
    after: str = "",
    fields: Sequence[str] = (),
) -> Rows:
    """Return jobs that have a node or GPU at `within` (an address; a site: all its jobs; empty: all).

    `where` is a filter over the fields of jobs (or an Expression over GPUs: a job counts if one of its GPUs does).
    `sort` is a field with an optional `-`; without one, running jobs come first, then those that wait, then those that
    have ended, large ones before small ones. Raises UnknownFieldError, ExpressionError and TargetError.
    """
    names = tuple(fields) or SHOWN
    for name in (*names, sort.removeprefix("-") or "id"):
        field_named(name, JOB, snapshot.frame.metrics)
    judge = where if isinstance(where, Expression) else _compiled(snapshot, where) if where else None
    parts = [JobColumns(site, snapshot.at) for site in _sites(snapshot, within)]
    chosen = [np.flatnonzero(part.at(within) & _hit(part, judge, snapshot)) for part in parts]
    total = sum(map(len, chosen))
    page = _page(parts, chosen, sort, limit, after)
    ids = _texts(parts, chosen, page, "id")
    columns: dict[str, Column] = {
        name: _told(name, _texts(parts, chosen, page, name))
        if name in JOB_FIELD_TEXTS
        else _numbers(parts, chosen, name)[page]
        for name in dict.fromkeys(names)
    }
    partial = any(not part.frame.jobs.at or part.frame.stale for part in parts)
    return Rows(ids, columns, total, partial, WHOLE)


def _told(name: str, texts: list[str]) -> Column:
    """Return texts as a column, an empty one as missing where that is what it means."""
    return LazyTexts(np.arange(len(texts)), lambda row: texts[row] or None) if name in MAY_MISS else texts


def _compiled(snapshot: Snapshot, where: str) -> Expression:
    return compile_expression(where, snapshot.frame.metrics, JOB, ())


def _sites(snapshot: Snapshot, within: str) -> list[SiteFrame]:
    name = within.partition("/")[0]
    found = [site for site in snapshot.frame.sites if name in ("", site.site)]
    if not found and name:
        raise TargetError(f"there is no site {name}")
    return found


def _hit(part: JobColumns, judge: Expression | None, snapshot: Snapshot) -> NDArray[np.bool_]:
    if judge is None:
        return np.ones(part.count, dtype=bool)
    if judge.level == JOB:
        return judge.judge(part).true
    hit, jobs = np.zeros(part.count, dtype=bool), part.frame.jobs
    if len(jobs.gpu_job) == part.frame.topology.gpus:
        gpus = judge.judge(SiteRows(part.frame, Level.GPU, part.now, snapshot)).true
        held = jobs.gpu_job[gpus]
        hit[held[held >= 0]] = True
    return hit


def _page(parts: Sequence[JobColumns], chosen: Sequence[Picks], sort: str, limit: int, after: str) -> Picks:
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    if not name:
        keys = [_numbers(parts, chosen, each) for each in ("submit_at", "gpus", "rank")]
        order = np.lexsort((keys[0], -keys[1], keys[2]))
    elif name in JOB_FIELD_NUMBERS:
        order = ordered(_numbers(parts, chosen, name), descending=descending, first=0 if after else limit)
    else:
        texts = _texts(parts, chosen, None, name)
        places = {text: place for place, text in enumerate(sorted(set(texts), key=natural_key))}
        keys_of = np.fromiter((places[text] for text in texts), dtype=np.float64, count=len(texts))
        order = ordered(keys_of, descending=descending, first=0 if after else limit)
    if after:
        order = order[_place(_texts(parts, chosen, order, "id"), after) + 1 :]
    return order[:limit] if limit else order


def _place(ids: Sequence[str], after: str) -> int:
    try:
        return list(ids).index(after)
    except ValueError:
        raise TargetError(f"{after} is not among these jobs; begin again without it") from None


def _numbers(parts: Sequence[JobColumns], chosen: Sequence[Picks], name: str) -> NDArray[np.float64]:
    none = np.zeros(0)
    return np.concatenate([none, *(part.named(name)[picks] for part, picks in zip(parts, chosen, strict=True))])


def _texts(parts: Sequence[JobColumns], chosen: Sequence[Picks], page: Picks | None, name: str) -> list[str]:
    """Return the texts of chosen jobs: of all of them, or of those at some places among them."""
    if page is None:
        columns = [part.texts(name) for part in parts]
        picked = zip(columns, chosen, strict=True)
        return [texts[place] for texts, picks in picked for place in picks.tolist()]
    tell = [part.text_of(name) for part in parts]
    ends = np.cumsum([len(picks) for picks in chosen])
    owners = np.searchsorted(ends, page, side="right").tolist()
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])[page].tolist()
    return [tell[of](row) for of, row in zip(owners, rows, strict=True)]
