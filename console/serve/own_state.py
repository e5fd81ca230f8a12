"""What a serve knows of itself, for `/ready`, `/metrics` and the check: read from its parts, changed by nobody."""

from __future__ import annotations

import os
import resource
from collections import Counter
from typing import TYPE_CHECKING, Any

from console import __version__
from console.model.snapshot import SourceState
from console.serve.own_metrics import Family, by, counter, exposition, gauge
from console.serve.role import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.model.incidents import MemoryStatus
    from console.model.snapshot import SiteFrame, Snapshot, SourceStatus
    from console.serve.parts import Parts

# Data older than this is no data for whoever asks whether we are ready.
FRESH_S = 120.0
_GOOD = (SourceState.OK, SourceState.SLOW)


def latest(parts: Parts) -> Snapshot | None:
    """Return the snapshot that is served now."""
    session = parts.stage.session
    return session.latest() if session is not None and parts.stage.shown_term >= 0 else None


def readiness(parts: Parts) -> dict[str, Any]:
    """Return whether we have something to serve, which role we have, and what does not work."""
    snapshot, now, standing = latest(parts), parts.clock(), parts.office.standing
    sites = {site: _site(site, snapshot, now) for site in parts.stage.plan.sites}
    ready = bool(sites) and all(each["age_s"] is not None and each["age_s"] < FRESH_S for each in sites.values())
    troubles = (standing.trouble, parts.stage.trouble, parts.office.token_trouble, parts.heartbeat.trouble)
    return {
        "schema": "gigadeck/ready/v1",
        "ready": ready,
        "at": round(now, 3),
        "keeper": parts.keeper,
        "version": __version__,
        "role": parts.office.word().role if standing.part is not Part.WAITING else standing.part.value,
        "leader": standing.leader,
        "fence": standing.fence,
        "sites": sites,
        "writable": ready and all(not each["memory"]["trouble"] for each in sites.values()) and not standing.trouble,
        "heartbeat": {
            "wanted": parts.heartbeat.wanted,
            "every_s": parts.heartbeat.config.every_s,
            "sent_at": round(parts.heartbeat.sent_at, 3) or None,
            "trouble": parts.heartbeat.trouble,
        },
        "troubles": [each for each in troubles if each],
    }


def _site(site: str, snapshot: Snapshot | None, now: float) -> dict[str, Any]:
    frame = snapshot.frame.site(site) if snapshot is not None else None
    at = frame.data_at if frame is not None else 0.0
    memory = next((each for each in snapshot.memories if each.site == site), None) if snapshot is not None else None
    return {
        "age_s": round(max(0.0, now - at), 1) if at else None,
        "stale": frame.stale if frame is not None else True,
        "memory": _memory(memory),
    }


def _memory(memory: MemoryStatus | None) -> dict[str, str]:
    if memory is None:
        return {"kind": "none", "where": "", "trouble": "what is remembered is not read yet"}
    return {"kind": memory.kind, "where": memory.where, "trouble": memory.trouble}


def metrics_text(parts: Parts) -> str:
    """Return `/metrics`."""
    return exposition((*_office(parts), *_door(parts), *_process(parts), *_engine(parts), *_sites(parts)))


def _office(parts: Parts) -> Iterator[Family]:
    standing, heart = parts.office.standing, parts.heartbeat
    yield Family("info", "gauge", "Version and name.", (({"version": __version__, "keeper": parts.keeper}, 1.0),))
    yield gauge("leader", "Whether this serve leads: 1 or 0.", float(parts.office.word().leads))
    yield gauge("fence", "The number of our office as leader.", _number(standing.fence))
    yield counter("terms_total", "Changes of role since the start.", float(standing.term))
    yield gauge("election_trouble", "Whether nobody tells who leads: 1 or 0.", float(bool(standing.trouble)))
    if heart.wanted:
        yield gauge("heartbeat_sent_at_seconds", "When every receiver last took a heartbeat.", heart.sent_at)
        yield counter("heartbeats_total", "Heartbeats sent since the start.", float(heart.beats))
    yield counter("reloads_total", "Configurations read anew since the start.", float(parts.reloads))
    yield gauge("reload_failed", "Whether the last configuration was refused: 1 or 0.", float(bool(parts.reload_fault)))


def _door(parts: Parts) -> Iterator[Family]:
    gate, book = parts.gate, parts.book
    statuses = {str(status): float(count) for status, count in sorted(gate.statuses.items())}
    refused = {reason: float(count) for reason, count in sorted(gate.refused.items())}
    yield by("requests_total", "counter", "Answers by status.", "status", statuses)
    yield by("refused_total", "counter", "Requests that the gate refused.", "reason", refused)
    yield gauge("connections", "Open connections.", float(len(book)))
    yield counter("turned_away_total", "Connections closed because there were too many.", float(book.turned_away))
    for name, value in sorted(parts.hub.statistics().items()):
        kind, said = ("counter", f"{name}_total") if name in _TOTALS else ("gauge", name)
        yield Family(said.replace("_s_", "_seconds_"), kind, "Of the streams.", (({}, value),))


_TOTALS = frozenset(
    (
        "bytes_sent",
        "encode_s",
        "encodes",
        "streams_broken",
        "streams_dropped",
        "streams_opened",
        "streams_resumed",
        "streams_stalled",
    )
)


def _process(parts: Parts) -> Iterator[Family]:
    for name, seconds in parts.lag.statistics().items():
        yield gauge(f"loop_lag_{name.removesuffix('_s')}_seconds", "How late the serving loop wakes.", seconds)
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield counter("cpu_seconds_total", "Processor time used.", used.ru_utime + used.ru_stime)
    yield gauge("memory_peak_bytes", "The most memory that was used at once.", used.ru_maxrss * 1024.0)
    try:
        yield gauge("open_files", "Open descriptors.", float(len(os.listdir("/proc/self/fd"))))
    except OSError:
        return


def _engine(parts: Parts) -> Iterator[Family]:
    session = parts.stage.session
    if session is None:
        return
    for part, values in session.statistics().items():
        for name, value in values.items():
            seconds = name.endswith("_s")
            said = f"engine_{part}_{name.removesuffix('_s')}{'_seconds' if seconds else ''}"
            yield gauge(said, f"Of the engine's part {part}.", float(value))


def _sites(parts: Parts) -> Iterator[Family]:
    snapshot, now = latest(parts), parts.clock()
    if snapshot is None:
        return
    frames = snapshot.frame.sites
    told: tuple[tuple[str, str, Callable[[SiteFrame], float]], ...] = (
        ("site_data_at_seconds", "Newest sample.", lambda frame: frame.data_at),
        ("site_gpus", "GPUs of the site.", lambda frame: float(frame.topology.gpus)),
        ("site_gpus_reporting", "GPUs with any current value.", lambda frame: float(frame.reporting.sum())),
    )
    for name, about, value in told:
        yield Family(name, "gauge", about, tuple(({"site": frame.site}, value(frame)) for frame in frames))
    yield from _sources(snapshot, now)
    counted = Counter((each.site, each.state.value, each.sign.severity.value) for each in snapshot.incidents)
    yield Family(
        "incidents",
        "gauge",
        "Incidents that are remembered.",
        tuple(
            ({"site": site, "state": state, "severity": severity}, float(count))
            for (site, state, severity), count in sorted(counted.items())
        ),
    )
    yield Family(
        "memory_writable",
        "gauge",
        "Whether what people do is kept: 1 or 0.",
        tuple(({"site": each.site, "kind": each.kind}, float(not each.trouble)) for each in snapshot.memories),
    )


def _sources(snapshot: Snapshot, now: float) -> Iterator[Family]:
    rows = [({"site": each.site, "source": each.name, "kind": each.kind}, each) for each in snapshot.sources]
    told: tuple[tuple[str, str, str, Callable[[SourceStatus], float | None]], ...] = (
        ("source_up", "gauge", "Whether it answers: 1 or 0.", lambda each: float(each.state in _GOOD)),
        ("source_age_seconds", "gauge", "Age of its newest data.", lambda each: _age_s(each, now)),
        ("source_requests_total", "counter", "Requests made.", lambda each: float(each.requests)),
        ("source_failures", "gauge", "Failures in a row.", lambda each: float(each.failures)),
        ("source_dropped_total", "counter", "Readings not decoded.", lambda each: float(each.dropped)),
    )
    for name, kind, about, value in told:
        yield Family(name, kind, about, tuple((labels, value(each)) for labels, each in rows))


def _age_s(source: SourceStatus, now: float) -> float | None:
    return max(0.0, now - source.data_at) if source.data_at else None


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)
