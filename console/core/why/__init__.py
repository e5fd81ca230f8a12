"""Answers why: what happened around the end of a job, or the latest fault of a node or GPU."""

from console.core.why.explain import explain

__all__ = ["explain"]
