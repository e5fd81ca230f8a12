"""Which voices a site has, and which of them had something to say: silence proves nothing where nobody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.why.gather import ALERTS, BMC, FACILITY, KERNEL, SCHEDULER, STORAGE, TELEMETRY
from console.core.why.standing import storage_metrics
from console.model.snapshot import SourceState
from console.model.why import Hearing, Voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.core.why.gather import Span
    from console.core.why.subject import WhySubject
    from console.model.snapshot import Snapshot, SourceStatus
    from console.model.why import Moment

# Which kinds of sources speak with which voice; a site's own gigadeck and the emulator have several.
KINDS: dict[str, frozenset[str]] = {
    SCHEDULER: frozenset({"slurm", "kubernetes", "site", "emulator"}),
    KERNEL: frozenset({"ssh", "logs", "nvml", "site", "emulator"}),
    TELEMETRY: frozenset({"prometheus", "dcgm", "ssh", "nvml", "site", "emulator"}),
    ALERTS: frozenset({"alertmanager"}),
    BMC: frozenset({"redfish"}),
}
ADVICE = {
    SCHEDULER: "no source of kind slurm or kubernetes",
    KERNEL: "no source of kind ssh, nvml or logs: kernel logs were not heard",
    TELEMETRY: "no source of telemetry",
    ALERTS: "no source of kind alertmanager",
    BMC: "no source of kind redfish: leaks, power and event logs of BMCs were not heard",
}
LATE = (SourceState.FAILING, SourceState.STALE, SourceState.DISABLED, SourceState.STARTING)
FEW_EVENTS = 1000


def voices_of(snapshot: Snapshot, subject: WhySubject, moments: Sequence[Moment], span: Span) -> tuple[Voice, ...]:
    """Return every voice in a fixed order: what it told in the time, that it was silent, late, or is not there."""
    site = subject.frame.site
    sources = [source for source in snapshot.sources if source.site == site]
    told = [_voice(name, kinds, sources, moments, snapshot.at) for name, kinds in KINDS.items()]
    if any(moment.voice == FACILITY for moment in moments):
        told.append(_heard(FACILITY, moments))
    return (*_with_limits(told, subject, span), _storage(snapshot, subject))


def _voice(
    name: str, kinds: frozenset[str], sources: Sequence[SourceStatus], moments: Sequence[Moment], now: float
) -> Voice:
    ours = [source for source in sources if source.kind in kinds]
    if any(moment.voice == name for moment in moments):
        return _heard(name, moments)
    if not ours:
        return Voice(name, Hearing.MISSING, ADVICE[name])
    late = [source for source in ours if source.state in LATE]
    if len(late) == len(ours):
        said = late[0].last_error or late[0].state.value
        age = f", last heard {now - late[0].last_ok_at:.0f} s ago" if late[0].last_ok_at else ", never heard"
        return Voice(name, Hearing.LATE, f"{late[0].name} is {late[0].state.value}{age}: {said}")
    names = ", ".join(source.name for source in ours if source not in late)
    return Voice(name, Hearing.SILENT, f"{names} told nothing of these nodes in this time")


def _heard(name: str, moments: Sequence[Moment]) -> Voice:
    count = sum(moment.voice == name for moment in moments)
    return Voice(name, Hearing.HEARD, f"{count} {'thing' if count == 1 else 'things'}")


def _with_limits(voices: Sequence[Voice], subject: WhySubject, span: Span) -> Iterator[Voice]:
    """Yield the voices, with what a bounded memory of events cannot know any more."""
    events = subject.frame.events
    oldest = min((event.at for event in events), default=0.0) if len(events) >= FEW_EVENTS else 0.0
    for voice in voices:
        if voice.name == KERNEL and voice.hearing is Hearing.SILENT and oldest > span.begin_at:
            text = f"{voice.text}; older events than those of the last {subject.frame.data_at - oldest:.0f} s are gone"
            yield Voice(voice.name, voice.hearing, text)
        else:
            yield voice


def _storage(snapshot: Snapshot, subject: WhySubject) -> Voice:
    known = storage_metrics(snapshot.frame.metrics)
    if not known:
        return Voice(STORAGE, Hearing.MISSING, "none under `metrics:` of the fleet file: storage was not heard")
    there = [metric.name for metric in known if metric.name in subject.frame.columns]
    if not there:
        return Voice(STORAGE, Hearing.SILENT, f"{', '.join(metric.name for metric in known)}: no values here")
    return Voice(STORAGE, Hearing.HEARD, f"{', '.join(there)}: as they are now, see above")
