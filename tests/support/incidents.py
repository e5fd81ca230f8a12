"""Signs, incidents and deeds of a small fleet, for tests of what is remembered."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from console.model.events import AlertState
from console.model.incidents import Deed, DeedKind, Incident, MemoryStatus, Sign, incident_id
from console.model.levels import Severity
from console.model.snapshot import Judged

if TYPE_CHECKING:
    from console.model.incidents import Acknowledgement

NOW = 1_800_000_000.0
_numbers = itertools.count(1)


def sign(key: str = "check:hot", site: str = "muc1", severity: Severity = Severity.WARNING, **more: Any) -> Sign:
    """Return a sign that began an hour before NOW."""
    given = {"title": "hot", "text": "3 GPUs: temp_c > 87", "path": f"{site}/h1", "since": NOW - 3600.0, "gpus": 3}
    return Sign(key, site, severity, **{**given, **more})


def incident(of: Sign | None = None, acknowledgement: Acknowledgement | None = None, **more: Any) -> Incident:
    """Return the incident of a sign, firing unless somebody took it on."""
    its = of or sign()
    state = AlertState.ACKNOWLEDGED if acknowledgement else AlertState.FIRING
    given = {
        "id": incident_id(its.site, its.key, its.since),
        "state": state,
        "sign": its,
        "opened_at": its.since,
        "changed_at": its.since,
        "seen_at": NOW,
        "worst": its.severity,
        "acknowledgement": acknowledgement,
    }
    return Incident(**{**given, **more})


def deed(kind: DeedKind = DeedKind.ACKNOWLEDGE, subject: str = "", site: str = "muc1", **more: Any) -> Deed:
    """Return a deed with an id of its own."""
    return Deed(**{"id": f"deed-{next(_numbers)}", "kind": kind, "site": site, "subject": subject, **more})


def judged(*incidents: Incident, site: str = "muc1", keeper: str = "serve-muc1", **more: Any) -> Judged:
    """Return the word of a serve on a site."""
    return Judged(NOW, keeper, MemoryStatus(site, "own", "sqlite"), incidents=incidents, **more)
