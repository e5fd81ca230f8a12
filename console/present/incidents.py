"""An incident as lines to read: what it is, its life, who has taken it on, and what it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.events import AlertState
from console.model.views import Span
from console.present.formats import format_value
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.model.incidents import Incident
    from console.model.views import Line

WIDTH = 400
NAME_CELLS = 18
PATHS_SHOWN = 10
# The time when it was last seen moves in steps of a minute.
UNSEEN_S = 90.0


def life_text(incident: Incident) -> str:
    """Return the state of an incident in one line: how bad, since when, who has taken it on."""
    sign, taken = incident.sign, incident.acknowledgement
    told = f"{incident.state.value}, {sign.severity.value}, since {_at(incident.opened_at)}"
    if incident.state is AlertState.RESOLVED:
        told = f"resolved at {_at(incident.resolved_at)}, began at {_at(incident.opened_at)}"
    if taken is None:
        return told
    worse = f", worse since than {taken.severity.value}" if sign.severity.rank > taken.severity.rank else ""
    note = f": {clean(taken.note, WIDTH)}" if taken.note else ""
    return f"{told}; acknowledged by {clean(taken.author, 80)} at {_at(taken.at)}{note}{worse}"


def incident_lines(incident: Incident, evidence: Mapping[str, Sequence[str]], now: float) -> Iterator[Line]:
    """Yield everything that is known of an incident; what came from outside is made safe."""
    sign = incident.sign
    yield (Span(f"incident {clean(incident.id, 120)}", "title"),)
    yield _pair("what", sign.text, f"state.{sign.severity.value}")
    yield _pair("where", sign.path)
    yield from _life(incident, now)
    yield from _taken(incident)
    yield from _reach(incident)
    for key, lines in evidence.items():
        yield _pair("told as" if key == sign.key else "and as", key if lines else f"{key} (nobody tells of it now)")
        yield from ((Span(f"{'':{NAME_CELLS}}{clean(line, WIDTH)}", "text.dim"),) for line in lines)


def _life(incident: Incident, now: float) -> Iterator[Line]:
    sign = incident.sign
    worst = f" (has been {incident.worst.value})" if incident.worst is not sign.severity else ""
    yield _pair("state", f"{incident.state.value}, {sign.severity.value}{worst}")
    yield _pair("began", f"{_at(incident.opened_at)}, {format_value(max(0.0, now - incident.opened_at), 'age')} ago")
    if incident.resolved_at:
        yield _pair("over", _at(incident.resolved_at))
    elif now - incident.seen_at > UNSEEN_S:
        yield _pair("last seen", _at(incident.seen_at))
    if incident.returns:
        yield _pair("came back", f"{incident.returns} time{'s' if incident.returns > 1 else ''}")
    yield _pair("remembered by", incident.keeper or "this console")


def _taken(incident: Incident) -> Iterator[Line]:
    taken = incident.acknowledgement
    if taken is None:
        yield _pair("acknowledged", "by nobody")
        return
    yield _pair("acknowledged", f"by {taken.author} at {_at(taken.at)}, when it was {taken.severity.value}")
    if taken.note:
        yield _pair("", taken.note)
    if incident.sign.severity.rank > taken.severity.rank:
        yield _pair("", "it has become worse since: it fires again", "state.warning")


def _reach(incident: Incident) -> Iterator[Line]:
    sign = incident.sign
    if sign.gpus:
        yield _pair("GPUs at risk", f"{'' if sign.exact else 'about '}{sign.gpus:,}")
    if sign.jobs:
        yield _pair("jobs", ", ".join(sign.jobs))
    paths = [path for path in sign.paths if path != sign.path]
    if paths:
        more = f" and {sign.matches - PATHS_SHOWN:,} more" if sign.matches > PATHS_SHOWN else ""
        yield _pair("objects", f"{', '.join(paths[:PATHS_SHOWN])}{more}")


def _at(at: float) -> str:
    return format_value(at, "datetime")


def _pair(name: str, value: str, token: str = "text") -> Line:
    return (Span(f"{name:<{NAME_CELLS}}", "text.dim"), Span(clean(value, WIDTH), token))
