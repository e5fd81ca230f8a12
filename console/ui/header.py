"""The header: what must be known before anything else, and what leaves it first as the screen shrinks."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from console.model.events import AlertState
from console.model.levels import Severity
from console.model.snapshot import SourceState
from console.model.values import dataclass
from console.model.views import Span
from console.present.clock import local_time, zone_mark
from console.present.formats import format_value
from console.present.safe import clean
from console.present.steady import Steady
from console.ui.bars import GAP, Segment, ends, fit, line_width, segment
from console.ui.memory_words import memory_segments

if TYPE_CHECKING:
    from console.model.jobs import Jobs
    from console.model.snapshot import SiteFrame, Snapshot
    from console.model.views import Line

NEW_S = 600.0
HALTED_S = 8.0
WIDE = 120
TALL = 30
SHORT = 18
KNOWN_ENVIRONMENTS = ("production", "staging", "lab")
OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)


@dataclass(frozen=True)
class HeaderContext:
    """What the header says beside the snapshot.

    `now` is UTC epoch seconds; `timezone` an IANA name, empty for UTC; `frozen_at` is when the frozen snapshot was
    merged, 0 while the screen runs; what turned bad before `settled_at` is not new: the console has only just begun to
    judge; `link_bps` and `lag_s` are shown where they are not None; `steady` keeps numbers at rest.
    """

    now: float
    fleet: str
    environment: str = ""
    read_only: bool = False
    user: str = ""
    timezone: str = ""
    frozen_at: float = 0.0
    settled_at: float = 0.0
    link_bps: float | None = None
    lag_s: float | None = None
    steady: Steady = field(default_factory=Steady)


def header_lines(snapshot: Snapshot | None, context: HeaderContext, width: int, height: int = 24) -> tuple[Line, ...]:
    """Return 1 to 3 lines of exactly `width` cells; `height` is the whole screen's."""
    identity, trouble, numbers = _identity(context), _trouble(snapshot, context), _numbers(snapshot, context)
    stripe = (Span(" ", environment_token(context.environment)),)
    inner = max(0, width - 1)
    if height < SHORT:
        return (_filled(stripe, fit((*identity, *trouble, *numbers), inner), width),)
    clock = _clock(context)
    first = fit((*identity, *trouble), max(0, inner - line_width(clock) - 1))
    lines = [ends((*stripe, *first), clock, width), _filled(stripe, fit((segment(""), *numbers), inner), width)]
    if width >= WIDE and height >= TALL and snapshot is not None and snapshot.frame.sites:
        lines.append(
            _filled((*stripe, Span(GAP)), fit(_sites(snapshot, context.steady), inner - len(GAP), gap="   "), width)
        )
    return tuple(lines)


def environment_token(environment: str) -> str:
    """Return the token of an environment's mark; an unknown one looks like the laboratory."""
    return f"environment.{environment if environment in KNOWN_ENVIRONMENTS else 'lab'}"


def _filled(stripe: Line, line: Line, width: int) -> Line:
    return ends((*stripe, *line), (), width)


def _identity(context: HeaderContext) -> tuple[Segment, ...]:
    mark = clean(context.environment, 16) or "no environment"
    mark = mark.upper() if context.environment == "production" else mark
    environment = Segment(((Span(f"{mark} ", environment_token(context.environment)),),), 0)
    fleet = clean(context.fleet, 40)
    found = [environment, Segment(((Span(fleet, "text.strong"),), (Span(fleet[:8], "text.strong"),)), 6)]
    if context.frozen_at:
        age = format_value(max(0.0, context.now - context.frozen_at), "age")
        found.append(Segment(((Span(f"FROZEN {age}", "state.warning"),), (Span("FROZEN", "state.warning"),)), 1))
    if context.read_only:
        found.append(segment("read-only", "state.info", 2))
    if context.user:
        found.append(segment(clean(context.user, 16), "text.dim", 8))
    return tuple(found)


def _clock(context: HeaderContext) -> Line:
    local = local_time(context.now, context.timezone)
    return (Span(f"{local:%H:%M:%S}{zone_mark(context.now, context.timezone)}", "text"),)


def _trouble(snapshot: Snapshot | None, context: HeaderContext) -> tuple[Segment, ...]:
    """Return what is bad, what is new, and who is blind."""
    if snapshot is None:
        return (segment("starting …", "text.dim", 3),)
    bad = _wrong(snapshot)
    critical = sum(severity is Severity.CRITICAL for severity, _ in bad)
    warning = sum(severity is Severity.WARNING for severity, _ in bad)
    oldest = max(context.now - NEW_S, context.settled_at)
    new = sum(severity in (Severity.CRITICAL, Severity.WARNING) and at > oldest for severity, at in bad)
    counts: Line = (
        Span(f"✖{critical}", "state.critical" if critical else "text.dim"),
        Span(" "),
        Span(f"▲{warning}", "state.warning" if warning else "text.dim"),
    )
    found = [Segment((counts,), 3)]
    if new:
        found.append(segment(f"new {new}", "text.strong", 4))
    return (*found, *_halted(snapshot, context), *_blind(snapshot))


def _wrong(snapshot: Snapshot) -> list[tuple[Severity, float]]:
    """Return how bad each thing that is wrong is, and since when (0: somebody has taken it on, it is new to nobody).

    An incident at several sites is one; where nobody keeps incidents, checks and alerts stand for them.
    """
    if not snapshot.memories:
        bad = [(check.severity, check.since) for check in snapshot.checks]
        return bad + [(alert.severity, alert.since) for alert in snapshot.alerts if alert.state in OPEN]
    found: dict[tuple[str, Severity], float] = {}
    for each in snapshot.incidents:
        if each.state in OPEN:
            key, at = (each.sign.key, each.sign.severity), each.opened_at if each.state is AlertState.FIRING else 0.0
            found[key] = max(at, found.get(key, 0.0))
    return [(severity, at) for (_, severity), at in found.items()]


def _halted(snapshot: Snapshot, context: HeaderContext) -> tuple[Segment, ...]:
    """Return how old the snapshot itself is when the engine brings no newer one: then no age on the screen is true."""
    age = context.now - snapshot.at
    if context.frozen_at or age < HALTED_S:
        return ()
    told = format_value(age, "age")
    long, short = f"NOTHING NEW FOR {told}", f"HALTED {told}"
    return (Segment(((Span(long, "state.stale"),), (Span(short, "state.stale"),)), 1),)


def _blind(snapshot: Snapshot) -> tuple[Segment, ...]:
    """Return the sites whose numbers do not count, with their age; and those that have not spoken yet."""
    stale = [site for site in snapshot.frame.sites if site.stale and site.data_at]
    unheard = [site.site for site in snapshot.frame.sites if snapshot.unheard(site.site)]
    waiting = [site.site for site in snapshot.frame.sites if not site.data_at and site.site not in unheard]
    found = []
    if stale:
        told = [f"{clean(each.site, 16)} {format_value(snapshot.at - each.data_at, 'age')}" for each in stale]
        oldest = format_value(snapshot.at - min(each.data_at for each in stale), "age")
        long, short = f"STALE {', '.join(told)}", f"STALE {len(stale)}, oldest {oldest}"
        found.append(Segment(((Span(long, "state.stale"),), (Span(short, "state.stale"),)), 1))
    if unheard:
        long, short = f"NO DATA {', '.join(clean(each, 16) for each in unheard)}", f"NO DATA {len(unheard)}"
        found.append(Segment(((Span(long, "state.stale"),), (Span(short, "state.stale"),)), 1))
    if waiting:
        text = f"waiting for {', '.join(clean(each, 16) for each in waiting[:4])} …"
        found.append(Segment(((Span(text, "state.stale"),), (Span(f"waiting {len(waiting)}", "state.stale"),)), 5))
    return tuple(found)


def _numbers(snapshot: Snapshot | None, context: HeaderContext) -> tuple[Segment, ...]:
    found = (
        [segment("waiting for the first reading", "text.dim", 1)]
        if snapshot is None
        else [*_totals(snapshot, context.steady), *memory_segments(snapshot.memories)]
    )
    if context.link_bps is not None:
        found.append(_named("link", f"{format_value(context.link_bps, 'bytes')}/s", 2))
    if context.lag_s is not None:
        found.append(_named("lag", f"{context.lag_s * 1000:.0f} ms", 2))
    return tuple(found)


@lru_cache(maxsize=1)  # counted once a snapshot, not with each key
def _totals(snapshot: Snapshot, steady: Steady) -> tuple[Segment, ...]:
    sites = snapshot.frame.sites
    live = [site for site in sites if not site.stale and site.data_at]
    power = _it_power_w(live, snapshot.at)
    jobs = sum(_running(site.jobs) for site in live if site.jobs.at)
    failing = sum(each.state in (SourceState.FAILING, SourceState.DISABLED) for each in snapshot.sources)
    lost = sum(each.total for site in sites for each in site.unjoined)
    found = [_live(sites, live)]
    if power is not None:
        found.append(_named("IT", _megawatt(steady.keep("IT", power, "megawatt")), 4))
    if any(site.jobs.at for site in live):
        found.append(_named("jobs", f"{jobs:,}", 5))
    if failing:
        found.append(segment(f"sources failing {failing}", "state.warning", 3))
    if lost:
        found.append(segment(f"not joined {lost:,}", "state.warning", 6))
    return tuple(found)


# The jobs of a site stay the same for many snapshots; they are large and must not be kept for this.
_running_jobs: WeakKeyDictionary[Jobs, int] = WeakKeyDictionary()


def _running(jobs: Jobs) -> int:
    found = _running_jobs.get(jobs)
    if found is None:
        found = _running_jobs[jobs] = jobs.running()
    return found


def _megawatt(power_w: float) -> str:
    return f"{format_value(power_w, 'megawatt')} MW"


def _named(name: str, value: str, rank: int) -> Segment:
    return Segment(((Span(f"{name} ", "text.dim"), Span(value)),), rank)


def _live(sites: tuple[SiteFrame, ...], live: list[SiteFrame]) -> Segment:
    reporting = sum(int(np.count_nonzero(site.reporting)) for site in live)
    expected = sum(site.topology.gpus for site in sites)
    token = "text" if reporting >= expected else "state.warning"
    counted: Line = (Span("live ", "text.dim"), Span(f"{reporting:,}/{expected:,}", token))
    where = Span(f" ({len(live)} of {len(sites)} sites)", "text.dim" if len(live) == len(sites) else "state.stale")
    return Segment(((*counted, where), counted), 1)


def _it_power_w(sites: list[SiteFrame], now: float) -> float | None:
    """Return the IT power of the sites that tell it, None where none does."""
    values = [site.values("it_power_w", now) for site in sites]
    known = np.concatenate([each for each in values if each is not None]) if any(v is not None for v in values) else ()
    total = np.asarray(known, dtype=np.float64)
    return None if not len(total) or np.isnan(total).all() else float(np.nansum(total))


@lru_cache(maxsize=1)
def _sites(snapshot: Snapshot, steady: Steady) -> tuple[Segment, ...]:
    return tuple(_site(site, snapshot, rank, steady) for rank, site in enumerate(snapshot.frame.sites))


def _site(site: SiteFrame, snapshot: Snapshot, rank: int, steady: Steady) -> Segment:
    now = snapshot.at
    name = Span(f"{clean(site.site, 16)} ", "text.strong")
    if site.stale or not site.data_at:
        silent = "NO DATA" if snapshot.unheard(site.site) else "waiting"
        word = f"STALE {format_value(now - site.data_at, 'age')}" if site.data_at else silent
        return Segment(((name, Span(word, "state.stale")),), rank)
    reporting = int(np.count_nonzero(site.reporting))
    spans = [name, Span(f"{reporting:,}", "text" if reporting >= site.topology.gpus else "state.warning")]
    power = _it_power_w([site], now)
    if power is not None:
        spans.append(Span(f" {_megawatt(steady.keep(site.site, power, 'megawatt'))}"))
    spans.append(Span(f" {format_value(now - site.data_at, 'age')}", "text.dim"))
    return Segment((tuple(spans),), rank)
