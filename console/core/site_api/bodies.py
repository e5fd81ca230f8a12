"""The bodies of the native site API, version 1, as plain values: see docs/site-api.openapi.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.site_api.packing import MediaType, block
from console.core.site_api.rows import event_row, job_row, reason_row, row, state_row
from console.core.site_api.topology import head, row_names
from console.model.columns import Values
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.model.events import Alert, Event, Finding
    from console.model.incidents import Incident, Note, SharedView
    from console.model.jobs import Jobs
    from console.model.metrics import Metric
    from console.model.scheduling import NodeFacts, NodeReports, Reservation
    from console.model.topology import SiteTopology

API_VERSION = 1
EVENTS_A_PAGE = 1000

Body = dict[str, Any]
# A metric's name, its level or domain kind, when it was sampled, and float32 in topology order.
WireColumn = tuple[str, str, float, Values]


def sites_body(sites: Iterable[tuple[SiteTopology, str]]) -> Body:
    """Return the list of sites: the topology of each with its tag."""
    rows = [
        {
            "site": topology.site,
            "version": topology.version,
            "topology": tag,
            "nodes": len(topology.nodes),
            "gpus": topology.gpus,
        }
        for topology, tag in sites
    ]
    return {"api": API_VERSION, "sites": rows}


def level_of(metric: str, metrics: Mapping[str, Metric]) -> str:
    """Return the level or domain kind of a metric's rows; of one that nobody knows, GPUs."""
    return str(metrics[metric].level) if metric in metrics else str(Level.GPU)


def info_body(
    topology: SiteTopology,
    tag: str,
    at: float,
    *,
    cadence_s: float,
    server: str,
    columns: Iterable[WireColumn],
    metrics: Mapping[str, Metric],
) -> Body:
    """Return what a client needs to know before it asks for more."""
    offered = [
        {"metric": name, "level": level, "unit": metrics[name].unit, "length": len(values)}
        for name, level, _, values in columns
        if name in metrics
    ]
    return {
        **head(topology, tag, at),
        "api": API_VERSION,
        "server": server,
        "cadence_s": cadence_s,
        "nodes": len(topology.nodes),
        "gpus": topology.gpus,
        "metrics": offered,
    }


def telemetry_body(
    topology: SiteTopology, tag: str, at: float, columns: Iterable[WireColumn], media: MediaType
) -> Body:
    """Return columns."""
    told = [
        {"metric": name, "level": level, "at": sampled_at, **block(values, media)}
        for name, level, sampled_at, values in columns
    ]
    return {**head(topology, tag, at), "columns": told}


def facility_body(
    topology: SiteTopology, tag: str, at: float, columns: Iterable[WireColumn], metrics: Mapping[str, Metric]
) -> Body:
    """Return the metrics above the node, readable by a human: names and values side by side, null is missing."""
    rows = []
    for name, level, _, values in columns:
        if level not in (Level.GPU, Level.NODE):
            numbers = [float(value) if np.isfinite(value) else None for value in values]
            unit = metrics[name].unit if name in metrics else ""
            names = row_names(topology, level)
            rows.append({"metric": name, "unit": unit, "level": level, "names": names, "values": numbers})
    return {**head(topology, tag, at), "facility": rows}


def jobs_body(topology: SiteTopology, tag: str, at: float, jobs: Jobs, media: MediaType) -> Body:
    """Return every job, and which job holds each GPU (an index into `jobs`, -1: none).

    Where a scheduler names the nodes of its jobs, `node_rows` are those of all jobs, and those of job `i` stand from
    `node_starts[i]` to `node_starts[i + 1]`.
    """
    held = jobs.gpu_job if len(jobs.gpu_job) == topology.gpus else np.full(topology.gpus, -1)
    body = {
        **head(topology, tag, at),
        "jobs": [job_row(job) for job in jobs.rows],
        "gpu_job": block(held.astype(np.int32), media),
    }
    if len(jobs.node_starts) == len(jobs.rows) + 1:
        body["node_starts"] = block(jobs.node_starts.astype(np.int32), media)
        body["node_rows"] = block(jobs.node_rows.astype(np.int32), media)
    return body


def events_body(
    topology: SiteTopology,
    tag: str,
    at: float,
    *,
    log: str,
    oldest: int,
    last: int,
    after: int,
    entries: Iterable[tuple[int, Event]],
) -> Body:
    """Return a page of events after a number, oldest first."""
    rows = [event_row(seq, event) for seq, event in entries]
    return {**head(topology, tag, at), "log": log, "after": after, "oldest": oldest, "last": last, "events": rows}


def reports_body(
    topology: SiteTopology, tag: str, at: float, reports: Mapping[str, NodeReports], media: MediaType
) -> Body:
    """Return what each scheduler says of the nodes, in node rows: by voice, `codes` pointing into `states`."""
    voices = [
        {
            "voice": voice,
            "at": told.at,
            "states": [state_row(state) for state in told.states],
            "codes": block(told.codes.astype(np.int32), media),
            "gpus": block(told.gpus.astype(np.int32), media),
            "gpus_allocated": block(told.gpus_allocated.astype(np.int32), media),
            "reasons": [reason_row(node, told.reasons[node]) for node in sorted(told.reasons)],
        }
        for voice, told in reports.items()
    ]
    return {**head(topology, tag, at), "reports": voices}


def facts_body(
    topology: SiteTopology, tag: str, at: float, facts: Mapping[tuple[str, str], NodeFacts], media: MediaType
) -> Body:
    """Return what each voice says that nodes have, in node rows: `codes` pointing into `texts`, -1 not told."""
    told = [
        {
            "voice": voice,
            "fact": fact,
            "at": each.at,
            "texts": list(each.texts),
            "codes": block(each.codes.astype(np.int32), media),
        }
        for (voice, fact), each in facts.items()
    ]
    return {**head(topology, tag, at), "facts": told}


def reservations_body(
    topology: SiteTopology, tag: str, at: float, reservations: Mapping[str, Sequence[Reservation]]
) -> Body:
    """Return the reservations of each scheduler."""
    told = [{"voice": voice, "reservations": [row(each) for each in theirs]} for voice, theirs in reservations.items()]
    return {**head(topology, tag, at), "reservations": told}


def alerts_body(topology: SiteTopology, tag: str, at: float, alerts: Iterable[Alert]) -> Body:
    """Return the alerts of other systems."""
    return {**head(topology, tag, at), "alerts": [row(each) for each in alerts]}


def findings_body(topology: SiteTopology, tag: str, at: float, findings: Iterable[Finding]) -> Body:
    """Return what detectors say is wrong."""
    return {**head(topology, tag, at), "findings": [row(each) for each in findings]}


def incidents_body(topology: SiteTopology, tag: str, at: float, incidents: Iterable[Incident]) -> Body:
    """Return the incidents that are remembered."""
    return {**head(topology, tag, at), "incidents": [row(each) for each in incidents]}


def notes_body(topology: SiteTopology, tag: str, at: float, notes: Iterable[Note]) -> Body:
    """Return what people wrote on objects."""
    return {**head(topology, tag, at), "notes": [row(each) for each in notes]}


def views_body(topology: SiteTopology, tag: str, at: float, views: Iterable[SharedView]) -> Body:
    """Return the views that people saved for everybody."""
    return {**head(topology, tag, at), "views": [row(each) for each in views]}
