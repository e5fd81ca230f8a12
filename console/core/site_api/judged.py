"""What a serve has judged and remembers of one site, as it tells those who attach to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.site_api.edits import Listed
from console.core.site_api.rows import row
from console.model.incidents import MemoryStatus
from console.model.levels import Severity
from console.model.snapshot import Judged

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from typing import Any

    from console.core.site_api.quantised import Members
    from console.model.events import CheckResult
    from console.model.snapshot import Snapshot

MOST_DISAGREEMENTS = 200
# What people do and what becomes an incident goes at once; the rest changes all the time and is told now and then.
EVERY_S = {
    "incidents": 0.0,
    "notes": 0.0,
    "views": 0.0,
    "checks": 5.0,
    "findings": 5.0,
    "disagreements": 10.0,
    "sources": 10.0,
}
_KEYS: dict[str, tuple[str, ...]] = {
    "incidents": ("id",),
    "notes": ("id",),
    "views": ("name",),
    "checks": ("name",),
    "findings": ("detector", "fault", "key"),
    "disagreements": ("kind", "path"),
    "sources": ("site", "name", "url"),
}


def judged_of(snapshot: Snapshot, site: str, keeper: str) -> Judged:
    """Return what a snapshot says of one site; of checks over several sites, this one's part."""
    found = snapshot.disagreements
    rows = [each for each in found.rows if each.site == site] if found.at else []
    frame = snapshot.frame.site(site)
    nodes = len(frame.topology.nodes) if frame is not None else 0
    unjudged = next((each[2] for each in found.by_site if each[0] == site), 0)
    counts: dict[str, int] = {}
    for each in rows:
        counts[each.kind] = counts.get(each.kind, 0) + 1
    if len(snapshot.frame.sites) == 1:
        counts = dict(found.counts)
    disputed = found.disputed if len(snapshot.frame.sites) == 1 else len({each.path for each in rows})
    return Judged(
        at=snapshot.at,
        keeper=keeper,
        memory=next((each for each in snapshot.memories if each.site == site), MemoryStatus(site, "none")),
        incidents=tuple(each for each in snapshot.incidents if each.site == site),
        findings=tuple(each for each in snapshot.findings if each.site == site),
        checks=tuple(_at_site(each, site, snapshot) for each in snapshot.checks),
        disagreements=tuple(rows[:MOST_DISAGREEMENTS]),
        disagreement_counts=tuple(sorted(counts.items())),
        nodes=(nodes, unjudged, disputed),
        sources=tuple(each for each in snapshot.sources if each.site == site),
        notes=tuple(each for each in snapshot.notes if each.site == site),
        views=snapshot.views,
        notices=snapshot.notices,
    )


class JudgedStream:
    """What was told of a site's judgements: each list as what changed in it, each member when it changed."""

    def __init__(self) -> None:
        self._lists: dict[str, Listed[Any]] = {name: Listed(_key(fields), row) for name, fields in _KEYS.items()}
        self._told_at = dict.fromkeys(EVERY_S, float("-inf"))
        self._rest: Members = {}

    def due(self, judged: Judged, now: float, *, anew: bool = False) -> Iterator[tuple[str, Members]]:
        """Yield the record that is due; with `anew` all of it."""
        lists: Members = {}
        for name, listed in self._lists.items():
            if anew or now - self._told_at[name] >= EVERY_S[name]:
                change = listed.take(getattr(judged, name))
                if change is not None:
                    self._told_at[name] = now
                    lists[name] = {"full": False, "edits": change[0]}
        rest = _rest(judged)
        changed = {name: value for name, value in rest.items() if anew or self._rest.get(name) != value}
        self._rest = rest
        if anew:
            yield "judged", self.whole(judged.at)
        elif lists or changed:
            yield "judged", {"at": judged.at, **changed, **lists}

    def whole(self, at: float) -> Members:
        """Return all that was told."""
        lists = {name: {"full": True, "rows": listed.whole()} for name, listed in self._lists.items()}
        return {"at": at, **self._rest, **lists}


def _key(fields: tuple[str, ...]) -> Any:
    def of(value: Any) -> Hashable:
        return tuple(getattr(value, field) for field in fields)

    return of


def _rest(judged: Judged) -> Members:
    return {
        "keeper": judged.keeper,
        "memory": row(judged.memory),
        "disagreement_counts": [list(each) for each in judged.disagreement_counts],
        "nodes": list(judged.nodes),
        "notices": list(judged.notices),
    }


def _at_site(check: CheckResult, site: str, snapshot: Snapshot) -> CheckResult:
    """Return what a check came to at one site, where it was made of several."""
    if len(snapshot.frame.sites) == 1:
        return check
    matches, unknown = next((each[1:] for each in check.by_site if each[0] == site), (0, 0))
    ours = tuple(path for path in check.paths if path == site or path.startswith(f"{site}/"))
    severity = check.severity if matches or check.severity is Severity.UNKNOWN else Severity.OK
    return replace(
        check,
        severity=severity,
        matches=matches,
        unknown=unknown,
        paths=ours,
        by_site=((site, matches, unknown),),
        hits=tuple(_of_site(check.hits, site)),
    )


def _of_site(rows: Sequence[Any], site: str) -> list[Any]:
    return [each for each in rows if each.site == site]
