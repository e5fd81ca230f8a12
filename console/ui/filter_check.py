"""Compiles the filter that is being written, only to tell what is wrong with it, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.errors import ExpressionError
from console.model.levels import LEVELS

if TYPE_CHECKING:
    from console.model.snapshot import Frame

LIMIT = 2000
JOB = "job"


def domain_kinds(frame: Frame) -> list[str]:
    """Return the kinds of domains that any site has, in order."""
    return sorted({kind for site in frame.sites for kind in site.domains})


def filter_fault(text: str, frame: Frame, path: str) -> ExpressionError | None:
    """Return why a filter cannot be compiled for any level below a place, nor for jobs; None if it can."""
    from console.core.expr import compile_expression

    if not text.strip():
        return None
    if len(text) > LIMIT:
        return ExpressionError(text[:LIMIT], LIMIT, f"longer than {LIMIT} characters")
    depth = min(len([part for part in path.split("/") if part]) + 1, len(LEVELS) - 1)
    fault: ExpressionError | None = None
    for level in (*LEVELS[depth:], JOB):
        try:
            compile_expression(text, frame.metrics, level, domains=domain_kinds(frame))
        except ExpressionError as error:
            fault = _further(fault, error)
        else:
            return None
    return fault


def _further(first: ExpressionError | None, other: ExpressionError) -> ExpressionError:
    """Return the error that got further into the text: the level that fits best."""
    return other if first is None or other.column > first.column else first
