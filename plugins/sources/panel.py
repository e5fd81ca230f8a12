"""Every endpoint: is it alive, how old is what it says, how fast, at what cost, and when is the next try."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Align, Part, SourceState, Split, Table, TableColumn, clean, format_value

from .details import details, findings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.plugin import Place, Size, Snapshot, SourceStatus, View

MARKS = {
    SourceState.OK: ("✓", "ok"),
    SourceState.STARTING: ("…", "info"),
    SourceState.SLOW: ("▲", "warning"),
    SourceState.FAILING: ("✖", "critical"),
    SourceState.STALE: ("✖", "stale"),
    SourceState.DISABLED: ("-", "unknown"),
}
ORDER = (
    SourceState.STALE,
    SourceState.FAILING,
    SourceState.DISABLED,
    SourceState.SLOW,
    SourceState.STARTING,
    SourceState.OK,
)
WELL = (SourceState.OK, SourceState.STARTING)
ID = "source:"
MISSING = "—"
CHROME_LINES = 2
DETAIL_LINES = 5


class SourcesPanel:
    """All endpoints, and the one under the cursor in full."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return the list, worst first, with the selected one's record below where there is room."""
        sources = ranked(snapshot, place)
        table = source_table(sources, snapshot, place)
        chosen = next((each for each in sources if _id(each) == place.selected), sources[0] if sources else None)
        if chosen is None or size.height < 2 * CHROME_LINES + DETAIL_LINES:
            return table
        above = min(len(sources) + CHROME_LINES, max(CHROME_LINES + 3, size.height // 2))
        below = details(chosen, snapshot, size.width)
        return Split((Part(table, fixed=above), Part(below, minimum=CHROME_LINES + 1)))


def ranked(snapshot: Snapshot, place: Place) -> list[SourceStatus]:
    """Return the endpoints, worst first, then by site and name; those of the place's site alone where there is one."""
    site = place.path.partition("/")[0]
    here = [each for each in snapshot.sources if not site or each.site == site]
    shown = [each for each in here if each.state not in WELL] if place.only_wrong else here
    return sorted(shown, key=lambda each: (ORDER.index(each.state), each.site, each.name))


def source_table(sources: Sequence[SourceStatus], snapshot: Snapshot, place: Place) -> Table:
    """Return one row an endpoint; ids are `source:SITE/NAME`."""
    now = snapshot.at
    tokens = [f"state.{MARKS[each.state][1]}" for each in sources]
    columns = (
        TableColumn(
            "state", "state", [f"{MARKS[each.state][0]} {each.state.value}" for each in sources], tokens=tokens
        ),
        TableColumn("site", "site", [clean(each.site, 24) for each in sources], width=6),
        TableColumn("name", "source", [clean(each.name, 40) for each in sources], width=8, weight=2),
        TableColumn("kind", "kind", [clean(each.kind, 16) for each in sources], drop=7),
        _number("age", "age", sources, "age", lambda each: now - each.data_at if each.data_at else None),
        _number("cadence", "every", sources, "age", lambda each: each.cadence_s or None, drop=3),
        _text("latency", "p50/p99", sources, _latency, drop=2),
        _number("bytes", "bytes", sources, "bytes", lambda each: each.body_bytes or None, drop=4),
        _number("requests", "requests", sources, "int", lambda each: each.requests, drop=8),
        _number("failures", "errors", sources, "int", lambda each: each.failures, drop=1),
        _text("lies", "lies", sources, lambda each: _lies(each, snapshot), drop=5),
        _text("budget", "budget", sources, _budget, drop=9),
        _text("skew", "skew", sources, _skew, drop=6),
        _text("next", "next try", sources, lambda each: _next_try(each, now), drop=2),
        _text("retry", "Retry-After", sources, _retry_after, drop=10),
    )
    return Table(
        tuple(column for column in columns if column is not None),
        ids=[_id(each) for each in sources],
        title=_title(sources, place),
        total=len(snapshot.sources),
        empty=_empty(snapshot, place),
        enter=False,
        severities=[MARKS[each.state][1] for each in sources],
    )


def _id(source: SourceStatus) -> str:
    return f"{ID}{source.site}/{source.name}"


def _title(sources: Sequence[SourceStatus], place: Place) -> str:
    site = clean(place.path.partition("/")[0], 24)
    bad = sum(each.state not in WELL for each in sources)
    told = f"{len(sources)}, {bad} not well" if bad else f"{len(sources)}"
    return f"SOURCES of {site}  {told}" if site else f"SOURCES  {told}"


def _empty(snapshot: Snapshot, place: Place) -> str:
    if not snapshot.sources:
        return "waiting for the sources to start" if snapshot.loading else "this fleet has no sources"
    return "every source here is well; ! shows all of them" if place.only_wrong else "no source at this place"


def _number(
    key: str,
    title: str,
    sources: Sequence[SourceStatus],
    form: str,
    value: Callable[[SourceStatus], float | None],
    drop: int = 0,
) -> TableColumn:
    found = [value(each) for each in sources]
    values = np.array([np.nan if each is None else each for each in found], dtype=np.float64)
    return TableColumn(key, title, values, form, Align.RIGHT, drop=drop)


def _text(
    key: str, title: str, sources: Sequence[SourceStatus], value: Callable[[SourceStatus], str], drop: int
) -> TableColumn | None:
    """Return a column of words, None where no endpoint has any."""
    values = [value(each) for each in sources]
    if not any(values):
        return None
    return TableColumn(key, title, [each or MISSING for each in values], align=Align.RIGHT, drop=drop)


def _latency(source: SourceStatus) -> str:
    if not source.latency_p50_s:
        return ""
    return f"{milliseconds(source.latency_p50_s)}/{milliseconds(source.latency_p99_s)}"


def milliseconds(seconds: float) -> str:
    """Return a short duration in ms below a second, in s above."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _lies(source: SourceStatus, snapshot: Snapshot) -> str:
    """Return how many findings there are about what a source tells."""
    return f"▲ {count:,}" if (count := len(findings_of(source, snapshot))) else ""


def _budget(source: SourceStatus) -> str:
    sides = [f"{source.budget_rps:g}/s"] * bool(source.budget_rps)
    sides += [f"{format_value(source.budget_bps, 'bytes')}/s"] * bool(source.budget_bps)
    return " ".join(sides)


def _skew(source: SourceStatus) -> str:
    return "" if source.clock_skew_s is None else f"{source.clock_skew_s:+.1f} s"


def _next_try(source: SourceStatus, now: float) -> str:
    if not source.next_try_at:
        return ""
    wait = source.next_try_at - now
    return f"in {wait:.0f} s" if wait >= 0.5 else "now"


def _retry_after(source: SourceStatus) -> str:
    return "" if source.retry_after_s is None else f"{source.retry_after_s:.0f} s"


PANEL = SourcesPanel()
