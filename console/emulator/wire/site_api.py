"""The bodies of the native site API, version 1, as plain values: see docs/site-api.openapi.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console import __version__
from console.emulator.wire.packing import MediaType, binary, block
from console.model.builtin_metrics import BUILTIN
from console.model.levels import SITE_LEVELS, Level

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from console.emulator.wire.feed import EventLog, Sample
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.topology import Domain, SiteTopology

API_VERSION = 1
EVENTS_A_PAGE = 1000

Body = dict[str, Any]


def sites_body(samples: Sequence[Sample]) -> Body:
    """Return the list of sites."""
    rows = [
        {
            "site": each.topology.site,
            "version": each.topology.version,
            "topology": each.tag,
            "nodes": len(each.topology.nodes),
            "gpus": each.topology.gpus,
        }
        for each in samples
    ]
    return {"api": API_VERSION, "sites": rows}


def info_body(sample: Sample, cadence_s: float) -> Body:
    """Return what a client needs to know before it asks for more."""
    metrics = [
        {"metric": name, "level": _level(name), "unit": BUILTIN[name].unit, "length": len(values)}
        for name, values in sample.state.columns.items()
        if name in BUILTIN
    ]
    return {
        **_head(sample),
        "api": API_VERSION,
        "server": f"gigadeck-emulator/{__version__}",
        "cadence_s": cadence_s,
        "nodes": len(sample.topology.nodes),
        "gpus": sample.topology.gpus,
        "metrics": metrics,
    }


def topology_body(sample: Sample, media: MediaType) -> Body:
    """Return a site's topology as columns."""
    topology = sample.topology
    codes = topology.model_code
    return {
        **_head(sample),
        "halls": list(topology.halls),
        "racks": list(topology.racks),
        "nodes": list(topology.nodes),
        "hall_racks": block(topology.hall_racks.astype(np.int32), media),
        "rack_nodes": block(topology.rack_nodes.astype(np.int32), media),
        "node_gpus": block(topology.node_gpus.astype(np.int32), media),
        "gpu_slot": block(topology.gpu_slot.astype(np.uint8), media),
        "uuids": _uuids(topology, media),
        "models": list(topology.models),
        "model_code": None if codes is None else block(codes.astype(np.uint8), media),
        "domains": {kind: _domain(domain, media) for kind, domain in topology.domains.items()},
        "aliases": _aliases(topology, media),
        "serials": list(topology.serials),
        "bmcs": list(topology.bmcs),
        "geo": {
            "country": topology.geo.country,
            "latitude": topology.geo.latitude,
            "longitude": topology.geo.longitude,
            "timezone": topology.geo.timezone,
        },
        "declared": topology.declared,
    }


def telemetry_body(sample: Sample, media: MediaType, metrics: Collection[str], level: str) -> Body:
    """Return columns; `metrics` and `level` narrow them down where they are not empty. Unknown names are left out."""
    columns = [
        {"metric": name, "level": _level(name), "at": sample.state.at, **block(values, media)}
        for name, values in sample.state.columns.items()
        if (not metrics or name in metrics) and (not level or _level(name) == level)
    ]
    return {**_head(sample), "columns": columns}


def jobs_body(sample: Sample, media: MediaType) -> Body:
    """Return every job, and which job holds each GPU (an index into `jobs`, -1: none)."""
    jobs = [_job(job) for job in sample.state.jobs]
    return {**_head(sample), "jobs": jobs, "gpu_job": block(sample.state.gpu_job.astype(np.int32), media)}


def facility_body(sample: Sample) -> Body:
    """Return the metrics above the node, readable by a human: names and values side by side, null is missing."""
    rows = []
    for name, values in sample.state.columns.items():
        level = _level(name)
        if level not in (Level.GPU, Level.NODE):
            numbers = [float(value) if np.isfinite(value) else None for value in values]
            names = row_names(sample.topology, level)
            rows.append({"metric": name, "unit": _unit(name), "level": level, "names": names, "values": numbers})
    return {**_head(sample), "facility": rows}


def events_body(sample: Sample, log: EventLog, after: int, entries: Sequence[tuple[int, Event]]) -> Body:
    """Return a page of events after a number, oldest first."""
    rows = [
        {
            "seq": seq,
            "at": event.at,
            "path": event.path,
            "kind": event.kind,
            "severity": str(event.severity),
            "text": event.text,
            "source": event.source,
        }
        for seq, event in entries
    ]
    return {**_head(sample), "log": log.log, "after": after, "oldest": log.oldest, "last": log.last, "events": rows}


def row_names(topology: SiteTopology, level: str) -> list[str]:
    """Return the addresses below the site (`h1/r003`) or domain names of the rows of a level or domain kind."""
    if level not in SITE_LEVELS:
        domain = topology.domains.get(level)
        return list(domain.names) if domain else []
    where = Level(level)
    paths = (topology.path(where, row) for row in range(topology.count(where)))
    return [path.removeprefix(f"{topology.site}/") for path in paths]


def _head(sample: Sample) -> Body:
    state = sample.state
    return {
        "site": sample.topology.site,
        "version": sample.topology.version,
        "topology": sample.tag,
        "at": state.at,
    }


def _level(metric: str) -> str:
    return str(BUILTIN[metric].level) if metric in BUILTIN else str(Level.GPU)


def _unit(metric: str) -> str:
    return BUILTIN[metric].unit if metric in BUILTIN else ""


def _uuids(topology: SiteTopology, media: MediaType) -> bytes | str:
    """16 bytes a GPU, high word first; 32 hexadecimal digits a GPU in JSON; zeros where a UUID is not known."""
    words = np.empty((topology.gpus, 2), dtype=">u8")
    words[:, 0], words[:, 1] = topology.uuid_high, topology.uuid_low
    data = words.tobytes()
    return binary(data, media) if media is MediaType.MSGPACK else data.hex()


def _aliases(topology: SiteTopology, media: MediaType) -> Body:
    """Other spellings of nodes, and the node of each: columns, for a large site has some hundred thousand."""
    aliases = dict(topology.aliases)
    rows = np.fromiter(aliases.values(), dtype=np.int32, count=len(aliases))
    return {"names": list(aliases), "rows": block(rows, media)}


def _domain(domain: Domain, media: MediaType) -> Body:
    return {
        "unit": str(domain.unit),
        "names": list(domain.names),
        "members": block(domain.members.astype(np.int32), media),
        "starts": block(domain.starts.astype(np.int32), media),
    }


def _job(job: Job) -> Body:
    return {
        "id": job.id,
        "name": job.name,
        "user": job.user,
        "state": str(job.state),
        "gpus": job.gpus,
        "nodes": job.nodes,
        "account": job.account,
        "partition": job.partition,
        "cluster": job.cluster,
        "purpose": job.purpose,
        "reason": job.reason,
        "submit_at": job.submit_at,
        "start_at": job.start_at,
        "end_at": job.end_at,
        "time_limit_s": job.time_limit_s,
    }
