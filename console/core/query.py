"""Questions to a snapshot: rows of one level or kind of domain; filtered, sorted, paged, as columns."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.answer import Column, LazyTexts, Rows
from console.core.expr import Expression, Verdict, compile_expression
from console.core.naming import natural_key
from console.core.ordering import ordered
from console.core.registry import (
    Field,
    field_named,
    fields_of,
    is_elsewhere,
    shown_fields,
)
from console.core.scope import Scope, scope_of
from console.model.errors import ExpressionError, TargetError
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.model.snapshot import Snapshot

    Positions = NDArray[np.int64]

__all__ = ["Rows", "select"]


def select(
    snapshot: Snapshot,
    level: Level,
    *,
    within: str = "",
    where: str | Expression | None = None,
    by: str = "",
    sort: str = "",
    limit: int = 0,
    after: str = "",
    fields: Sequence[str] = (),
) -> Rows:
    """Return rows of a level below `within` (an address), or of the domains of kind `by`.

    `where` is a filter for these rows; `sort` a field with an optional `-`, else the natural order of the ids; ties
    break by id and missing comes last. `limit` 0 is no limit, `after` an id to go on from. A field that only rows of
    other levels have is missing here. Raises UnknownFieldError, ExpressionError, and TargetError for an address that
    leads nowhere.
    """
    scope = scope_of(snapshot, level, by, within)
    chosen = _filtered(scope, where)
    total = len(chosen)
    page = _page(scope, chosen, sort, limit, after)
    return _answer(scope, page, total, tuple(fields) or shown_fields(scope.kind, scope.metrics))


def _filtered(scope: Scope, where: str | Expression | None) -> Positions:
    if where is None or where == "":
        return scope.positions
    verdict = _judged(scope, where)
    return scope.positions[verdict[scope.positions]]


def _judged(scope: Scope, where: str | Expression) -> NDArray[np.bool_]:
    """Return bool[all rows]: which satisfy a filter."""
    if isinstance(where, Expression) and where.level == scope.kind:
        return scope.joined([where.judge(rows).true for rows in scope.parts])
    text = where if isinstance(where, str) else where.text
    try:
        own = compile_expression(text, scope.metrics, scope.kind, scope.domains)
    except ExpressionError:
        if not scope.by or not isinstance(where, Expression):
            raise
        return scope.joined([_members_hit(where, rows) for rows in scope.parts])
    return scope.joined([own.judge(rows).true for rows in scope.parts])


def _members_hit(where: Expression, rows: Any) -> NDArray[np.bool_]:
    """Return which domains have a member that satisfies a filter written for nodes or GPUs."""
    children = rows.children(Level(where.level))
    verdict: Verdict = where.judge(children.rows)
    owners = np.repeat(np.arange(rows.count), np.diff(children.starts))
    hit = np.zeros(rows.count, dtype=bool)
    hit[owners[children.inner(verdict.true)]] = True
    return hit


def _field(scope: Scope, name: str) -> Field | None:
    """Return a field of these rows, None for one that only other rows have; raises UnknownFieldError."""
    known = fields_of(scope.kind, scope.metrics, scope.domains)
    if name in known:
        return known[name]
    if scope.by and name in scope.metrics:
        worst = next((each for each in known.values() if each.metric is scope.metrics[name]), None)
        if worst is not None:
            return worst
    if is_elsewhere(name, scope.kind, scope.metrics):
        return None
    return field_named(name, scope.kind, scope.metrics, scope.domains)


def _page(scope: Scope, chosen: Positions, sort: str, limit: int, after: str) -> Positions:
    if not sort or sort == "id":
        first = 0 if not after else int(np.searchsorted(chosen, _resume(scope, after)))
        return chosen[first : first + limit] if limit else chosen[first:]
    keys = _keys(scope, sort.removeprefix("-"))
    descending = sort.startswith("-")
    if not after:
        return chosen[ordered(keys[chosen], descending=descending, first=limit)]
    position = scope.position(after)
    if position is None:
        raise TargetError(f"{after} is gone, so its place in the order of {sort} is not known; begin again without it")
    pool = np.union1d(chosen, [position])
    order = pool[ordered(keys[pool], descending=descending)]
    rest = order[int(np.flatnonzero(order == position)[0]) + 1 :]
    return rest[:limit] if limit else rest


def _resume(scope: Scope, after: str) -> int:
    """Return the position behind an id in natural order; one that is gone is looked for where it would be."""
    position = scope.position(after)
    return bisect.bisect_right(scope.ids, path_key(after), key=path_key) if position is None else position + 1


def path_key(path: str) -> tuple[Any, ...]:
    """Return what sorts addresses naturally, part by part."""
    return tuple(natural_key(part) for part in path.split("/"))


def _keys(scope: Scope, name: str) -> NDArray[np.floating[Any]]:
    if name == "id":
        return np.arange(scope.count, dtype=np.float64)
    field = _field(scope, name)
    if field is None:
        return np.full(scope.count, np.nan)
    return scope.ranks(field) if field.is_text else scope.number(field)


def _answer(scope: Scope, page: Positions, total: int, names: Sequence[str]) -> Rows:
    ids = LazyTexts(page, scope.ids.__getitem__)
    found = {name: _field(scope, name) for name in dict.fromkeys(names)}
    columns = {name: ids if name == "id" else _column(scope, field, page) for name, field in found.items()}
    whole = frozenset(name for name, field in found.items() if field is not None and field.whole)
    return Rows(ids, columns, total, scope.partial, whole)


def _column(scope: Scope, field: Field | None, page: Positions) -> Column:
    if field is None:
        return np.full(len(page), np.nan)
    if field.is_text:
        return LazyTexts(page, scope.texts(field).exact)
    return scope.number_at(field, page)
