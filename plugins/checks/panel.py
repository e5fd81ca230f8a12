"""Every check: its state, how many rows match, how many could not be judged, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Align, Level, Part, Severity, Span, Split, Table, TableColumn, Text, clean, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import CheckResult, Line, Place, Size, Snapshot, View

GLYPHS = {
    Severity.OK: "✓",
    Severity.INFO: "i",
    Severity.UNKNOWN: "?",
    Severity.WARNING: "▲",
    Severity.CRITICAL: "✖",
}
ID = "check:"
MISSING = "—"
CHROME_LINES = 2
DETAIL_LINES = 6
WIDE = 120


class ChecksPanel:
    """All checks, and the one under the cursor in full."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return the list, worst first, with details below where there is room."""
        checks = [check for check in ranked(snapshot) if not place.only_wrong or check.severity is not Severity.OK]
        table = check_table(checks, snapshot, place)
        chosen = _chosen(checks, place.selected)
        if chosen is None or size.height < 2 * CHROME_LINES + DETAIL_LINES:
            return table
        above = min(len(checks) + CHROME_LINES, max(CHROME_LINES + 3, size.height - DETAIL_LINES - CHROME_LINES))
        below = Split(_details(chosen, snapshot, size.width), across=True)
        return Split((Part(table, fixed=above), Part(below, minimum=CHROME_LINES + 1)))


def ranked(snapshot: Snapshot) -> list[CheckResult]:
    """Return the checks, worst first, then by how many rows match, then by name."""
    return sorted(snapshot.checks, key=lambda check: (-check.severity.rank, -check.matches, check.name))


def check_table(checks: Sequence[CheckResult], snapshot: Snapshot, place: Place) -> Table:
    """Return one row a check; ids are `check:NAME`."""
    columns = (
        TableColumn(
            "state", "state", [f"{GLYPHS[c.severity]} {c.severity.value}" for c in checks], tokens=_tokens(checks)
        ),
        TableColumn("name", "check", [clean(c.name, 60) for c in checks], width=12, weight=2),
        TableColumn("matches", "match", [_of(c.matches) for c in checks], align=Align.RIGHT),
        TableColumn("unknown", "unknown", [_of(c.unknown) for c in checks], align=Align.RIGHT, drop=2),
        TableColumn("expected", "of", [_rows(c) for c in checks], align=Align.RIGHT, drop=3),
        TableColumn("thresholds", "▲/✖ at", [_thresholds(c) for c in checks], align=Align.RIGHT, drop=4),
        TableColumn("since", "since", [_since(c, snapshot.at) for c in checks], align=Align.RIGHT, width=6),
        TableColumn("pending", "pending", [_pending(c) for c in checks], drop=5),
        TableColumn("where", "where", [_where(c) for c in checks], width=12, weight=3, drop=1),
    )
    return Table(
        columns,
        ids=[f"{ID}{check.name}" for check in checks],
        title=_title(snapshot),
        total=len(snapshot.checks),
        empty=_empty(snapshot, place),
        enter=False,
        severities=[check.severity.value for check in checks],
    )


def _title(snapshot: Snapshot) -> str:
    counts = [(each, sum(c.severity is each for c in snapshot.checks)) for each in reversed(Severity)]
    told = "  ".join(f"{GLYPHS[each]} {count} {each.value}" for each, count in counts if count)
    return f"CHECKS  {told}" if told else "CHECKS"


def _empty(snapshot: Snapshot, place: Place) -> str:
    if snapshot.loading:
        return "waiting for the first reading; nothing has been judged yet"
    if not snapshot.checks:
        return "no checks are set up: write some under `checks:` in the fleet file"
    return "every check is well; ! shows all of them" if place.only_wrong else "nothing to show"


def _tokens(checks: Sequence[CheckResult]) -> list[str]:
    return [f"state.{check.severity.value}" for check in checks]


def _of(count: int) -> str:
    return f"{count:,}"


def _word(level: Level, count: int) -> str:
    name = "GPU" if level is Level.GPU else level.value
    return name if count == 1 else f"{name}s"


def _rows(check: CheckResult) -> str:
    return f"{check.expected:,} {_word(check.level, check.expected)}"


def _thresholds(check: CheckResult) -> str:
    sides = [MISSING if each is None else f"{each:,}" for each in (check.warning, check.critical)]
    return "/".join(sides)


def _since(check: CheckResult, now: float) -> str:
    return format_value(now - check.since, "age") if check.since else MISSING


def _pending(check: CheckResult) -> str:
    return "" if check.pending is None else f"{GLYPHS[check.pending]} {check.pending.value}"


def _where(check: CheckResult) -> str:
    hit = sorted((row for row in check.by_site if row[1]), key=lambda row: (-row[1], row[0]))
    return ", ".join(f"{clean(site, 20)} {matches:,}" for site, matches, _ in hit)


def _chosen(checks: Sequence[CheckResult], selected: str) -> CheckResult | None:
    named = next((check for check in checks if f"{ID}{check.name}" == selected), None)
    return named or (checks[0] if checks else None)


def _details(check: CheckResult, snapshot: Snapshot, width: int) -> tuple[Part, ...]:
    parts = [Part(_paths(check), weight=2), Part(_by_site(check, snapshot), weight=2)]
    return (*parts, Part(_words(check, snapshot), weight=3)) if width >= WIDE else tuple(parts)


def _paths(check: CheckResult) -> Table:
    more = check.matches > len(check.paths) > 0
    title = f"{clean(check.name, 40)}: first {len(check.paths)} of {check.matches:,}" if more else clean(check.name, 40)
    column = TableColumn("path", "where", [clean(path, 80) for path in check.paths], weight=1)
    empty = "nothing matches" if not check.matches else "the addresses of what matches are not known"
    return Table((column,), ids=list(check.paths), title=title, total=check.matches, empty=empty)


def _by_site(check: CheckResult, snapshot: Snapshot) -> Table:
    rows = sorted(check.by_site, key=lambda row: (-row[1], -row[2], row[0]))
    stale = {site.site for site in snapshot.frame.sites if site.stale}
    notes = ["stale: cannot be judged" if site in stale else "" for site, _, _ in rows]
    columns = (
        TableColumn("site", "site", [clean(site, 24) for site, _, _ in rows], width=8, weight=1),
        TableColumn("matches", "match", [_of(matches) for _, matches, _ in rows], align=Align.RIGHT),
        TableColumn("unknown", "unknown", [_of(unknown) for _, _, unknown in rows], align=Align.RIGHT),
        TableColumn("note", "", notes, weight=1, drop=1, tokens=["state.stale" if note else "text" for note in notes]),
    )
    return Table(columns, ids=[site for site, _, _ in rows], title="by site", total=len(rows))


def _words(check: CheckResult, snapshot: Snapshot) -> Text:
    lines: list[Line] = [
        (Span(f"{GLYPHS[check.severity]} {check.severity.value}", f"state.{check.severity.value}"),),
        (Span(clean(check.text, 300)),),
        (Span(f"{check.matches:,} of {_rows(check)} match, {check.unknown:,} could not be judged", "text.dim"),),
    ]
    if check.pending is not None:
        lines.append((Span(f"turns {check.pending.value} if it lasts", "text.dim"),))
    if check.jobs:
        lines.append((Span("jobs hit: ", "text.dim"), Span(", ".join(clean(job, 40) for job in check.jobs[:8]))))
    return Text(tuple(lines), title="in words")


PANEL = ChecksPanel()
