"""Judges the fleet's checks on each frame, and remembers how long a state has lasted."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from console.core.check_hits import HitMemory
from console.core.check_words import disagreement_words, most_hit, words
from console.core.default_checks import DISAGREEMENTS, default_checks
from console.core.expr import Verdict, compile_expression
from console.core.registry import WELL_KNOWN_DOMAINS
from console.model.errors import ExpressionError
from console.model.events import CheckResult, CheckSpec
from console.model.levels import Level, Severity
from console.model.snapshot import NO_DISAGREEMENTS, Snapshot
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.core.expr import Expression
    from console.model.disagreements import Disagreements
    from console.model.events import SiteHits
    from console.model.metrics import MetricTable
    from console.model.snapshot import Frame, SiteFrame

__all__ = ["CheckBook", "default_checks"]

PATHS_LIMIT = 10
JOBS_LIMIT = 20


@dataclass
class _Memory:
    """What is known of one check between frames."""

    state: Severity = Severity.UNKNOWN
    since: float = 0.0
    pending: Severity | None = None
    pending_since: float = 0.0
    hits: HitMemory = field(default_factory=HitMemory)

    def judge(self, seen: Severity, now: float, for_s: float, *, at_once: bool) -> None:
        """Take in what was seen now.

        A state must be seen for `for_s` before it holds; going back to a better state that is known holds at once.
        """
        better = seen is not Severity.UNKNOWN and seen.rank < self.state.rank and self.state is not Severity.UNKNOWN
        if seen is self.state:
            self.pending = None
        elif at_once or better or for_s <= 0 or (self.pending is seen and now - self.pending_since >= for_s):
            self.state, self.since, self.pending = seen, now, None
        elif self.pending is not seen:
            self.pending, self.pending_since = seen, now
        self.since = self.since or now


@dataclass(frozen=True, eq=False)
class _Tally:
    """What a check found at all sites."""

    matches: int
    unknown: int
    expected: int
    by_site: tuple[tuple[str, int, int], ...]
    paths: tuple[str, ...]
    jobs: tuple[str, ...]
    hits: tuple[SiteHits, ...] = ()


@dataclass
class CheckBook:
    """All checks of a fleet, with the memory that `for_s` needs; one owner calls `update` in order of time.

    The first time that a site speaks counts at once: nobody knows how long it has been so, and a check that runs from
    cron has no memory.
    """

    specs: Sequence[CheckSpec]
    metrics: MetricTable
    _memory: dict[str, _Memory] = field(default_factory=dict)
    _compiled: dict[str, Expression | ExpressionError] = field(default_factory=dict)
    _domains: tuple[str, ...] | None = None
    _spoken: frozenset[str] = frozenset()

    def update(self, frame: Frame, now: float, disagreements: Disagreements | None = None) -> tuple[CheckResult, ...]:
        """Return the result of each check, in the order of the specs."""
        self._compile({kind for site in frame.sites for kind in site.domains})
        spoken = frozenset(site.site for site in frame.sites if site.data_at)
        at_once = not spoken <= self._spoken or not spoken
        self._spoken |= spoken
        snapshot = Snapshot(0, frame, disagreements=disagreements or NO_DISAGREEMENTS)
        return tuple(self._result(spec, snapshot, now, at_once=at_once) for spec in self.specs)

    def _compile(self, kinds: set[str]) -> None:
        domains = tuple(sorted(kinds | set(WELL_KNOWN_DOMAINS)))
        if domains == self._domains:
            return
        self._domains = domains
        for spec in self.specs:
            if spec.where == DISAGREEMENTS:
                continue
            try:
                self._compiled[spec.name] = compile_expression(spec.where, self.metrics, spec.level, domains)
            except ExpressionError as error:
                self._compiled[spec.name] = error

    def _result(self, spec: CheckSpec, snapshot: Snapshot, now: float, *, at_once: bool) -> CheckResult:
        expression = self._compiled.get(spec.name)
        if isinstance(expression, ExpressionError):
            return _broken(spec, expression)
        memory = self._memory.setdefault(spec.name, _Memory())
        tally = _disputed(snapshot) if expression is None else _tally(spec, expression, snapshot, now, memory.hits)
        memory.judge(_severity(spec, tally), now, spec.for_s, at_once=at_once)
        return CheckResult(
            name=spec.name,
            severity=memory.state,
            matches=tally.matches,
            unknown=tally.unknown,
            expected=tally.expected,
            since=memory.since,
            paths=tally.paths,
            text=words(spec, tally.matches, tally.unknown, tally.expected)
            if expression is not None
            else disagreement_words(snapshot.disagreements, tally.expected),
            level=spec.level,
            warning=spec.warning,
            critical=spec.critical,
            pending=memory.pending,
            jobs=tally.jobs,
            by_site=tally.by_site,
            rows=expression is not None,
            title=spec.title or spec.where,
            hits=tally.hits,
        )


def _disputed(snapshot: Snapshot) -> _Tally:
    """Return what the voices of all sites disagree on; where nobody compared them, nothing can be judged."""
    found = snapshot.disagreements
    nodes = sum(len(site.topology.nodes) for site in snapshot.frame.sites)
    unknown = found.unjudged if found.at else nodes
    return _Tally(found.total, unknown, nodes, found.by_site, found.paths[:PATHS_LIMIT], ())


def _broken(spec: CheckSpec, error: ExpressionError) -> CheckResult:
    text = f"the condition cannot be read: {error.message} (column {error.column})"
    title = spec.title or spec.where
    return CheckResult(
        spec.name, Severity.UNKNOWN, 0, 0, 0, 0.0, (), text, spec.level, spec.warning, spec.critical, title=title
    )


def _severity(spec: CheckSpec, tally: _Tally) -> Severity:
    """Return what the counts say; without thresholds one match is a warning. Bad beats unknown, unknown beats ok."""
    warning = 1 if spec.warning is None and spec.critical is None else spec.warning
    if spec.critical is not None and tally.matches >= spec.critical:
        return Severity.CRITICAL
    if warning is not None and tally.matches >= warning:
        return Severity.WARNING
    return Severity.UNKNOWN if tally.unknown == tally.expected else Severity.OK


def _tally(spec: CheckSpec, expression: Expression, snapshot: Snapshot, now: float, memory: HitMemory) -> _Tally:
    if spec.level is Level.FLEET:
        return _fleet_tally(expression, snapshot, now)
    by_site: list[tuple[str, int, int]] = []
    hits: list[SiteHits] = []
    jobs: Counter[str] = Counter()
    for site in snapshot.frame.sites:
        true, unknown = _verdict(expression, site, now)
        by_site.append((site.site, int(true.sum()), int(unknown.sum())))
        if by_site[-1][1]:
            found, hit = memory.take(site, true, spec.level, now)
            hits.append(found)
            jobs.update(hit)
        elif not unknown.all():  # at a blind site it may well match as before
            memory.forget(site.site)
    return _Tally(
        matches=sum(matches for _, matches, _ in by_site),
        unknown=sum(unknown for _, _, unknown in by_site),
        expected=sum(site.topology.count(spec.level) for site in snapshot.frame.sites),
        by_site=tuple(by_site),
        paths=tuple(path for each in hits for path in each.paths)[:PATHS_LIMIT],
        jobs=most_hit(jobs, JOBS_LIMIT),
        hits=tuple(hits),
    )


def _verdict(expression: Expression, site: SiteFrame, now: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what matches and what cannot be judged; nothing can at a site that is stale or has not spoken yet."""
    if site.stale or not site.data_at:
        count = site.topology.count(Level(expression.level))
        return np.zeros(count, dtype=bool), np.ones(count, dtype=bool)
    verdict: Verdict = expression.evaluate(site, now)
    return verdict.true, verdict.unknown


def _fleet_tally(expression: Expression, snapshot: Snapshot, now: float) -> _Tally:
    blind = all(site.stale or not site.data_at for site in snapshot.frame.sites)
    if blind:
        return _Tally(0, 1, 1, (), (), ())
    verdict = expression.evaluate(snapshot.frame.sites[0], now, snapshot)
    return _Tally(int(verdict.true.sum()), int(verdict.unknown.sum()), 1, (), (), ())
