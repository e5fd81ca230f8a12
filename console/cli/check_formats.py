"""Check results in the formats of monitoring systems: Nagios plug-in output, JUnit XML, Prometheus text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from console.model.levels import Severity
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.cli.options import Shape
    from console.model.disagreements import Disagreement, Disagreements
    from console.model.events import CheckResult

_CODES = {Severity.OK: 0, Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2, Severity.UNKNOWN: 3}
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
FIELDS = ("id", "state", "matches", "unknown", "expected", "warning", "critical", "since", "level", "text", "paths")


def nagios_code(results: Sequence[CheckResult], *, too_old: bool = False) -> int:
    """Return the Nagios code of all results: critical beats unknown beats warning; old data is 3."""
    codes = {_CODES[result.severity] for result in results}
    if 2 in codes:
        return 2
    if 3 in codes or too_old or not results:
        return 3
    return max(codes)


def write_checks(
    results: Sequence[CheckResult],
    shape: Shape,
    *,
    at: float,
    partial: bool,
    disagreements: Disagreements | None = None,
) -> None:
    """Write check results in the chosen format; JSON has the rows of `disagreements` in the check that counts them."""
    if shape.format == "table":
        _write_table(results, shape)
    elif shape.format == "nagios":
        sys.stdout.write(nagios(results))
    elif shape.format == "junit":
        sys.stdout.write(junit(results))
    elif shape.format == "prometheus":
        sys.stdout.write(prometheus(results))
    else:
        from console.cli.output import write_rows

        write_rows(
            [as_row(result) | _disputes(result, disagreements) for result in results],
            shape,
            name="check",
            at=at,
            partial=partial,
            total=len(results),
            fields=FIELDS,
        )


def as_row(result: CheckResult) -> dict[str, Any]:
    """Return a result as a JSON-safe row."""
    return {
        "id": result.name,
        "state": result.severity.value,
        "matches": result.matches,
        "unknown": result.unknown,
        "expected": result.expected,
        "warning": result.warning,
        "critical": result.critical,
        "since": round(result.since, 3) if result.since else None,
        "level": result.level.value,
        "text": clean(result.text),
        "paths": [clean(path) for path in result.paths],
    }


def _disputes(result: CheckResult, found: Disagreements | None) -> dict[str, Any]:
    """Return the listed disagreements, who says what and when, for the check that counts them."""
    if result.rows or found is None:
        return {}
    return {"counts": dict(found.counts), "disagreements": [_dispute(row) for row in found.rows]}


def _dispute(row: Disagreement) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "path": clean(row.path),
        "severity": row.severity.value,
        "since": round(row.since, 3),
        "text": clean(row.text),
        "voices": [
            {"voice": clean(each.voice), "says": clean(each.says), "at": round(each.at, 3) or None, "stale": each.stale}
            for each in row.voices
        ],
    }


def nagios(results: Sequence[CheckResult]) -> str:
    """Return plug-in output: one status line with perfdata, then a line a check.

    Thresholds mean 'so many or more', which Nagios ranges spell `@5:` (alert inside).
    """
    word = _WORDS[nagios_code(results)]
    bad = [result for result in results if _CODES[result.severity]]
    head = ", ".join(f"{result.name} {result.matches}" for result in bad) or f"{len(results)} checks"
    perfdata = " ".join(_perfdata(result) for result in results)
    lines = [f"{_WORDS[_CODES[result.severity]]} {result.name}: {clean(result.text)}" for result in results]
    return "\n".join([f"{word} - {_piped(head)}|{perfdata}", *map(_piped, lines)]) + "\n"


def _piped(text: str) -> str:
    return text.replace("|", "/")


def _perfdata(result: CheckResult) -> str:
    label = result.name.replace("'", "").replace("=", "")
    warning = f"@{result.warning}:" if result.warning is not None else ""
    critical = f"@{result.critical}:" if result.critical is not None else ""
    return f"'{label}'={result.matches};{warning};{critical};0;{result.expected}"


def junit(results: Sequence[CheckResult]) -> str:
    """Return JUnit XML: a test case a check."""
    failed = sum(result.severity in (Severity.WARNING, Severity.CRITICAL) for result in results)
    skipped = sum(result.severity is Severity.UNKNOWN for result in results)
    cases = "".join(_case(result) for result in results)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'<testsuite name="gigadeck" tests="{len(results)}" failures="{failed}" errors="0" skipped="{skipped}">\n'
        f"{cases}</testsuite>\n</testsuites>\n"
    )


def _case(result: CheckResult) -> str:
    name = f"<testcase classname={quoteattr('gigadeck.check')} name={quoteattr(clean(result.name))}"
    if result.severity in (Severity.OK, Severity.INFO):
        return f"{name}/>\n"
    text = clean(result.text)
    body = escape("\n".join(clean(path) for path in result.paths))
    tag = "skipped" if result.severity is Severity.UNKNOWN else "failure"
    return f"{name}><{tag} message={quoteattr(text)}>{body}</{tag}></testcase>\n"


def prometheus(results: Sequence[CheckResult]) -> str:
    """Return Prometheus text for a textfile collector; states are Nagios codes."""
    families = (
        ("gigadeck_check_state", "State: 0 ok, 1 warning, 2 critical, 3 unknown.", lambda r: _CODES[r.severity]),
        ("gigadeck_check_matches", "Objects that satisfy the condition.", lambda r: r.matches),
        ("gigadeck_check_unknown", "Objects that could not be judged.", lambda r: r.unknown),
    )
    lines: list[str] = []
    for name, about, value in families:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{check="{_label(result.name)}"}} {value(result)}' for result in results]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return clean(text).replace("\\", "\\\\").replace('"', '\\"')


def _write_table(results: Sequence[CheckResult], shape: Shape) -> None:
    from console.cli.tables import write_columns
    from console.model.views import Align, Table, TableColumn

    columns = (
        TableColumn("state", "STATE", [result.severity.value for result in results], format="severity"),
        TableColumn("id", "CHECK", [result.name for result in results]),
        TableColumn("matches", "MATCH", [f"{result.matches:,}" for result in results], align=Align.RIGHT),
        TableColumn("unknown", "UNKNOWN", [f"{result.unknown:,}" for result in results], align=Align.RIGHT),
        TableColumn("text", "WHAT", [clean(result.text) for result in results], weight=1),
    )
    write_columns(Table(columns, [result.name for result in results]), shape)
