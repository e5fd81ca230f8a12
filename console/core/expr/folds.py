"""Folds the truth of finer rows into the rows that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.expr.truth import Truth
from console.core.segments import run_sums

if TYPE_CHECKING:
    from console.core.rows import Children


def any_of(truth: Truth, children: Children) -> Truth:
    """Return which rows have a finer row that satisfies; unknown where only an unknown one could."""
    true = run_sums(truth.true, children.starts) > 0
    return Truth(true, None if truth.unknown is None else (run_sums(truth.unknown, children.starts) > 0) & ~true)


def all_of(truth: Truth, children: Children) -> Truth:
    """Return which rows have nothing but finer rows that satisfy.

    Nothing can be said of all rows where there are none: an empty node must not pass for an idle one.
    """
    false = run_sums(truth.false(), children.starts) > 0
    empty = np.diff(children.starts) == 0
    unknown = empty if truth.unknown is None else empty | (run_sums(truth.unknown, children.starts) > 0) & ~false
    return Truth(~false & ~unknown, unknown if unknown.any() else None)
