"""What single voices tell, as lines: their untouched records in sections, and log lines in colour."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.model.levels import Severity
from console.model.views import Span
from console.model.voices import FollowState
from console.present.formats import format_value
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.model.views import Line
    from console.model.voices import VoiceLine, VoiceRecord

RECORD_LINES = 3000
WIDTH = 400
NAME_CELLS = 12
KEEPERS = "these kinds do: ssh, kubernetes, redfish, logs"
SEVERITIES = {
    Severity.CRITICAL: "state.critical",
    Severity.WARNING: "state.warning",
    Severity.UNKNOWN: "state.warning",
}
_BAD = re.compile(r"\b(panic|fatal|emerg\w*|crit(ical)?|traceback|err(or)?|failed|failure|exception)\b", re.IGNORECASE)
_ODD = re.compile(r"\b(warn(?:ing)?|retry\w*|timed? ?out|deprecated|refused|denied|degraded)\b", re.IGNORECASE)
STATES = {
    FollowState.ASKED: ("no line yet", "text.dim"),
    FollowState.FOLLOWING: ("follows", "state.ok"),
    FollowState.NO_LOG: ("has no log of it", "text.dim"),
    FollowState.ENDED: ("ended", "text.dim"),
    FollowState.FAILED: ("failed", "state.warning"),
}


def record_section(source: str, told: VoiceRecord | None, now: float) -> Iterator[Line]:
    """Yield one voice's section: who, how it answered, and its record as it is; `told` is None while it is asked."""
    yield ()
    title = Span(f"record of {clean(source, 80)}", "title")
    if told is None:
        yield (title, Span("   asked, no answer yet", "text.dim"))
        return
    age = format_value(max(0.0, now - told.at), "age")
    yield (title, Span(f"   {clean(told.kind, 40)}, answered in {told.latency_s:.2f} s, {age} ago", "text.dim"))
    if told.error:
        yield (Span(f"  {clean(told.error, WIDTH)}", "state.warning"),)
    elif not told.text.strip():
        yield (Span("  knows nothing of it", "text.dim"),)
    lines = told.text.splitlines()
    yield from ((Span(f"  {clean(line, WIDTH)}"),) for line in lines[:RECORD_LINES])
    if len(lines) > RECORD_LINES:
        yield (Span(f"  … {len(lines) - RECORD_LINES:,} more lines", "text.dim"),)


def log_line(line: VoiceLine, *, named: bool) -> Line:
    """Return a log line: when it came, whose it is where there are several voices, its text by how bad it is."""
    text = clean(line.text, WIDTH)
    spans = [Span(f"{datetime.fromtimestamp(line.at, UTC):%H:%M:%S} ", "text.dim")]
    if named:
        spans.append(Span(f"{clean(line.source, NAME_CELLS):<{NAME_CELLS}} ", "key.label"))
    return (*spans, Span(text, line_token(text)))


def line_token(text: str) -> str:
    """Return the token of a log line: what the kernel's grammar says of it, else what its words say."""
    from console.core.kernel_log import read_line  # the grammar of kernel logs takes 7 ms of a start
    from console.core.kernel_signs import read_sign, worth_reading

    if worth_reading(text):
        found = read_line(text) or read_sign(text)
        if found is not None:
            return SEVERITIES.get(found.severity, "text")
    if _BAD.search(text):
        return "state.critical"
    return "state.warning" if _ODD.search(text) else "text"


def voices_line(voices: Mapping[str, tuple[FollowState, str]], counts: Mapping[str, int], dropped: int) -> Line:
    """Return what each voice does, in one line."""
    if not voices:
        return (Span(f" no source of this site keeps logs of it; {KEEPERS}", "state.warning"),)
    spans: list[Span] = []
    for source, (state, why) in voices.items():
        words, token = STATES[state]
        count = f", {counts[source]:,} lines" if counts.get(source) else ""
        reason = f": {clean(why, 160)}" if why else ""
        spans += [Span(f" {clean(source, 40)}", "key"), Span(f" {words}{count}{reason}  ", token)]
    if dropped:
        spans.append(Span(f"{dropped:,} lines were too many", "state.warning"))
    return tuple(spans)
