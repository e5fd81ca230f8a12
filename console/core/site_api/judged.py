"""What a serve has judged and remembers of one site, as it tells those who attach to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.site_api.edits import Listed
from console.core.site_api.rows import row
from console.model.incidents import MemoryStatus
from console.model.levels import Severity
from console.model.snapshot import Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from typing import Any

    from console.core.site_api.quantised import Members
    from console.model.events import CheckResult
    from console.model.incidents import Incident
    from console.model.snapshot import Snapshot

MOST_DISAGREEMENTS = 200
# What people do and what becomes of an incident goes at once; its words, and the rest, change all the time and are told
# now and then.
EVERY_S = {
    "incidents": 5.0,
    "notes": 0.0,
    "views": 0.0,
    "checks": 5.0,
    "findings": 5.0,
    "disagreements": 10.0,
    "sources": 10.0,
    "counts": 10.0,
}
# So that who listens knows how old the word is while nothing changes.
AT_LEAST_EVERY_S = 30.0
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
    counts, nodes = _disagreements(snapshot, site)
    lists: dict[str, Any] = {name: of(snapshot, site) for name, of in _LISTS.items()}
    return Judged(
        at=snapshot.at,
        keeper=keeper,
        memory=_memory(snapshot, site),
        disagreement_counts=counts,
        nodes=nodes,
        notices=snapshot.notices,
        **lists,
    )


class JudgedStream:
    """What was told of a site's judgements: each list as what changed in it, each member when it changed."""

    def __init__(self, site: str, keeper: str) -> None:
        self._site = site
        self._keeper = keeper
        self._lists: dict[str, Listed[Any]] = {name: Listed(_key(fields), row) for name, fields in _KEYS.items()}
        # When each was looked at last: disagreements are spelled out when they are read.
        self._looked_at = dict.fromkeys(EVERY_S, float("-inf"))
        self._seen: dict[str, object] = {}
        self._pressing: list[tuple[object, ...]] = []
        self._rest: Members = {}
        self._at = float("-inf")

    def due(self, snapshot: Snapshot, *, anew: bool = False) -> Iterator[tuple[str, Members]]:
        """Yield the record that is due; with `anew` all of it."""
        now = snapshot.at
        lists: Members = {}
        pressing = self._pressing_now(snapshot)
        for name in _LISTS:
            if anew or now - self._looked_at[name] >= EVERY_S[name] or (name == "incidents" and pressing):
                self._list(name, snapshot, lists)
        rest = self._others(snapshot)
        changed = {name: value for name, value in rest.items() if self._rest.get(name) != value}
        self._rest = rest
        if anew or lists or changed or now - self._at >= AT_LEAST_EVERY_S:
            self._at = now
            yield "judged", self.whole() if anew else {"at": now, **changed, **lists}

    def whole(self) -> Members:
        """Return all that was told."""
        lists = {name: {"full": True, "rows": listed.whole()} for name, listed in self._lists.items()}
        return {"at": self._at, **self._rest, **lists}

    def _pressing_now(self, snapshot: Snapshot) -> bool:
        """Whether an incident came, went, changed its state or was taken on since they were told last."""
        if snapshot.incidents is self._seen.get("pressing"):
            return False
        self._seen["pressing"] = snapshot.incidents
        before, self._pressing = self._pressing, [_pressing(each) for each in snapshot.incidents]
        return before != self._pressing

    def _list(self, name: str, snapshot: Snapshot, told: Members) -> None:
        given = getattr(snapshot, name)
        if given is self._seen.get(name):
            return
        self._seen[name], self._looked_at[name] = given, snapshot.at
        change = self._lists[name].take(_LISTS[name](snapshot, self._site))
        if change is not None:
            told[name] = {"full": False, "edits": change[0]}

    def _others(self, snapshot: Snapshot) -> Members:
        told: Members = {
            "keeper": self._keeper,
            "memory": row(_memory(snapshot, self._site)),
            "notices": list(snapshot.notices),
        }
        if snapshot.disagreements is not self._seen.get("counts"):
            # To count them by site they are all spelled out: not with each step.
            if snapshot.at - self._looked_at["counts"] < EVERY_S["counts"]:
                return {**self._rest, **told}
            self._seen["counts"], self._looked_at["counts"] = snapshot.disagreements, snapshot.at
            counts, nodes = _disagreements(snapshot, self._site)
            return {**told, "disagreement_counts": [list(each) for each in counts], "nodes": list(nodes)}
        return {**self._rest, **told}


def _pressing(incident: Incident) -> tuple[object, ...]:
    return incident.id, incident.state, incident.worst, incident.returns, incident.acknowledgement


def _memory(snapshot: Snapshot, site: str) -> MemoryStatus:
    return next((each for each in snapshot.memories if each.site == site), MemoryStatus(site, "none"))


def _disagreements(snapshot: Snapshot, site: str) -> tuple[tuple[tuple[str, int], ...], tuple[int, int, int]]:
    """Return how many disagreements of each kind a site has, and its (nodes, unjudged, disputed)."""
    found = snapshot.disagreements
    frame = snapshot.frame.site(site)
    nodes = len(frame.topology.nodes) if frame is not None else 0
    unjudged = next((each[2] for each in found.by_site if each[0] == site), 0)
    if len(snapshot.frame.sites) == 1:
        return tuple(sorted(found.counts.items())), (nodes, unjudged, found.disputed)
    rows = [each for each in found.rows if each.site == site]
    counts = Counter(each.kind for each in rows)
    return tuple(sorted(counts.items())), (nodes, unjudged, len({each.path for each in rows}))


def _key(fields: tuple[str, ...]) -> Any:
    def of(value: Any) -> Hashable:
        return tuple(getattr(value, field) for field in fields)

    return of


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
        hits=_of_site(check.hits, site),
    )


def _of_site(rows: Iterable[Any], site: str) -> tuple[Any, ...]:
    return tuple(each for each in rows if each.site == site)


_LISTS: dict[str, Callable[[Snapshot, str], tuple[Any, ...]]] = {
    "incidents": lambda snapshot, site: _of_site(snapshot.incidents, site),
    "findings": lambda snapshot, site: _of_site(snapshot.findings, site),
    "checks": lambda snapshot, site: tuple(_at_site(each, site, snapshot) for each in snapshot.checks),
    "disagreements": lambda snapshot, site: _of_site(snapshot.disagreements.rows, site)[:MOST_DISAGREEMENTS],
    "sources": lambda snapshot, site: _of_site(snapshot.sources, site),
    "notes": lambda snapshot, site: _of_site(snapshot.notes, site),
    "views": lambda snapshot, site: snapshot.views,
}
