"""Finds what somebody writes a note on by the names that people use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.note_subjects import key_at
from console.core.why.subject import INCIDENT, subject_of
from console.model.errors import TargetError

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot


def note_subject(snapshot: Snapshot, target: str) -> tuple[str, str]:
    """Return the site and the key of what a target names: `node:muc1/n0653`, `gpu:UUID`, `job:muc1/7`, `incident:ID`.

    `target` is an address, a node's name (`SITE:NODE` where two sites have it), a UUID, a site, `job:ID`, or
    `incident:ID`. Raises TargetError.
    """
    if target.startswith(INCIDENT):
        found = next((each for each in snapshot.incidents if each.id == target.removeprefix(INCIDENT)), None)
        if found is None:
            raise TargetError(f"{target[:200]}: no such incident; gigadeck alerts lists them")
        return found.site, f"{INCIDENT}{found.id}"
    if snapshot.frame.site(target) is not None:
        return target, f"site:{target}"
    subject = subject_of(snapshot, target)
    if subject.kind == "job":
        return subject.frame.site, subject.id
    return subject.frame.site, key_at(subject.frame, subject.id)
