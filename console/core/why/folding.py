"""Folds sympathetic faults under the first one: what the driver logs because of an XID, and the same fault elsewhere.

Rules from NVIDIA's catalogue and what is seen in the field (docs/jobs.md): 45 cleans up after another XID, 154 tells
what to do about another one, 43 and 13 hit the peers of an application that died within a minute, 63, 64, 94, 95, 171
and 172 are details of a memory error that 48 reports.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.why import Moment

FOLD_S = 60.0
MOST_FOLDED = 50
# Always because of another one.
FOLLOWERS = frozenset({45, 154})
# After another one on the same GPU they are its details, after one elsewhere in the job its echo.
DETAILS = {
    48: frozenset({63, 64, 94, 95, 171, 172}),
    94: frozenset({63}),
    95: frozenset({63, 64}),
    62: frozenset({119, 120}),
}
ECHOES = frozenset({13, 31, 43, 74, 137})
XIDS = ("xid", "sxid")


def folded(moments: Sequence[Moment]) -> list[Moment]:
    """Return the moments in order of time, each sympathetic one as a line of the one that it followed."""
    roots: list[Moment] = []
    lines: dict[int, list[str]] = {}
    kept: list[Moment | int] = []
    for moment in moments:
        place = _root_of(moment, roots) if moment.kind in XIDS else None
        if place is not None:
            root = roots[place]
            lines.setdefault(place, []).append(_line(moment, root))
        elif moment.kind in XIDS:
            kept.append(len(roots))
            roots.append(moment)
        else:
            kept.append(moment)
    return [
        replace(roots[each], folded=_bounded(lines.get(each, []))) if isinstance(each, int) else each for each in kept
    ]


def _root_of(moment: Moment, roots: Sequence[Moment]) -> int | None:
    """Return the place of the latest fault that a fault followed, None where it stands for itself."""
    for place in range(len(roots) - 1, -1, -1):
        root = roots[place]
        if moment.at - root.at > FOLD_S:
            return None
        if sympathetic(moment, root):
            return place
    return None


def sympathetic(moment: Moment, root: Moment) -> bool:
    """Whether a fault within a minute after another one is of its making."""
    if root.code in FOLLOWERS and moment.code not in FOLLOWERS:
        return False
    same_node = _node(moment.path) == _node(root.path)
    if moment.code == root.code and moment.kind == root.kind:
        return True
    if moment.kind == "sxid" or root.kind == "sxid":
        # A link that fails is told by both of its ends: SXID of the switch, XID 74 of the GPU.
        return {moment.code, root.code} & {74} != set() and same_node
    if moment.path == root.path and moment.code in DETAILS.get(root.code, ()):
        return True
    return (moment.code in FOLLOWERS and same_node) or (moment.code in ECHOES and not _worse(moment, root))


def _worse(moment: Moment, root: Moment) -> bool:
    return moment.severity.rank > root.severity.rank


def _node(path: str) -> str:
    return "/".join(path.split("/")[:4])


def _line(moment: Moment, root: Moment) -> str:
    name = moment.path.rpartition("/")[2] if _node(moment.path) == _node(root.path) else moment.path
    return f"+{max(0.0, moment.at - root.at):.1f} s {moment.kind.upper()} {moment.code} on {name}"


def _bounded(lines: list[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - MOST_FOLDED} more"] if len(lines) > MOST_FOLDED else []
    return (*lines[:MOST_FOLDED], *more)
