"""Rows of the native site API: one model value as plain values, member by member."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.scheduling import NodeReason, NodeState

Row = dict[str, Any]
# Members of a job that are left out where they say nothing: most jobs have none of them.
_SELDOM: Row = {
    "tasks": 1,
    "words": "",
    "array": "",
    "restarts": -1,
    "exit_code": -1,
    "exit_signal": -1,
    "requeue": None,
    "output": "",
    "comment": "",
    "features": "",
    "reservation": "",
}
_TIMES = ("submit_at", "start_at", "end_at", "time_limit_s")
_LATEST_AT = 1e11


def time_of(at: float) -> float:
    """Return a time that can be, 0 for one that cannot: a client refuses a list for one wrong time in it."""
    return at if 0.0 <= at < _LATEST_AT else 0.0


def row(value: Any) -> Row:
    """Return a model value as the API has it: each field under its own name, enumerations as their text."""
    plain: Row = msgspec.to_builtins(value)
    return plain


def job_row(job: Job) -> Row:
    """Return a job; no time limit is `unlimited` with a `time_limit_s` of 0, for JSON has no infinity."""
    told = {name: value for name, value in row(job).items() if name not in _SELDOM or value != _SELDOM[name]}
    if math.isinf(job.time_limit_s):
        told["time_limit_s"], told["unlimited"] = 0.0, True
    for name in _TIMES:
        told[name] = time_of(told[name])
    return told


def event_row(seq: int, event: Event) -> Row:
    """Return an event with its number; the site is that of the body."""
    return {
        "seq": seq,
        "at": time_of(event.at),
        "path": event.path,
        "kind": event.kind,
        "severity": str(event.severity),
        "text": event.text,
        "source": event.source,
    }


def state_row(state: NodeState) -> list[str]:
    """Return a node's state and its flags: `["IDLE", "DRAIN"]`."""
    return [state.state, *state.flags]


def reason_row(node: int, reason: NodeReason) -> list[Any]:
    """Return why a node (by its row) is out of service: row, text, when, who."""
    return [node, reason.text, reason.at, reason.by]
