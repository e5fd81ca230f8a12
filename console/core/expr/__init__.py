"""The filter expression: one three-valued language for `--where`, the filter bar, checks and guards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.expr.compile import Compiler, Condition, Context
from console.core.expr.parse import parse
from console.core.registry import WELL_KNOWN_DOMAINS
from console.core.rows import RowColumns, SiteRows
from console.core.wide_rows import FleetRows
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from console.model.metrics import MetricTable
    from console.model.snapshot import SiteFrame, Snapshot

__all__ = ["Expression", "Verdict", "compile_expression"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """bool[n] which rows satisfy an expression, and bool[n] which cannot be judged; a row is never both."""

    true: NDArray[np.bool_]
    unknown: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Expression:
    """A compiled expression over the rows of `level` (a level, or a domain kind); it may be used again and again."""

    text: str
    level: str
    metrics: MetricTable
    domains: tuple[str, ...]
    condition: Condition

    def evaluate(self, site_frame: SiteFrame, now: float, snapshot: Snapshot | None = None) -> Verdict:
        """Return the verdict on each row of the level at one site.

        At the fleet's level there is one row: that of all sites of the snapshot (of this site, without a snapshot).
        """
        level = Level(self.level)
        if level is Level.FLEET:
            frame = snapshot.frame if snapshot is not None else None
            sites = frame.sites if frame is not None else (site_frame,)
            return self.judge(FleetRows(frame.fleet if frame is not None else "", sites, now, snapshot))
        return self.judge(SiteRows(site_frame, level, now, snapshot))

    def judge(self, rows: RowColumns) -> Verdict:
        """Return the verdict on any rows of the level (or domain kind)."""
        with np.errstate(all="ignore"):
            truth = self.condition(Context(rows))
        unknown = np.zeros(rows.count, dtype=bool) if truth.unknown is None else truth.unknown
        return Verdict(truth.true, unknown)


def compile_expression(text: str, metrics: MetricTable, level: str, domains: Iterable[str] | None = None) -> Expression:
    """Return an expression for rows of a level (or of a domain kind); raises ExpressionError with the column.

    `domains` are the kinds of domains that the fleet has; left out (no topology is known yet), the usual kinds.
    """
    kinds = WELL_KNOWN_DOMAINS if domains is None else tuple(domains)
    condition = Compiler(text, metrics, level, kinds).condition(parse(text))
    return Expression(text, level, metrics, kinds, condition)
