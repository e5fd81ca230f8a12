"""The bodies of the native site API for an emulated site: what `core.site_api` makes of one sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console import __version__
from console.core.site_api import bodies
from console.core.site_api.bodies import API_VERSION, EVENTS_A_PAGE
from console.core.site_api.topology import row_names
from console.core.site_api.topology import topology_body as the_topology
from console.model.builtin_metrics import BUILTIN
from console.model.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from console.core.site_api.bodies import WireColumn
    from console.core.site_api.packing import MediaType
    from console.emulator.wire.feed import EventLog, Sample
    from console.model.events import Event

__all__ = [
    "API_VERSION",
    "EVENTS_A_PAGE",
    "events_body",
    "facility_body",
    "info_body",
    "jobs_body",
    "row_names",
    "sites_body",
    "telemetry_body",
    "topology_body",
]

Body = dict[str, Any]


def sites_body(samples: Sequence[Sample]) -> Body:
    """Return the list of sites."""
    return bodies.sites_body([(each.topology, each.tag) for each in samples])


def info_body(sample: Sample, cadence_s: float) -> Body:
    """Return what a client needs to know before it asks for more."""
    return bodies.info_body(
        sample.topology,
        sample.tag,
        sample.state.at,
        cadence_s=cadence_s,
        server=f"gigadeck-emulator/{__version__}",
        columns=_columns(sample),
        metrics=BUILTIN,
    )


def topology_body(sample: Sample, media: MediaType) -> Body:
    """Return a site's topology as columns."""
    return the_topology(sample.topology, sample.tag, sample.state.at, media)


def telemetry_body(sample: Sample, media: MediaType, metrics: Collection[str], level: str) -> Body:
    """Return columns; `metrics` and `level` narrow them down where they are not empty. Unknown names are left out."""
    wanted = [
        each for each in _columns(sample) if (not metrics or each[0] in metrics) and (not level or each[1] == level)
    ]
    return bodies.telemetry_body(sample.topology, sample.tag, sample.state.at, wanted, media)


def jobs_body(sample: Sample, media: MediaType) -> Body:
    """Return every job, and which job holds each GPU (an index into `jobs`, -1: none)."""
    jobs = Jobs(tuple(sample.state.jobs), sample.state.gpu_job, sample.state.at)
    return bodies.jobs_body(sample.topology, sample.tag, sample.state.at, jobs, media)


def facility_body(sample: Sample) -> Body:
    """Return the metrics above the node, readable by a human: names and values side by side, null is missing."""
    return bodies.facility_body(sample.topology, sample.tag, sample.state.at, _columns(sample), BUILTIN)


def events_body(sample: Sample, log: EventLog, after: int, entries: Sequence[tuple[int, Event]]) -> Body:
    """Return a page of events after a number, oldest first."""
    return bodies.events_body(
        sample.topology,
        sample.tag,
        sample.state.at,
        log=log.log,
        oldest=log.oldest,
        last=log.last,
        after=after,
        entries=entries,
    )


def _columns(sample: Sample) -> list[WireColumn]:
    state = sample.state
    return [(name, bodies.level_of(name, BUILTIN), state.at, values) for name, values in state.columns.items()]
